"""`laststep scores`: which comparisons hold, the records' history, and the newest runs of a long ledger."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from monitor import cli
from monitor.ledger.store import Ledger
from monitor.model.errors import ExitCode
from monitor.model.score import Standing
from tests.ledger import examples


@pytest.fixture
def ledger_of_three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory with a valid run, one scored without its quantization, and one without proof."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    standings = ((29, 0.7142, Standing.VALID), (20, 0.7331, Standing.NOT_QUANTIZED), (20, 0.6596, Standing.UNPROVEN))
    with Ledger.open() as ledger:
        for number, (step, value, word) in enumerate(standings):
            name = f"run-{number}"
            ledger.save_run(replace(examples.run(), name=name, started_at=1000.0 + number))
            score = replace(examples.score(step, value, dump_path=None), run=name)
            ledger.add_score(replace(score, standing=(word,), reasons=(f"{word.value}: for the test",)))
        ledger.correct_score(replace(score, standing=(Standing.NOT_FINAL,)), "learned since: rows")
    return tmp_path


def test_the_document_says_which_comparisons_hold(ledger_of_three: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scores", "--json"]) == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    (comparison,) = document["comparisons"]
    assert (comparison["left"], comparison["right"], comparison["points"]) == ("run-2", "run-1", -7.35)
    assert comparison["holds"] is False and comparison["baseline"] == "run-0"


def test_named_runs_are_compared_each_with_each(ledger_of_three: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scores", "run-0", "run-1", "run-2"]) == ExitCode.SCORES_DO_NOT_STAND
    text = capsys.readouterr().out
    assert text.count("does not hold") == 3
    assert "run-1 was evaluated without its quantization: for the test" in text


def test_the_history_tells_the_corrected_record_too(ledger_of_three: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scores", "run-2", "--history"]) == ExitCode.SCORES_DO_NOT_STAND
    text = capsys.readouterr().out
    assert "unproven" in text and "correction 1: learned since: rows" in text


def test_a_long_ledger_tells_its_newest_runs_and_that_there_are_more(
    ledger_of_three: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["scores", "--last", "2", "--json"])
    told = capsys.readouterr()
    assert [run["name"] for run in json.loads(told.out)["runs"]] == ["run-2", "run-1"]
    assert "--last 0" in told.err
    cli.main(["scores", "--last", "0", "--json"])
    told = capsys.readouterr()
    assert len(json.loads(told.out)["runs"]) == 3 and told.err == ""


def test_a_number_of_runs_that_is_none_is_refused(ledger_of_three: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["scores", "--last", "-3"])
    assert ended.value.code == ExitCode.USAGE
