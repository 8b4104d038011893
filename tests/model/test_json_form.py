"""The JSON form: every dataclass of the model survives the way to disk and back."""

from __future__ import annotations

import json

import pytest

from monitor.model.fact import Evidence
from monitor.model.finding import Culprit, Finding, Verdict, VerdictWord, WaitLink
from monitor.model.json_form import MalformedRecord, from_json, to_json
from monitor.model.run import RunState
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
