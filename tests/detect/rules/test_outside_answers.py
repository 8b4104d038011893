"""`reward-stuck` and `tool-stuck`: a wait for something outside is suspected, and is a stall beyond the limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from monitor.detect.judge import judge
from monitor.model.finding import VerdictWord
from monitor.model.snapshot import Frame, ProcessState, Snapshot, ThreadState
from tests.detect.made_threads import PYTHON, frame, idle_loop, serving
from tests.detect.snapshots import (
    AGENT_0,
    GENERATE,
    RUN,
    TRAINER,
    agents,
    call,
    changed,
    head,
    hooked,
    pair,
    process,
    task,
    task_id,
)

REWARD = 7
ASKS = frame("compute_score", 12, "/app/reward.py")
SCORE = call(REWARD, 50, "RewardLoopWorker.compute_score", caller=AGENT_0)


def beyond(samples: Sequence[Snapshot], limit: float | None) -> list[Snapshot]:
    """The samples, in a phase whose limit was learned to be this; their silence lasts 6 s."""
    return [replace(item, position=replace(item.position, phase_limit_seconds=limit)) for item in samples]


def asking(wait: str = "read", ends: bool | None = None) -> ThreadState:
    """A pool's thread that runs the reward function."""
    below = Frame("_WorkItem.run", f"{PYTHON}/concurrent/futures/thread.py", 58)
    return ThreadState(
        200, "pool", False, False, (ASKS, below), kernel_wait=wait, kernel_wait_ends=ends, cpu_seconds=1.0
    )


def reward_run(thread: ThreadState) -> list[Snapshot]:
    """An agent loop waits for its reward worker, one of whose threads is in the reward function."""
    worker = ProcessState(REWARD, 17.0, "ray::RewardLoopWorker", "reward", "RewardLoopWorker (pid 7)", "S")
    worker = replace(worker, actor_id=SCORE.actor_id, threads=(serving(), idle_loop(), thread))
    return pair([*head(GENERATE), *agents(hooks=False), worker], [RUN, *GENERATE, SCORE])


def tool_run() -> list[Snapshot]:
    """An agent loop's task waits on a socket."""
    waits = task("t", "socket", frame("ask_tool", 35, "/app/tool.py"), ray_task_id=task_id(AGENT_0, 10))
    worker = hooked(process(AGENT_0, serving(), idle_loop()), waits)
    return pair([*head(GENERATE[:1]), worker], [RUN, GENERATE[0]])


def test_a_reward_function_that_waits_outside_beyond_the_limit_is_suspected_and_never_called_proved() -> None:
    verdict = judge(beyond(reward_run(asking()), 5.0))
    (finding,) = verdict.findings
    assert verdict.word is VerdictWord.STALL
    assert (finding.hang_class, finding.proved, finding.culprit.pid) == ("reward-stuck", False, REWARD)
    assert (finding.file, finding.line) == (ASKS.file, ASKS.line)


def test_an_agent_loop_whose_tool_does_not_answer_beyond_the_limit_is_suspected() -> None:
    verdict = judge(beyond(tool_run(), 5.0))
    (finding,) = verdict.findings
    assert verdict.word is VerdictWord.STALL
    assert (finding.hang_class, finding.proved, finding.culprit.pid) == ("tool-stuck", False, AGENT_0)


def polling_run() -> list[Snapshot]:
    """V1: no call is open; the trainer polls a buffer for the samples of an agent loop, which waits on a socket."""
    poll = frame("ReplayBuffer._wait_for_next_poll", 409, "/app/replay_buffer.py")
    sleeping = ThreadState(100, "MainThread", False, False, (poll,), kernel_wait="sleep", kernel_wait_ends=True)
    waits = task("t", "socket", frame("ask_tool", 35, "/app/tool.py"))
    worker = hooked(process(AGENT_0, serving(), idle_loop()), waits)
    driver, _, train = head(GENERATE[:1])
    return pair([driver, process(TRAINER, sleeping), train, worker], [RUN])


def _without_agent_loops(samples: Sequence[Snapshot]) -> list[Snapshot]:
    return [
        replace(item, processes=tuple(process for process in item.processes if process.pid != AGENT_0))
        for item in samples
    ]


def test_the_samples_that_a_trainer_polls_for_are_followed_to_the_agent_loop_that_makes_them() -> None:
    verdict = judge(beyond(polling_run(), 5.0))
    (finding,) = verdict.findings
    assert (finding.hang_class, finding.proved, finding.culprit.pid) == ("tool-stuck", False, AGENT_0)
    assert any("polls for samples" in link.why for link in finding.chain)


def test_a_trainer_that_polls_where_no_agent_loop_is_left_is_starved() -> None:
    samples = beyond(_without_agent_loops(polling_run()), 5.0)
    assert [finding.hang_class for finding in judge(samples).findings] == ["replay-starved"]


def _with_a_moving_thread(samples: Sequence[Snapshot]) -> list[Snapshot]:
    """Another thread of the trainer, at another line in each sample."""
    found = []
    for line, sample in enumerate(samples):
        (trainer,) = (process for process in sample.processes if process.pid == TRAINER)
        client = ThreadState(101, "client", True, False, (frame("ask_controller", line, "/app/client.py"),))
        found += changed([sample], TRAINER, threads=(*trainer.threads, client))
    return found


def test_the_moves_of_a_trainer_that_polls_are_no_work_of_what_it_waits_for() -> None:
    for samples, hang_class in ((polling_run(), "tool-stuck"), (_without_agent_loops(polling_run()), "replay-starved")):
        verdict = judge(beyond(_with_a_moving_thread(samples), 5.0))
        assert verdict.word is VerdictWord.STALL
        assert [finding.hang_class for finding in verdict.findings] == [hang_class]


def test_an_agent_loop_that_works_for_a_polling_trainer_is_healthy() -> None:
    earlier, later = beyond(polling_run(), 5.0)
    (busy,) = changed([later], AGENT_0, cpu_seconds=2.9)
    assert judge([earlier, busy]).word is VerdictWord.HEALTHY


def test_within_the_limit_or_without_one_nothing_is_a_finding() -> None:
    for limit in (None, 60.0):
        for samples in (reward_run(asking()), tool_run()):
            assert judge(beyond(samples, limit)).findings == ()


def test_a_reward_function_is_suspected_within_the_limit_too_whatever_it_is_called() -> None:
    named = replace(asking(), frames=(frame("ask_judge", 12, "/app/judge.py"), asking().frames[1]))
    for limit in (None, 60.0):
        verdict = judge(beyond(reward_run(named), limit))
        (suspicion,) = verdict.suspicions
        assert verdict.word is VerdictWord.UNKNOWN
        assert (suspicion.hang_class, suspicion.culprit.pid, suspicion.line) == ("reward-stuck", REWARD, 12)


def test_a_reward_worker_below_an_agent_loop_that_a_trainer_polls_for_is_suspected() -> None:
    worker = reward_run(asking())[0].processes[-1]
    driver, trainer, train, agent = polling_run()[0].processes
    quiet = replace(agent, tasks=(), loops=())
    samples = pair([driver, trainer, train, quiet, worker], [RUN, SCORE])
    assert [finding.hang_class for finding in judge(beyond(samples, 5.0)).findings] == ["reward-stuck"]


def test_the_same_wait_in_a_process_of_another_role_is_not_the_reward_functions() -> None:
    samples = beyond(reward_run(asking()), 5.0)
    other = replace(asking(), frames=(frame("ask_judge", 12, "/app/judge.py"), asking().frames[1]))
    samples = changed(samples, REWARD, role="other", threads=(serving(), idle_loop(), other))
    assert judge(samples).findings == () and judge(samples).suspicions == ()


def test_a_wait_with_a_deadline_is_not_suspected() -> None:
    assert judge(beyond(reward_run(asking("poll", True)), 5.0)).findings == ()


def test_a_reward_function_that_uses_the_cpu_is_at_work() -> None:
    samples = beyond(reward_run(asking()), 5.0)
    busy = [samples[0], changed(samples[1:], REWARD, cpu_seconds=2.0)[0]]
    assert judge(busy).word is VerdictWord.HEALTHY


def test_a_wait_that_moved_between_the_samples_is_not_suspected() -> None:
    samples = beyond(reward_run(asking()), 5.0)
    elsewhere = replace(asking(), frames=(frame("compute_score", 13, "/app/reward.py"), asking().frames[1]))
    moved = changed(samples[1:], REWARD, threads=(serving(), idle_loop(), elsewhere))[0]
    assert judge([samples[0], moved]).findings == ()


def test_a_call_that_no_chain_of_waits_comes_to_is_not_suspected() -> None:
    samples = beyond(tool_run(), 5.0)
    for pid in (1, 2):
        samples = changed(samples, pid, threads=(serving(),))
    assert judge(samples).findings == ()


def test_a_task_whose_wait_is_not_known_or_that_was_read_once_is_not_suspected() -> None:
    earlier, later = beyond(tool_run(), 5.0)
    unread = changed([earlier], AGENT_0, tasks=None, tasks_unknown="no permission")[0]
    assert judge([unread, later]).findings == ()
    told = later.processes[-1].tasks or ()
    unknown = changed([earlier, later], AGENT_0, tasks=tuple(replace(item, waits_on="unknown") for item in told))
    assert judge(unknown).findings == ()


def test_a_wait_that_the_kernel_does_not_tell_is_not_suspected() -> None:
    assert judge(beyond(reward_run(asking("", None)), 5.0)).findings == ()
