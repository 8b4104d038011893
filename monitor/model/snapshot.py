"""A snapshot: every process of a run at one moment, with threads, asyncio tasks, Ray calls and actors.

It is what `detect` reasons on, what a bundle keeps and what replay reads back. Nothing in it is a verdict. Frames are
ordered innermost first in threads (as py-spy gives them) and outermost first in await chains (as one reads a stack of
awaits). Object, task and actor ids are lower-case hex, as Ray's State API writes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.model.reading import Unknown


@dataclass(frozen=True)
class Frame:
    """One frame of a stack or of an await chain. `file` is the full path; `line` 0: not known (Cython)."""

    function: str
    file: str
    line: int


@dataclass(frozen=True)
class ThreadState:
    """One thread, read by py-spy without stopping the process."""

    thread_id: int
    """Kernel thread id, 0 where not known."""
    name: str
    active: bool
    """On a CPU, or runnable, when it was read."""
    owns_gil: bool
    frames: tuple[Frame, ...] = ()
    waiting_refs: tuple[str, ...] = ()
    """ObjectIDs (28 bytes, hex) that a `ray.get` or `ray.wait` of this thread waits for."""
    refs_unreadable: str = ""
    """Why ObjectRefs of a waiting `ray.get` could not be read; empty where they could, or there are none."""
    runs_loop: bool = False
    """An asyncio loop's `_run_once` (or uvloop's run) is on this stack."""
    loop_idle: bool = False
    """The loop is in its selector: waiting for events, not blocked."""
    loop_blocked_seconds: float | None = None
    """How long the loop has been in the callback it runs now; None where idle or unreadable."""
    locals_repr: dict[str, str] = field(default_factory=dict)
    kernel_wait: str = ""
    """What the kernel has it wait in: `lock`, `sleep`, `poll`, `read`, `write`, `child`, `running`, `other`; empty: not
    known."""
    kernel_wait_ends: bool | None = None
    """That wait has a deadline of its own (a sleep, a timed lock, a poll with a timeout). None: not known."""
    cpu_seconds: float | None = None
    """CPU time of this thread so far, None where not known."""
    lock: str = ""
    """Address of the lock that it waits on (hex), empty where not known. Equal ones of a process are one lock."""


@dataclass(frozen=True)
class BlockedCall:
    """A system call on a descriptor that a thread stands in, and who is at the other end."""

    thread_id: int
    call: str
    """`read`, `write`, `open` or `file-lock`."""
    target: str = ""
    """`pipe:[4711]`, `tcp 127.0.0.1:8000` (the peer), or a path; empty where not known."""
    held_by: tuple[int, ...] = ()
    """Pids at the other end of the pipe or socket, or that hold the lock, as far as they can be seen."""
    descriptor: int | None = None
    """Its number in the process (1 and 2 are its output); None where not known."""


@dataclass(frozen=True)
class AsyncioTask:
    """A pending asyncio task."""

    name: str
    loop: str
    """Identity of its loop inside the process."""
    frames: tuple[Frame, ...] = ()
    waits_on: str = "unknown"
    """`event`, `lock`, `condition`, `queue`, `object_ref`, `future`, `sleep`, `socket`, `subprocess`, `gather`, `task`,
    `running`, `unknown`."""
    object_ref: str | None = None
    ray_task_id: str | None = None
    """The Ray task (24 bytes, hex) that this asyncio task executes, where the hook knows it."""
    key: str = ""
    """Identity of this task inside its process, empty where not known."""
    waits_for: tuple[str, ...] = ()
    """Keys of the pending tasks of the same process that it waits for (`task`, `gather`)."""
    waits_any: bool = False
    """One of `waits_for` is enough to go on (`asyncio.wait` with FIRST_COMPLETED)."""
    context_task_id: str | None = None
    """The Ray task on whose behalf it was made: its own, or inherited by a task started inside one (may have ended)."""


@dataclass(frozen=True)
class EventLoopState:
    """An asyncio event loop, as the hook's responder or the reader from outside sees it."""

    loop: str
    thread: str
    running: bool
    blocked_seconds: float | None = None
    """Age of the callback under way, None where idle or not known."""
    timers: int = 0
    """Scheduled timers (`call_later`), heartbeat timers of the hooks not counted."""
    next_timer_seconds: float | None = None
    readers: int = 0
    """File descriptors it watches beside its own self-pipe."""
    pending_tasks: int = 0
    unreadable: str = ""
    """Why its timers and file descriptors can't be told; empty where they can."""


@dataclass(frozen=True)
class ProcessState:
    """One process of the run."""

    pid: int
    started_at: float
    """Wall clock; with the pid it names the process for good (pids are reused)."""
    command: str
    role: str = "other"
    """`driver` (python main), `trainer` (the TaskRunner actor), `train-worker`, `rollout`, `agent-loop`, `reward`,
    `raylet`, `gcs`, `other`."""
    label: str = ""
    """How a person calls it: `RolloutServer rollout_server_0 (pid 4711)`."""
    state: str = "?"
    """Kernel state: R, S, D, T, t, Z, X."""
    cpu_seconds: float = 0.0
    rss_bytes: int = 0
    children: tuple[int, ...] = ()
    outside_connections: tuple[str, ...] = ()
    """Established sockets whose peer is no process of this Ray cluster, `ip:port`."""
    descriptors_unknown: str = ""
    """Why its sockets and device files can't be told; empty where they can."""
    actor_id: str | None = None
    worker_id: str | None = None
    node_id: str | None = None
    threads: tuple[ThreadState, ...] = ()
    threads_unknown: str = ""
    """Why threads could not be read; empty where they could, or where the hooks told them instead."""
    threads_from: str = ""
    """`py-spy` or `hooks`: who told of the threads; empty where nobody did, or an older laststep wrote it."""
    tasks: tuple[AsyncioTask, ...] | None = None
    """Pending asyncio tasks; None: not readable (see `tasks_unknown`)."""
    tasks_unknown: str = ""
    loops: tuple[EventLoopState, ...] = ()
    responder: str = "absent"
    """`answered`, `silent` (no answer in time: stopped, the GIL held, a loop that never waits) or `absent`."""
    max_concurrency: int | None = None
    """Concurrency slots of the actor in this process, where the hook knows them."""
    gpu_open: bool = False
    """It has a GPU's device file open: a wait in C code may be one for the GPU, whose work is not seen from here."""
    blocked_calls: tuple[BlockedCall, ...] = ()
    """System calls on descriptors that its threads stand in; empty where the kernel does not tell."""
    signal_handlers: tuple[str, ...] = ()
    """Signals that it handles itself and that could wake it (`SIGALRM`, `SIGUSR1`); faults and ends are left out."""
    foreign_threads: tuple[str, ...] = ()
    """What those of its threads that run no Python wait in (`poll`, `sleep`, …, `not known`), each once; those that
    wait on a lock of the process without a deadline are left out, since they do only what others ask of them."""


@dataclass(frozen=True)
class RayCall:
    """A Ray task or actor call that has not finished (State API record)."""

    task_id: str
    name: str
    function: str
    state: str
    job_id: str = ""
    actor_id: str | None = None
    parent_task_id: str | None = None
    worker_pid: int | None = None
    node_id: str | None = None
    kind: str = "NORMAL_TASK"
    """`NORMAL_TASK`, `ACTOR_TASK`, `ACTOR_CREATION_TASK`, `DRIVER_TASK`."""
    required_resources: dict[str, float] = field(default_factory=dict)
    submitted_at: float | None = None
    began_at: float | None = None
    state_since: float | None = None


@dataclass(frozen=True)
class RayActor:
    """An actor (State API record)."""

    actor_id: str
    class_name: str
    name: str
    state: str
    pid: int | None = None
    node_id: str | None = None
    job_id: str = ""
    death_cause: str = ""
    required_resources: dict[str, float] = field(default_factory=dict)
    """What it holds for its whole life."""


@dataclass(frozen=True)
class RayNodeTotals:
    """A living node and the resources it has in all (State API record)."""

    node_id: str
    totals: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RayGroup:
    """A placement group (State API record)."""

    group_id: str
    name: str
    state: str
    """`PENDING`, `CREATED`, `REMOVED`, `RESCHEDULING`."""
    bundles: tuple[dict[str, float], ...] = ()
    """What each bundle reserves; one bundle lies on one node."""
    job_id: str = ""


@dataclass(frozen=True)
class RunPosition:
    """Where the run stood when the snapshot was taken, for findings and replay."""

    name: str
    step: int | None = None
    total_steps: int | None = None
    phase: str | None = None
    phase_since: float | None = None
    validation_step: int | None = None
    validation_done: int | None = None
    validation_total: int | None = None
    last_moved_at: float | None = None
    last_fact: str = ""
    phase_limit_seconds: float | None = None
    """The learned limit of the present phase, None where there is no history."""
    save_order: str | None = None
    newest_checkpoint_step: int | None = None
    """Newest complete checkpoint on disk."""
    ended: bool = False


@dataclass(frozen=True)
class Snapshot:
    """Everything read at one moment on one node. `schema` 1."""

    taken_at: float
    host: str
    position: RunPosition
    node_id: str | None = None
    processes: tuple[ProcessState, ...] = ()
    calls: tuple[RayCall, ...] = ()
    actors: tuple[RayActor, ...] = ()
    nodes: tuple[RayNodeTotals, ...] = ()
    """Living nodes of the cluster; empty where not known."""
    groups: tuple[RayGroup, ...] = ()
    """Placement groups of the run that are not placed; empty where not known."""
    grows: bool | None = None
    """An autoscaler may add nodes. None: not known, or not asked, since no call waits for a node."""
    waiting_for_memory: int | None = None
    """Calls that this node's raylet holds back until the object store has room for their arguments, by its own last
    word, at most some 10 s old. None: not known, or not asked, since no call waits for a node."""
    gone: tuple[str, ...] = ()
    """Ray's own processes on this node (raylet, GCS) that the run was found with and that are gone, by label."""
    unknown: tuple[Unknown, ...] = ()
    """What could not be read, each with the reason and the cure."""
    unseen: tuple[str, ...] = ()
    """Processes on other nodes or in other PID namespaces: `RolloutServer rollout_server_1 on node ab12…`."""
    versions: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    """How long the snapshot took."""
    schema: int = 1
