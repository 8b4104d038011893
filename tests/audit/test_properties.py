"""Over families made up at random: no run is valid without proof of execution, and no cleared run is accused."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.audit.family import LAYERS, SKIP, Run, audit_log, audited, console, the_run, words, write_logs

ECHOES = (
    ("+ cat notes", SKIP),
    (f'+    print("{SKIP}")',),
    ("[MXFP4] validation step 29: W4A4 active in 196/196 linear layers, 258524 calls",),
    ("step:29 - val-core/openai/gsm8k/acc/mean@1:0.99",),
    ("Final validation metrics: {'val-core/openai/gsm8k/acc/mean@1': 0.99}",),
    ("+ python3 eval.py --model x",),
    ("\x1b[31m\x1b]0;owned\x07[WARN] Skipping final step validation\x1b[0m",),
)


@st.composite
def runs(draw: st.DrawFn, name: str = "mxfp4_w4a4_e1a_made") -> Run:
    total, frequency = draw(st.integers(3, 12)), draw(st.integers(2, 6))
    due = {0} | {step for step in range(1, total + 1) if step % frequency == 0}
    finals = draw(st.sampled_from([{total}, {total}, set()]))
    skips = draw(st.booleans()) if not finals else False
    steps = (due - {total}) | finals
    values = {step: 0.08 if step == 0 else draw(st.integers(30, 90)) / 100 for step in steps}
    batches = draw(st.integers(1, 3))
    return Run(
        name,
        values,
        total=total,
        test_freq=frequency,
        engine=draw(st.sampled_from(["counted", "counted", "counted", "bf16", "silent", "fork", "W4A16"])),
        counted_format=draw(st.sampled_from(["", "", "nvfp4"])),
        active=draw(st.sampled_from([LAYERS, LAYERS, LAYERS, LAYERS - 1, 0])),
        calls=draw(st.sampled_from([1319 * LAYERS, 1319 * LAYERS, 0])),
        skips=skips,
        percent=draw(st.booleans()),
        wrapped=draw(st.booleans()),
        batches=batches,
        batches_ended=draw(st.sampled_from([batches, batches, 1])),
        before=draw(st.sampled_from([(), *ECHOES])),
        until=draw(st.sampled_from([None, None, None, total - 1])),
        loop_error_at=draw(st.sampled_from([None, None, None, total])),
        seed=draw(st.integers(0, 5)),
    )


families = st.lists(st.integers(0, 3), min_size=2, max_size=4, unique=True).flatmap(
    lambda numbers: st.tuples(*(runs(name=f"mxfp4_w4a4_e{number}a_made") for number in numbers))
)


def final_ran(run: Run) -> bool:
    """The log shows the final validation and its score."""
    return run.until is None and not run.skips and run.scores.get(run.total) is not None


def proved(run: Run) -> bool:
    """Everything that a valid score needs was executed, and the log shows it."""
    whole = run.batches_ended == run.batches and run.active == LAYERS and run.calls > 0
    counted = run.engine in ("counted", run.asked) and run.counted_format in ("", run.format)
    return final_ran(run) and whole and counted and run.loop_error_at is None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(runs())
@example(Run(engine="silent", before=ECHOES[2]))
@example(Run(scores={0: 0.08, 20: 0.6}, skips=True, before=ECHOES[4]))
def test_a_run_is_valid_exactly_where_its_log_proves_it(run: Run) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = the_run(audit_log(Path(folder), console(run)), run.name)
    assert (words(found) == ["valid"]) == proved(run)
    assert ("missing-final" in words(found)) == (not final_ran(run))
    assert (found.cleared is not None) == final_ran(run)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(families, st.booleans())
def test_no_run_of_a_family_is_judged_by_another_ones_proof(family: tuple[Run, ...], together: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if together:
            found = audit_log(Path(folder), *(console(run) for run in family))
        else:
            found = audited(write_logs(Path(folder) / "logs", family))
    for run in family:
        assert (words(the_run(found, run.name)) == ["valid"]) == proved(run)
        assert ("missing-final" in words(the_run(found, run.name))) == (not final_ran(run))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(runs(), st.floats(0, 1))
def test_a_log_cut_at_any_byte_proves_no_more_than_is_left_of_it(run: Run, share: float) -> None:
    text = "\n".join(console(run)).encode()
    left = text[: int(len(text) * share)]
    logged = f" step:{run.total} - ".encode() in left
    began = f"Total training steps: {run.total}\n".encode() in left
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "cut.log").write_bytes(left)
        found = audited(Path(folder))
    for one in found.runs:
        values = {round(score.value, 4) for score in one.scores}
        # A line from before the trainer's first words is told from a score of it only where those words are left.
        assert not began or values <= {round(value, 4) for value in run.scores.values() if value is not None}
        if not (proved(run) and logged):
            assert "valid" not in words(one)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=4000))
def test_no_bytes_whatever_make_the_audit_fail(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("a.log", "b.jsonl", "c.yaml", "events.out.tfevents.1", "d.wandb", "e.sh", "f.log.gz"):
            (Path(folder) / name).write_bytes(content)
        assert all(words(run) != ["valid"] for run in audited(Path(folder)).runs)
