"""What `doctor` says of reading processes: what can't be seen, of which of them, why, and what would change that."""

from __future__ import annotations

from monitor.commands.doctor import memory_check, tasks_check
from monitor.inspection.access import SYS_PTRACE, Obstacle, ReaderFacts, TargetFacts, in_general, obstacles
from monitor.inspection.asyncio_reader import TaskReading

USER = ReaderFacts(1000, yama=1)
REFUSED = TaskReading(unknown="reading the memory of pid 7 is not permitted", not_permitted=True)


def test_yama_1_is_missing_with_its_cures() -> None:
    check = memory_check(USER, in_general(USER))
    assert check.state == "missing" and "ptrace_scope is 1" in check.sentence
    assert "ptrace_scope=0" in check.cure and "hooks" in check.cure


def test_root_of_a_container_without_the_capability_is_not_called_able_to_read() -> None:
    root = ReaderFacts(0, 0xA80425FB, 0xA80425FB, yama=1)
    check = memory_check(root, in_general(root))
    assert check.state == "missing" and "--cap-add SYS_PTRACE" in check.cure


def test_who_may_read_is_told_why() -> None:
    assert "no Yama" in memory_check(ReaderFacts(1000), ()).sentence
    able = memory_check(ReaderFacts(0, SYS_PTRACE, yama=1), ())
    assert able.state == "ok" and "CAP_SYS_PTRACE is in force" in able.sentence and able.cure == ""


def test_each_refused_process_is_named_with_the_reason_of_its_own() -> None:
    reader = ReaderFacts(1000)
    targets = [TargetFacts(7, (1000,) * 3, dumpable=False), TargetFacts(8, (1001,) * 3), TargetFacts(9, (1001,) * 3)]
    found = [item for target in targets for item in obstacles(reader, target)]
    check = tasks_check(12, {target.pid: REFUSED for target in targets}, found)
    assert check.state == "missing"
    assert "3 of 12 processes can't be read (pid 7, 8, 9)" in check.sentence
    assert "PR_SET_DUMPABLE 0, or a set-uid program) (1)" in check.sentence and "uid 1001" in check.sentence
    assert "run laststep as that user" in check.cure and "CAP_SYS_PTRACE" in check.cure


def test_a_refusal_that_no_fact_explains_is_said_to_be_one() -> None:
    check = tasks_check(2, {7: REFUSED}, [])
    assert check.state == "missing" and "seccomp" in check.sentence and "hooks" in check.cure


def test_what_is_unreadable_for_another_reason_is_unknown_with_that_reason() -> None:
    check = tasks_check(9, {pid: TaskReading(unknown="a free-threaded build") for pid in range(1, 9)}, [])
    assert check.state == "unknown" and "free-threaded" in check.sentence and "pid 1, 2, 3, 4, …" in check.sentence


def test_all_read_is_ok() -> None:
    assert tasks_check(3, {}, []).state == "ok"
    assert tasks_check(1, {7: REFUSED}, [Obstacle("x", "y")]).cure == "y"
