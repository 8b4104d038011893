"""verl's single-turn agent loop with faults before its turn; verl loads it by `agent_loop_config_path`.

`tool`: each sample asks a server on a unix socket, which may never answer; the server is the test's (`tool_server.py`).
`control`: one sample closes vLLM's submission gate and lets generation calls take every concurrency slot of the server,
so that the call which opens the gate is queued behind those that wait for it (as in verl's issue 7587).
`slow`: the samples of a validation each have a tool that takes its time, and answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any
from uuid import uuid4

import ray
from verl.experimental.agent_loop.agent_loop import AgentLoopOutput
from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop

from tests.real_verl import gates

SLOTS = 1000
"""The `max_concurrency` that verl 0.9.1 gives its vLLM server (`RolloutReplica.max_concurrency`)."""


class GatedAgentLoop(SingleTurnAgentLoop):  # type: ignore[misc]
    """Asks the tool where the gate is shut, then takes its turn."""

    async def run(self, sampling_params: dict[str, Any], priority: int = 0, **kwargs: Any) -> AgentLoopOutput:
        """One sample."""
        if gates.is_shut("tool", kwargs.get("extra_info")):
            await ask_tool()
        if gates.is_shut("control", kwargs.get("extra_info")) and gates.is_first("control"):
            _, server = await self.server_manager._acquire_server(uuid4().hex, prompt_ids=[1])
            await reopen_behind_a_full_queue(server, sampling_params)
        seconds = gates.seconds_of_slow_sample(kwargs.get("extra_info"))
        if seconds:
            await asyncio.sleep(seconds)
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


async def reopen_behind_a_full_queue(server: Any, sampling_params: dict[str, Any]) -> None:
    """Close the server's gate, fill its slots with generation, ask it to open the gate again."""
    # vLLM 0.32 no longer takes what verl 0.9.1 gives its pause; the gate is closed before that.
    with contextlib.suppress(ray.exceptions.RayTaskError):
        await server.abort_all_requests.remote()
    parked = [
        server.generate.remote(prompt_ids=[1], sampling_params=dict(sampling_params), request_id=uuid4().hex)
        for _ in range(SLOTS)
    ]
    threading.Thread(target=_give_up_when_let, args=(parked,), daemon=True).start()
    await server.resume_generation.remote()


def _give_up_when_let(calls: list[Any]) -> None:
    gates.wait_for_lock("control")
    for call in calls:
        ray.cancel(call)
