"""The processes of one run on this machine, with role and label, and those that can't be seen from here.

Actors and workers by Ray's records, checked against /proc (a pid of another PID namespace names another process here);
then their children, and Ray's own processes. Everything of the run elsewhere is listed as unseen, never left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from monitor.model.snapshot import RayActor, RayCall
from monitor.sources import proc
from monitor.sources.ray_discovery import RayCluster
from monitor.sources.ray_processes import kind_of
from monitor.sources.ray_records import RayJob, RayWorker
from monitor.sources.trainer_profile import TrainerProfile

WORKER_TITLE = "ray::"
IDLE = "ray::IDLE"
AGENT_FILES = ("/ray/dashboard/agent.py", "/ray/_private/runtime_env/agent/main.py")
HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
"""Children of Python's own that never hold anything up."""


@dataclass(frozen=True)
class RunProcess:
    """A process of the run on this machine."""

    pid: int
    role: str
    label: str
    actor_id: str | None = None
    worker_id: str | None = None
    node_id: str | None = None


@dataclass(frozen=True)
class RunProcesses:
    """Those here, and in words those that are not."""

    processes: tuple[RunProcess, ...]
    unseen: tuple[str, ...]
    driver_pid: int | None
    """None where the driver is elsewhere."""


def find_processes(
    cluster: RayCluster,
    profile: TrainerProfile,
    job: RayJob,
    actors: Iterable[RayActor],
    workers: Iterable[RayWorker],
    calls: Callable[[], Iterable[RayCall]],
) -> RunProcesses:
    """Everything that belongs to `job`."""
    own_actors = [actor for actor in actors if actor.job_id == job.job_id and actor.state != "DEAD"]
    living = list(workers)
    worker_of = {(worker.node_id, worker.pid): worker.worker_id for worker in living}
    found: dict[int, RunProcess] = {}
    unseen: list[str] = []
    driver = _driver(cluster, job, living, unseen)
    if driver is not None:
        found[driver.pid] = driver
    for actor in own_actors:
        label = f"{actor.class_name} {actor.name}".strip()
        role = profile.role_of(actor.class_name)
        if actor.pid is None:
            continue
        if _is_here(actor.pid, actor.node_id, cluster):
            worker_id = worker_of.get((actor.node_id or "", actor.pid))
            process = RunProcess(
                actor.pid, role, f"{label} (pid {actor.pid})", actor.actor_id, worker_id, actor.node_id
            )
            found[actor.pid] = process
        else:
            unseen.append(_unseen(label, actor.pid, actor.node_id, cluster))
    _add_task_workers(found, unseen, cluster, job, living, own_actors, calls)
    table = proc.parents()
    system = _system(cluster, table)
    add_children(found, profile, table, frozenset(system))
    found.update({pid: process for pid, process in system.items() if pid not in found})
    return RunProcesses(tuple(found.values()), tuple(unseen), driver.pid if driver else None)


def _driver(cluster: RayCluster, job: RayJob, workers: list[RayWorker], unseen: list[str]) -> RunProcess | None:
    record = next((w for w in workers if w.kind == "DRIVER" and w.worker_id.startswith(job.job_id)), None)
    pid = job.driver_pid or (record.pid if record else None)
    if pid is None:
        return None
    node_id = record.node_id if record else job.node_id
    here = cluster.node_id is None or node_id in (None, cluster.node_id)
    title = proc.title(pid) if here else ""
    if not title or title.startswith(WORKER_TITLE):
        unseen.append(_unseen("driver", pid, node_id, cluster))
        return None
    return RunProcess(pid, "driver", f"driver (pid {pid})", None, record.worker_id if record else None, node_id)


def _is_here(pid: int, node_id: str | None, cluster: RayCluster) -> bool:
    return node_id == cluster.node_id and proc.title(pid).startswith(WORKER_TITLE)


def _unseen(label: str, pid: int, node_id: str | None, cluster: RayCluster) -> str:
    if node_id == cluster.node_id or node_id is None:
        return f"{label} (pid {pid}) on this node, in another PID namespace or just ended"
    return f"{label} (pid {pid}) on node {node_id[:8]}"


def _add_task_workers(
    found: dict[int, RunProcess],
    unseen: list[str],
    cluster: RayCluster,
    job: RayJob,
    workers: list[RayWorker],
    actors: list[RayActor],
    calls: Callable[[], Iterable[RayCall]],
) -> None:
    """Workers that are no actor and run a task of the job now."""
    actor_places = {(actor.node_id, actor.pid) for actor in actors}
    others = [w for w in workers if w.kind == "WORKER" and (w.node_id, w.pid) not in actor_places]
    busy = [w for w in others if w.node_id != cluster.node_id or proc.title(w.pid) != IDLE]
    if not busy:
        return
    running: Mapping[tuple[str | None, int | None], RayCall] = {
        (call.node_id, call.worker_pid): call for call in calls() if call.job_id == job.job_id and call.worker_pid
    }
    for worker in busy:
        call = running.get((worker.node_id, worker.pid))
        if call is None or worker.pid in found:
            continue
        label = f"task {call.name}"
        if _is_here(worker.pid, worker.node_id, cluster):
            label = f"{label} (pid {worker.pid})"
            found[worker.pid] = RunProcess(worker.pid, "other", label, None, worker.worker_id, worker.node_id)
        else:
            unseen.append(_unseen(label, worker.pid, worker.node_id, cluster))


def _system(cluster: RayCluster, table: dict[int, int]) -> dict[int, RunProcess]:
    """raylet, gcs_server, dashboard and the raylet's agents."""
    found = {}
    for pid in cluster.system_pids:
        name = proc.command_name(pid)
        role = {"raylet": "raylet", "gcs_server": "gcs"}.get(name, "other")
        word = {"raylet": "raylet", "gcs": "gcs_server"}.get(role, "Ray dashboard")
        found[pid] = RunProcess(pid, role, f"{word} (pid {pid})", node_id=cluster.node_id)
    for pid, parent in table.items():
        if parent == cluster.raylet_pid:
            title = proc.title(pid)
            if title.startswith(WORKER_TITLE) and title.endswith("Agent"):
                label = f"{title[len(WORKER_TITLE) :]} (pid {pid})"
                found[pid] = RunProcess(pid, "other", label, node_id=cluster.node_id)
            elif is_untitled_agent(title):
                found[pid] = RunProcess(pid, "other", f"Ray dashboard agent (pid {pid})", node_id=cluster.node_id)
    return found


def is_untitled_agent(command: str) -> bool:
    """An agent of the raylet in Rays that give it no title of its own (2.44)."""
    return any(word.endswith(AGENT_FILES) for word in command.split()[:4])


def idle_workers(cluster: RayCluster) -> frozenset[int]:
    """Ray's workers on this node that wait for work: nothing comes from them until Ray gives them some."""
    table = proc.parents()
    return frozenset(pid for pid, parent in table.items() if parent == cluster.raylet_pid and proc.title(pid) == IDLE)


def add_children(
    found: dict[int, RunProcess], profile: TrainerProfile, table: dict[int, int], system: frozenset[int]
) -> None:
    """Add what the processes found so far have started. `table`: pid → parent; `system`: whose children don't count."""
    for parent in list(found.values()):
        for pid in proc.descendants(parent.pid, table, system | frozenset(found)):
            title = proc.title(pid)
            if not title or kind_of(title.split()) or any(helper in title for helper in HELPERS):
                continue
            label = f"{title[:60]} (pid {pid}), child of {parent.label}"
            found[pid] = RunProcess(pid, profile.child_role_of(title), label, node_id=parent.node_id)
