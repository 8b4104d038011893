"""Agent-loop workers: async actors that run many agent loops at once. One loop makes one sample: ask, then score."""

from __future__ import annotations

import asyncio
from typing import Any

from monitor.demo import arithmetic
from monitor.demo.faults import LOST_WAKEUP, SELF_GET, FaultOrder
from monitor.demo.samples import BatchMeta, SampleRequest, Trajectory

FAULT_SAMPLE = 70
"""The sample of the final validation, counted in one worker, at which an ordered fault of the agent loop falls due."""


class AgentLoopWorker:
    """Runs its share of each batch."""

    def __init__(self, server: Any, index: int, order: FaultOrder) -> None:
        self._server = server
        self._index = index
        self._order = order
        self._begun = 0

    async def generate_sequences(self, requests: list[SampleRequest], meta: BatchMeta) -> list[Trajectory]:
        """One trajectory a request, in order."""
        return list(await asyncio.gather(*(self._run_agent_loop(request, meta) for request in requests)))

    async def encode_prompt(self, prompt: str) -> list[int]:
        """The tokenizer, for callers elsewhere."""
        return arithmetic.encode(prompt)

    async def _run_agent_loop(self, request: SampleRequest, meta: BatchMeta) -> Trajectory:
        due = self._is_due(meta)
        prompt_tokens = self._tokenize(request.problem.prompt, through_actor=due == SELF_GET)
        generated = await self._server.generate.remote(prompt_tokens, request.seed, meta["global_steps"])
        output = arithmetic.decode(generated["tokens"])
        score = await self._score(output, request.problem.ground_truth, reported=due != LOST_WAKEUP)
        return Trajectory(
            request.problem, prompt_tokens, generated["tokens"], output, generated["log_probability"], score
        )

    def _tokenize(self, prompt: str, *, through_actor: bool) -> list[int]:
        if not through_actor:
            return arithmetic.encode(prompt)
        import ray

        own = ray.get_runtime_context().current_actor
        self._order.place()
        tokens: list[int] = ray.get(own.encode_prompt.remote(prompt))
        return tokens

    async def _score(self, output: str, ground_truth: str, *, reported: bool) -> float:
        """The reward's verdict, which comes by a callback."""
        scored = asyncio.Event()
        verdict: list[float] = []

        def report() -> None:
            verdict.append(arithmetic.score(output, ground_truth))
            scored.set()

        if reported:
            asyncio.get_running_loop().call_soon(report)
        else:
            self._order.place()
        await scored.wait()
        return verdict[0]

    def _is_due(self, meta: BatchMeta) -> str | None:
        """The ordered fault, for the one sample of the final validation that it befalls."""
        hang = self._order.hang
        if hang is None or not meta["validate"] or self._index or not self._order.is_due(hang, meta["global_steps"]):
            return None
        self._begun += 1
        return hang if self._begun == FAULT_SAMPLE else None
