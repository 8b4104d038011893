"""What the responder says of tasks and loops is what they truly wait on, on every Python the hooks run on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.trainer_hooks.conftest import Hooked

Start = Callable[..., Hooked]

WAITS = """
    import asyncio, socket, sys
    async def main():
        loop = asyncio.get_running_loop()
        event, lock, queue, joined = asyncio.Event(), asyncio.Lock(), asyncio.Queue(), asyncio.Queue()
        condition, semaphore = asyncio.Condition(), asyncio.Semaphore(0)
        other_end = []
        await lock.acquire()
        tasks = {}
        async def on_condition():
            async with condition:
                await condition.wait()
        async def on_gather(): await asyncio.gather(tasks["event"], tasks["queue"])
        async def on_all(): await asyncio.wait([tasks["event"], tasks["queue"]])
        async def on_first(): await asyncio.wait([tasks["event"]], return_when=asyncio.FIRST_COMPLETED)
        async def on_completed():
            for done in asyncio.as_completed([tasks["event"]]): await done
        async def on_shield(): await asyncio.shield(tasks["event"])
        async def on_deadline(): await asyncio.wait_for(tasks["event"], 1000)
        async def on_future(): await loop.create_future()
        async def on_task(): await tasks["event"]
        async def on_join():
            joined.put_nowait(1)
            await joined.join()
        async def on_socket():
            near, far = socket.socketpair()
            other_end.append(far)
            near.setblocking(False)
            await loop.sock_recv(near, 1)
        async def on_stream():
            near, far = socket.socketpair()
            other_end.append(far)
            reader, writer = await asyncio.open_connection(sock=near)
            other_end.append(writer)
            await reader.read(1)
        async def on_process():
            process = await asyncio.create_subprocess_exec("sleep", "1000")
            try:
                await process.wait()
            finally:
                process.kill()
        async def numbers():
            yield 1
            await event.wait()
            yield 2
        async def on_generator():
            async for _ in numbers(): pass
        async def on_spin():
            while True: await asyncio.sleep(0)
        waits = dict(event=event.wait, lock=lock.acquire, queue=queue.get, condition=on_condition,
                     semaphore=semaphore.acquire, sleep=lambda: asyncio.sleep(1000), gather=on_gather, all=on_all,
                     first=on_first, completed=on_completed, shield=on_shield, deadline=on_deadline, future=on_future,
                     task=on_task, join=on_join, socket=on_socket, stream=on_stream, process=on_process,
                     generator=on_generator, spin=on_spin)
        if sys.version_info >= (3, 11):
            async def on_group():
                async with asyncio.TaskGroup() as group: group.create_task(event.wait(), name="in group")
            waits["group"] = on_group
        if sys.version_info >= (3, 12):
            loop.set_task_factory(asyncio.eager_task_factory)
            tasks["eager"] = asyncio.create_task(event.wait(), name="eager")
            loop.set_task_factory(None)
        for name, make in waits.items():
            tasks[name] = asyncio.create_task(make(), name=name)
        await asyncio.sleep(0.5)
        print("ready", flush=True)
        await asyncio.sleep(1000)
    asyncio.run(main())
"""

EXPECTED = {
    "event": "event",
    "lock": "lock",
    "semaphore": "lock",
    "queue": "queue",
    "join": "queue",
    "condition": "condition",
    "sleep": "sleep",
    "gather": "gather",
    "all": "gather",
    "first": "task",
    "completed": "task",
    "shield": "task",
    "deadline": "task",
    "task": "task",
    "future": "future",
    "socket": "socket",
    "stream": "socket",
    "process": "subprocess",
    "generator": "event",
    "spin": "running",
}
if sys.version_info >= (3, 11):
    EXPECTED["group"] = "gather"
if sys.version_info >= (3, 12):
    EXPECTED["eager"] = "event"

WAITS_FOR = {
    "gather": {"event", "queue"},
    "all": {"event", "queue"},
    "first": {"event"},
    "shield": {"event"},
    "deadline": {"event"},
    "task": {"event"},
}


@pytest.fixture
def tasks(hooked: Start) -> dict[str, dict[str, Any]]:
    """The tasks of a program that has one for each kind of wait, by name."""
    answer = hooked(WAITS).ask()
    assert answer["errors"] == []
    return {task["name"]: task for task in answer["tasks"]}


def test_every_kind_of_wait_is_told_as_it_is(tasks: dict[str, dict[str, Any]]) -> None:
    assert {name: task["waits_on"] for name, task in tasks.items() if name in EXPECTED} == EXPECTED


def test_tasks_waited_for_are_named_by_key(tasks: dict[str, dict[str, Any]]) -> None:
    names = {task["key"]: name for name, task in tasks.items()}
    found = {name: {names[key] for key in tasks[name]["waits_for"]} for name in WAITS_FOR}
    assert found == WAITS_FOR
    assert {name for name, task in tasks.items() if task["waits_any"]} == {"first", "completed"}


def test_chain_goes_from_the_task_to_asyncio_s_innermost_frame(tasks: dict[str, dict[str, Any]]) -> None:
    chain = [function.rpartition(".")[2] for function, _, _ in tasks["generator"]["frames"]]
    assert chain == ["on_generator", "numbers", "wait"]
    assert all(file and line > 0 for _, file, line in tasks["generator"]["frames"])


def test_idle_loop_is_not_blocked_and_its_timers_and_readers_count(hooked: Start) -> None:
    program = hooked(
        """
        import asyncio, socket
        async def main():
            near, far = socket.socketpair()
            asyncio.get_running_loop().add_reader(near.fileno(), print)
            asyncio.get_running_loop().call_later(500, print)
            asyncio.get_running_loop().call_later(300, print).cancel()
            asyncio.get_running_loop().call_later(0.3, lambda: print("ready", flush=True))
            await asyncio.Event().wait()
        asyncio.run(main())
        """
    )
    # The callback that said so may still be under way at the first look.
    looks = (program.ask()["loops"][0] for _ in range(1000))
    loop = next(look for look in looks if look["blocked_seconds"] is None)
    assert loop["running"] and loop["thread"] == "MainThread"
    assert (loop["timers"], loop["readers"], loop["pending_tasks"]) == (1, 1, 1)
    assert 0 < loop["next_timer_seconds"] <= 500


def test_blocked_loop_still_answers_with_its_age_and_its_culprit(hooked: Start) -> None:
    program = hooked(
        """
        import asyncio, threading
        lock = threading.Lock()
        def take():
            lock.acquire()
        async def serve():
            await asyncio.sleep(0.1)
            print("ready", flush=True)
            take()
        async def main():
            lock.acquire()
            waiting = asyncio.create_task(asyncio.sleep(0.05), name="overdue")
            await asyncio.create_task(serve(), name="culprit")
        asyncio.run(main())
        """
    )
    first, second = program.ask(), program.ask()
    ages = [answer["loops"][0]["blocked_seconds"] for answer in (first, second)]
    assert ages[0] is not None and ages[1] > ages[0]
    culprit = next(task for task in second["tasks"] if task["name"] == "culprit")
    assert culprit["waits_on"] == "running"
    assert [frame[0].rpartition(".")[2] for frame in culprit["frames"]] == ["serve", "take"]


def test_task_due_to_run_on_a_blocked_loop_waits_on_nothing(hooked: Start) -> None:
    program = hooked(
        """
        import asyncio, time
        async def main():
            event = asyncio.Event()
            woken = asyncio.create_task(event.wait(), name="woken")
            await asyncio.sleep(0)
            event.set()
            print("ready", flush=True)
            time.sleep(1000)
        asyncio.run(main())
        """
    )
    woken = next(task for task in program.ask()["tasks"] if task["name"] == "woken")
    assert woken["waits_on"] == "running"


def test_task_of_another_loop_behind_a_bridge_is_found(hooked: Start) -> None:
    program = hooked(
        """
        import asyncio, threading
        other = asyncio.new_event_loop()
        threading.Thread(target=other.run_forever, name="other loop", daemon=True).start()
        async def far():
            await asyncio.Event().wait()
        async def near():
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(far(), other))
        async def main():
            task = asyncio.create_task(near(), name="near")
            await asyncio.sleep(0.3)
            print("ready", flush=True)
            await task
        asyncio.run(main())
        """
    )
    answer = program.ask()
    near = next(task for task in answer["tasks"] if task["name"] == "near")
    far = next(task for task in answer["tasks"] if task["frames"][0][0].endswith("far"))
    assert near["waits_on"] == "task" and near["waits_for"] == [far["key"]]
    assert {loop["thread"] for loop in answer["loops"]} == {"MainThread", "other loop"}


def test_tasks_that_switch_all_the_time_never_break_an_answer(hooked: Start) -> None:
    program = hooked(
        """
        import asyncio, time
        async def short():
            await asyncio.sleep(0)
        async def churn():
            while True:
                await asyncio.gather(*[short() for _ in range(20)])
        async def breathe():
            while True:
                time.sleep(0.001)
                await asyncio.sleep(0)
        async def main():
            tasks = [asyncio.create_task(churn()) for _ in range(20)] + [asyncio.create_task(breathe())]
            await asyncio.sleep(0.1)
            print("ready", flush=True)
            await asyncio.wait(tasks)
        asyncio.run(main())
        """
    )
    # `breathe` lets go of the GIL for longer than a `select(0)`: CPython may let a loop that never waits starve every
    # other thread for seconds (https://bugs.python.org/issue7946), and how long an answer takes is not the property.
    for _ in range(30):
        answer = program.ask()
        assert answer["errors"] == []
        assert sum(task["frames"][0][0].endswith("churn") for task in answer["tasks"]) == 20


def test_program_without_asyncio_has_no_loops_and_never_imports_it(hooked: Start) -> None:
    program = hooked(
        """
        import sys, time
        print("ready", flush=True)
        input_seen = False
        while True:
            time.sleep(0.05)
            if "asyncio" in sys.modules and not input_seen:
                input_seen = True
                print("asyncio was imported", flush=True)
        """
    )
    answer = program.ask()
    assert (answer["loops"], answer["tasks"]) == ([], [])
    assert {thread["name"] for thread in answer["threads"]} == {"MainThread"}
    program.process.kill()
    assert program.read_line() == ""
