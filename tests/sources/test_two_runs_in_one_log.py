"""Two runs that write into one console log: told, and never mixed; a score of the other run is none of this one's."""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from pprint import pformat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model.fact import Fact, FactKind
from monitor.sources.console import ConsoleSource
from monitor.sources.console_standing import Standing
from monitor.sources.console_writers import OwnRun, follows, process_key
from monitor.sources.step_set import StepSet
from monitor.sources.trainer_profile import load_profile

OURS = "(TaskRunner pid=11) "
OTHERS = "(TaskRunner pid=22) "
ROLLOUT = "(RolloutServer pid={}) [quantization] W4A4 active in 12/12 linear layers, 9 calls, weights 0a of step {}"
SCORE = "step:{} - val-core/x/acc/mean@1:{}"


def _printed(experiment: str, prefix: str = "", total: int = 9) -> list[str]:
    trainer = {"experiment_name": experiment, "total_training_steps": total, "test_freq": 1, "save_freq": -1}
    config = {"data": {"val_files": "/none"}, "trainer": trainer}
    return [prefix + line for line in pformat(config, width=60).splitlines()]


class Log:
    """A log that the test writes and polls, line by line or at once."""

    def __init__(self, folder: Path, own: OwnRun | None = None, profile: str = "demo") -> None:
        self.path = folder / "console.log"
        self.path.touch()
        self.source = ConsoleSource(self.path, load_profile(profile), own=own)

    def write(self, *lines: str) -> list[Fact]:
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
        return self.source.poll(4e9)


def _scores(facts: Sequence[Fact]) -> list[tuple[int | None, float]]:
    return [(fact.step, fact.data["value"]) for fact in facts if fact.kind is FactKind.SCORE]


def _ended(facts: Sequence[Fact]) -> list[int | None]:
    return [fact.step for fact in facts if fact.kind is FactKind.STEP_END]


def _told(facts: Sequence[Fact]) -> str:
    return "\n".join(fact.data["text"] for fact in facts if fact.kind is FactKind.NOTICE)


@pytest.mark.parametrize("own", [OwnRun("ours"), OwnRun(None, frozenset({11})), OwnRun("ours", frozenset({11}))])
def test_a_run_that_starts_into_our_log_takes_nothing_and_gives_nothing(tmp_path: Path, own: OwnRun) -> None:
    log = Log(tmp_path, own)
    log.write(*_printed("ours", OURS), OURS + SCORE.format(1, 0.1))
    facts = log.write(*_printed("other", OTHERS), OTHERS + SCORE.format(1, 0.9), OURS + SCORE.format(2, 0.2))
    facts += log.write(OTHERS + SCORE.format(3, 0.9), ROLLOUT.format(23, 3), OURS + SCORE.format(3, 0.3))
    assert _scores(facts) == [(2, 0.2), (3, 0.3)]
    assert not [fact for fact in facts if fact.kind in (FactKind.RUN_CONFIG, FactKind.ATTESTED)]
    assert _told(facts).count("TaskRunner pid=22") == 1


def test_a_run_that_was_in_the_log_before_ours_and_goes_on_gives_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.write(*_printed("other", OTHERS), ROLLOUT.format(23, 5), OTHERS + SCORE.format(5, 0.9))
    facts = log.write(*_printed("ours", OURS), OTHERS + SCORE.format(6, 0.9), OURS + SCORE.format(1, 0.1))
    facts += log.write(ROLLOUT.format(23, 7), OTHERS + SCORE.format(7, 0.9), OURS + SCORE.format(2, 0.2))
    assert _scores(facts) == [(1, 0.1), (2, 0.2)]
    assert not [fact for fact in facts if fact.kind is FactKind.ATTESTED]
    assert "another run writes into this log too" in _told(facts)


def test_attached_late_the_run_is_known_by_its_process(tmp_path: Path) -> None:
    lines = [*_printed("ours", OURS), OURS + SCORE.format(1, 0.1), *_printed("other", OTHERS)]
    log = Log(tmp_path, OwnRun(None, frozenset({11})))
    facts = log.write(*lines, OTHERS + SCORE.format(1, 0.9), OURS + SCORE.format(2, 0.2))
    assert _scores(facts) == [(1, 0.1), (2, 0.2)]
    config = log.source.printed_config
    assert config is not None and config["trainer"]["experiment_name"] == "ours"  # type: ignore[index]


def test_a_restart_into_the_same_log_is_no_second_run(tmp_path: Path) -> None:
    log = Log(tmp_path, OwnRun("ours"))
    log.write(*_printed("ours", OTHERS), OTHERS + SCORE.format(1, 0.9))
    facts = log.write(*_printed("ours", OURS), ROLLOUT.format(12, 1), OURS + SCORE.format(1, 0.1))
    assert _scores(facts) == [(1, 0.1)]
    assert [fact.step for fact in facts if fact.kind is FactKind.ATTESTED] == [1]
    assert "another run" not in _told(facts) and "two runs" not in _told(facts)


def test_without_processes_a_second_experiment_below_ours_ends_what_is_told(tmp_path: Path) -> None:
    log = Log(tmp_path, OwnRun("ours"))
    log.write(*_printed("ours"), SCORE.format(1, 0.1))
    facts = log.write(*_printed("other"), SCORE.format(1, 0.9), SCORE.format(2, 0.2))
    assert [fact.kind for fact in facts] == [FactKind.NOTICE]
    assert "two runs write into this log at once" in _told(facts) and "scores are this run's is not known" in _told(
        facts
    )
    assert log.write(SCORE.format(3, 0.3)) == []


def test_without_processes_no_score_is_taken_after_an_experiment_that_did_not_end(tmp_path: Path) -> None:
    log = Log(tmp_path)
    facts = log.write(
        *_printed("other"), *_printed("ours"), "Initial validation metrics: {'val-core/x/acc/mean@1': 0.9}"
    )
    assert _scores(facts) == []
    assert "none is taken from it" in _told(facts)


def test_without_processes_an_experiment_that_ended_leaves_the_next_ones_scores_alone(tmp_path: Path) -> None:
    log = Log(tmp_path)
    facts = log.write(*_printed("other", total=1), SCORE.format(1, 0.9), *_printed("ours"), SCORE.format(1, 0.1))
    assert _scores(facts) == [(1, 0.1)]


def test_without_processes_steps_that_do_not_follow_are_two_runs(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.write(*_printed("ours"), SCORE.format(1, 0.9), *_printed("ours"))
    facts = log.write(SCORE.format(1, 0.1), SCORE.format(7, 0.9), SCORE.format(2, 0.2))
    assert _scores(facts) == [(1, 0.1)]
    assert _ended(facts) == [1]
    assert "step 7 does not follow" in _told(facts)


def test_one_step_told_with_two_values_is_two_runs(tmp_path: Path) -> None:
    log = Log(tmp_path, profile="slime")
    facts = log.write("perf 1: {'a': 1.0, 'perf/b': 2.0}", "perf 1: {'a': 3.0}", "perf 2: {'a': 1.0}")
    assert _ended(facts) == [1]
    assert "step 1 is told twice" in _told(facts)


def test_one_step_told_in_two_parts_or_by_two_processes_is_one_run(tmp_path: Path) -> None:
    log = Log(tmp_path)
    facts = log.write(
        OURS + "step:1 - a:1.0", OURS + "step:1 - b:2.0", OTHERS + "step:1 - a:9.0", OURS + "step:2 - a:1.0"
    )
    assert _ended(facts) == [1, 2]
    assert _told(facts) == ""


def test_a_name_that_the_command_line_gave_unresolved_hides_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path, OwnRun("run_${now:%H}"))
    facts = log.write(*_printed("run_13"), SCORE.format(1, 0.1))
    assert _scores(facts) == [(1, 0.1)]


def test_where_the_trainers_process_is_not_known_another_process_proves_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path, OwnRun.of("run_${now:%H}", driver_pid=10, trainer_pid=None))
    facts = log.write(*_printed("run_13", OURS), OURS + SCORE.format(1, 0.1))
    assert _scores(facts) == [(1, 0.1)]


@settings(max_examples=50)
@given(order=st.lists(st.booleans(), min_size=40, max_size=40), at_once=st.integers(1, 40))
def test_however_two_runs_lie_between_each_other_exactly_ours_is_told(order: list[bool], at_once: int) -> None:
    ours = [*_printed("ours", OURS), *(OURS + SCORE.format(step, step / 10) for step in range(1, 9))]
    others = [*_printed("other", OTHERS), *(OTHERS + SCORE.format(step, 0.95) for step in range(1, 9))]
    lines = []
    for mine in order:
        source = ours if (mine and ours) or not others else others
        lines += [source.pop(0)] if source else []
    lines += ours
    with tempfile.TemporaryDirectory() as folder:
        log = Log(Path(folder), OwnRun.of("ours", 10, 11))
        facts = [fact for place in range(0, len(lines), at_once) for fact in log.write(*lines[place : place + at_once])]
        log.source.close()
    assert _scores(facts) == [(step, step / 10) for step in range(1, 9)]
    assert {f.data["experiment"] for f in facts if f.kind is FactKind.RUN_CONFIG and "experiment" in f.data} == {"ours"}


@pytest.mark.parametrize(("run", "profile", "pid"), [("legacy_0_9_1", "verl", 19537), ("v1_0_9_1", "verl_v1", 28530)])
@pytest.mark.parametrize("seed", range(3))
def test_of_two_real_runs_of_verl_in_one_log_exactly_ours_has_its_scores(
    tmp_path: Path, run: str, profile: str, pid: int, seed: int
) -> None:
    real = Path(__file__).parent / "verl_lines" / run / "console.log"
    ours = real.read_text(encoding="utf-8", errors="replace").splitlines()
    others = [re.sub(r"pid=(\d+)", r"pid=9\1", line).replace("mean@1:0", "mean@1:9") for line in ours]
    alone = ConsoleSource(real, load_profile(profile)).poll(4e9)
    assert _scores(alone)
    order = random.Random(seed)
    lines: list[str] = []
    while ours or others:
        source = ours if ours and (not others or order.random() < 0.5) else others
        count = order.randint(1, 5)
        lines += source[:count]
        del source[:count]
    facts = Log(tmp_path, OwnRun.of(None, None, pid), profile).write(*lines)
    assert _scores(facts) == _scores(alone)
    assert set(_ended(facts)) <= set(_ended(alone))


@pytest.mark.parametrize(
    ("standing", "step", "fits"),
    [
        (Standing(), 0, True),
        (Standing(), 1, True),
        (Standing(), 4, False),
        (Standing(resumed=3), 4, True),
        (Standing(resumed=3), 1, False),
        (Standing(steps=StepSet((3, 4))), 4, True),
        (Standing(steps=StepSet((3, 4))), 5, True),
        (Standing(steps=StepSet((3, 4))), 6, False),
    ],
)
def test_a_step_follows_the_same_the_one_before_or_the_one_resumed(standing: Standing, step: int, fits: bool) -> None:
    assert follows(step, standing, resumes_told=True) is fits


def test_a_process_of_another_node_is_another_process() -> None:
    assert process_key("TaskRunner pid=11") == "11"
    assert process_key("TaskRunner pid=11, ip=10.0.0.7") == "11@10.0.0.7"
    assert process_key("") == ""
