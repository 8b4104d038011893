"""Reading a git repository by git itself: read-only calls with a deadline, the repository's own configuration disarmed.

A repository found beside old experiments is text from outside: its configuration may name programs (pagers, signature
checkers, file-system monitors, diff drivers). None of them is started: each such setting is overridden on the command
line, which outranks the repository's file. Nothing is written (no index refresh) and nothing is fetched (a partial
clone's missing objects stay missing).
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from monitor.model.errors import LaststepError

_DISARMED = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.quotePath=false",
    "log.showSignature=false",
    "log.showRoot=true",
    "log.mailmap=false",
    "log.follow=false",
    "diff.external=",
    "diff.renames=false",
    "diff.orderFile=/dev/null",
    "color.ui=false",
    "i18n.logOutputEncoding=UTF-8",
    "protocol.allow=never",
    "safe.directory=*",
)

LARGEST_ANSWER = 256 * 2**20
"""Bytes of one answer of git that are taken."""


class GitUnreadable(LaststepError):
    """A repository, or a part of it, that git can't tell us about. The message says why."""

    HELP_TEXT = "say --repo DIR with a folder under git whose history is complete, or leave it out"


class Git:
    """One repository, read by git. All calls together must end by the deadline."""

    def __init__(self, repository: Path, deadline_seconds: float) -> None:
        self.repository = repository
        self._ends_at = time.monotonic() + deadline_seconds
        self._deadline_seconds = deadline_seconds

    def text(self, *words: str, given: bytes | None = None) -> str:
        """Git's answer as text; bytes that are not UTF-8 become `�`. Raises `GitUnreadable`."""
        return self.bytes(*words, given=given).decode("utf-8", "replace")

    def bytes(self, *words: str, given: bytes | None = None) -> bytes:
        """Git's answer. Raises `GitUnreadable` where git is missing, refuses, or takes too long."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise self._too_late()
        settings = [word for setting in _DISARMED for word in ("-c", setting)]
        command = ["git", "--no-pager", *settings, "-C", str(self.repository), *words]
        try:
            done = subprocess.run(
                command,
                input=given,
                stdin=subprocess.DEVNULL if given is None else None,
                capture_output=True,
                timeout=left,
                env=_environment(),
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise GitUnreadable("git is not installed here", "install git, or copy the repository elsewhere") from error
        except subprocess.TimeoutExpired as error:
            raise self._too_late() from error
        except OSError as error:
            raise GitUnreadable(f"git can't be started: {error.strerror}") from error
        if done.returncode:
            raise GitUnreadable(f"{self.repository}: {_first_words(done.stderr)}")
        return done.stdout[:LARGEST_ANSWER]

    def _too_late(self) -> GitUnreadable:
        return GitUnreadable(
            f"git took longer than {self._deadline_seconds:.0f} s for {self.repository}",
            "copy the repository to a local disk, or raise deadline_seconds in configs/audit/validation_source.yaml",
        )


def _environment() -> dict[str, str]:
    """The caller's, without git's own variables, and with the user's and the machine's configuration left out."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "SSH_ASKPASS"))}
    return {
        **kept,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ALLOW_PROTOCOL": "none",
        "LC_ALL": "C",
    }


def _first_words(stderr: bytes) -> str:
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    telling = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[0] if lines else "")
    return telling.removeprefix("fatal: ").removeprefix("error: ") or "git gives no reason"


def everywhere(patterns: Sequence[str]) -> tuple[str, ...]:
    """Words that limit a call to files of these patterns, in every folder."""
    return ("--", *(f":(top,glob)**/{pattern}" for pattern in patterns))


def exactly(paths: Sequence[str]) -> tuple[str, ...]:
    """Words that limit a call to these files."""
    return ("--", *(f":(top,literal){path}" for path in paths))
