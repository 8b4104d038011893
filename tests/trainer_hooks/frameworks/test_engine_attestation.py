"""Attesting a verl run's validations: asked for by its configuration alone, told by the workers, never raising.

Ray and its servers are stand-ins here; a real one is in `benchmarks/wrong_evaluations.py`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from trainer_hooks import records
from trainer_hooks.frameworks import engine_attestation
from trainer_hooks.frameworks.wrapping import Call
from trainer_hooks.recorder import Recorder

WORKER = "quant.vllm.verl_worker.AttestedColocateWorker"


Written = Callable[..., list[dict[str, Any]]]


class Server:
    """A rollout server whose workers write the document that they are asked for."""

    def __init__(self, *documents: dict[str, Any], fails: bool = False) -> None:
        self.documents, self.fails = documents, fails
        self.asked: list[str] = []
        self.collective_rpc = SimpleNamespace(remote=self._remote)

    def _remote(self, method: str, kwargs: dict[str, Any]) -> Any:
        self.asked.append(method)
        if method == "laststep_close":
            for rank, document in enumerate(self.documents):
                Path(f"{kwargs['path']}.{rank}").write_text(json.dumps({**document, **kwargs["facts"]}))
        return self


class Ray:
    """What is used of Ray: every call is answered at once, or never."""

    answers = True

    def wait(self, calls: list[Any], num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        """All, or none."""
        return (calls, []) if self.answers else ([], calls)

    def get(self, call: Server) -> None:
        """Raises what the call raised."""
        if call.fails:
            raise RuntimeError("no such method: laststep_close")


class Trainer:
    """verl's attributes."""

    def __init__(self, *servers: Server, worker: str | None = WORKER) -> None:
        rollout = {"engine_kwargs": {"vllm": {"worker_extension_cls": worker}}}
        self.config = {"actor_rollout_ref": {"rollout": rollout}}
        self.llm_server_manager = SimpleNamespace(server_handles=list(servers))
        self.global_steps = 3


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch, fresh_recorder: Recorder) -> Ray:
    """In Ray's place."""
    stand_in = Ray()
    monkeypatch.setitem(sys.modules, "ray", stand_in)
    fresh_recorder.event("notice", text="the hooks' folder is there")
    return stand_in


def _validate(trainer: Trainer) -> None:
    call = Call(None, (trainer,), {}, result={})
    call.state = engine_attestation.before_validate(call)
    engine_attestation.after_validate(call)


def _document(**changes: Any) -> dict[str, Any]:
    sound = {"active_layers": 16, "noise": {"active": False}, "fingerprint_begin": "a", "fingerprint_end": "a"}
    return {**sound, **changes}


def test_what_the_engine_s_worker_wrote_is_recorded_whole_and_no_file_is_left(ray: Ray, written: Written) -> None:
    server = Server(_document())
    _validate(Trainer(server))
    (told,) = written("attested")
    assert server.asked == ["laststep_begin_own", "laststep_close"]
    assert told["step"] == 3 and told["data"]["active_layers"] == 16
    assert not list(Path(records.hooks_directory()).glob("attestation-*"))


@pytest.mark.parametrize(
    "worse",
    [{"active_layers": 15}, {"noise": {"active": True}}, {"fingerprint_end": "b"}],
    ids=["a layer less", "noise", "weights changed"],
)
def test_of_several_workers_the_one_that_proves_least_speaks(ray: Ray, written: Written, worse: dict[str, Any]) -> None:
    _validate(Trainer(Server(_document(), _document(**worse)), Server(_document())))
    (told,) = written("attested")
    assert {key: told["data"][key] for key in worse} == worse


def test_a_run_that_does_not_name_the_worker_is_asked_nothing(ray: Ray, written: Written) -> None:
    server = Server(_document())
    _validate(Trainer(server, worker=None))
    assert server.asked == [] and written("attested") == []


def test_a_worker_of_the_same_name_that_a_team_derived_is_asked(ray: Ray, written: Written) -> None:
    server = Server(_document())
    _validate(Trainer(server, worker="team.AttestedColocateWorker"))
    assert len(written("attested")) == 1


def test_an_engine_that_gives_no_answer_is_told_and_the_trainer_goes_on(ray: Ray, written: Written) -> None:
    ray.answers = False
    _validate(Trainer(Server()))
    assert any("gave no answer" in line["data"]["text"] for line in written("notice"))
    assert written("attested") == []


def test_one_that_fails_is_told_by_its_own_words(ray: Ray, written: Written) -> None:
    _validate(Trainer(Server(fails=True)))
    assert any("no such method" in line["data"]["text"] for line in written("notice"))


def test_where_one_of_two_engines_fails_nothing_is_proved_by_the_other(ray: Ray, written: Written) -> None:
    _validate(Trainer(Server(_document()), Server(fails=True)))
    assert written("attested") == []
    assert not list(Path(records.hooks_directory()).glob("attestation-*"))


def test_a_trainer_whose_servers_are_not_found_iswritten(ray: Ray, written: Written) -> None:
    _validate(Trainer())
    assert any("servers were not found" in line["data"]["text"] for line in written("notice"))
