"""`process-stopped` by `breakpoint()`: a debugger's prompt in a process of the run waits for a person.

Decisive: frames of pdb or bdb on a standing thread that the run waits for, in both samples.
"""

from __future__ import annotations

from monitor.detect.case import Case
from monitor.detect.frames import place
from monitor.detect.standing import standing_threads, suspicion
from monitor.model.finding import Finding

PROMPTS = ("/pdb.py", "/cmd.py")


def find(case: Case) -> tuple[Finding, ...]:
    """One finding a prompt."""
    found = []
    for item in standing_threads(case):
        if item.has("cmdloop", PROMPTS[1]) and any(frame.file.endswith(PROMPTS[0]) for frame in item.thread.frames):
            label = case.scene.label(item.process.pid)
            sentence = f"{label} stands in a debugger's prompt, opened at {place(item.frame)}, and waits for a person."
            evidence = (case.evidence(f"frames of pdb are on its stack {case.both}"), case.flat_cpu(item.process.pid))
            advice = "Type `c` where the prompt is, and take the `breakpoint()` out."
            found.append(suspicion(case, "process-stopped", sentence, item, evidence, advice, proved=True))
    return tuple(found)
