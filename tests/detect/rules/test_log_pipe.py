"""`log-pipe-blocked`: output or log that its reader takes no more of; a child's pipe to its parent is no log."""

from __future__ import annotations

from monitor.detect.judge import judge
from monitor.model.snapshot import BlockedCall, Frame, Snapshot
from tests.detect import snapshots as made
from tests.detect.made_threads import PYTHON
from tests.detect.rules.alone import CHILD, DRIVER, child, driver, samples, suspected, thread

MAIN = made.frame("report", 12, "/app/main.py")
LOGGING = Frame("StreamHandler.emit", f"{PYTHON}/logging/__init__.py", 1113)


def _writing(target: str, descriptor: int, *frames: Frame, held_by: tuple[int, ...] = ()) -> Snapshot | list[Snapshot]:
    call = BlockedCall(DRIVER, "write", target, held_by, descriptor)
    return samples(driver(thread((*frames, MAIN), wait="write"), blocked_calls=(call,)))


def _named(*arguments: object, **options: object) -> list[str]:
    return suspected(_writing(*arguments, **options))  # type: ignore[arg-type]


def test_output_to_a_pipe_that_is_not_read_is_suspected_with_the_line_that_prints() -> None:
    for descriptor in (1, 2):
        assert _named("pipe:[7]", descriptor) == ["log-pipe-blocked"]
    (suspicion,) = judge(_writing("pipe:[7]", 1)).suspicions  # type: ignore[arg-type]
    assert (suspicion.culprit.pid, suspicion.line) == (DRIVER, MAIN.line)


def test_a_terminal_that_takes_no_more_is_no_disk() -> None:
    assert _named("/dev/pts/3", 1) == ["log-pipe-blocked"]


def test_a_logger_or_an_uploader_on_any_descriptor_is_suspected() -> None:
    wandb = Frame("SockClient._send_message", "/env/lib/python3.11/site-packages/wandb/sdk/lib/sock_client.py", 144)
    assert _named("pipe:[7]", 9, LOGGING) == ["log-pipe-blocked"]
    assert _named("socket:[7]", 9, wandb) == ["log-pipe-blocked"]


def test_a_pipe_that_is_neither_output_nor_log_is_only_full() -> None:
    assert _named("pipe:[7]", 9) == ["pipe-full"]


def test_output_to_a_file_is_the_disks() -> None:
    assert _named("/data/train.log", 1) == ["storage-blocked"]


def test_the_reader_is_named_and_told_where_it_is_stopped() -> None:
    call = BlockedCall(DRIVER, "write", "pipe:[7]", (CHILD,), 1)
    reader = child(state="T", command="cat")
    pair = samples(driver(thread((MAIN,), wait="write"), blocked_calls=(call,), children=(CHILD,)), reader)
    (suspicion,) = judge(pair).suspicions
    assert suspicion.hang_class == "log-pipe-blocked"
    assert reader.label in suspicion.sentence and "kernel state T" in suspicion.sentence


def test_a_childs_output_to_its_own_parent_is_no_log() -> None:
    call = BlockedCall(CHILD, "write", "pipe:[7]", (DRIVER,), 1)
    writer = child(thread((MAIN,), number=CHILD, wait="write"), blocked_calls=(call,))
    reading = driver(thread((MAIN,), wait="poll"), children=(CHILD,))
    assert suspected(samples(reading, writer)) == ["pipe-full"]
