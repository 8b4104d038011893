"""A bundle is whole or not there, says what is missing, holds no secret, and is not believed when it was touched."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.detect.judge import judge
from monitor.diagnose import bundle as bundles
from monitor.diagnose import bundle_files
from monitor.diagnose.errors import BundleDamaged, BundleError, BundleNotWritten, NoBundle
from monitor.diagnose.replay import replay
from monitor.model.finding import VerdictWord
from monitor.model.json_form import to_json
from monitor.model.run import RunConfig, RunState
from monitor.model.snapshot import Snapshot
from tests.detect import snapshots as made

RUN = RunState("exp-20260101T000000Z", RunConfig(experiment="exp"), 900.0, step=29, total_steps=29, phase="testing")


def _written(directory: Path, samples: list[Snapshot] | None = None, **arguments: object) -> Path:
    samples = made.self_get(hooks=True) if samples is None else samples
    return bundles.write(directory, RUN, samples, judge(samples), **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("hooks", [True, False])
@pytest.mark.parametrize("name", sorted(made.HANGS))
def test_replay_gives_the_same_verdict(tmp_path: Path, name: str, hooks: bool) -> None:
    samples = made.HANGS[name](hooks=hooks)
    path = _written(tmp_path, samples)
    assert replay([path]).verdict == judge(samples)
    assert bundles.read(path).snapshots == tuple(samples)


def test_a_bundle_is_one_private_folder_with_a_report_a_person_can_read(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_text("step:28\nstep:29\n")
    path = _written(tmp_path / "bundles", log_paths=[log])
    names = sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())
    assert names == [
        "graph.json", "host.json", "logs/0-console.log", "manifest.json", "report.md", "run.json",
        "snapshots/000.json", "snapshots/001.json", "verdict.json",
    ]  # fmt: skip
    assert os.stat(path).st_mode & 0o077 == 0
    report = (path / "report.md").read_text()
    assert "## self-get (proved)" in report
    assert "RolloutServer rollout_server_0 (pid 5) waits for itself" in report
    assert "/app/rollout.py:77" in report
    assert os.listdir(tmp_path / "bundles") == [path.name]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    unread = made.changed(made.self_get(hooks=True), made.TRAIN, threads=(), threads_unknown="no permission")
    path = _written(tmp_path, unread, log_paths=[tmp_path / "gone.log"])
    missing = bundles.read(path).missing
    assert any("gone.log" in what and "No such file" in what for what in missing)
    assert any("threads of WorkerDict" in what and "no permission" in what for what in missing)
    assert "no permission" in (path / "report.md").read_text()


def test_a_log_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "console.log")
    missing = bundles.read(_written(tmp_path / "b", log_paths=[tmp_path / "console.log"])).missing
    assert any("not a regular file" in what for what in missing)


def test_of_a_large_log_only_the_tail_is_kept_from_a_lines_start(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_bytes(b"".join(b"line %07d\n" % number for number in range(100_000)))
    kept = (_written(tmp_path / "b", log_paths=[log]) / "logs/0-console.log").read_text()
    assert len(kept) <= bundles.LOG_TAIL_BYTES
    assert kept.startswith("line ") and kept.endswith("line 0099999\n")


def test_no_secret_is_written(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_text("WANDB_API_KEY=verysecret123\n")
    samples = made.changed(made.self_get(hooks=True), made.DRIVER, command="python main.py --token verysecret123")
    run = replace(RUN, config=replace(RUN.config, recipe={"api_key": "verysecret123"}))
    path = bundles.write(tmp_path / "b", run, samples, judge(samples), log_paths=[log])
    assert not [file for file in path.rglob("*") if file.is_file() and "verysecret123" in file.read_text()]


def test_two_bundles_of_one_second_do_not_replace_each_other(tmp_path: Path) -> None:
    assert len({_written(tmp_path) for _ in range(3)}) == 3


def test_a_folder_that_cannot_be_written_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleNotWritten, match="no bundle could be written"):
        _written(tmp_path / "file")


def test_a_disk_that_fills_up_leaves_no_half_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(folder: Path, name: str, content: bytes) -> dict[str, object]:
        if name == bundle_files.REPORT:
            raise OSError(28, "No space left on device")
        return written(folder, name, content)

    written = bundle_files.write_file
    monkeypatch.setattr(bundle_files, "write_file", full)
    with pytest.raises(BundleNotWritten, match="No space left"):
        _written(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_bundle_without_snapshots_says_so_and_replays_to_unknown(tmp_path: Path) -> None:
    path = _written(tmp_path, [])
    assert any("snapshots" in what for what in bundles.read(path).missing)
    assert replay([path]).verdict.word is VerdictWord.UNKNOWN


def test_no_bundle_there_is_one_clear_word(tmp_path: Path) -> None:
    for path in (tmp_path / "none", _file(tmp_path / "a.txt")):
        with pytest.raises(NoBundle):
            bundles.read(path)
    with pytest.raises(BundleDamaged, match="manifest"):
        bundles.read(tmp_path)


def _file(path: Path) -> Path:
    path.write_text("x")
    return path


def _to_link(path: Path) -> None:
    os.rename(path / NEWEST, path / "elsewhere.json")
    (path / NEWEST).symlink_to(path / "elsewhere.json")


def _to_pipe(path: Path) -> None:
    (path / NEWEST).unlink()
    os.mkfifo(path / NEWEST)


def _to_many(path: Path) -> None:
    for number in range(100, 200):
        (path / f"snapshots/{number}.json").write_text("{}")


def _manifest_with(**fields: object) -> Callable[[Path], object]:
    def change(path: Path) -> object:
        manifest = path / "manifest.json"
        return manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **fields}))

    return change


NEWEST = "snapshots/001.json"
SPOILED: dict[str, Callable[[Path], object]] = {
    "cut": lambda path: (path / NEWEST).write_bytes((path / NEWEST).read_bytes()[:-200]),
    "changed": lambda path: (path / NEWEST).write_text((path / NEWEST).read_text().replace("rollout.py", "x.py")),
    "lost": lambda path: (path / NEWEST).unlink(),
    "a link": _to_link,
    "a pipe": _to_pipe,
    "too many": _to_many,
    "of a later version": _manifest_with(schema=99),
    "with paths": _manifest_with(files=["../../etc/passwd"], missing=7, run=3),
    "of another form": lambda path: (path / "manifest.json").write_text("[1, 2]"),
    "deeply nested": lambda path: (path / "manifest.json").write_text("[" * 200_000),
    "binary": lambda path: (path / "manifest.json").write_bytes(b"\xff\xfe\x00"),
}


@pytest.mark.parametrize("how", sorted(SPOILED))
def test_a_touched_or_hostile_bundle_is_refused_in_one_sentence(tmp_path: Path, how: str) -> None:
    path = _written(tmp_path)
    SPOILED[how](path)
    with pytest.raises(BundleError) as caught:
        replay([path])
    assert "\n" not in str(caught.value) and caught.value.HELP_TEXT


def test_a_file_larger_than_the_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _written(tmp_path)
    monkeypatch.setattr(bundle_files, "LARGEST_FILE", 1000)
    with pytest.raises(BundleDamaged, match="larger than"):
        bundles.read(path)


def test_a_snapshot_of_another_form_is_refused(tmp_path: Path) -> None:
    path = _written(tmp_path)
    manifest = json.loads((path / "manifest.json").read_text())
    content = json.dumps({**to_json(made.self_get(hooks=True)[0]), "processes": [{"pid": "five"}]}).encode()
    (path / "snapshots/000.json").unlink()
    manifest["files"]["snapshots/000.json"] = bundle_files.write_file(path, "snapshots/000.json", content)
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleDamaged, match="form of a Snapshot"):
        bundles.read(path)


def test_control_characters_do_not_reach_the_report(tmp_path: Path) -> None:
    samples = made.changed(made.self_get(hooks=True), made.ROLLOUT, label="Rollout\x1b]0;owned\x07 (pid 5)")
    assert "\x1b" not in (_written(tmp_path, samples) / "report.md").read_text()
