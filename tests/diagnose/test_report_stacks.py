"""The report tells equal stacks once with their number, and the odd one by name, however many processes there are."""

from __future__ import annotations

from monitor.diagnose.report_stacks import MOST_GROUPS, stacks
from monitor.diagnose.report_text import MOST_PROCESSES, report
from monitor.model.finding import Culprit, Finding, Verdict, VerdictWord
from tests.diagnose.test_stack_tree import MAIN, SAVE, STEP, WAIT, Frame, process, snapshot


def test_the_large_group_is_one_line_and_the_outlier_is_first_and_named() -> None:
    many = [process(pid, MAIN, STEP, WAIT) for pid in range(7)]
    lines = [text for text in stacks(snapshot(*many, process(9, MAIN, STEP, SAVE))) if text.startswith("-")]
    assert len(lines) == 2
    assert lines[0].startswith("- **alone** 1 × main (main.py:7) → step (step.py:7) → save (save.py:7)")
    assert lines[0].endswith("W (pid 9)")
    assert lines[1].startswith("- 7 × main") and lines[1].endswith("and 4 more processes")


def test_without_stacks_nothing_is_said() -> None:
    assert list(stacks(snapshot())) == []


def test_more_groups_than_a_person_reads_are_counted() -> None:
    odd = [process(pid, MAIN, Frame("f", "/train/f.py", pid)) for pid in range(1, MOST_GROUPS + 6)]
    lines = list(stacks(snapshot(*odd)))
    assert "- … 5 more groups" in lines


def test_of_a_thousand_processes_the_culprit_and_some_are_told_one_by_one() -> None:
    sample = snapshot(*(process(pid, MAIN, STEP, WAIT) for pid in range(1, 1001)))
    finding = Finding("x", True, "It hangs.", Culprit(1000, "W (pid 1000)", None, None), None, None, (), ())
    text = report(sample.position, Verdict(VerdictWord.HANG, (finding,)), [sample], [])
    assert text.count("### W (pid") == MOST_PROCESSES
    assert "### W (pid 1000)" in text and f"… {1000 - MOST_PROCESSES} more processes" in text
    assert "1000 × main (main.py:7)" in text
