"""Live runs on other machines, by `ssh HOST laststep status --watched --json`: a thread and a process for each host.

A host that is silent costs its own thread a deadline, and becomes "unknown, since …, because …"; nothing waits for it.
Only reads: there as here, `--watched` starts nothing. What comes back is data: it is parsed, bounded and cleaned.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from monitor.model.errors import ExitCode
from monitor.model.finding import VerdictWord
from monitor.model.other_host import HostRun, OtherHost
from monitor.model.reading import Reading, Unknown

SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "--")
ASKED = "laststep status --watched --json"
SCHEMA = 1
MOST_BYTES = 1 << 20
MOST_RUNS = 50
CURE = f"try `ssh HOST {ASKED}` by hand"
ANSWERS = frozenset({ExitCode.OK, ExitCode.STALL, ExitCode.HANG, ExitCode.NOTHING_TO_ATTACH})
"""Exit codes of `status` that come with a document."""


class NoAnswer(Exception):
    """The host gave none that can be read. The text says why."""


class OtherHosts:
    """Asks until it is stopped; `latest` is one `OtherHost` a host, in the order given."""

    def __init__(
        self,
        names: Sequence[str],
        every: float,
        deadline: float,
        command: Sequence[str] = SSH,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._every, self._deadline, self._command, self._clock = every, deadline, tuple(command), clock
        began = clock()
        asked = "it has not answered yet"
        self._found = {name: Reading[tuple[HostRun, ...]](began, None, _unknown(name, began, asked)) for name in names}
        self._stopped = threading.Event()

    @property
    def latest(self) -> tuple[OtherHost, ...]:
        """What is known now."""
        return tuple(OtherHost(name, reading) for name, reading in self._found.items())

    def start(self) -> None:
        """Begin to ask."""
        for name in self._found:
            threading.Thread(target=self._loop, args=(name,), name=f"host {name}", daemon=True).start()

    def stop(self) -> None:
        """Ask no more. What is under way ends by itself within its deadline."""
        self._stopped.set()

    def _loop(self, name: str) -> None:
        while not self._stopped.is_set():
            self.ask(name)
            self._stopped.wait(self._every)

    def ask(self, name: str) -> None:
        """One question to one host."""
        try:
            self._found[name] = Reading(self._clock(), runs_in(self._answer(name)))
        except NoAnswer as error:
            before = self._found[name]
            since = before.unknown.since if before.unknown else before.at
            self._found[name] = Reading(self._clock(), None, _unknown(name, since, str(error)))

    def _answer(self, name: str) -> bytes:
        try:
            done = subprocess.run(
                [*self._command, name, ASKED],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._deadline,
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NoAnswer(f"it gave no answer within {self._deadline:g} s") from None
        except OSError as error:
            raise NoAnswer(f"`{self._command[0]}` can't be started: {error.strerror}") from error
        if done.returncode not in ANSWERS:
            told = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise NoAnswer(f"exit code {done.returncode}{': ' + told[-1][:200] if told else ''}")
        return done.stdout


def _unknown(name: str, since: float, because: str) -> Unknown:
    return Unknown(f"runs on {name}", since, because, CURE.replace("HOST", name))


def runs_in(answer: bytes) -> tuple[HostRun, ...]:
    """The runs of an answer. Raises `NoAnswer` where it is none that this version reads."""
    if len(answer) > MOST_BYTES:
        raise NoAnswer(f"its answer is longer than {MOST_BYTES >> 10} KiB")
    try:
        document = json.loads(answer)
        if document["schema"] != SCHEMA:
            raise NoAnswer(f"it answers in schema {document['schema']}, this laststep reads {SCHEMA}")
        return tuple(_run(row) for row in document["runs"][:MOST_RUNS])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise NoAnswer("its answer is no document of `laststep status --json`") from error


def _run(row: dict[str, Any]) -> HostRun:
    run, findings = row["run"], row["findings"]
    step, total = run.get("step"), run.get("total_steps")
    return HostRun(
        str(run["name"]),
        VerdictWord(row["verdict"]),
        step if isinstance(step, int) else None,
        total if isinstance(total, int) else None,
        str(findings[0]["class"]) if findings else "",
    )
