"""The agent loop: one call a sample."""

from __future__ import annotations

import asyncio
from typing import Any


class AgentLoopWorker:
    """Makes samples."""

    async def generate_sequences(self, rows: int, step: int, validate: bool) -> list[str]:
        """All samples of a batch."""
        made = [
            self._run_agent_loop({}, {"step": step, "sample_index": index, "validate": validate}, agent_name="single")
            for index in range(rows)
        ]
        return await asyncio.gather(*made)

    async def _run_agent_loop(
        self, sampling_params: dict[str, Any], trajectory: dict[str, Any], *, agent_name: str, **_: Any
    ) -> str:
        await asyncio.sleep(0)
        return "2"
