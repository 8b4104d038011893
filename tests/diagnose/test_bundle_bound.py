"""A bundle's size is bounded: what matters for the verdict comes first, and what had no room is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.detect.judge import judge
from monitor.diagnose import bundle as bundles
from monitor.diagnose.replay import replay
from monitor.model.finding import VerdictWord
from monitor.model.snapshot import Snapshot
from tests.detect import snapshots as made
from tests.diagnose.test_bundle import RUN

ROOM = 2 * bundles.REPORT_BYTES


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _long() -> list[Snapshot]:
    """Eight samples, the last two of which are the proof."""
    earlier, later = made.self_get(hooks=True)
    return [
        *(replace(earlier, taken_at=earlier.taken_at - 10.0 * number) for number in range(6, 0, -1)),
        earlier,
        later,
    ]


def _sizes(folder: Path, samples: list[Snapshot]) -> dict[str, int]:
    path = bundles.write(folder, RUN, samples, judge(samples))
    return {name: entry["bytes"] for name, entry in json.loads((path / "manifest.json").read_text())["files"].items()}


def _written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, room: int, logs: list[Path] | None = None
) -> tuple[Path, list[Snapshot]]:
    samples = _long()
    monkeypatch.setattr(bundles, "LARGEST_BUNDLE", ROOM + room)
    return bundles.write(folder, RUN, samples, judge(samples), log_paths=logs or []), samples


def test_old_snapshots_give_way_and_the_verdict_stays_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = _sizes(tmp_path / "whole", _long())
    small = sum(sizes[name] for name in ("verdict.json", "run.json", "host.json"))
    room = small + 3 * max(size for name, size in sizes.items() if name.startswith("snapshots/"))
    path, samples = _written(tmp_path / "b", monkeypatch, room)
    found = bundles.read(path)
    assert found.snapshots == tuple(samples[-3:])
    assert replay([path]).verdict == judge(samples) == found.verdict
    assert any("snapshot 4 and those before it" in what and "no room" in what for what in found.missing)
    assert not any("replay" in what for what in found.missing)
    assert "no room within the bound" in (path / "report.md").read_text()
    assert _size(path) <= ROOM + room


def test_where_even_the_proofs_samples_have_no_room_it_is_said_and_the_verdict_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = _sizes(tmp_path / "whole", _long())
    small = sum(sizes[name] for name in ("verdict.json", "run.json", "host.json"))
    path, samples = _written(tmp_path / "b", monkeypatch, small + sizes["snapshots/007.json"] + 10)
    found = bundles.read(path)
    assert (len(found.snapshots), found.verdict) == (1, judge(samples))
    assert replay([path]).verdict.word is VerdictWord.UNKNOWN
    assert any("replay of what had room does not give the verdict" in what for what in found.missing)


def test_logs_beyond_the_bound_are_left_out_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = [tmp_path / f"{number}.log" for number in range(3)]
    for log in logs:
        log.write_text("line of a log\n" * 20_000)
    sizes = _sizes(tmp_path / "whole", _long())
    path, _ = _written(tmp_path / "b", monkeypatch, sum(sizes.values()) + 300_000, logs)
    assert sorted(file.name for file in (path / "logs").iterdir()) == ["0-0.log"]
    missing = bundles.read(path).missing
    assert [name for name in ("1.log", "2.log") if any(name in what and "no room" in what for what in missing)] == [
        "1.log",
        "2.log",
    ]


def test_a_report_beyond_its_bound_is_cut_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "REPORT_BYTES", 3000)
    path, _ = _written(tmp_path, monkeypatch, 10 << 20)
    text = (path / "report.md").read_text()
    assert len(text.encode()) < 3100 and text.endswith("… cut here: the rest is too long\n")


def test_the_machines_facts_are_in_the_bundle_and_in_the_report(tmp_path: Path) -> None:
    samples = made.self_get(hooks=True)
    path = bundles.write(tmp_path, RUN, samples, judge(samples))
    host = json.loads((path / "host.json").read_text())
    assert host["kernel"] and host["cpus"] and host["memory_bytes"] and host["python"]
    assert f"Kernel {host['kernel']}" in (path / "report.md").read_text()
