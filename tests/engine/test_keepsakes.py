"""What outlives a run: attestations kept whole, scores only once settled, and never twice."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from monitor.engine.keepsakes import SETTLE_SECONDS, Keepsakes
from monitor.ledger.errors import LedgerError
from monitor.ledger.store import Ledger
from monitor.model.fact import Fact, FactKind
from monitor.model.finding import Culprit, Finding, Verdict, VerdictWord
from monitor.model.run import RunConfig, RunState, Validation

CONFIG = RunConfig(experiment="e", total_steps=4, recipe={"name": "mxfp4_w4a4"})
ENDED_AT = 200.0
SCORES = {"val-core/x/acc/mean@1": 0.5}
VALIDATION = Validation(4, True, 190.0, ENDED_AT, 8, 8, 8, executed=True, scores=SCORES)
STATE = RunState("e-1", CONFIG, 100.0, total_steps=4, step=4, validations=(VALIDATION,))


def attested(data: dict[str, Any], source: str) -> Fact:
    """An attestation of step 4."""
    return Fact(FactKind.ATTESTED, source, ENDED_AT, 4, data=data)


def test_a_console_line_never_mixes_into_the_engines_own_document(tmp_path: Path) -> None:
    document = {"sha256": "f" * 64, "recipe": {"name": "mxfp4_w4a4"}}
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        keepsakes = Keepsakes(ledger, 0)
        facts = [attested({"calls": 7}, "console"), attested(document, "hook"), attested({"calls": 9}, "console")]
        keepsakes.keep(STATE, facts, ENDED_AT + SETTLE_SECONDS)
        (score,) = ledger.scores("e-1")
    assert score.provenance.attestation == document


def test_a_score_is_kept_once_and_only_when_its_validation_is_settled(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        keepsakes = Keepsakes(ledger, 0)
        keepsakes.keep(STATE, [], ENDED_AT + 1.0)
        assert ledger.scores("e-1") == []
        keepsakes.keep(STATE, [], ENDED_AT + SETTLE_SECONDS)
        Keepsakes(ledger, 0).keep(STATE, [], ENDED_AT + 60.0)
        assert [score.step for score in ledger.scores("e-1")] == [4]


def test_a_run_that_ended_settles_its_scores_at_once(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        Keepsakes(ledger, 0).keep(replace(STATE, ended_at=ENDED_AT + 0.5), [], ENDED_AT + 0.5)
        assert [score.step for score in ledger.scores("e-1")] == [4]


def test_history_joins_this_runs_phases_with_those_of_earlier_runs(tmp_path: Path) -> None:
    from monitor.model.run import PhaseSpan

    earlier = replace(STATE, name="e-0", started_at=50.0, spans=(PhaseSpan(4, "testing", 60.0, 63.0, 3.0),))
    now = replace(STATE, spans=(PhaseSpan(4, "testing", 190.0, 200.0, 10.0),))
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        Keepsakes(ledger, 0).keep(earlier, [], 70.0)
        assert sorted(Keepsakes(ledger, 0).history(now)["testing"]) == [3.0, 10.0]


FINDING = Finding("self-get", True, "an actor waits for itself", Culprit(pid=7), None, None, (), ())
HANG = Verdict(VerdictWord.HANG, (FINDING,))


def test_a_finding_is_kept_once_and_withdrawn_once_it_no_longer_holds(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        keepsakes = Keepsakes(ledger, 0)
        for second in range(3):
            keepsakes.keep_findings("e-1", HANG, None, 300.0 + second)
        assert [(row.found_at, row.withdrawn_at) for row in ledger.findings("e-1")] == [(300.0, None)]
        keepsakes.keep_findings("e-1", Verdict(VerdictWord.HEALTHY), None, 310.0)
        assert [(row.found_at, row.withdrawn_at) for row in ledger.findings("e-1")] == [(300.0, 310.0)]


def test_what_could_not_be_stored_at_one_tick_is_stored_at_a_later_one(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        keepsakes = Keepsakes(ledger, 0)
        (tmp_path / "ledger.sqlite").write_bytes(b"no ledger" * 4096)
        with contextlib.suppress(LedgerError):
            keepsakes.keep_findings("e-1", HANG, None, 300.0)
        keepsakes.keep_findings("e-1", HANG, None, 301.0)
        assert [row.finding for row in ledger.findings("e-1")] == [FINDING]


def test_a_ledger_set_aside_while_a_run_is_watched_gets_all_that_is_known_of_it_again(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(path) as ledger:
        keepsakes = Keepsakes(ledger, 0)
        keepsakes.keep(STATE, [], ENDED_AT + SETTLE_SECONDS)
        keepsakes.keep_findings("e-1", HANG, None, 300.0)
        for found in tmp_path.glob("ledger.sqlite*"):
            found.rename(tmp_path / f"aside-{found.name}")
        for _ in range(2):
            keepsakes.keep(STATE, [], ENDED_AT + 60.0)
            keepsakes.keep_findings("e-1", HANG, None, 300.0)
            ledger.write_live("e-1", {"at": ENDED_AT + 60.0})
        assert [score.step for score in ledger.scores("e-1")] == [4]
        assert ledger.run("e-1").step == 4
        assert [row.finding for row in ledger.findings("e-1")] == [FINDING]


def test_an_attestation_that_comes_late_is_a_new_record_and_the_first_one_stays(tmp_path: Path) -> None:
    document = {"sha256": "f" * 64, "recipe": {"name": "mxfp4_w4a4"}}
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        keepsakes = Keepsakes(ledger, 0)
        keepsakes.keep(STATE, [], ENDED_AT + SETTLE_SECONDS)
        for later in (60.0, 61.0, 62.0):
            keepsakes.keep(STATE, [attested(document, "hook")], ENDED_AT + later)
        (score,) = ledger.scores("e-1")
        history = ledger.score_history("e-1")
        assert [item.revision for item in history] == [0, 1] and history[1] == score
        assert "attestation" in score.correction and history[0].provenance.attestation == {}
        Keepsakes(ledger, 0).keep(STATE, [], ENDED_AT + 90.0)
        assert ledger.scores("e-1") == [score], "a watch that knows less takes nothing back"
