"""`ray-control-plane`: Ray's raylet or GCS stopped or gone in both samples while the run waits in Ray; no less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from monitor.detect.judge import judge
from monitor.model.snapshot import ProcessState, Snapshot
from tests.detect import snapshots as made
from tests.detect.rules.alone import suspected

GCS = ProcessState(50, 5.0, "gcs_server", "gcs", "gcs_server (pid 50)", "T")


def _samples(*system: ProcessState, gone: Sequence[str] = ()) -> list[Snapshot]:
    """Driver and trainer in `ray.get`; Ray's own processes beside them."""
    samples = made.pair([*made.head(made.GENERATE), *system], [made.RUN, *made.GENERATE])
    return [replace(sample, gone=tuple(gone)) for sample in samples]


@pytest.mark.parametrize("role", ["gcs", "raylet"])
def test_a_stopped_process_of_rays_own_is_suspected_with_the_line_that_waits(role: str) -> None:
    samples = _samples(replace(GCS, role=role))
    assert suspected(samples) == ["ray-control-plane"]
    (suspicion,) = judge(samples).suspicions
    assert (suspicion.culprit.pid, suspicion.line) == (GCS.pid, made.VALIDATE.line)


def test_one_that_is_gone_in_both_samples_is_suspected() -> None:
    assert suspected(_samples(gone=[GCS.label])) == ["ray-control-plane"]


def test_one_that_runs_is_not_suspected() -> None:
    assert suspected(_samples(replace(GCS, state="S"))) == []


def test_one_that_was_stopped_or_gone_in_one_sample_only_is_not_suspected() -> None:
    earlier, later = _samples(GCS)
    assert suspected([made.changed([earlier], GCS.pid, state="S")[0], later]) == []
    earlier, later = _samples(gone=[GCS.label])
    assert suspected([replace(earlier, gone=()), later]) == []


def test_rays_dashboard_and_its_agents_hold_nothing_up() -> None:
    assert suspected(_samples(replace(GCS, role="other", label="Ray dashboard (pid 50)"))) == []


def test_a_run_that_does_not_wait_in_ray_is_not_suspected() -> None:
    samples = _samples(GCS)
    for pid in (made.DRIVER, made.TRAINER):
        samples = made.changed(samples, pid, threads=(made.serving(),))
    assert suspected(samples) == []


def test_a_run_in_which_something_works_is_not_suspected() -> None:
    earlier, later = _samples(GCS)
    (busy,) = made.changed([later], made.TRAIN, cpu_seconds=9.0)
    assert suspected([earlier, busy]) == []
