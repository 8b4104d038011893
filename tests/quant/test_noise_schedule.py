"""Noise schedules: QeRL's numbers, a team's own function, opaque names, and every mistake named. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quant.errors import NoiseError
from quant.noise_schedule import NoiseSchedule, known_schedules, load_noise


def qerl_by_its_code(step: int, total_steps: int, start: float, end: float, stages: int) -> float:
    """What QeRL's two functions compute, statement by statement."""
    trend = [start * (end / start) ** (index / (stages - 2)) for index in range(stages - 1)]
    step = min(step, total_steps)
    interval = int(step // (total_steps / (len(trend) + 1)))
    return 0 if interval == 0 else trend[min(interval - 1, len(trend) - 1)]


@pytest.mark.parametrize("total_steps", [1, 7, 29, 100, 1000])
@pytest.mark.parametrize("stages", [3, 10, 11])
def test_sigma_is_qerls_at_every_step(stages: int, total_steps: int) -> None:
    schedule = NoiseSchedule("a", sigma_start=0.05, sigma_end=0.0005, stages=stages)
    for step in range(total_steps + 5):
        assert schedule.sigma(step, total_steps) == qerl_by_its_code(step, total_steps, 0.05, 0.0005, stages)


def test_the_first_stage_is_without_noise_and_the_last_ends_at_sigma_end() -> None:
    schedule = load_noise("qerl")
    assert [schedule.sigma(step, 100) for step in (0, 9)] == [0.0, 0.0]
    assert schedule.sigma(10, 100) == 0.01
    assert schedule.sigma(100, 100) == pytest.approx(0.0001)


def test_every_shipped_schedule_loads_and_bears_its_files_name() -> None:
    assert [load_noise(name).name for name in known_schedules()] == list(known_schedules())
    assert {"qerl", "qerl_per_layer"} <= set(known_schedules())


def test_factors_are_per_layer_and_the_first_that_fits_counts() -> None:
    schedule = NoiseSchedule("a", factors={"model.norm": 0.0, "*.input_layernorm": 0.5, "layers": 3.0})
    sigmas = [
        schedule.sigma(10, 100, layer)
        for layer in ("model.norm", "layers.0.input_layernorm", "layers.0.q_norm", "norm")
    ]
    assert sigmas == [0.0, 0.005, 0.03, 0.01]


def own_schedule(step: int, total_steps: int, layer: str) -> float:
    """A team's own."""
    return step / total_steps + len(layer)


def negative(step: int, total_steps: int, layer: str) -> float:
    return -1.0


def test_a_teams_own_schedule_is_called_by_its_import_path() -> None:
    schedule = NoiseSchedule("a", schedule=f"{__name__}:own_schedule", factors={"ab": 2.0})
    assert schedule.sigma(1, 4, "ab") == 2 * (0.25 + 2)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (f"{__name__}:negative", "gave -1.0"),
        (f"{__name__}:nothing", "AttributeError"),
        ("no_such_module:sigma", "ModuleNotFoundError"),
    ],
)
def test_a_function_that_fails_is_one_sentence(path: str, words: str) -> None:
    assert words in refused(lambda: NoiseSchedule("a", schedule=path).sigma(1, 4, "x"))


def test_a_name_that_is_not_known_here_stays_a_name_and_no_sigma_is_guessed() -> None:
    schedule = NoiseSchedule.from_dict({"name": "ours", "schedule": "variable_rin"})
    assert schedule.is_opaque and schedule.to_dict()["schedule"] == "variable_rin"
    assert "`variable_rin` is known by its name only" in refused(lambda: schedule.sigma(1, 4))


def refused(call: Any) -> str:
    """The sentence; its cure is there."""
    with pytest.raises(NoiseError) as caught:
        call()
    assert caught.value.HELP_TEXT
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sigma_stat: 0.1", "unknown key `sigma_stat`"),
        ("sigma_start: 1e-2", "sigma_start is `1e-2`, not a number"),
        ("sigma_start: 0.0", "sigma_start is 0.0"),
        ("sigma_end: .inf", "sigma_end is inf"),
        ("stages: 2", "stages is 2"),
        ("stages: 3.5", "not a int"),
        ("layers: norm", "layers is not a list"),
        ("factors: [a]", "factors is not names with numbers"),
        ("factors: {a: -1}", "the factor of `a` is -1.0"),
        ("- a", "expected keys and values"),
    ],
)
def test_every_mistake_is_named(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    assert words in refused(lambda: load_noise(tmp_path / "mine.yaml"))


def test_an_unknown_schedule_and_an_impossible_step_are_refused() -> None:
    assert "unknown noise schedule `qer`" in refused(lambda: load_noise("qer"))
    assert "no step -1 of 4" in refused(lambda: load_noise("qerl").sigma(-1, 4))
    assert "no step 0 of 0" in refused(lambda: load_noise("qerl").sigma(0, 0))


def test_a_dictionary_gives_an_equal_schedule() -> None:
    schedule = load_noise("qerl_per_layer")
    assert NoiseSchedule.from_dict(schedule.to_dict()) == schedule
