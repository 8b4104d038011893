"""Rollout server and agent loops in one event loop: who waits for whom, and what ends the wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from monitor.demo import arithmetic, config
from monitor.demo.agent_loop import AgentLoopWorker
from monitor.demo.faults import FaultOrder
from monitor.demo.own_code import source_folder
from monitor.demo.rollout import RolloutServer
from monitor.demo.samples import BatchMeta, SampleRequest
from monitor.demo.tiny_model import save_start_model

pytestmark = pytest.mark.torch

META: BatchMeta = {"validate": True, "do_sample": False, "global_steps": 0}


class Remote:
    """A method as a Ray handle offers it, in this process."""

    def __init__(self, method: Any) -> None:
        self._method = method

    def remote(self, *arguments: Any) -> Awaitable[Any]:
        return asyncio.ensure_future(self._method(*arguments))


class Handle:
    """The rollout server's handle."""

    def __init__(self, server: RolloutServer) -> None:
        self.generate = Remote(server.generate)


async def _server(folder: Path) -> RolloutServer:
    resolved = config.resolve(config.DemoOptions(folder))
    resolved["actor_rollout_ref"]["rollout"]["engine_step_seconds"] = 0.0
    save_start_model(folder / "model", 1)
    server = RolloutServer(resolved, source_folder(), FaultOrder())
    await server.init_model()
    return server


def _requests(count: int) -> list[SampleRequest]:
    return [SampleRequest(problem, None) for problem in arithmetic.all_problems()[:count]]


async def test_every_request_is_answered_in_order_and_scored(tmp_path: Path) -> None:
    server = await _server(tmp_path)
    worker = AgentLoopWorker(Handle(server), 0, FaultOrder())
    trajectories = await worker.generate_sequences(_requests(40), META)
    assert [each.problem for each in trajectories] == [request.problem for request in _requests(40)]
    for each in trajectories:
        assert each.score == arithmetic.score(each.output, each.problem.ground_truth)
        assert each.log_probability < 0


async def test_a_request_for_newer_weights_waits_until_they_are_there(tmp_path: Path) -> None:
    server = await _server(tmp_path)
    waiting = asyncio.create_task(server.generate(arithmetic.encode("49+2="), None, 5))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    weights = {name: tensor.clone() for name, tensor in server._model.state_dict().items()}
    await server.update_weights(weights, 5)
    assert (await asyncio.wait_for(waiting, 30))["tokens"]


async def test_a_sleeping_server_answers_after_it_woke(tmp_path: Path) -> None:
    server = await _server(tmp_path)
    await server.sleep()
    waiting = asyncio.create_task(server.generate(arithmetic.encode("49+2="), None, 0))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await server.wake_up()
    assert (await asyncio.wait_for(waiting, 30))["tokens"]


async def test_an_engine_error_reaches_the_callers_and_the_engine_lives_on(tmp_path: Path) -> None:
    server = await _server(tmp_path)
    with pytest.raises(IndexError):
        await asyncio.wait_for(server.generate([arithmetic.VOCABULARY_SIZE], None, 0), 30)
    assert (await asyncio.wait_for(server.generate(arithmetic.encode("49+2="), None, 0), 30))["tokens"]


async def test_the_attestation_counts_this_validation_and_names_its_weights(tmp_path: Path) -> None:
    server = await _server(tmp_path)
    await server.begin_validation(0)
    await AgentLoopWorker(Handle(server), 0, FaultOrder()).generate_sequences(_requests(20), META)
    document = await server.end_validation(0)
    assert document["active_layers"] == document["expected_layers"] == 12
    assert document["calls"] >= 12 * 2
    assert document["fingerprint_begin"] == document["fingerprint_end"] == document["start_fingerprint"]


async def test_a_lost_wakeup_leaves_one_sample_pending_and_the_loop_free(tmp_path: Path) -> None:
    server = await _server(tmp_path)
    order = FaultOrder("lost-wakeup", 0, str(tmp_path / "injected.json"))
    worker = AgentLoopWorker(Handle(server), 0, order)
    task = asyncio.create_task(worker.generate_sequences(_requests(100), META))
    done, _ = await asyncio.wait([task], timeout=5)
    assert not done
    assert (tmp_path / "injected.json").exists()
    pending = [each for each in asyncio.all_tasks() if "_run_agent_loop" in repr(each.get_coro())]
    assert len(pending) == 1
    task.cancel()
