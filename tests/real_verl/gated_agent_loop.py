"""verl's single-turn agent loop with a tool before its turn: a server on a unix socket, which may never answer.

verl loads it by `agent_loop_config_path`; the server is the test's (`tool_server.py`).
"""

from __future__ import annotations

import asyncio
from typing import Any

from verl.experimental.agent_loop.agent_loop import AgentLoopOutput
from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop

from tests.real_verl import gates


class GatedAgentLoop(SingleTurnAgentLoop):  # type: ignore[misc]
    """Asks the tool where the gate is shut, then takes its turn."""

    async def run(self, sampling_params: dict[str, Any], priority: int = 0, **kwargs: Any) -> AgentLoopOutput:
        """One sample."""
        if gates.is_shut("tool", kwargs.get("extra_info")):
            await ask_tool()
        return await super().run(sampling_params, priority=priority, **kwargs)


async def ask_tool() -> bytes:
    """The tool's answer, however long it takes."""
    reader, writer = await asyncio.open_unix_connection(gates.gate("tool.sock"))
    try:
        writer.write(b"what is 1 + 1?\n")
        await writer.drain()
        return await reader.readline()
    finally:
        writer.close()
