"""A debugger's prompt that the run waits for, and stacks that only look like one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.model.snapshot import Frame, ThreadState
from tests.detect import snapshots as made
from tests.detect.made_threads import PYTHON
from tests.detect.rules.alone import CHILD, DRIVER, child, driver, only, proved, samples, suspected, thread

PROMPT = (
    Frame("Cmd.cmdloop", f"{PYTHON}/cmd.py", 126),
    Frame("Pdb._cmdloop", f"{PYTHON}/pdb.py", 390),
    Frame("Pdb.interaction", f"{PYTHON}/pdb.py", 419),
    Frame("Bdb.trace_dispatch", f"{PYTHON}/bdb.py", 90),
)
LINE = made.frame("main", 40, "/app/main.py")


def _asking(wait: str = "read", *inner: Frame) -> ThreadState:
    return thread((*inner, *PROMPT, LINE), wait=wait)


@pytest.mark.parametrize("wait", ["read", "poll"])
def test_a_prompt_that_reads_a_command_is_proved_with_the_line_it_was_opened_at(wait: str) -> None:
    finding = only(samples(driver(_asking(wait))))
    assert (finding.hang_class, finding.line, finding.culprit.pid) == ("process-stopped", LINE.line, DRIVER)


@pytest.mark.parametrize("wait", ["", "sleep", "lock", "running", "other", "child"])
def test_a_prompt_in_another_wait_or_one_that_is_not_told_is_a_suspicion(wait: str) -> None:
    assert suspected(samples(driver(_asking(wait)))) == ["process-stopped"]


def test_code_of_the_run_inside_the_prompt_is_at_work_there() -> None:
    inside = _asking("read", made.frame("evaluated", 3))
    assert proved(samples(driver(inside))) == []


def test_a_file_of_the_run_called_pdb_is_no_prompt() -> None:
    own = [replace(frame, file=frame.file.replace(PYTHON, "/app")) for frame in PROMPT]
    assert proved(samples(driver(thread((*own, LINE), wait="read")))) == []


def test_the_loop_of_commands_of_another_program_is_no_prompt() -> None:
    assert proved(samples(driver(thread((PROMPT[0], LINE), wait="read")))) == []


def test_a_prompt_that_uses_the_cpu_is_a_suspicion_at_most() -> None:
    earlier, later = samples(driver(_asking()))
    (busy,) = made.changed([later], DRIVER, threads=(replace(_asking(), cpu_seconds=2.0),))
    assert proved([earlier, busy]) == []


def test_a_prompt_that_was_not_there_at_the_first_sample_is_no_proof() -> None:
    earlier, later = samples(driver(_asking()))
    (before,) = made.changed([earlier], DRIVER, threads=(thread((LINE,), wait="running"),))
    assert proved([before, later]) == []


def test_a_prompt_in_a_child_that_no_chain_of_waits_comes_to_is_a_suspicion() -> None:
    prompt = replace(_asking(), thread_id=CHILD)
    parent = driver(thread((LINE,), wait="sleep"), children=(CHILD,))
    assert suspected(samples(parent, child(prompt))) == ["process-stopped"]
