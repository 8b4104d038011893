"""Other machines' runs, through a stand-in for ssh that runs a command here: answers, silence, and every bad answer."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from monitor.ledger.store import Ledger
from monitor.model.finding import Verdict, VerdictWord
from monitor.model.other_host import HostRun
from monitor.sources.other_hosts import ASKED, NoAnswer, OtherHosts, runs_in
from tests.tui import examples

RUN = {"run": {"name": "r-1", "step": 3, "total_steps": 9}, "verdict": "hang", "findings": [{"class": "self-get"}]}


def told(**changes: object) -> bytes:
    return json.dumps({"schema": 1, "runs": [RUN], **changes}).encode()


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def asked(code: str, deadline: float = 30.0) -> OtherHosts:
    hosts = OtherHosts(("gpu-b",), 1.0, deadline, python(code), clock=lambda: 100.0)
    hosts.ask("gpu-b")
    return hosts


def test_before_the_first_answer_a_host_is_unknown() -> None:
    (host,) = OtherHosts(("gpu-b",), 1.0, 1.0).latest
    assert host.reading.unknown is not None and "not answered yet" in host.reading.unknown.because


def test_an_answer_is_the_runs_with_their_verdicts() -> None:
    assert runs_in(told()) == (HostRun("r-1", VerdictWord.HANG, 3, 9, "self-get"),)


def test_the_host_is_asked_what_it_knows_and_given_its_name_before_the_command() -> None:
    (host,) = asked(
        f"import sys; print({told()!r}.decode() if sys.argv[1:] == ['gpu-b', {ASKED!r}] else sys.argv)"
    ).latest
    assert host.reading.value is not None and host.reading.at == 100.0


@pytest.mark.parametrize("code", [0, 3, 10, 11])
def test_an_exit_code_that_is_a_verdict_comes_with_an_answer(code: int) -> None:
    (host,) = asked(f"import sys; print({told()!r}.decode()); sys.exit({code})").latest
    assert host.reading.value is not None


@pytest.mark.parametrize(
    ("code", "because"),
    [
        ("import sys; print('Permission denied', file=sys.stderr); sys.exit(255)", "exit code 255: Permission denied"),
        ("import time; time.sleep(60)", "no answer within 0.5 s"),
        ("print('motd')", "no document"),
        ("print('{}')", "no document"),
        ("print('[' * 100000)", "no document"),
        ("""print('{"schema": 1, "runs": [{"run": 7}]}')""", "no document"),
        ("""print('{"schema": 2, "runs": []}')""", "schema 2"),
        ("print('x' * 2000000)", "longer than 1024 KiB"),
    ],
)
def test_what_is_no_answer_is_unknown_with_the_reason_and_a_cure(code: str, because: str) -> None:
    (host,) = asked(code, 0.5 if "sleep" in code else 30.0).latest
    unknown = host.reading.unknown
    assert unknown is not None and because in unknown.because
    assert unknown.cure == f"try `ssh gpu-b {ASKED}` by hand"


def test_a_missing_ssh_is_said() -> None:
    hosts = OtherHosts(("gpu-b",), 1.0, 1.0, ("/nowhere/ssh",))
    hosts.ask("gpu-b")
    unknown = hosts.latest[0].reading.unknown
    assert unknown is not None and "can't be started" in unknown.because


def test_since_when_it_is_silent_counts_from_its_last_answer(tmp_path: Path) -> None:
    flag, clock = tmp_path / "down", iter(range(100, 200))
    code = f"import os, sys; sys.exit(255) if os.path.exists({str(flag)!r}) else print({told()!r}.decode())"
    hosts = OtherHosts(("gpu-b",), 1.0, 30.0, python(code), clock=lambda: float(next(clock)))
    hosts.ask("gpu-b")
    answered = hosts.latest[0].reading.at
    flag.touch()
    for _ in range(2):
        hosts.ask("gpu-b")
    unknown = hosts.latest[0].reading.unknown
    assert unknown is not None and unknown.since == answered


def test_a_silent_host_holds_up_no_other() -> None:
    code = f"import sys, time; time.sleep(60 if sys.argv[1] == 'slow' else 0); print({told()!r}.decode())"
    hosts = OtherHosts(("slow", "quick"), 60.0, 20.0, python(code))
    hosts.start()
    deadline = time.monotonic() + 60
    while hosts.latest[1].reading.value is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert hosts.latest[0].reading.value is None
    hosts.stop()


def test_the_real_status_is_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The contract with `laststep status --watched --json`, on a ledger with a live run and on none."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    shell = "import sys; sys.argv = sys.argv[2].split(); from monitor.cli import main; sys.exit(main())"
    hosts = OtherHosts(("here",), 1.0, 60.0, python(shell))
    hosts.ask("here")
    assert hosts.latest[0].reading.value == ()
    with Ledger.open() as ledger:
        document = examples.document(verdict=Verdict(VerdictWord.HANG, (examples.finding(),)), at=time.time())
        ledger.save_run(examples.state())
        ledger.write_live(examples.RUN, document)
    hosts.ask("here")
    assert hosts.latest[0].reading.value == (HostRun(examples.RUN, VerdictWord.HANG, 29, 29, "control-queue"),)
    assert os.listdir(tmp_path) == ["laststep"]


def test_a_document_that_is_no_document_raises() -> None:
    with pytest.raises(NoAnswer):
        runs_in(b"\xff\x00")
