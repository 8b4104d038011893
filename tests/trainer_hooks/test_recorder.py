"""The recorder: what it writes can be read back, and nothing that goes wrong reaches its caller."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.trainer_hooks.conftest import read_counters
from trainer_hooks import recorder, records
from trainer_hooks.recorder import Recorder

Reader = Callable[..., list[dict[str, Any]]]


def test_event_stands_on_one_line_with_the_stated_keys(fresh_recorder: Recorder, written: Reader) -> None:
    fresh_recorder.event("phase_begin", step=29, phase="testing", total=256)
    (line,) = written("phase_begin")
    assert line.pop("at") > 0
    assert line == {"schema": 1, "kind": "phase_begin", "step": 29, "phase": "testing", "data": {"total": 256}}


def test_process_line_comes_first_and_is_written_again_only_when_more_is_known(
    fresh_recorder: Recorder, written: Reader
) -> None:
    fresh_recorder.event("run_end", exit="finished")
    fresh_recorder.process(actor_name="rollout_server_0")
    fresh_recorder.process(actor_name="rollout_server_0")
    first, _, again = written()
    assert first["kind"] == again["kind"] == records.PROCESS
    assert (first["pid"], first["start"]) == (os.getpid(), records.start_ticks(os.getpid()))
    assert (first["actor_name"], again["actor_name"]) == (None, "rollout_server_0")
    assert set(first) == set(again)


def test_values_json_does_not_know_never_lose_an_event(fresh_recorder: Recorder, written: Reader) -> None:
    fresh_recorder.event("score", step=1, value=object(), names={"a"}, path=Path("x"), nan=float("nan"))
    (line,) = written("score")
    assert line["data"]["value"] == "<object>" and line["data"]["names"] == ["a"] and line["data"]["path"] == "x"


def test_event_far_too_long_keeps_its_kind_and_step(fresh_recorder: Recorder, written: Reader) -> None:
    fresh_recorder.event("attested", step=7, text="x" * (2 << 20))
    (line,) = written("attested")
    assert line["step"] == 7 and line["data"]["left_out_bytes"] > 2 << 20


def test_events_of_many_threads_are_all_there_and_whole(fresh_recorder: Recorder, written: Reader) -> None:
    def write(thread: int) -> None:
        for number in range(200):
            fresh_recorder.event("score", step=number, metric=f"{thread}" * 50)
            fresh_recorder.add("samples")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(written("score")) == 1600
    assert fresh_recorder.counters() == {"samples": 1600}


def test_counters_are_read_from_the_file_by_the_layout_of_records(fresh_recorder: Recorder, own_folders: Path) -> None:
    fresh_recorder.add(records.validation_samples(29), 3)
    fresh_recorder.add(records.validation_samples(29))
    fresh_recorder.set(records.HEARTBEAT, 17)
    fresh_recorder.flush()
    (path,) = (own_folders / "run" / "hooks").glob("*.counters")
    values = read_counters(path)
    assert values["validation_samples:29"][0] == 4 and values["heartbeat"][0] == 17
    assert all(at > 0 for _, at in values.values())


def test_forked_child_begins_files_of_its_own(own_folders: Path, written: Reader) -> None:
    recorder._recorder = Recorder()
    recorder.get().event("phase_begin", step=1, phase="gen")
    recorder.get().add("samples", 5)
    child = os.fork()
    if child == 0:
        recorder.get().event("phase_begin", step=2, phase="gen")
        recorder.get().add("samples", 1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [line["step"] for line in written("phase_begin", pid=os.getpid())] == [1]
    assert [line["step"] for line in written("phase_begin", pid=child)] == [2]
    assert written(records.PROCESS, pid=child)[0]["pid"] == child
    hooks = own_folders / "run" / "hooks"
    assert read_counters(next(hooks.glob(f"{os.getpid()}-*.counters")))["samples"][0] == 5
    assert read_counters(next(hooks.glob(f"{child}-*.counters")))["samples"][0] == 1


def test_unwritable_folder_counts_errors_and_counters_still_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("LASTSTEP_DIR", str(blocked / "below"))
    mine = Recorder()
    mine.event("phase_begin", step=1, phase="gen")
    mine.add("samples")
    mine.flush()
    assert mine.counters() == {"samples": 1}
    assert mine.errors and mine.socket_path() is None


def test_folder_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch, own_folders: Path) -> None:
    (own_folders / "run" / "hooks").mkdir(parents=True)
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    mine = Recorder()
    mine.event("phase_begin", step=1, phase="gen")
    assert mine.errors
    assert list((own_folders / "run" / "hooks").iterdir()) == []


def test_symlink_in_place_of_the_hooks_folder_is_refused(own_folders: Path, tmp_path: Path) -> None:
    (own_folders / "run").mkdir()
    (own_folders / "run" / "hooks").symlink_to(tmp_path)
    mine = Recorder()
    mine.event("phase_begin", step=1, phase="gen")
    assert mine.errors and list(tmp_path.iterdir()) == []


def test_hooks_folder_is_closed_to_others_and_a_person_s_folder_stays_as_it_is(
    fresh_recorder: Recorder, own_folders: Path
) -> None:
    (own_folders / "run" / "hooks").mkdir(parents=True, mode=0o755)
    (own_folders / "run").chmod(0o1777)
    fresh_recorder.add("samples")
    assert (own_folders / "run" / "hooks").stat().st_mode & 0o777 == 0o700
    assert (own_folders / "run").stat().st_mode & 0o7777 == 0o1777
    assert not fresh_recorder.errors


def test_folder_in_which_others_could_replace_ours_is_refused(fresh_recorder: Recorder, own_folders: Path) -> None:
    (own_folders / "run").mkdir()
    (own_folders / "run").chmod(0o777)
    fresh_recorder.event("score", step=1)
    assert fresh_recorder.errors and list((own_folders / "run").iterdir()) == []


def test_default_folder_is_made_for_its_owner_only(
    fresh_recorder: Recorder, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LASTSTEP_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(own_folders))
    fresh_recorder.event("score", step=1)
    made = own_folders / f"laststep-{os.getuid()}"
    assert made.stat().st_mode & 0o777 == 0o700 and len(list((made / "hooks").glob("*.jsonl"))) == 1


def test_line_cut_by_a_full_disk_never_swallows_the_next_one(fresh_recorder: Recorder, own_folders: Path) -> None:
    fresh_recorder.event("score", step=1)
    (path,) = (own_folders / "run" / "hooks").glob("*.jsonl")
    # A limit on the file's size cuts a write as a full disk does: the first part goes in, the rest does not.
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, before[1]))
        fresh_recorder.event("score", step=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    fresh_recorder.event("score", step=3)
    whole = []
    for line in path.read_text().splitlines():
        try:
            whole.append(json.loads(line))
        except ValueError:
            continue
    assert [line["step"] for line in whole if line["kind"] == "score"] == [1, 3]
    assert any(f"Errno {errno.ENOSPC}" in text for text in fresh_recorder.errors)


def test_counters_file_that_can_not_be_made_leaves_counters_in_memory(own_folders: Path) -> None:
    signal_handler, before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    mine = Recorder()
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, before[1]))
        mine.add("samples", 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, signal_handler)
    assert mine.counters() == {"samples": 2} and mine.errors
    mine.flush()
    (path,) = (own_folders / "run" / "hooks").glob("*.counters")
    assert read_counters(path)["samples"][0] == 2


def test_events_go_on_after_the_folder_was_removed(fresh_recorder: Recorder, own_folders: Path) -> None:
    fresh_recorder.event("score", step=1)
    for path in (own_folders / "run" / "hooks").iterdir():
        path.unlink()
    (own_folders / "run" / "hooks").rmdir()
    fresh_recorder.event("score", step=2)
    (path,) = (own_folders / "run" / "hooks").glob("*.jsonl")
    assert '"step":2' in path.read_text()


def test_trainer_that_reuses_descriptors_is_never_written_into(own_folders: Path, tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        mine = Recorder()
        mine.event("score", step=1)
        mine.add("samples")
        os.closerange(3, 64)
        files = [os.open(tmp_path / str(number), os.O_RDWR | os.O_CREAT) for number in range(32)]
        mine.event("score", step=2)
        mine.add("samples")
        mine.flush()
        del mine
        os._exit(0 if all(os.fstat(descriptor).st_size == 0 for descriptor in files) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    (path,) = (own_folders / "run" / "hooks").glob(f"{child}-*.jsonl")
    assert '"step":2' in path.read_text()


def test_counter_that_is_no_number_is_counted_as_an_error(fresh_recorder: Recorder) -> None:
    fresh_recorder.add("samples", "many")  # type: ignore[arg-type]
    fresh_recorder.set("samples", 1 << 80)
    assert fresh_recorder.counters() == {"samples": 0} and len(fresh_recorder.errors) == 2
