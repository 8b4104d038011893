"""Whatever stands in a snapshot or a bundle, judging and reading it ends: in a verdict, or in one clear refusal."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.detect.judge import judge
from monitor.diagnose import bundle as bundles
from monitor.diagnose.errors import BundleError
from monitor.diagnose.replay import replay
from monitor.diagnose.report_text import report
from monitor.inspection import told_threads
from monitor.model.finding import VerdictWord
from monitor.model.json_form import MalformedRecord, from_json, to_json
from monitor.model.run import RunConfig, RunState
from monitor.model.snapshot import Snapshot
from tests.detect import snapshots as made

RUN = RunState("exp", RunConfig(), 900.0)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from(["", "ff" * 24, "../../etc/passwd", "\x1b[2J\x1b]0;x\x07", "\ud800", "RUNNING", "T", "object_ref"]),
    st.text(max_size=20),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
)
FUZZ = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


def _places(document: Any) -> list[tuple[Any, Any]]:
    """Every container of a JSON document with every key or index in it."""
    found: list[tuple[Any, Any]] = []
    entries = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in entries:
        found.append((document, key))
        if isinstance(value, (dict, list)):
            found += _places(value)
    return found


def _changed(document: Any, data: st.DataObject, most: int = 6) -> Any:
    copy = json.loads(json.dumps(document))
    for _ in range(data.draw(st.integers(1, most))):
        places = _places(copy)
        if not places:
            break
        container, key = places[data.draw(st.integers(0, len(places) - 1))]
        if isinstance(container, list) and data.draw(st.booleans()):
            # Twice the same record, or none: what a list from outside may hold.
            container.append(container[key]) if data.draw(st.booleans()) else container.pop(key)
        else:
            container[key] = data.draw(LEAVES)
    return copy


SAMPLES = {name: [to_json(item) for item in build(hooks=True)] for name, build in sorted(made.HANGS.items())}


@given(st.data(), st.sampled_from(sorted(SAMPLES)))
@FUZZ
def test_any_snapshot_of_the_right_form_is_judged_and_any_other_refused(data: st.DataObject, name: str) -> None:
    documents = [_changed(document, data) for document in SAMPLES[name]]
    try:
        samples = [from_json(Snapshot, document) for document in documents]
    except MalformedRecord:
        return
    verdict = judge(samples)
    assert isinstance(verdict.word, VerdictWord)
    text = report(samples[-1].position, verdict, samples, [])
    assert "\x1b" not in text


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    samples = made.self_get(hooks=True)
    return bundles.write(tmp_path_factory.mktemp("fuzz"), RUN, samples, judge(samples))


def _copy_of(path: Path, to: Path, name: str, content: bytes, *, signed: bool) -> Path:
    """The bundle with other content in one file; `signed`: its manifest vouches for that."""
    for source in path.rglob("*"):
        target = to / source.relative_to(path)
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    (to / name).write_bytes(content)
    if signed:
        manifest = json.loads((to / "manifest.json").read_text())
        manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        (to / "manifest.json").write_text(json.dumps(manifest))
    return to


def _ends_well(path: Path) -> None:
    try:
        replayed = replay([path])
    except BundleError as error:
        assert "\n" not in str(error) and error.HELP_TEXT
    else:
        assert isinstance(replayed.verdict.word, VerdictWord)


FILES = ["snapshots/000.json", "snapshots/001.json", "verdict.json", "manifest.json"]


@given(st.data(), st.sampled_from(FILES))
@FUZZ
def test_a_bundle_with_any_values_in_it_is_replayed_or_refused(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, name: str
) -> None:
    changed = _changed(json.loads((whole / name).read_text()), data)
    content = json.dumps(changed).encode("utf-8", "surrogatepass")
    _ends_well(_copy_of(whole, tmp_path_factory.mktemp("b"), name, content, signed=name != "manifest.json"))


@given(st.binary(max_size=200), st.sampled_from(FILES), st.integers(0, 4000))
@FUZZ
def test_a_bundle_with_any_bytes_in_it_is_replayed_or_refused(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, noise: bytes, name: str, at: int
) -> None:
    content = (whole / name).read_bytes()
    content = content[:at] + noise + content[at + len(noise) :]
    _ends_well(_copy_of(whole, tmp_path_factory.mktemp("b"), name, content, signed=name != "manifest.json"))


@pytest.mark.parametrize("deep", [b"[" * 100_000, b'{"a":' * 100_000, b"1" * 100_000, b"NaN", b"\xff\xfe"])
def test_json_that_is_deep_long_or_no_text_is_refused(whole: Path, tmp_path: Path, deep: bytes) -> None:
    with pytest.raises(BundleError):
        replay([_copy_of(whole, tmp_path / "b", "snapshots/000.json", deep, signed=True)])


@pytest.mark.parametrize(
    "touch",
    [
        lambda path: os.mkfifo(path),
        lambda path: path.symlink_to("/etc/passwd"),
        lambda path: path.mkdir(),
        lambda path: path.symlink_to(path),
    ],
    ids=["pipe", "link", "folder", "loop"],
)
def test_a_file_that_is_no_file_is_refused_without_waiting(
    whole: Path, tmp_path: Path, touch: Callable[[Path], None]
) -> None:
    path = _copy_of(whole, tmp_path / "b", "verdict.json", b"{}", signed=True)
    (path / "verdict.json").unlink()
    touch(path / "verdict.json")
    with pytest.raises(BundleError):
        bundles.read(path)


@given(st.data())
@FUZZ
def test_any_threads_that_a_responder_tells_are_taken_or_refused(data: st.DataObject) -> None:
    frames = [["get_objects", "/x/ray/_private/worker.py", 3], ["run", "/app/a.py", 9]]
    thread = {"native_id": 7, "name": "MainThread", "frames": frames, "refs": ["ab"], "blocked_seconds": 1.0}
    told = _changed([{**thread, "limits": {"timeout": "None"}, "syscall": "202 0x1 0x2 0x3 0x0 0x5 0x6 0x7"}], data)
    try:
        threads = told_threads.threads_of(os.getpid(), told)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return
    assert all(isinstance(thread.name, str) and isinstance(thread.thread_id, int) for thread in threads)
