"""Who may read whose memory, by facts alone: each obstacle is said with what would change it, and nothing is missed."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.inspection.access import (
    SYS_PTRACE,
    ReaderFacts,
    TargetFacts,
    in_general,
    obstacles,
    parse_status,
    reader_facts,
    target_facts,
)

USER = ReaderFacts(1000)
ROOT = ReaderFacts(0, SYS_PTRACE | 1)
CONTAINER_ROOT = ReaderFacts(0, 0xA80425FB, 0xA80425FB)
"""Docker's default capabilities: SYS_PTRACE is none of them."""
OWN = TargetFacts(7, (1000, 1000, 1000))


def _said(reader: ReaderFacts, target: TargetFacts = OWN) -> str:
    return "; ".join(f"{item.what} -> {item.cure}" for item in obstacles(reader, target))


def test_an_ordinary_process_of_the_same_uid_is_readable_without_yama_or_with_scope_0() -> None:
    for scope in (None, 0):
        assert obstacles(replace(USER, yama=scope), OWN) == ()


def test_under_yama_1_only_descendants_are_readable() -> None:
    said = _said(replace(USER, yama=1))
    assert "only descendants" in said and "ptrace_scope=0" in said and "--readable" in said and "hooks" in said
    assert obstacles(replace(USER, yama=1), replace(OWN, descendant=True)) == ()


def test_under_yama_2_descendants_neither() -> None:
    said = _said(replace(USER, yama=2), replace(OWN, descendant=True))
    assert "CAP_SYS_PTRACE" in said and "--readable" not in said


def test_under_yama_3_nobody_reads_and_only_a_reboot_changes_that() -> None:
    for reader in (replace(USER, yama=3), replace(ROOT, yama=3)):
        target = TargetFacts(7, (reader.uid,) * 3)
        said = _said(reader, target)
        assert "nobody may read" in said and "reboot" in said


@pytest.mark.parametrize("scope", [None, 0, 1, 2])
def test_root_with_the_capability_reads_all_of_its_own_uid(scope: int | None) -> None:
    target = TargetFacts(7, (0, 0, 0), dumpable=False, permitted=(1 << 41) - 1)
    assert obstacles(replace(ROOT, yama=scope), target) == ()


def test_root_of_a_container_without_the_capability_is_held_back_like_any_user() -> None:
    reader = replace(CONTAINER_ROOT, yama=1)
    (obstacle,) = in_general(reader)
    assert "ptrace_scope is 1" in obstacle.what
    assert "--cap-add SYS_PTRACE" in obstacle.cure and "even for root" in obstacle.cure
    assert in_general(replace(reader, yama=None)) == ()


@pytest.mark.parametrize("uids", [(1001, 1001, 1001), (1000, 1001, 1001), (1000, 1000, 0)])
def test_a_process_of_another_uid_needs_laststep_as_that_user(uids: tuple[int, ...]) -> None:
    assert "run laststep as that user" in _said(USER, replace(OWN, uids=uids))
    assert "run laststep as that user" in _said(ROOT, replace(OWN, uids=uids))


def test_an_undumpable_process_is_said_to_be_one() -> None:
    said = _said(USER, replace(OWN, dumpable=False))
    assert "PR_SET_DUMPABLE" in said and "CAP_SYS_PTRACE" in said


def test_a_process_with_more_capabilities_is_not_readable() -> None:
    assert "capabilities that laststep lacks" in _said(USER, replace(OWN, permitted=1 << 12))
    assert obstacles(replace(USER, effective=1 << 12), replace(OWN, permitted=1 << 12)) == ()


def test_several_obstacles_are_all_said() -> None:
    assert len(obstacles(replace(USER, yama=1), TargetFacts(7, (0, 0, 0), dumpable=False, permitted=1))) == 4


def test_a_status_is_parsed_and_nonsense_in_it_is_left_out() -> None:
    text = "Name:\tx\nUid:\t1000\t1001\t1002\t1003\nCapPrm:\t00000000a80425fb\nCapEff:\tzz\nCapBnd:\n"
    status = parse_status(text)
    assert (status.uids, status.capabilities) == ((1000, 1001, 1002), {"CapPrm": 0xA80425FB})
    for nonsense in ("", "Uid:\n", "Uid:\ta\tb\tc\n", ":\n:::"):
        assert parse_status(nonsense).uids == ()


def test_the_readers_facts_come_from_its_own_status(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/yama").mkdir(parents=True)
    (tmp_path / "proc/self/status").write_text("Uid:\t0\t0\t0\t0\nCapEff:\ta80425fb\nCapBnd:\ta80425fb\n")
    (tmp_path / "proc/sys/kernel/yama/ptrace_scope").write_text("1\n")
    assert reader_facts(tmp_path) == replace(CONTAINER_ROOT, yama=1)
    assert reader_facts(tmp_path / "nowhere").yama is None


UNDUMPABLE = """
import ctypes, os, sys
if os.getuid() == 0: os.setuid(65534)
ctypes.CDLL(None).prctl(4, {dumpable}, 0, 0, 0)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("dumpable", [0, 1])
def test_whether_a_real_process_is_dumpable_is_told_by_whose_its_files_in_proc_are(dumpable: int) -> None:
    python = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
    words = [python, "-c", UNDUMPABLE.format(dumpable=dumpable)]
    child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/")
    try:
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        facts = target_facts(child.pid)
    finally:
        child.communicate()
    assert facts is not None and facts.dumpable is bool(dumpable)


def test_a_process_that_is_gone_has_no_facts() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert target_facts(child.pid) is None
