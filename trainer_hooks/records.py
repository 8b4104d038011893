"""The records that hooks write and the monitor reads: file names, event lines, counter slots, responder questions.

The only file that both sides share. Covers names and layouts; writing is `recorder.py`, reading is
`monitor/sources/hooks.py`. Layout of the folder (0700, owner checked by both sides):

    <directory>/hooks/<pid>-<start>.events.jsonl     append-only, one JSON object a line
    <directory>/hooks/<pid>-<start>.counters         memory-mapped counter slots
    <directory>/hooks/<pid>-<start>.sock             the responder's unix socket

`<start>` is the process's start time in clock ticks (field 22 of /proc/PID/stat), so that a reused pid is another name.
"""

from __future__ import annotations

import os
import struct
import tempfile

SCHEMA = 1

DIRECTORY_VARIABLE = "LASTSTEP_DIR"
ENABLE_VARIABLE = "LASTSTEP"
"""Set and not `0`: the hooks are wanted in this process."""

PTRACER_VARIABLE = "LASTSTEP_PTRACER"
"""A pid or `any`: whom the hooks let read this process's memory where Yama forbids it; unset: nobody (`ptracer.py`)."""

SAVE_FIRST_VARIABLE = "LASTSTEP_SAVE_FIRST"
"""Set and not `0`: save before the final validation (`save_first.py`)."""

PROCESS = "process"
"""First line of an event file: {"schema", "kind": "process", "at", "pid", "start", "python", "argv", "job_id",
"actor_id", "actor_name", "worker_id", "node_id", "ray_session", "hooks": [names of what was wrapped], "not_found":
[names that were to be wrapped and were not there]}; written again (same keys) whenever more of it is known.

Every other line of an event file: {"schema", "kind", "at", "step", "phase", "data": {…}}, `kind` one of
`monitor.model.fact.FactKind`, `step` and `phase` null where they have no meaning. A line that does not parse (cut by a
full disk) is skipped; the next one stands on a line of its own."""

# Counter slots: a 64-byte header, then SLOTS slots, little-endian; a value is written with one aligned 8-byte store.
COUNTER_MAGIC = b"LASTSTEP"
COUNTER_HEADER = struct.Struct("<8sIIQ40x")
"""magic, schema, number of slots, pid"""
COUNTER_SLOT = struct.Struct("<48sqd")
"""name (UTF-8, NUL padded; empty: free), value (int64), time of the last change (wall clock, float64 seconds)"""
SLOTS = 63

HEARTBEAT = "heartbeat"
"""Counter that the responder's thread raises once a second: the process can run Python. Never progress."""


def validation_samples(step: int) -> str:
    """Name of the counter of validation samples that this process finished at `step`."""
    return f"validation_samples:{step}"


ROLLOUT_SAMPLES = "rollout_samples"
"""Counter of training samples this process finished, all steps."""


def directory() -> str:
    """The folder for sockets and event files: `LASTSTEP_DIR`, else `<temp dir>/laststep-<uid>`. Not created here."""
    return os.environ.get(DIRECTORY_VARIABLE) or os.path.join(tempfile.gettempdir(), f"laststep-{os.getuid()}")


def hooks_directory() -> str:
    """The folder of the hooks' files."""
    return os.path.join(directory(), "hooks")


def start_ticks(pid: int) -> int:
    """Start time of `pid` in clock ticks since boot. Raises OSError where the process is gone."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rsplit(b")", 1)[1].split()[19])


def stem(pid: int, start: int) -> str:
    """File name, without ending, of everything one process writes."""
    return f"{pid}-{start}"


EVENTS_ENDING = ".events.jsonl"
COUNTERS_ENDING = ".counters"
SOCKET_ENDING = ".sock"

# The responder answers one question a connection: the client sends one line, gets one JSON document, and EOF.
QUESTION_SNAPSHOT = b"snapshot\n"
"""Answer: {"schema", "pid", "at", "python", "threads": [{"thread_id", "native_id", "name", "frames": [[function, file,
line], …] innermost first, "refs": ObjectIDs (hex) that its ray.get or ray.wait waits for, "refs_unreadable": why they
can't be told, "blocked_seconds": age of its loop's callback or null, "limits": {"timeout" or "timeout_ms": text} of its
innermost wait, "syscall": its line of /proc/self/task/TID/syscall or ""}], "descriptors": {"sockets": [inode],
"devices": [path]} or null, "loops": [{"loop", "thread", "running", "blocked_seconds", "timers",
"next_timer_seconds", "readers", "pending_tasks"}], "tasks": [{"name", "loop", "frames": [[function, file, line], …]
outermost first, "waits_on", "object_ref", "ray_task_id", "key", "waits_for": [keys of the tasks it waits for],
"waits_any": one of `waits_for` is enough, "context_task_id"}], "counters": {name: value}, "actor": {"actor_id", "name",
"max_concurrency"} or null, "errors": [str]}.

`waits_on` is `running` for a task that runs now or is due to run as soon as its loop comes to it. `ray_task_id` is the
Ray task that this asyncio task executes; `context_task_id` the one on whose behalf it was made (its own, or that of the
Ray task that started it), which may have ended since."""
QUESTION_PING = b"ping\n"
"""Answer: {"schema", "pid", "at"}."""
