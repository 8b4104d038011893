"""The JSON form: every dataclass of the model survives the way to disk and back."""

from __future__ import annotations

import json

import pytest

from monitor.model.fact import Evidence
from monitor.model.finding import Culprit, Finding, Verdict, VerdictWord, WaitLink
from monitor.model.json_form import MalformedRecord, from_json, from_json_again, to_json, to_json_brief
from monitor.model.run import PhaseSpan, RunConfig, RunState
from monitor.model.snapshot import RunPosition, Snapshot

VERDICT = Verdict(
    VerdictWord.HANG,
    (
        Finding(
            "self-get",
            True,
            "AgentLoopWorker waits for itself",
            Culprit(7, "AgentLoopWorker", "agent_loop_worker_0", "generate"),
            "/x/agent_loop.py",
            12,
            (WaitLink("TaskRunner", "AgentLoopWorker", "ray.get"),),
            (Evidence("stack", "/x/agent_loop.py", 12, 5.5),),
        ),
    ),
    ("because",),
)


def test_a_verdict_survives_the_way_to_disk_and_back() -> None:
    assert from_json(Verdict, json.loads(json.dumps(to_json(VERDICT)))) == VERDICT


def test_an_unknown_key_of_a_newer_writer_is_ignored() -> None:
    document = to_json(Snapshot(1.0, "host", RunPosition("run")))
    document["added_later"] = {"x": 1}
    assert from_json(Snapshot, document).host == "host"


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"taken_at": "soon"},
        {"taken_at": 1.0, "host": 3, "position": {}},
        {"taken_at": 1.0, "host": "h", "position": None},
    ],
)
def test_a_document_of_another_shape_is_malformed_and_says_where(document: object) -> None:
    with pytest.raises(MalformedRecord) as caught:
        from_json(Snapshot, document)
    assert str(caught.value).startswith("Snapshot")


def test_a_boolean_is_no_number() -> None:
    with pytest.raises(MalformedRecord):
        from_json(RunState, {"name": "n", "config": {}, "started_at": True})


RUN = RunState("n", RunConfig(), 1.0, spans=(PhaseSpan(1, "gen", 1.0, 2.0, 1.0), PhaseSpan(2, "gen", 3.0)))


def test_the_brief_form_leaves_out_what_a_record_holds_by_default_and_gives_it_back() -> None:
    span = PhaseSpan(2, "gen", 3.0, done=0)
    assert to_json_brief(span) == {"step": 2, "phase": "gen", "began_at": 3.0, "done": 0}
    assert from_json(PhaseSpan, to_json_brief(span)) == span


def test_a_document_that_comes_again_gives_what_it_would_have_given_alone_and_keeps_what_is_the_same() -> None:
    before = to_json(RUN)
    after = {**to_json(RUN), "step": 2, "config": {**before["config"], "total_steps": 9}}
    del after["phase"]
    known = from_json(RunState, before)
    again = from_json_again(RunState, after, (before, known))
    assert again == from_json(RunState, after)
    assert again.spans is known.spans and again.config.total_steps == 9


def test_a_document_that_comes_again_damaged_is_malformed() -> None:
    before = to_json(RUN)
    with pytest.raises(MalformedRecord, match="step"):
        from_json_again(RunState, {**before, "step": "two"}, (before, RUN))
    with pytest.raises(MalformedRecord):
        from_json_again(RunState, [], (before, RUN))
