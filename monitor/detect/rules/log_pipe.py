"""`log-pipe-blocked`: the run's own output, or its logger's, goes to a reader that takes no more of it.

A suspicion: the reader may go on. Told where a standing thread is in a write to a pipe, a socket or a terminal, on
descriptor 1 or 2 or below a logger (`logging`, wandb, tqdm). A child process that writes to its own parent is
`pipe-full`: the parent is no reader of logs.
"""

from __future__ import annotations

from monitor.detect.case import Case
from monitor.detect.frames import place
from monitor.detect.motions import STOPPED
from monitor.detect.standing import Standing, standing_threads, suspicion
from monitor.model.finding import Finding
from monitor.model.snapshot import BlockedCall

OUTPUTS = (1, 2)
TARGETS = ("pipe:", "socket:", "/dev/pts/", "/dev/tty")
LOGGERS = ("/logging/__init__.py", "/logging/handlers.py")
UPLOADERS = ("/wandb/", "/tqdm/")


def find(case: Case) -> tuple[Finding, ...]:
    """At most one: the first thread that stands so."""
    for item in standing_threads(case):
        call = item.blocked_call
        if call is not None and item.frame is not None and _is_log(item, call) and not _to_parent(case, item, call):
            return (_finding(case, item, call),)
    return ()


def _is_log(item: Standing, call: BlockedCall) -> bool:
    if call.call != "write" or not call.target.startswith(TARGETS):
        return False
    files = [frame.file for frame in item.thread.frames]
    below = any(file.endswith(LOGGERS) or any(part in file for part in UPLOADERS) for file in files)
    return below or call.descriptor in OUTPUTS


def _to_parent(case: Case, item: Standing, call: BlockedCall) -> bool:
    readers = (case.scene.processes.get(pid) for pid in call.held_by)
    return any(reader is not None and item.process.pid in reader.children for reader in readers)


def _finding(case: Case, item: Standing, call: BlockedCall) -> Finding:
    label = case.scene.label(item.process.pid)
    readers = [case.scene.label(pid) for pid in call.held_by]
    stopped = [
        process for pid in call.held_by if (process := case.scene.processes.get(pid)) and process.state in STOPPED
    ]
    who = f", whose reader is {', '.join(readers)}" if readers else ", whose reader is none of the run's processes"
    why = f" (stopped: kernel state {stopped[0].state})" if stopped else ""
    sentence = (
        f"{label} can't write its own output or log at {place(item.frame)}: {call.target}{who}{why} takes no more "
        f"{case.both}."
    )
    number = f" of descriptor {call.descriptor}" if call.descriptor is not None else ""
    evidence = (
        case.evidence(f"kernel: thread {call.thread_id} of {label} is in write{number}, {call.target}"),
        case.flat_cpu(item.process.pid),
    )
    advice = "See what reads it (`tee`, a pager, a terminal held by Ctrl+S, wandb's service); send logs to a file."
    return suspicion(case, "log-pipe-blocked", sentence, item, evidence, advice)
