"""A snapshot holds what could be read, and says of the rest why not; nothing a process or Ray does makes it fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from monitor.diagnose.capture import Readers, capture
from monitor.inspection.asyncio_reader import TaskReading
from monitor.inspection.responder import ResponderAnswer
from monitor.inspection.threads import ThreadReading
from monitor.model.descriptors import Descriptors
from monitor.model.reading import SourceError
from monitor.model.run import RunConfig
from monitor.model.snapshot import EventLoopState, ProcessState, RayActor, RayCall, RayGroup, Snapshot
from monitor.sources.ray_discovery import RayCluster
from monitor.sources.ray_records import RayNode
from monitor.sources.run_locator import RunLocation
from monitor.sources.run_processes import RunProcess
from monitor.sources.trainer_profile import load_profile
from tests.detect import snapshots as made


class FakeApi:
    """Ray's answers, or its silence."""

    def __init__(self, *, silent: bool = False, notes: dict[str, str] | None = None) -> None:
        self.silent = silent
        self.notes = notes or {}

    def calls(self) -> tuple[RayCall, ...]:
        if self.silent:
            raise SourceError("Ray's API at http://127.0.0.1:1 does not answer")
        other = RayCall("ff" * 24, "Other.work", "Other.work", "RUNNING", job_id="02000000")
        return (made.RUN, other)

    def actors(self) -> tuple[RayActor, ...]:
        return (*made.actors(), RayActor("aa" * 16, "Other", "", "ALIVE", 99, job_id="02000000"))

    def nodes(self) -> tuple[RayNode, ...]:
        return ()

    def groups(self) -> tuple[RayGroup, ...]:
        states = {"pool_0": ("PENDING", made.JOB), "pool_1": ("CREATED", made.JOB), "pool_2": ("PENDING", "02000000")}
        return tuple(RayGroup("aa" * 9, name, state, (), job) for name, (state, job) in states.items())

    def version(self) -> str:
        return "2.60.0"


def _location(*unseen: str) -> RunLocation:
    config = RunConfig(hooks_dir="/somewhere/hooks")
    return RunLocation("exp", made.JOB, 1, 900.0, None, load_profile("demo"), config, (), unseen)


def _taken(states: list[ProcessState], api: FakeApi | None = None, /, **readers: Any) -> Snapshot:
    cluster = RayCluster("127.0.0.1:1", "http://127.0.0.1:2", Path("/tmp"), node_id="ab" * 28)
    ways = {
        "states": lambda processes, pids, told: tuple(states),
        "threads": lambda pid, timeout: ThreadReading((made.serving(),)),
        "responder": lambda pid, timeout, directory: ResponderAnswer(because="no hooks in this process"),
        "tasks": lambda pid, timeout: TaskReading(unknown="no Python interpreter was found in it"),
        "title": lambda pid: "python",
    }
    location = replace(
        _location("W on node cd"), processes=tuple(RunProcess(state.pid, state.role, state.label) for state in states)
    )
    return capture(cluster, api or FakeApi(), location, made.POSITION, Readers(**{**ways, **readers}))


def test_processes_calls_and_actors_of_the_run_are_kept_and_those_of_other_jobs_are_not() -> None:
    taken = _taken([made.process(made.TRAINER)])
    assert [process.pid for process in taken.processes] == [made.TRAINER]
    assert taken.processes[0].threads == (made.serving(),)
    assert [call.name for call in taken.calls] == ["TaskRunner.run"]
    assert "Other" not in [actor.class_name for actor in taken.actors]
    assert taken.unseen == ("W on node cd",)
    assert taken.versions["ray"] == "2.60.0"


def test_placement_groups_of_the_run_that_are_not_placed_are_kept() -> None:
    taken = _taken([made.process(made.TRAINER)])
    assert [group.name for group in taken.groups] == ["pool_0"]


def test_rays_own_processes_that_are_gone_are_told_and_other_processes_that_are_gone_are_not() -> None:
    gcs = ProcessState(50, 5.0, "gcs_server", "gcs", "gcs_server (pid 50)", "X")
    raylet = replace(gcs, pid=51, role="raylet", label="raylet (pid 51)", state="S")
    ended = replace(made.process(made.ROLLOUT), state="X")
    assert _taken([gcs, raylet, ended]).gone == ("gcs_server (pid 50)",)


def test_the_raylet_is_asked_for_calls_that_wait_for_memory_where_something_is_not_placed() -> None:
    taken = _taken([made.process(made.TRAINER)], waiting_for_memory=lambda session: 2)
    assert taken.waiting_for_memory == 2


def test_the_responders_answer_is_kept_where_there_is_one() -> None:
    tasks = (made.task("a", "event"),)
    answer = ResponderAnswer(tasks=tasks, max_concurrency=4, status="answered")
    asked: list[tuple[int, str]] = []

    def ask(pid: int, timeout: float, directory: str) -> ResponderAnswer:
        asked.append((pid, directory))
        return answer

    (state,) = _taken([made.process(made.ROLLOUT)], responder=ask).processes
    assert (state.tasks, state.max_concurrency, state.responder) == (tasks, 4, "answered")
    assert asked == [(made.ROLLOUT, "/somewhere/hooks")]


def test_what_cannot_be_read_is_said_per_process() -> None:
    (state,) = _taken(
        [made.process(made.ROLLOUT)], threads=lambda pid, timeout: ThreadReading(unknown="not permitted")
    ).processes
    assert (state.threads, state.threads_unknown) == ((), "not permitted")
    assert (state.tasks, state.tasks_unknown) == (None, "no Python interpreter was found in it")


def test_threads_that_may_not_be_read_are_the_hooks_word_and_said_to_be() -> None:
    answer = ResponderAnswer(tasks=(), status="answered", threads=(made.serving(),))
    refused = ThreadReading(unknown="not permitted")
    (state,) = _taken(
        [made.process(made.ROLLOUT)],
        responder=lambda pid, timeout, directory: answer,
        threads=lambda pid, timeout: refused,
    ).processes
    assert (state.threads, state.threads_from, state.threads_unknown) == ((made.serving(),), "hooks", "")


def test_descriptors_that_a_process_tells_of_itself_reach_the_reading_of_states() -> None:
    told: list[dict[int, Descriptors]] = []
    mine = Descriptors(frozenset({7}))
    state = made.process(made.ROLLOUT)

    def states(processes: object, pids: object, own: dict[int, Descriptors]) -> tuple[ProcessState, ...]:
        told.append(own)
        return (state,)

    answer = ResponderAnswer(tasks=(), status="answered", descriptors=mine)
    _taken([state], states=states, responder=lambda pid, timeout, directory: answer)
    assert told == [{made.ROLLOUT: mine}]


def test_where_no_hook_answers_tasks_and_loops_come_from_memory() -> None:
    tasks, loops = (made.task("a", "event"),), (EventLoopState("1", "AsyncIO Thread", True),)
    (state,) = _taken([made.process(made.ROLLOUT)], tasks=lambda pid, timeout: TaskReading(tasks, loops)).processes
    assert (state.tasks, state.loops, state.tasks_unknown, state.responder) == (tasks, loops, "", "absent")


def test_memory_is_not_read_where_the_hook_answers() -> None:
    def never(pid: int, timeout: float) -> TaskReading:
        raise AssertionError("read although the responder answered")

    answer = ResponderAnswer(tasks=(), status="answered")
    (state,) = _taken(
        [made.process(made.ROLLOUT)], responder=lambda pid, timeout, directory: answer, tasks=never
    ).processes
    assert state.tasks == ()


def test_a_silent_hook_stays_silent_and_its_tasks_come_from_memory() -> None:
    silent = ResponderAnswer(status="silent", because="no answer within 1 s")
    tasks = (made.task("a", "event"),)
    (state,) = _taken(
        [made.process(made.ROLLOUT)],
        responder=lambda pid, timeout, directory: silent,
        tasks=lambda pid, timeout: TaskReading(tasks),
    ).processes
    assert (state.tasks, state.tasks_unknown, state.responder) == (tasks, "no answer within 1 s", "silent")


def test_torn_tasks_and_tasks_left_out_are_unknowns_with_a_cure() -> None:
    taken = _taken([made.process(made.ROLLOUT)], tasks=lambda pid, timeout: TaskReading((), torn=3, left_out=2))
    assert [unknown.because.split()[0] for unknown in taken.unknown] == ["3", "2"]
    assert all(unknown.cure for unknown in taken.unknown)


def test_a_ray_that_does_not_answer_is_an_unknown_with_its_cure() -> None:
    taken = _taken([made.process(made.TRAINER)], FakeApi(silent=True))
    assert [(unknown.what, bool(unknown.cure)) for unknown in taken.unknown] == [("calls", True)]
    assert taken.calls == () and taken.processes


def test_a_partial_answer_is_an_unknown() -> None:
    taken = _taken([], FakeApi(notes={"tasks": "10000 of 12000 records"}))
    assert [unknown.because for unknown in taken.unknown] == ["10000 of 12000 records"]


def test_tasks_that_the_hook_left_out_are_an_unknown() -> None:
    errors = ("17 pending tasks are not in this answer", "disk: No space left on device")
    answer = ResponderAnswer(tasks=(), status="answered", errors=errors)
    taken = _taken([made.process(made.ROLLOUT)], responder=lambda pid, timeout, directory: answer)
    assert [unknown.because for unknown in taken.unknown] == ["17 pending tasks are not in this answer"]


def test_rays_own_processes_are_listed_and_not_looked_into() -> None:
    raylet = ProcessState(50, 1.0, "raylet", "raylet", "raylet (pid 50)", "S")
    agent = ProcessState(51, 1.0, "ray::DashboardAgent", "other", "DashboardAgent (pid 51)", "S")
    taken = _taken([raylet, agent])
    assert [process.threads for process in taken.processes] == [(), ()]


def test_a_process_that_is_gone_is_left_out() -> None:
    gone = ProcessState(60, 0.0, "", "other", "gone (pid 60)", "X")
    assert _taken([gone]).processes == ()


def test_pythons_helper_children_are_no_children() -> None:
    titles = {70: "python -c from multiprocessing.resource_tracker import main", 71: "vllm EngineCore"}
    (state,) = _taken([made.process(made.ROLLOUT, children=(70, 71))], title=lambda pid: titles[pid]).processes
    assert state.children == (71,)
