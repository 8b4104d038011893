"""A process is told from any other later: one that ended, a recycled pid, another boot, another machine."""

from __future__ import annotations

import os
import subprocess
import sys

from monitor.sources.process_mark import is_gone, mark_of


def test_a_process_that_lives_is_not_gone() -> None:
    mark = mark_of(os.getpid())
    assert mark is not None
    assert is_gone(mark) is False


def test_a_process_that_ended_is_gone_also_while_its_parent_has_not_reaped_it() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mark = mark_of(child.pid)
    assert mark is not None
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(mark) is True
    child.communicate()
    assert is_gone(mark) is True
    assert mark_of(child.pid) is None


def test_a_recycled_pid_is_another_process() -> None:
    machine, boot, namespace, pid, ticks = str(mark_of(os.getpid())).split("/")
    assert is_gone("/".join([machine, boot, namespace, pid, str(int(ticks) - 1)])) is True


def test_what_ran_before_the_machine_was_booted_anew_is_gone() -> None:
    machine, _, namespace, pid, ticks = str(mark_of(os.getpid())).split("/")
    assert is_gone("/".join([machine, "another-boot", namespace, pid, ticks])) is True


def test_of_another_machine_another_namespace_or_a_mark_that_is_none_nothing_can_be_told() -> None:
    machine, boot, namespace, pid, ticks = str(mark_of(os.getpid())).split("/")
    assert is_gone("/".join(["another", boot, namespace, pid, ticks])) is None
    assert is_gone("/".join([machine, boot, "1", pid, ticks])) is None
    assert is_gone("") is None
    assert is_gone("a/b/c/d/e") is None
