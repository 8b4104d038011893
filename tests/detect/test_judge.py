"""What the rules prove on hand-made runs, and above all what they do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.detect.judge import judge
from monitor.model.finding import Verdict, VerdictWord
from monitor.model.reading import Unknown
from monitor.model.snapshot import EventLoopState, RayCall, Snapshot, ThreadState
from tests.detect import snapshots as made

LINES = {
    ("control-queue", True): ("/app/rollout.py", 71),
    ("control-queue", False): ("/app/trainer.py", 88),
    ("self-get", True): ("/app/rollout.py", 77),
    ("self-get", False): ("/app/rollout.py", 77),
    ("loop-blocked", True): ("/app/rollout.py", 91),
    ("loop-blocked", False): ("/app/rollout.py", 91),
    ("lost-wakeup", True): ("/app/rollout.py", 99),
    ("engine-stopped", True): ("/app/agent.py", 52),
    ("engine-stopped", False): ("/app/trainer.py", 88),
}


@pytest.mark.parametrize(("name", "hooks"), sorted(LINES))
def test_each_hang_is_proved_with_culprit_line_and_chain(name: str, hooks: bool) -> None:
    verdict = judge(made.HANGS[name](hooks=hooks))
    assert verdict.word is VerdictWord.HANG
    (finding,) = verdict.findings
    assert (finding.hang_class, finding.proved) == (name, True)
    assert finding.culprit.pid == made.ROLLOUT
    assert finding.culprit.actor == "rollout_server_0"
    assert (finding.file, finding.line) == LINES[name, hooks]
    assert finding.chain[0].waiter == "driver (pid 1)"
    assert all(first.waits_for == second.waiter for first, second in zip(finding.chain, finding.chain[1:]))
    assert finding.evidence and finding.advice
    assert finding.seconds_to_proof == 6.0


def test_a_lost_wakeup_without_asyncio_tasks_is_unknown_and_says_what_would_show_it() -> None:
    verdict = judge(made.lost_wakeup(hooks=False))
    assert (verdict.word, verdict.findings) == (VerdictWord.UNKNOWN, ())
    assert "idle event loop of RolloutServer rollout_server_0 (pid 5)" in verdict.reasons[0]
    assert "hooks" in verdict.reasons[0]


def test_slots_that_no_hook_told_are_said_to_be_inferred() -> None:
    (inferred,) = judge(made.control_queue(hooks=False)).findings
    (told,) = judge(made.control_queue(hooks=True)).findings
    assert "inferred" in inferred.sentence
    assert "inferred" not in told.sentence and "all 4 concurrency slots" in told.sentence


@pytest.mark.parametrize("name", sorted(made.HANGS))
def test_one_sample_proves_nothing(name: str) -> None:
    later = made.HANGS[name](hooks=True)[-1]
    assert judge([later]).word is VerdictWord.UNKNOWN
    assert judge([later, replace(later, taken_at=later.taken_at + 0.5)]).word is VerdictWord.UNKNOWN


@pytest.mark.parametrize("name", sorted(made.HANGS))
def test_samples_with_progress_between_them_prove_nothing(name: str) -> None:
    earlier, later = made.HANGS[name](hooks=True)
    moved = replace(later, position=replace(later.position, last_moved_at=1004.0))
    assert judge([earlier, moved]).word is VerdictWord.UNKNOWN


@pytest.mark.parametrize("name", sorted(made.HANGS))
def test_an_ended_run_has_ended(name: str) -> None:
    earlier, later = made.HANGS[name](hooks=True)
    assert judge([earlier, replace(later, position=replace(later.position, ended=True))]).word is VerdictWord.ENDED


def test_no_snapshot_is_unknown() -> None:
    assert judge([]).word is VerdictWord.UNKNOWN


@pytest.mark.parametrize("name", ["control-queue", "lost-wakeup"])
@pytest.mark.parametrize("hooks", [True, False])
def test_what_may_wake_the_server_from_outside_unproves_it(name: str, hooks: bool) -> None:
    samples = made.HANGS[name](hooks=hooks)
    for fields in (
        {"outside_connections": ("203.0.113.9:443",)},
        {"children": (77,)},
        {"state": "D"},
        {"state": "?"},
        {"threads": (made.serving(), replace(made.idle_loop(), kernel_wait_ends=True)), "loops": ()},
        {"threads": (), "threads_unknown": "reading pid 5 is not permitted"},
    ):
        assert not judge(made.changed(samples, made.ROLLOUT, **fields)).findings, fields


@pytest.mark.parametrize("name", ["control-queue", "lost-wakeup", "loop-blocked"])
def test_a_server_that_uses_a_cpu_is_at_work(name: str) -> None:
    earlier, later = made.HANGS[name](hooks=True)
    (busy,) = made.changed([later], made.ROLLOUT, cpu_seconds=2.9)
    verdict = judge([earlier, busy])
    assert (verdict.word, verdict.findings) == (VerdictWord.HEALTHY, ())
    assert "97 % of a CPU" in verdict.reasons[0]


@pytest.mark.parametrize("hooks", [True, False])
def test_a_timer_in_the_loop_unproves_a_wait_but_not_a_blocked_loop(hooks: bool) -> None:
    for name, proved in (("control-queue", False), ("lost-wakeup", False), ("loop-blocked", True)):
        samples = made.HANGS[name](hooks=True)
        server = samples[0].processes[-1]
        loops = tuple(replace(loop, timers=1) for loop in server.loops)
        assert bool(judge(made.changed(samples, made.ROLLOUT, loops=loops)).findings) is proved


def test_a_second_event_loop_in_the_actor_unproves_a_wait_for_itself() -> None:
    samples = made.self_get(hooks=False)
    other = replace(made.idle_loop(), thread_id=150, name="AsyncIO Thread: control")
    server = samples[0].processes[-1]
    assert not judge(made.changed(samples, made.ROLLOUT, threads=(*server.threads, other))).findings


def test_a_wait_for_itself_with_a_timeout_is_not_proved() -> None:
    samples = made.self_get(hooks=False)
    (first, second) = samples[0].processes[-1].threads
    timed = replace(second, locals_repr={"timeout": "60", "timeout_ms": "60000"})
    assert not judge(made.with_server_thread(samples, timed)).findings
    assert first.name == "MainThread"


def test_a_wait_for_itself_is_proved_without_rays_record_of_the_call() -> None:
    samples = [_without_call(sample, 40) for sample in made.self_get(hooks=False)]
    assert [finding.hang_class for finding in judge(samples).findings] == ["self-get"]


def test_a_main_thread_that_waits_for_its_own_actor_waits_for_itself() -> None:
    own = made.call(made.TRAIN, 50, "WorkerDict.version", state="SUBMITTED_TO_WORKER", caller=made.TRAIN)
    update = made.call(made.TRAIN, 51, "WorkerDict.update_actor", caller=made.TRAINER)
    worker = made.process(made.TRAIN, made.getting([made.ref(own.task_id)], made.frame("update_actor", 15)))
    processes = [*made.head([update])[:2], worker]
    (finding,) = judge(made.pair(processes, [made.RUN, update, own])).findings
    assert (finding.hang_class, finding.culprit.pid, finding.line) == ("self-get", made.TRAIN, 15)


def test_a_stopped_process_that_nobody_waits_for_is_no_finding() -> None:
    processes = [*made.head([]), *made.agents(hooks=False), made.process(made.ROLLOUT, made.serving())]
    samples = made.changed(made.pair(processes, [made.RUN]), made.TRAIN, state="T")
    assert not judge(samples).findings


def test_a_process_stopped_in_one_sample_only_is_no_finding() -> None:
    earlier, later = made.engine_stopped(hooks=False)
    (running,) = made.changed([earlier], made.ROLLOUT, state="S")
    assert not judge([running, later]).findings


def test_a_stopped_agent_is_process_stopped_and_its_victims_are_not_named() -> None:
    samples = made.changed(made.control_queue(hooks=False), made.AGENT_0, state="t")
    classes = [finding.hang_class for finding in judge(samples).findings]
    assert classes == ["control-queue"]
    samples = made.changed(made.lost_wakeup(hooks=True), made.AGENT_0, state="t")
    assert [finding.hang_class for finding in judge(samples).findings] == ["process-stopped"]


def test_a_dead_actor_that_is_waited_for_is_named() -> None:
    samples = [
        replace(
            sample,
            processes=tuple(item for item in sample.processes if item.pid != made.ROLLOUT),
            actors=tuple(
                replace(actor, state="DEAD", pid=None, death_cause="killed") if actor.pid == made.ROLLOUT else actor
                for actor in sample.actors
            ),
        )
        for sample in made.lost_wakeup(hooks=True)
    ]
    (finding,) = judge(samples).findings
    assert finding.hang_class == "actor-dead"
    assert "killed" in finding.sentence


def _restarting(samples: list[Snapshot]) -> list[Snapshot]:
    """The rollout server's process is gone, its actor is to come back."""
    return [
        replace(
            sample,
            processes=tuple(item for item in sample.processes if item.pid != made.ROLLOUT),
            actors=tuple(
                replace(actor, state="RESTARTING", pid=None) if actor.pid == made.ROLLOUT else actor
                for actor in sample.actors
            ),
        )
        for sample in samples
    ]


def test_an_actor_that_does_not_come_back_is_a_suspicion() -> None:
    verdict = judge(_restarting(made.lost_wakeup(hooks=True)))
    assert verdict.findings == ()
    assert [finding.hang_class for finding in verdict.suspicions] == ["actor-dead"]


def test_an_actor_that_began_to_restart_between_the_samples_is_not_even_suspected() -> None:
    samples = made.lost_wakeup(hooks=True)
    assert "actor-dead" not in {item.hang_class for item in judge([samples[0], _restarting(samples)[1]]).suspicions}


@pytest.mark.parametrize("name", ["control-queue", "lost-wakeup"])
def test_the_trainer_must_wait_for_it(name: str) -> None:
    samples = made.HANGS[name](hooks=True)
    for pid in (made.DRIVER, made.TRAINER):
        samples = made.changed(samples, pid, threads=(made.serving(),))
    assert not judge(samples).findings


def test_a_process_that_is_not_seen_unproves_the_knot() -> None:
    samples = [replace(sample, unseen=("RewardServer on node ab12",)) for sample in made.lost_wakeup(hooks=True)]
    verdict = judge(samples)
    assert (verdict.word, verdict.findings) == (VerdictWord.UNKNOWN, ())


def test_records_that_could_not_be_read_unprove_the_knot() -> None:
    gap = Unknown("calls", 1003.0, "10,000 of 12,000 were given")
    samples = [replace(sample, unknown=(gap,)) for sample in made.lost_wakeup(hooks=True)]
    assert not judge(samples).findings


def test_a_thread_that_ticks_anywhere_unproves_a_lost_wakeup_but_not_a_full_queue() -> None:
    ticking = replace(
        made.getting([], made.frame("_report", 5), name="health"),
        thread_id=200,
        frames=(made.frame("_report", 5),),
        kernel_wait="sleep",
        kernel_wait_ends=True,
    )
    for name, classes in (("lost-wakeup", []), ("control-queue", ["control-queue"])):
        samples = made.HANGS[name](hooks=True)
        trainer = samples[0].processes[1]
        ticked = made.changed(samples, made.TRAINER, threads=(*trainer.threads, ticking))
        assert [finding.hang_class for finding in judge(ticked).findings] == classes


def _server_waits_for_weights() -> list[Snapshot]:
    """The full server's first call waits for a call that the trainer's worker executes."""
    samples = made.control_queue(hooks=True)
    train = made.call(made.TRAIN, 60, "WorkerDict.get_weights", caller=made.ROLLOUT)
    server = samples[0].processes[-1]
    waiting = replace(server.tasks[0], waits_on="object_ref", object_ref=made.ref(train.task_id))
    samples = made.changed(samples, made.ROLLOUT, tasks=(waiting, *server.tasks[1:]))
    samples = [replace(sample, calls=(*sample.calls, train)) for sample in samples]
    return samples


def test_a_running_call_that_waits_for_another_process_at_work_frees_its_slot() -> None:
    samples = _server_waits_for_weights()
    busy = replace(made.serving(), frames=(made.frame("get_weights", 3),), kernel_wait="running")
    assert not judge(made.changed(samples, made.TRAIN, threads=(busy,))).findings


@pytest.mark.parametrize(
    ("cpu_seconds", "word"), [(None, VerdictWord.UNKNOWN), (2.9, VerdictWord.HEALTHY)], ids=["without CPU", "with CPU"]
)
def test_a_thread_told_to_run_without_a_kernel_wait_is_at_work_only_with_cpu(
    cpu_seconds: float | None, word: VerdictWord
) -> None:
    samples = _server_waits_for_weights()
    told = replace(made.serving(), frames=(made.frame("get_weights", 3),), kernel_wait="", active=True)
    earlier, later = made.changed(samples, made.TRAIN, threads=(told,))
    if cpu_seconds is not None:
        (later,) = made.changed([later], made.TRAIN, cpu_seconds=cpu_seconds)
    verdict = judge([earlier, later])
    assert (verdict.word, verdict.findings) == (word, ())


def test_weights_that_only_the_hung_processes_hold_are_named() -> None:
    samples = [
        replace(sample, position=replace(sample.position, save_order="validate-first", newest_checkpoint_step=20))
        for sample in made.self_get(hooks=False)
    ]
    (finding,) = judge(samples).findings
    assert "exist only in the hung processes" in finding.advice
    assert "step 20" in finding.advice
    (saved,) = judge(made.self_get(hooks=False)).findings
    assert "hung processes" not in saved.advice


def _without_call(sample: Snapshot, number: int) -> Snapshot:
    kept: list[RayCall] = [item for item in sample.calls if item.task_id != made.task_id(made.ROLLOUT, number)]
    return replace(sample, calls=tuple(kept))


def test_a_lost_wakeup_that_a_ticking_thread_may_still_end_is_unknown_and_names_both() -> None:
    samples = made.lost_wakeup(hooks=True)
    ticking = ThreadState(
        200, "health", False, False, (made.frame("_report", 5),), kernel_wait="sleep", kernel_wait_ends=True
    )
    trainer = samples[0].processes[1]
    verdict = judge(made.changed(samples, made.TRAINER, threads=(*trainer.threads, ticking)))
    assert verdict.word is VerdictWord.UNKNOWN
    assert "rollout.py:99" in verdict.reasons[0] and "thread health of TaskRunner" in verdict.reasons[0]


def test_a_loop_that_keeps_its_descriptors_in_c_makes_a_lost_wakeup_unknown_and_that_is_said() -> None:
    def in_c(snapshot: Snapshot) -> Snapshot:
        loops = (EventLoopState("1", "AsyncIO Thread", True, unreadable="Loop keeps its timers and descriptors in C"),)
        return replace(snapshot, processes=tuple(replace(process, loops=loops) for process in snapshot.processes))

    samples = made.lost_wakeup(hooks=True)
    assert judge(samples).findings
    verdict = judge([in_c(sample) for sample in samples])
    assert (verdict.word, verdict.findings) == (VerdictWord.UNKNOWN, ())
    assert "in C" in " ".join(verdict.reasons)


def _with_a_timer(samples: list[Snapshot]) -> list[Snapshot]:
    server = samples[0].processes[-1]
    return made.changed(samples, made.ROLLOUT, loops=tuple(replace(loop, timers=1) for loop in server.loops))


def test_a_full_queue_at_a_server_with_a_timer_is_suspected_by_its_queued_call() -> None:
    verdict = judge(_with_a_timer(made.control_queue(hooks=True)))
    (suspicion,) = verdict.suspicions
    assert (verdict.word, verdict.findings) == (VerdictWord.UNKNOWN, ())
    assert (suspicion.hang_class, suspicion.proved, suspicion.culprit.pid) == ("control-queue", False, made.ROLLOUT)
    assert suspicion.sentence.startswith("RolloutServer.update_weights is queued")
    assert "Not proved" in suspicion.sentence


def test_a_suspicion_of_a_silence_beyond_its_limit_is_a_stall() -> None:
    def seen(limit: float) -> Verdict:
        samples = _with_a_timer(made.control_queue(hooks=True))
        moved_at = samples[0].taken_at - 60.0
        told = {"phase_limit_seconds": limit, "last_moved_at": moved_at}
        return judge([replace(sample, position=replace(sample.position, **told)) for sample in samples])

    assert (seen(30.0).word, [finding.proved for finding in seen(30.0).findings]) == (VerdictWord.STALL, [False])
    assert (seen(3600.0).word, seen(3600.0).findings) == (VerdictWord.UNKNOWN, ())


def test_a_full_queue_whose_calls_wait_for_something_outside_is_not_even_suspected() -> None:
    samples = _with_a_timer(made.control_queue(hooks=True))
    tasks = tuple(replace(task, waits_on="socket") for task in samples[0].processes[-1].tasks or ())
    assert judge(made.changed(samples, made.ROLLOUT, tasks=tasks)).suspicions == ()
