"""The rollout server: an async actor that batches many `generate` calls into one engine, and takes a few control calls.

Control calls (`update_weights`, `sleep`, `wake_up`, `begin_validation`, `end_validation`) share the actor's slots with
`generate`, as in a server with one concurrency group.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.demo import config as settings
from monitor.demo.arithmetic import BATCH_ROWS
from monitor.demo.faults import CONTROL_QUEUE, ENGINE_STOPPED, LOOP_BLOCKED, SLOW, FaultOrder
from monitor.demo.own_code import require_own
from monitor.demo.samples import Generated

if TYPE_CHECKING:
    from monitor.demo.generation import Row

FAULT_ITERATION = 12
"""The engine iteration of the final validation at which an ordered fault of the engine falls due."""


class PageTable:
    """Which pages of the engine's cache are in use. Also read from the metrics thread, hence the lock."""

    def __init__(self, pages: int) -> None:
        self._lock = threading.Lock()
        self._free = pages

    def take(self, pages: int) -> None:
        """Pages for a batch."""
        with self._lock:
            self._free -= pages

    def give_back(self, pages: int, *, compact: bool) -> None:
        """A batch ended."""
        with self._lock:
            self._free += pages
            if compact:
                self.compact()

    def compact(self) -> None:
        """Move the pages in use together."""
        with self._lock:
            self._free = max(self._free, 0)


class RolloutServer:
    """Serves the policy's weights of one step at a time."""

    def __init__(self, config: dict[str, Any], source: Path, order: FaultOrder) -> None:
        self._config = config
        self._source = source
        self._order = order
        self._queue: list[tuple[Row, asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()
        self._awake = asyncio.Event()
        self._weights_ready = asyncio.Event()
        self._waiting_for_weights = 0
        self._weights_step = -1
        self._validating: int | None = None
        self._iterations = 0
        self._pages = PageTable(settings.ROLLOUT_SLOTS)
        self._engine: asyncio.Task[None] | None = None

    async def init_model(self) -> tuple[str, ...]:
        """Load the start model and quantize it; names of the quantized layers."""
        require_own(self._source)
        import torch

        from monitor.demo import checkpoints
        from quant.fingerprint import fingerprint
        from quant.layers import apply_recipe
        from quant.recipe import Recipe

        torch.set_num_threads(1)
        self._recipe = Recipe.from_dict(self._config["quantization"])
        self._model = checkpoints.load(Path(self._config["actor_rollout_ref"]["model"]["path"])).eval()
        self._start_fingerprint = fingerprint(self._model.state_dict())
        names = apply_recipe(self._model, self._recipe)
        self._awake.set()
        self._weights_step = 0
        self._engine = asyncio.create_task(self._run_engine())
        return names

    async def generate(self, prompt_tokens: list[int], seed: str | None, weights_step: int) -> Generated:
        """A response by the weights of `weights_step`, sampled with `seed`, greedy without one."""
        from monitor.demo.generation import Row

        await self._awake.wait()
        if self._weights_step < weights_step:
            await self._wait_for_weights(weights_step)
        row = Row(prompt_tokens, seed)
        finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((row, finished))
        self._arrived.set()
        await finished
        return {"tokens": row.tokens, "log_probability": row.log_probability}

    async def _wait_for_weights(self, weights_step: int) -> None:
        self._waiting_for_weights += 1
        if self._order.is_due(CONTROL_QUEUE, weights_step) and self._waiting_for_weights == settings.ROLLOUT_SLOTS:
            self._order.place()
        while self._weights_step < weights_step:
            self._weights_ready.clear()
            await self._weights_ready.wait()
        self._waiting_for_weights -= 1

    async def update_weights(self, weights: dict[str, Any], global_steps: int) -> dict[str, Any]:
        """Take the weights of a step."""
        from quant.fingerprint import fingerprint

        self._model.load_state_dict(weights)
        self._weights_step = global_steps
        self._weights_ready.set()
        return {"step": global_steps, "fingerprint": fingerprint(self._model.state_dict())}

    async def sleep(self) -> None:
        """Serve nothing until `wake_up`."""
        self._awake.clear()

    async def wake_up(self) -> None:
        """Serve again."""
        self._awake.set()

    async def begin_validation(self, global_steps: int) -> None:
        """Before a validation's first sample: note what is loaded and what was counted so far."""
        from quant import attestation

        self._validating = global_steps
        self._iterations = 0
        self._opening = attestation.begin(self._model, self._recipe)

    async def end_validation(self, global_steps: int) -> dict[str, Any]:
        """After its last sample: the attestation."""
        from quant import attestation

        self._validating = None
        return attestation.close(
            self._model,
            self._opening,
            start_fingerprint=self._start_fingerprint,
            weights_step=self._weights_step,
        )

    async def _run_engine(self) -> None:
        while True:
            await self._arrived.wait()
            # One turn of the loop: calls that arrived together join one batch.
            await asyncio.sleep(0)
            batch, self._queue = self._queue[:BATCH_ROWS], self._queue[BATCH_ROWS:]
            if not self._queue:
                self._arrived.clear()
            try:
                await self._run_batch([row for row, _ in batch])
            except Exception as error:
                _settle(batch, error)
            else:
                _settle(batch, None)

    async def _run_batch(self, rows: list[Row]) -> None:
        self._pages.take(len(rows))
        while not all(row.done for row in rows):
            self._decode(rows)
            await asyncio.sleep(self._step_seconds())
        self._pages.give_back(len(rows), compact=self._is_due(LOOP_BLOCKED))

    def _decode(self, rows: list[Row]) -> None:
        from monitor.demo.generation import decode_step

        self._iterations += 1
        if self._is_due(ENGINE_STOPPED):
            os.kill(os.getpid(), signal.SIGSTOP)
        decode_step(self._model, rows)

    def _step_seconds(self) -> float:
        seconds = float(self._config["actor_rollout_ref"]["rollout"]["engine_step_seconds"])
        slow = self._validating is not None and self._order.is_due(SLOW, self._validating)
        if slow:
            self._order.place()
        return seconds * settings.SLOW_FACTOR if slow else seconds

    def _is_due(self, hang: str) -> bool:
        """True once the ordered fault falls due; recorded then."""
        late = self._validating is not None and self._iterations >= FAULT_ITERATION
        due = late and self._validating is not None and self._order.is_due(hang, self._validating)
        if due:
            self._order.place()
        return due


def _settle(batch: list[tuple[Row, asyncio.Future[None]]], error: Exception | None) -> None:
    """Answer the calls of a batch; a call that was cancelled has no one waiting."""
    for _, finished in batch:
        if finished.done():
            continue
        if error is None:
            finished.set_result(None)
        else:
            finished.set_exception(error)
