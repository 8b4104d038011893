"""Builders of hand-made snapshots: a small run on one node, in the states that hangs leave it in.

A run is: driver (pid 1) → TaskRunner (pid 2) → two AgentLoopWorkers (3, 4) → RolloutServer (5), and an idle WorkerDict
(6). `pair` gives the two samples of a stretch; `hooks` says whether asyncio tasks are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from monitor.model.snapshot import (
    AsyncioTask,
    EventLoopState,
    Frame,
    ProcessState,
    RayActor,
    RayCall,
    RunPosition,
    Snapshot,
    ThreadState,
)
from tests.detect.made_threads import frame, getting, idle_loop, loop_in, serving

JOB = "01000000"
DRIVER, TRAINER, AGENT_0, AGENT_1, ROLLOUT, TRAIN = 1, 2, 3, 4, 5, 6
NAMES = {
    TRAINER: ("TaskRunner", "task_runner", "trainer"),
    AGENT_0: ("AgentLoopWorker", "agent_0", "agent-loop"),
    AGENT_1: ("AgentLoopWorker", "agent_1", "agent-loop"),
    ROLLOUT: ("RolloutServer", "rollout_server_0", "rollout"),
    TRAIN: ("WorkerDict", "worker_dict_0", "train-worker"),
}
QUEUED = "PENDING_ACTOR_TASK_ORDERING_OR_CONCURRENCY"
POSITION = RunPosition(
    "exp-20260101T000000Z", 29, 29, "testing", 950.0, 29, 131, 256, 1000.0, "sample 131", None, "save-first", 29
)


def actor_id(pid: int) -> str:
    """ActorID of the actor in process `pid`."""
    return f"{pid:024x}{JOB}"


def task_id(pid: int, number: int) -> str:
    """TaskID of a call that actor `pid` executes."""
    return f"{number:016x}{actor_id(pid)}"


def ref(task: str) -> str:
    """ObjectID of what a call returns."""
    return f"{task}01000000"


def process(pid: int, *threads: ThreadState, **fields: object) -> ProcessState:
    """A process of the run; its role and label by `NAMES`."""
    if pid == DRIVER:
        known = ProcessState(pid, 10.0, "python main.py", "driver", "driver (pid 1)", "S")
    else:
        cls, name, role = NAMES[pid]
        known = ProcessState(pid, 10.0 + pid, f"ray::{cls}", role, f"{cls} {name} (pid {pid})", "S")
        known = replace(known, actor_id=actor_id(pid))
    return replace(known, threads=threads, tasks_unknown="no hooks in this process", **fields)  # type: ignore[arg-type]


def call(pid: int, number: int, name: str, *, state: str = "RUNNING", caller: int | None = None) -> RayCall:
    """An unfinished call that actor `pid` executes, made by an async actor (`caller`) or the driver."""
    parent = "f" * 40 + JOB if caller in (None, DRIVER) else "f" * 16 + actor_id(caller or 0)
    return RayCall(
        task_id(pid, number), name, name, state, JOB, actor_id(pid), parent, pid if state == "RUNNING" else None
    )


def task(key: str, waits_on: str, *frames: Frame, **fields: object) -> AsyncioTask:
    """A pending asyncio task; frames outermost first."""
    return AsyncioTask(f"Task-{key}", "loop", frames, waits_on, key=key, **fields)  # type: ignore[arg-type]


def actors() -> tuple[RayActor, ...]:
    """The run's actors, all alive."""
    return tuple(RayActor(actor_id(pid), cls, name, "ALIVE", pid) for pid, (cls, name, _) in NAMES.items())


def snapshot(processes: Iterable[ProcessState], calls: Iterable[RayCall], taken_at: float = 1003.0) -> Snapshot:
    """One sample."""
    return Snapshot(taken_at, "host", POSITION, None, tuple(processes), tuple(calls), actors())


def pair(processes: Iterable[ProcessState], calls: Iterable[RayCall]) -> list[Snapshot]:
    """Two samples 3 s apart between which nothing moved but the age of blocked loops."""
    earlier = snapshot(processes, calls)
    later = replace(earlier, taken_at=earlier.taken_at + 3.0)
    return [earlier, replace(later, processes=tuple(_older(item) for item in later.processes))]


def _older(state: ProcessState) -> ProcessState:
    threads = tuple(
        thread
        if thread.loop_blocked_seconds is None
        else replace(thread, loop_blocked_seconds=thread.loop_blocked_seconds + 3.0)
        for thread in state.threads
    )
    return replace(state, threads=threads)


# -- whole runs

VALIDATE = frame("RayPPOTrainer._validate", 88, "/app/trainer.py")
RUN = call(TRAINER, 1, "TaskRunner.run")
GENERATE = [call(AGENT_0, 10, "AgentLoopWorker.generate_sequences", caller=TRAINER)]
GENERATE.append(call(AGENT_1, 11, "AgentLoopWorker.generate_sequences", caller=TRAINER))
ASKED = {AGENT_0: (20, 21), AGENT_1: (22, 23)}
"""Numbers of the `generate` calls that each agent loop worker made."""


def asked_calls() -> list[RayCall]:
    """The unfinished `generate` calls."""
    return [
        call(ROLLOUT, number, "RolloutServer.generate", caller=agent)
        for agent, numbers in ASKED.items()
        for number in numbers
    ]


def head(waits_for: Iterable[RayCall]) -> list[ProcessState]:
    """Driver and trainer, the trainer in `ray.get`, and the idle train worker."""
    main = getting([ref(RUN.task_id)], frame("main", 30, "/app/main.py"))
    trainer = getting([ref(item.task_id) for item in waits_for], VALIDATE)
    return [process(DRIVER, main), process(TRAINER, trainer), process(TRAIN, serving())]


def agents(*, hooks: bool) -> list[ProcessState]:
    """Two agent loop workers whose loops wait for the rollout server."""
    found = []
    for pid, numbers in ASKED.items():
        state = process(pid, serving(), idle_loop())
        if hooks:
            outer = task("a", "gather", frame("generate_sequences", 40, "/app/agent.py"), waits_for=("b", "c"))
            outer = replace(outer, ray_task_id=task_id(pid, 10 if pid == AGENT_0 else 11))
            inner = [
                task(
                    key,
                    "object_ref",
                    frame("_run_agent_loop", 52, "/app/agent.py"),
                    object_ref=ref(task_id(ROLLOUT, number)),
                )
                for key, number in zip("bc", numbers)
            ]
            state = hooked(state, outer, *inner)
        found.append(state)
    return found


def hooked(state: ProcessState, *tasks: AsyncioTask, slots: int | None = 64) -> ProcessState:
    """A process whose responder answered."""
    loops = (EventLoopState("loop", "AsyncIO Thread: default", True, pending_tasks=len(tasks)),)
    return replace(state, tasks=tasks, tasks_unknown="", loops=loops, responder="answered", max_concurrency=slots)


def serving_tasks(waits_on: str, where: Frame) -> list[AsyncioTask]:
    """The rollout server's asyncio tasks, one for each `generate` call."""
    numbers = [number for numbers in ASKED.values() for number in numbers]
    return [
        task(str(number), waits_on, frame("generate", 60), where, ray_task_id=task_id(ROLLOUT, number))
        for number in numbers
    ]


def control_queue(*, hooks: bool) -> list[Snapshot]:
    """`update_weights` queued behind four `generate` calls that wait for it."""
    update = call(ROLLOUT, 30, "RolloutServer.update_weights", state=QUEUED, caller=TRAINER)
    server = process(ROLLOUT, serving(), idle_loop())
    if hooks:
        server = hooked(server, *serving_tasks("event", frame("_wait_for_weights", 71)), slots=4)
    processes = [*head([update]), *agents(hooks=hooks), server]
    return pair(processes, [RUN, *GENERATE, *asked_calls(), update])


def self_get(*, hooks: bool) -> list[Snapshot]:
    """The rollout server's loop in `ray.get` of its own call."""
    own = call(ROLLOUT, 40, "RolloutServer.version", state=QUEUED, caller=ROLLOUT)
    server = process(ROLLOUT, serving(), getting([ref(own.task_id)], frame("_newest", 77), loop=True))
    if hooks:
        server = hooked(server, *serving_tasks("running", frame("_newest", 77)))
    return pair([*head(GENERATE), *agents(hooks=hooks), server], [RUN, *GENERATE, *asked_calls(), own])


def loop_blocked(*, hooks: bool) -> list[Snapshot]:
    """The rollout server's loop on a lock."""
    server = process(ROLLOUT, serving(), loop_in([frame("compact", 91)]))
    if hooks:
        server = hooked(server, *serving_tasks("running", frame("compact", 91)))
    return pair([*head(GENERATE), *agents(hooks=hooks), server], [RUN, *GENERATE, *asked_calls()])


def lost_wakeup(*, hooks: bool) -> list[Snapshot]:
    """The rollout server's calls on an event that nobody will set."""
    server = process(ROLLOUT, serving(), idle_loop())
    if hooks:
        server = hooked(server, *serving_tasks("event", frame("_reply", 99)))
    return pair([*head(GENERATE), *agents(hooks=hooks), server], [RUN, *GENERATE, *asked_calls()])


def engine_stopped(*, hooks: bool) -> list[Snapshot]:
    """The rollout server in state T."""
    server = process(ROLLOUT, serving(), idle_loop(), state="T", responder="silent" if hooks else "absent")
    return pair([*head(GENERATE), *agents(hooks=hooks), server], [RUN, *GENERATE, *asked_calls()])


HANGS = {
    "control-queue": control_queue,
    "self-get": self_get,
    "loop-blocked": loop_blocked,
    "lost-wakeup": lost_wakeup,
    "engine-stopped": engine_stopped,
}


def changed(samples: Sequence[Snapshot], pid: int, **fields: object) -> list[Snapshot]:
    """The samples with fields of one process replaced in both."""
    return [
        replace(
            sample,
            processes=tuple(
                replace(item, **fields) if item.pid == pid else item  # type: ignore[arg-type]
                for item in sample.processes
            ),
        )
        for sample in samples
    ]


def with_server_thread(samples: Sequence[Snapshot], thread: ThreadState) -> list[Snapshot]:
    """The samples with this thread as the second one of the rollout server, its callback older in the later one."""
    older = replace(thread, loop_blocked_seconds=(thread.loop_blocked_seconds or 0.0) + 3.0)
    threads = [thread, older] if len(samples) == 2 else [thread]
    return [changed([sample], ROLLOUT, threads=(serving(), item))[0] for sample, item in zip(samples, threads)]
