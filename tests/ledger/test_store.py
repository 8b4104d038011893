"""The ledger keeps each thing once, gives it back as it was, and takes nothing away."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.ledger.errors import AmbiguousRun, NoSuchRerun, NoSuchRun, RerunUnderWay, WatchUnderWay
from monitor.ledger.store import Ledger
from monitor.model.finding import Culprit, Finding
from monitor.model.run import Checkpoint, PhaseSpan, RunConfig, RunState
from tests.ledger import examples
from tests.ledger.examples import METRIC, RUN


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a ledger may be begun."""
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    """A ledger open for writing."""
    with Ledger.open(path) as opened:
        yield opened


def finding(hang_class: str = "self-get", *, proved: bool = True) -> Finding:
    """A finding on process 7."""
    return Finding(hang_class, proved, "it waits for itself", Culprit(pid=7), "a.py", 3, (), ())


def dead_process() -> int:
    """The pid of a process that ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_run_comes_back_as_it_was_saved(ledger: Ledger) -> None:
    ledger.save_run(examples.run())
    assert ledger.run(RUN) == examples.run()


def test_a_run_is_found_by_any_unique_prefix_and_by_its_whole_name_always(ledger: Ledger) -> None:
    for name in ("grpo-1", "grpo-12", "other"):
        ledger.save_run(RunState(name, RunConfig(), 1.0))
    assert ledger.run("oth").name == "other"
    assert ledger.run("grpo-1").name == "grpo-1"
    with pytest.raises(AmbiguousRun, match=r"grpo-1, grpo-12|grpo-12, grpo-1"):
        ledger.run("grpo")
    for unknown in ("nothing", "grpo%", "grpo_1"):
        with pytest.raises(NoSuchRun, match=unknown):
            ledger.run(unknown)


def test_runs_are_listed_newest_first(ledger: Ledger) -> None:
    for started, name in enumerate(("a", "b", "c")):
        ledger.save_run(RunState(name, RunConfig(experiment="e"), float(started)))
    assert [run.name for run in ledger.runs()] == ["c", "b", "a"]


def test_a_watch_that_knows_less_than_its_predecessor_takes_nothing_away(ledger: Ledger) -> None:
    known = examples.run(checkpoints=(Checkpoint(29, "/c/29", True),), guard={"final_validation": "executed"})
    ledger.save_run(known)
    poorer = RunState(RUN, RunConfig(experiment="grpo"), 1000.0, "demo", 29, 29, validations=())
    ledger.save_run(poorer)
    kept = ledger.run(RUN)
    assert kept.validations == known.validations
    assert kept.checkpoints == known.checkpoints
    assert (kept.config.recipe, kept.ended_how, kept.guard) == (known.config.recipe, "finished", known.guard)


def test_a_validation_that_was_executed_stays_so_and_its_newer_form_counts(ledger: Ledger) -> None:
    run = examples.run()
    ledger.save_run(run)
    doubted = replace(run.validations[2], executed=False, scores={}, value=None)
    ledger.save_run(replace(run, validations=(doubted,)))
    assert ledger.run(RUN).validations[2].executed
    ledger.save_run(replace(run, validations=(replace(run.validations[2], value=0.72),)))
    assert ledger.run(RUN).validations[2].value == 0.72


def test_spans_are_kept_once_with_the_earliest_times_ever_seen(ledger: Ledger, path: Path) -> None:
    span = PhaseSpan(1, "gen", 5.0, 7.0, 2.0)
    ledger.save_spans(RUN, [span, PhaseSpan(1, "gen", 8.0, 9.0, 1.0, occurrence=1)])
    with Ledger.open(path) as restarted:
        restarted.save_spans(RUN, [replace(span, began_at=99.0, ended_at=None, seconds=None)])
        kept = restarted.spans(RUN)
    assert [(item.began_at, item.ended_at, item.seconds, item.occurrence) for item in kept] == [
        (5.0, 7.0, 2.0, 0),
        (8.0, 9.0, 1.0, 1),
    ]


def test_history_is_of_earlier_runs_that_compare_and_never_of_the_run_itself(ledger: Ledger) -> None:
    def save(name: str, seconds: float, *, trainer: str = "demo", **config: str) -> RunState:
        state = RunState(name, RunConfig(**config), 1.0, trainer)  # type: ignore[arg-type]
        ledger.save_run(state)
        ledger.save_spans(name, [PhaseSpan(1, "gen", 1.0, 2.0, seconds), PhaseSpan(2, "gen", 3.0)])
        return state

    save("same-experiment", 1.0, experiment="e")
    save("same-model", 2.0, experiment="f", model_path="/m")
    save("another-model", 100.0, experiment="g", model_path="/n")
    save("another-trainer", 200.0, trainer="verl", experiment="e")
    own = save("own", 300.0, experiment="e", model_path="/m")
    assert {phase: sorted(seconds) for phase, seconds in ledger.phase_history(own).items()} == {"gen": [1.0, 2.0]}


def test_a_score_is_kept_once_and_never_changed(ledger: Ledger) -> None:
    score = examples.score()
    assert ledger.add_score(score)
    assert not ledger.add_score(replace(score, value=0.99, recorded_at=9.0))
    assert ledger.scores(RUN) == [score]


def test_scores_of_another_rerun_step_metric_or_run_are_others(ledger: Ledger) -> None:
    score = examples.score()
    others = [
        examples.score(source="rerun", rerun_id="r1"),
        examples.score(source="rerun", rerun_id="r2"),
        replace(score, step=20),
        replace(score, metric="other"),
        replace(score, run="another"),
    ]
    assert all([ledger.add_score(item) for item in (score, *others)])
    assert len(ledger.scores(RUN)) == 5
    assert len(ledger.scores()) == 6


def test_a_finding_seen_again_after_a_restart_is_one_and_a_later_one_is_another(ledger: Ledger) -> None:
    assert ledger.save_finding(RUN, finding(), None, 5.0)
    assert not ledger.save_finding(RUN, finding(), "/bundle", 6.0)
    assert ledger.withdraw_finding(RUN, finding(), 7.0)
    assert not ledger.withdraw_finding(RUN, finding(), 8.0)
    assert ledger.save_finding(RUN, finding(), None, 9.0)
    rows = ledger.findings(RUN)
    assert [(row.found_at, row.withdrawn_at, row.bundle) for row in rows] == [(5.0, 7.0, "/bundle"), (9.0, None, None)]


def test_a_run_hangs_while_a_proved_finding_stands(ledger: Ledger) -> None:
    ledger.save_run(replace(examples.run(), ended_at=None, ended_how=None))
    ledger.save_finding(RUN, finding("lost-wakeup", proved=False), None, 4.0)
    assert ledger.run(RUN).hung_since is None
    ledger.save_finding(RUN, finding(), None, 5.0)
    assert (ledger.run(RUN).hung_since, ledger.runs()[0].hung_since) == (5.0, 5.0)
    ledger.withdraw_finding(RUN, finding(), 6.0)
    assert ledger.run(RUN).hung_since is None


def test_what_was_found_before_the_last_progress_can_be_withdrawn_by_a_new_watch(ledger: Ledger) -> None:
    ledger.save_finding(RUN, finding("self-get"), None, 5.0)
    ledger.save_finding(RUN, finding("loop-blocked"), None, 15.0)
    assert ledger.withdraw_older_findings(RUN, moved_at=10.0, at=20.0) == 1
    assert [row.withdrawn_at for row in ledger.findings(RUN)] == [20.0, None]


def test_the_first_manifest_of_a_checkpoint_stands_and_gains_its_fingerprint(ledger: Ledger) -> None:
    assert ledger.checkpoint_manifest(RUN, 29) is None
    assert ledger.save_checkpoint_manifest(RUN, 29, {"model.pt": [10, "ab"]})
    assert not ledger.save_checkpoint_manifest(RUN, 29, {"model.pt": [10, "ab"]}, "f")
    assert not ledger.save_checkpoint_manifest(RUN, 29, {"model.pt": [11, "zz"]}, "g")
    kept = ledger.checkpoint_manifest(RUN, 29)
    assert kept is not None
    assert (kept.manifest, kept.fingerprint) == ({"model.pt": [10, "ab"]}, "f")


def test_the_live_document_is_replaced_and_the_newest_comes_first(ledger: Ledger) -> None:
    assert ledger.live() is None
    for run, at in (("a", 1.0), ("b", 2.0), ("a", 3.0)):
        ledger.write_live(run, {"at": at, "run": run})
    assert ledger.live() == {"at": 3.0, "run": "a"}
    assert ledger.live("b") == {"at": 2.0, "run": "b"}
    assert ledger.live("c") is None
    assert [row["at"] for row in ledger.live_rows()] == [3.0, 2.0]


def test_old_live_documents_are_dropped(ledger: Ledger) -> None:
    for number in range(30):
        ledger.write_live(f"run{number}", {"at": float(number)})
    assert [row["at"] for row in ledger.live_rows()] == [float(number) for number in range(29, 9, -1)]


def test_one_watch_a_run_and_a_dead_one_is_taken_over(ledger: Ledger, path: Path) -> None:
    hold = (
        "import sys; from pathlib import Path; from monitor.ledger.store import Ledger\n"
        "with Ledger.open(Path(sys.argv[1])) as ledger, ledger.claim_watch('r'):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ
    )
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    assert ledger.watch_alive("r") and ledger.watch_alive() and not ledger.watch_alive("other")
    found = ledger.watch_holder("r")
    assert found is not None and found.pid == holder.pid
    with pytest.raises(WatchUnderWay, match=str(holder.pid)), ledger.claim_watch("r"):
        pass
    holder.kill()
    holder.wait()
    assert not ledger.watch_alive("r")
    with ledger.claim_watch("r"):
        assert ledger.watch_alive("r")
    assert not ledger.watch_alive()


def test_a_rerun_holds_the_lock_of_its_score_and_no_other(ledger: Ledger) -> None:
    identity = ledger.claim_rerun(RUN, 29, "mxfp4_w4a4", os.getpid(), 1.0)
    with pytest.raises(RerunUnderWay, match=identity):
        ledger.claim_rerun(RUN, 29, "mxfp4_w4a4", os.getpid(), 1.0)
    others = {ledger.claim_rerun(RUN, 29, "bf16", os.getpid()), ledger.claim_rerun(RUN, 20, "mxfp4_w4a4", os.getpid())}
    assert len({identity, *others}) == 3
    ledger.update_rerun(identity, status="done")
    ledger.claim_rerun(RUN, 29, "mxfp4_w4a4", os.getpid())


def test_a_rerun_whose_process_is_dead_is_taken_over_and_ends_as_failed(ledger: Ledger) -> None:
    first = ledger.claim_rerun(RUN, 29, "mxfp4_w4a4", dead_process())
    second = ledger.claim_rerun(RUN, 29, "mxfp4_w4a4", os.getpid())
    assert [(row.id, row.status) for row in ledger.reruns(RUN)] == [(first, "failed"), (second, "claimed")]
    assert "ended without a word" in ledger.rerun(first).error


def test_a_reused_pid_is_not_the_holder(ledger: Ledger, path: Path) -> None:
    import sqlite3

    first = ledger.claim_rerun(RUN, 29, "mxfp4_w4a4", os.getpid())
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE reruns SET start_ticks = start_ticks + 1")
    connection.close()
    assert ledger.claim_rerun(RUN, 29, "mxfp4_w4a4", os.getpid()) != first


def test_a_reruns_progress_is_kept_and_its_end_is_final(ledger: Ledger) -> None:
    identity = ledger.claim_rerun(RUN, 29, "bf16", os.getpid())
    ledger.update_rerun(identity, status="running", directory="/out")
    ledger.update_rerun(identity, done=64, total=256)
    row = ledger.rerun(identity)
    assert (row.status, row.done, row.total, row.directory, row.over) == ("running", 64, 256, "/out", False)
    ledger.update_rerun(identity, status="failed", error="cut short")
    ledger.update_rerun(identity, status="running", done=65)
    assert (ledger.rerun(identity).status, ledger.rerun(identity).done) == ("failed", 64)
    assert ledger.rerun(identity).ended_at is not None


def test_done_is_the_truth_whoever_thought_the_process_dead(ledger: Ledger) -> None:
    early = ledger.claim_rerun(RUN, 29, "bf16", os.getpid())
    ledger.update_rerun(early, status="failed", error="its process is gone")
    ledger.update_rerun(early, status="done")
    late = ledger.claim_rerun(RUN, 29, "bf16", os.getpid())
    ledger.update_rerun(late, status="done")
    ledger.update_rerun(late, status="failed", error="its process is gone")
    assert [row.status for row in ledger.reruns()] == ["done", "done"]


def test_an_unknown_rerun_is_said_to_be_unknown(ledger: Ledger) -> None:
    with pytest.raises(NoSuchRerun, match="rerun-x"):
        ledger.rerun("rerun-x")
    with pytest.raises(NoSuchRerun, match="rerun-x"):
        ledger.update_rerun("rerun-x", status="done")


def test_many_threads_and_ledgers_write_at_once_and_nothing_is_lost(ledger: Ledger, path: Path) -> None:
    failed: list[BaseException] = []

    def write(number: int) -> None:
        try:
            with Ledger.open(path) as own:
                for step in range(20):
                    own.add_score(replace(examples.score(), run=f"run{number}", step=step))
                    ledger.add_score(replace(examples.score(), run=f"shared{number}", step=step, metric=METRIC))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(ledger.scores()) == 4 * 20 * 2
