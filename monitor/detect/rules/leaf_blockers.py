"""What the run's chain of waits ends at where nothing is proved: the blocker named by what its thread stands in.

Each class: one predicate on a standing thread, most specific first; all are suspicions, since what they wait for may
come by itself. `gil-held`, `dataloader-dead`, `reward-stuck`, `checkpoint-stuck`, `sync-receiver-dead`,
`replay-starved`, `file-lock`, `storage-blocked`, `pipe-full`, `child-process`, `socket-silent`, `poll-loop`,
`python-spin`, `slow-leaf`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from monitor.detect.case import Case
from monitor.detect.frames import is_users, place
from monitor.detect.rules.collectives import POINT_TO_POINT, function_of
from monitor.detect.standing import REWARD, Standing, standing_threads, suspicion
from monitor.detect.thread_waits import SAMPLE_POLL
from monitor.model.finding import Culprit, Finding
from monitor.model.snapshot import RayActor

MOST_HOLDERS = 3
STARVED = "replay-starved"
PROCESS_DIED = "its worker process has died"
"""Ray's words in the death cause of an actor that nobody ended."""
WAITS = frozenset({"sleep", "read", "write", "lock", "poll"})


@dataclass(frozen=True)
class Blocker:
    """One class: when a standing thread is of it, and what to say."""

    hang_class: str
    holds: Callable[[Standing], bool]
    what: str
    advice: str


def _in(item: Standing, *words: str) -> bool:
    """A function of the run's own code on the stack has one of these words in its name."""
    return any(
        word in frame.function.rpartition(".")[2] for frame in item.thread.frames if is_users(frame) for word in words
    )


def _standing_in(item: Standing, call: str, *targets: str) -> bool:
    found = item.blocked_call
    return found is not None and found.call == call and found.target.startswith(targets or ("",))


def _holds_gil(item: Standing) -> bool:
    return item.thread.owns_gil and not item.busy and item.thread.kernel_wait in WAITS


def _receives(item: Standing) -> bool:
    waits = function_of(item, POINT_TO_POINT) is not None or _standing_in(item, "read", "socket:") or _in_zmq(item)
    return waits and _in(item, "send_weights", "update_weights", "sync_weights", "receive_weights")


def _in_zmq(item: Standing) -> bool:
    """A send or a receive of ZeroMQ that does not get on: without a peer both wait in the kernel's `poll`."""
    called = next((frame for frame in item.thread.frames if "/zmq/" in frame.file), None)
    named = called is not None and called.function.rpartition(".")[2].startswith(("send", "recv"))
    return named and item.thread.kernel_wait == "poll"


def _from_worker(item: Standing) -> bool:
    return any(frame.file.endswith("/multiprocessing/queues.py") for frame in item.thread.frames)


def _is_file(item: Standing, *calls: str) -> bool:
    found = item.blocked_call
    return found is not None and found.call in calls and (found.call == "open" or found.target.startswith("/"))


BLOCKERS = (
    Blocker("gil-held", _holds_gil, "holds the GIL while it waits in C code", "Release the GIL around that call."),
    Blocker(
        "dataloader-dead",
        _from_worker,
        "waits for a worker process that puts nothing into its queue",
        "See whether the worker lives, and give `get` a timeout.",
    ),
    Blocker(
        "reward-stuck",
        lambda item: item.process.role == REWARD or _in(item, "compute_score", "reward"),
        "does not come back from the reward function",
        "Give the reward function a timeout, and count its timeouts as such.",
    ),
    Blocker(
        "checkpoint-stuck",
        lambda item: _in(item, "save_checkpoint"),
        "does not get on with the checkpoint",
        "Look at the disk that the checkpoint goes to.",
    ),
    Blocker(
        "sync-receiver-dead",
        _receives,
        "waits for the other side of the weight sync",
        "Look for an exception in the receiver's log: it may live, with its receiving task gone.",
    ),
    Blocker(
        STARVED,
        lambda item: _in(item, SAMPLE_POLL),
        "polls for samples that do not come",
        "Look at the workers that should fill the buffer.",
    ),
    Blocker(
        "file-lock",
        lambda item: _standing_in(item, "file-lock"),
        "waits for a file lock",
        "End or release its holder; give the lock a timeout.",
    ),
    Blocker(
        "storage-blocked",
        lambda item: item.process.state == "D" or _is_file(item, "open", "write", "read"),
        "waits for a file or a disk",
        "Look at the file system, or at the other end of that FIFO.",
    ),
    Blocker(
        "pipe-full",
        lambda item: _standing_in(item, "write", "pipe:"),
        "writes to a pipe that nobody empties",
        "Look at the reader: it may be stopped, or write to a pipe itself. Read and write at the same time "
        "(`communicate`), or send the output to a file.",
    ),
    Blocker(
        "child-process",
        lambda item: item.thread.kernel_wait == "child",
        "waits for a child process to end",
        "Give the wait a timeout, and end the child when it passes.",
    ),
    Blocker(
        "socket-silent",
        lambda item: _standing_in(item, "read", "socket:") or item.has("recv_into", "/socket.py"),
        "waits for a peer that sends nothing",
        "Set a timeout on that socket, and look at the peer.",
    ),
    Blocker(
        "poll-loop",
        lambda item: item.thread.kernel_wait == "sleep" and _in(item, "wait", "poll", "until"),
        "asks again and again for what does not come",
        "Give the loop a deadline, and look at who should bring it.",
    ),
    Blocker(
        "python-spin",
        lambda item: item.busy and not item.process.gpu_open,
        "computes in the same functions without progress of the run",
        "See whether the loop can end; a profiler shows where it is.",
    ),
    Blocker(
        "slow-leaf",
        lambda item: item.thread.kernel_wait == "sleep",
        "sleeps, and everything else waits for it",
        "See why it sleeps that long.",
    ),
)


def find(case: Case) -> tuple[Finding, ...]:
    """At most one: the first class of any standing thread, children before their parents."""
    items = standing_threads(case)
    for blocker in BLOCKERS:
        held = [item for item in items if item.frame is not None and blocker.holds(item)]
        if held:
            return (_finding(case, blocker, held[-1]),)
    return ()


def _finding(case: Case, blocker: Blocker, item: Standing) -> Finding:
    label, call = case.scene.label(item.process.pid), item.blocked_call
    sentence = f"The run's waits end at {label}: it {blocker.what}, at {place(item.frame)} {case.both}."
    kernel = f"kernel: the thread waits in {item.thread.kernel_wait or 'something not known'}"
    if call is not None:
        names = [f"{case.scene.label(pid)}" for pid in call.held_by[:MOST_HOLDERS]]
        end = f", at whose other end is {', '.join(names)}" if names else ""
        kernel += f", in {call.call} of {call.target or 'a file being opened'}{end}"
    evidence = (case.evidence(kernel), case.flat_cpu(item.process.pid))
    found = suspicion(case, blocker.hang_class, sentence, item, evidence, blocker.advice)
    crashed = _crashed(case) if blocker.hang_class == STARVED else None
    return _by_dead_actor(case, found, crashed) if crashed is not None else found


def _crashed(case: Case) -> RayActor | None:
    """An actor of the run whose process died of itself, dead in both samples: it fills no buffer any more."""
    dead = (actor for actor in case.scene.actors_held() if actor.state == "DEAD")
    return next((actor for actor in dead if PROCESS_DIED in actor.death_cause), None)


def _by_dead_actor(case: Case, found: Finding, actor: RayActor) -> Finding:
    name = f"{actor.class_name} (pid {actor.pid})"
    state = case.evidence(f"Ray's State API: {name} is DEAD {case.both}: {actor.death_cause}")
    return replace(
        found,
        sentence=f"{found.sentence} {name} of this run is dead: its process has died. They may have been its to make.",
        culprit=Culprit(actor.pid, name, actor.name),
        evidence=(*found.evidence, state),
        advice="Look for why it died in its worker's log, and whether it was to make these samples.",
    )
