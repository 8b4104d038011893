"""The trainer's version as it lies on disk, and what is said of one that its profile doesn't know."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.model.fact import FactKind
from monitor.sources.trainer_profile import load_profile
from monitor.sources.trainer_version import installed_version, mapped_packages, unknown_version, version_poll


@pytest.fixture
def process(tmp_path: Path) -> Iterator[int]:
    """A process whose PYTHONPATH is the test's folder `packages` and that works in `work`."""
    (tmp_path / "packages").mkdir()
    (tmp_path / "work").mkdir()
    code = "print(flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-S", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path / "work",
        env={**os.environ, "PYTHONPATH": str(tmp_path / "packages")},
    )
    assert child.stdout is not None and child.stdin is not None
    child.stdout.readline()
    yield child.pid
    child.communicate(b"\n", timeout=30)


def _checkout(folder: Path, version: str) -> None:
    (folder / "verl" / "version").mkdir(parents=True)
    (folder / "verl" / "version" / "version").write_text(f"{version}\n")


def test_a_version_the_profile_does_not_know_is_told_once_with_those_it_knows(process: int, tmp_path: Path) -> None:
    (tmp_path / "packages" / "verl-1.2.0.dist-info").mkdir()
    (fact,) = version_poll(load_profile("verl"), process)(100.0)
    assert fact.kind is FactKind.NOTICE and not fact.moves
    assert "verl 1.2.0: this version is not known" in fact.data["text"] and "0.7, 0.8, 0.9" in fact.data["text"]
    assert fact.evidence is not None and fact.evidence.file == str(tmp_path / "packages" / "verl-1.2.0.dist-info")


def test_a_checkout_goes_before_the_record_that_its_installation_left(process: int, tmp_path: Path) -> None:
    (tmp_path / "packages" / "verl-0.5.0.dist-info").mkdir()
    _checkout(tmp_path / "packages", "0.9.1")
    assert installed_version(process, "verl") == ("0.9.1", str(tmp_path / "packages/verl/version/version"))
    assert version_poll(load_profile("verl"), process)(100.0) == []


def test_a_trainer_in_the_working_folder_is_found(process: int, tmp_path: Path) -> None:
    _checkout(tmp_path / "work", "0.10.0.dev")
    assert installed_version(process, "verl") == ("0.10.0.dev", str(tmp_path / "work/verl/version/version"))


def test_where_no_version_is_found_nothing_is_said(process: int) -> None:
    assert installed_version(process, "no_such_trainer") is None
    assert version_poll(dataclasses.replace(load_profile("verl"), package="no_such_trainer"), process)(100.0) == []
    assert version_poll(load_profile("verl"), None)(100.0) == []
    assert installed_version(2**22 + 1, "verl") is None


@pytest.mark.parametrize(("version", "known"), [("0.9.1", True), ("0.9", True), ("0.10.0", False), ("0.91", False)])
def test_a_known_beginning_is_a_whole_number_of_the_version(version: str, known: bool) -> None:
    assert (unknown_version(version, load_profile("verl")) == "") is known


def test_a_profile_without_versions_says_nothing_of_them() -> None:
    assert unknown_version("99", load_profile("slime")) == ""


def test_the_folders_of_packages_are_read_from_the_mapped_libraries() -> None:
    maps = (
        "7f00-7f01 r-xp 00000000 08:01 1  /env with space/lib/python3.11/site-packages/torch/lib/libtorch.so\n"
        "7f01-7f02 r-xp 00000000 08:01 1  /env with space/lib/python3.11/site-packages/ray/_raylet.so\n"
        "7f02-7f03 r-xp 00000000 08:01 1  /usr/lib/python3/dist-packages/yaml/_yaml.so\n"
        "7f03-7f04 rw-p 00000000 00:00 0\n"
        "7f04-7f05 r-xp 00000000 08:01 1  /usr/lib/libc.so.6\n"
    )
    folders = ["/env with space/lib/python3.11/site-packages", "/usr/lib/python3/dist-packages"]
    assert mapped_packages(maps) == folders
