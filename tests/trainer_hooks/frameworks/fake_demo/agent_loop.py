"""One sample."""

from __future__ import annotations

import asyncio
from typing import Any


class AgentLoopWorker:
    """Makes samples as verl does: what a sample belongs to stands in `trajectory`."""

    def generate(self, index: int, step: int, validate: bool = True) -> str:
        """Makes one sample, alone."""
        return asyncio.run(self._run_agent_loop({}, {"step": step, "sample_index": index, "validate": validate}))

    async def _run_agent_loop(self, sampling_params: dict[str, Any], trajectory: dict[str, Any]) -> str:
        await asyncio.sleep(0)
        return "2"
