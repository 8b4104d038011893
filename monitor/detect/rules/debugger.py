"""`process-stopped` by `breakpoint()`: a debugger's prompt in a process of the run waits for a person.

Decisive: in both samples the standard library's pdb asks for a command on a thread that the run waits for: nothing of
the run's code runs inside the prompt, no CPU is used, and the kernel has the thread in a read or a poll. A prompt in a
thread that no chain of waits comes to, or whose wait the kernel does not tell, is a suspicion.
"""

from __future__ import annotations

from itertools import takewhile

from monitor.detect.case import Case
from monitor.detect.frames import is_standard, is_users, place
from monitor.detect.standing import Standing, standing_threads, suspicion, waited_for
from monitor.model.finding import Finding

PROMPT, LOOP = "/pdb.py", "/cmd.py"
ASKING = frozenset({"read", "poll"})


def find(case: Case) -> tuple[Finding, ...]:
    """One finding a prompt."""
    found = []
    for item in standing_threads(case):
        if _asks(item):
            label = case.scene.label(item.process.pid)
            sentence = f"{label} stands in a debugger's prompt, opened at {place(item.frame)}, and waits for a person."
            evidence = (case.evidence(f"frames of pdb are on its stack {case.both}"), case.flat_cpu(item.process.pid))
            advice = "Type `c` where the prompt is, and take the `breakpoint()` out."
            proved = item.thread.kernel_wait in ASKING and not item.busy and waited_for(case, item)
            found.append(suspicion(case, "process-stopped", sentence, item, evidence, advice, proved=proved))
    return tuple(found)


def _asks(item: Standing) -> bool:
    """The innermost frames, before any of the run's code, are those of pdb's loop of commands."""
    inner = [frame for frame in takewhile(lambda frame: not is_users(frame), item.thread.frames) if is_standard(frame)]
    loop = any(frame.function.rpartition(".")[2] == "cmdloop" and frame.file.endswith(LOOP) for frame in inner)
    return loop and any(frame.file.endswith(PROMPT) for frame in inner)
