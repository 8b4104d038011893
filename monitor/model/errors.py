"""The exit codes of the command, and the error every bad input becomes: one clear sentence, and its cure."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """What `laststep` exits with. Signals add 129 (SIGHUP), 130 (SIGINT) and 143 (SIGTERM)."""

    OK = 0
    """Fine; also a verdict of `unknown` where something could be read."""
    INTERNAL = 1
    """A fault of laststep itself."""
    USAGE = 2
    """The call's words, a config file or an input file are off."""
    NOTHING_TO_ATTACH = 3
    """No run, no Ray, or none that can be read."""
    STALL = 10
    """No progress for longer than the phase's learned limit, without proof."""
    HANG = 11
    """A hang, proved."""
    SCORES_DO_NOT_STAND = 12
    """A run's final score is missing or doesn't stand."""
    REFUSED = 13
    """Preflight refused a rerun."""
    HANGUP = 129
    INTERRUPT = 130
    TERMINATED = 143


class LaststepError(Exception):
    """Something a person can mend. The message is one sentence; `HELP_TEXT` says how to mend it."""

    HELP_TEXT = ""
    exit_code = ExitCode.USAGE

    def __init__(self, message: str, help_text: str | None = None) -> None:
        super().__init__(message)
        if help_text is not None:
            self.HELP_TEXT = help_text
