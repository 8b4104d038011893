"""Sources fail alone, on their own clocks, and folders are read as soon as the configuration names them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from monitor import settings
from monitor.engine.engine import completed
from monitor.engine.source_set import SourceSet
from monitor.model.fact import FactKind
from monitor.model.run import RunConfig
from monitor.model.snapshot import RayActor, RayCall
from monitor.sources.ray_api import RayUnreachable
from monitor.sources.run_locator import RunLocation, RunProcess
from monitor.sources.trainer_profile import load_profile


class FakeRay:
    """Ray's State API at the edge: answers, or is gone."""

    def __init__(self) -> None:
        self.gone = False
        self.asked = 0

    def calls(self) -> tuple[RayCall, ...]:
        self.asked += 1
        if self.gone:
            raise RayUnreachable("no answer")
        return ()

    def actors(self) -> tuple[RayActor, ...]:
        return ()


def source_set(ray: FakeRay, driver_pid: int, folder: Path) -> SourceSet:
    """The sources of a run whose driver is `driver_pid`."""
    process = RunProcess(driver_pid, "driver", "driver")
    location = RunLocation("run-1", "01000000", driver_pid, 0.0, None, load_profile("demo"), RunConfig(), (process,))
    return SourceSet(ray, location, settings.load(), str(folder / "hooks"))  # type: ignore[arg-type]


def unknown_since(sources: SourceSet, name: str) -> float | None:
    """Since when a source is unknown, None where it answers."""
    (status,) = [item for item in sources.statuses if item.name == name]
    return status.unknown.since if status.unknown else None


def test_a_source_that_fails_keeps_its_first_moment_and_the_others_go_on(tmp_path: Path) -> None:
    ray = FakeRay()
    sources = source_set(ray, os.getpid(), tmp_path)
    sources.poll(100.0, RunConfig())
    ray.gone = True
    sources.poll(110.0, RunConfig())
    sources.poll(120.0, RunConfig())
    assert unknown_since(sources, "ray") == 110.0
    assert unknown_since(sources, "processes") is None
    ray.gone = False
    sources.poll(130.0, RunConfig())
    assert unknown_since(sources, "ray") is None
    sources.close()


def test_ray_is_asked_on_its_own_slower_clock(tmp_path: Path) -> None:
    ray = FakeRay()
    sources = source_set(ray, os.getpid(), tmp_path)
    for tenth in range(0, 50):
        sources.poll(100.0 + tenth / 10, RunConfig())
    assert ray.asked == 3
    sources.close()


def test_a_dump_folder_is_read_as_soon_as_the_configuration_names_it(tmp_path: Path) -> None:
    (tmp_path / "20.jsonl").write_text('{"input": "1+1=", "output": "2", "gts": "2", "score": 1.0, "step": 20}\n')
    sources = source_set(FakeRay(), os.getpid(), tmp_path)
    assert [fact for fact in sources.poll(100.0, RunConfig()) if fact.kind is FactKind.DUMP] == []
    named = RunConfig(validation_data_dir=str(tmp_path))
    (dump,) = [fact for fact in sources.poll(101.0, named) if fact.kind is FactKind.DUMP]
    assert dump.step == 20
    assert [fact for fact in sources.poll(102.0, named) if fact.kind is FactKind.DUMP] == []
    sources.close()


def test_the_validation_set_is_hashed_once_and_its_age_says_nothing(tmp_path: Path) -> None:
    data = tmp_path / "validation.jsonl"
    data.write_text("{}\n")
    sources = source_set(FakeRay(), os.getpid(), tmp_path)
    named = RunConfig(validation_file=str(data))
    facts = [fact for second in range(5) for fact in sources.poll(100.0 + second, named)]
    hashes = [fact.data["validation_sha256"] for fact in facts if "validation_sha256" in fact.data]
    assert len(hashes) == 1
    assert "validation file" not in {status.name for status in sources.statuses}
    sources.close()


def test_a_driver_that_is_gone_ends_the_run(tmp_path: Path) -> None:
    sources = source_set(FakeRay(), 2**22 + 1, tmp_path)
    facts = sources.poll(100.0, RunConfig())
    assert [fact.data for fact in facts if fact.kind is FactKind.RUN_END] == [{"exit": "gone"}]
    sources.close()


@pytest.mark.parametrize(("known", "expected"), [(None, "/found.jsonl"), ("/known.jsonl", "/known.jsonl")])
def test_what_is_found_later_fills_gaps_and_replaces_nothing(known: str | None, expected: str) -> None:
    assert completed(RunConfig(file_log=known), RunConfig(file_log="/found.jsonl")).file_log == expected


def test_the_engines_are_asked_only_where_an_address_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = source_set(FakeRay(), os.getpid(), tmp_path)
    sources.poll(100.0, RunConfig())
    assert sources.engines is None and "vllm metrics" not in {status.name for status in sources.statuses}
    sources.close()
    monkeypatch.setenv("LASTSTEP_VLLM_METRICS_URLS", "http://127.0.0.1:1/metrics")
    sources = source_set(FakeRay(), os.getpid(), tmp_path)
    for second in range(0, 600, 3):
        sources.poll(100.0 + second, RunConfig())
        if unknown_since(sources, "vllm metrics") is not None:
            break
        time.sleep(0.05)
    assert unknown_since(sources, "vllm metrics") is not None
    sources.close()


def test_a_source_that_breaks_is_unknown_and_ends_nothing(tmp_path: Path) -> None:
    class BrokenRay(FakeRay):
        def calls(self) -> tuple[RayCall, ...]:
            raise SyntaxError("unterminated string literal")

    sources = source_set(BrokenRay(), os.getpid(), tmp_path)
    sources.poll(100.0, RunConfig())
    (status,) = [item for item in sources.statuses if item.name == "ray"]
    assert status.unknown is not None and "SyntaxError" in status.unknown.because
    assert unknown_since(sources, "processes") is None
