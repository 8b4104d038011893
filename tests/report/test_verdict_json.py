"""The public JSON of a verdict: keys and values as DESIGN.md states them, held by a golden file."""

from __future__ import annotations

import json
from pathlib import Path

from monitor.model.fact import Evidence
from monitor.model.finding import Culprit, Finding, Verdict, VerdictWord, WaitLink
from monitor.model.snapshot import RunPosition
from monitor.report.text import verdict_text
from monitor.report.verdict_json import exit_code, utc, verdict_document

GOLDEN = Path(__file__).parent.parent / "golden"

POSITION = RunPosition(
    "demo-20261123T210000Z", 29, 29, "testing", 1795468000.0, 29, 131, 256, 1795468100.25, "sample 131", 12.5
)
FINDING = Finding(
    hang_class="control-queue",
    proved=True,
    sentence="update_weights waits behind 64 generate calls that wait for it",
    culprit=Culprit(4711, "RolloutServer", "rollout_server_0", "RolloutServer.update_weights"),
    file="/srv/rollout.py",
    line=88,
    chain=(WaitLink("TaskRunner.run", "RolloutServer.update_weights", "ray.get"),),
    evidence=(Evidence("64 of 64 slots hold a generate call", "/srv/rollout.py", 88, 1795468103.0),),
    advice="give control calls a concurrency group of their own",
    seconds_to_proof=6.0421,
)
VERDICT = Verdict(VerdictWord.HANG, (FINDING,))


def test_the_json_of_a_verdict_is_the_golden_one() -> None:
    document = verdict_document(POSITION, VERDICT, "/state/bundles/x")
    assert document == json.loads((GOLDEN / "verdict.json").read_text())


def test_the_text_of_a_verdict_is_the_golden_one() -> None:
    assert verdict_text(POSITION, VERDICT, "/state/bundles/x") + "\n" == (GOLDEN / "verdict.txt").read_text()


def test_times_are_utc_and_end_in_z() -> None:
    assert utc(0.0) == "1970-01-01T00:00:00.000Z"
    assert utc(None) is None


def test_only_hang_and_stall_have_exit_codes_of_their_own() -> None:
    codes = {word.value: int(exit_code(Verdict(word))) for word in VerdictWord}
    assert codes == {"healthy": 0, "stall": 10, "hang": 11, "unknown": 0, "ended": 0}
