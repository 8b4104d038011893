"""What can go wrong with the ledger, each as one sentence with its cure."""

from __future__ import annotations

from monitor.model.errors import ExitCode, LaststepError


class LedgerError(LaststepError):
    """The ledger can't be read or written."""

    HELP_TEXT = "see `laststep doctor` for where the ledger lies"
    exit_code = ExitCode.INTERNAL


class LedgerFull(LedgerError):
    """The disk is full. What was committed before stands, what was being written was taken back whole."""

    HELP_TEXT = "free space on that disk, or set XDG_STATE_HOME to a folder on another; nothing written so far is lost"


class LedgerBusy(LedgerError):
    """Another process holds the ledger's write lock for too long."""

    HELP_TEXT = "try again; if it stays so, a stopped `laststep` process holds it: end or continue that one"


class LedgerCorrupt(LedgerError):
    """The ledger's file is damaged."""

    HELP_TEXT = "the next call sets the file aside under another name and begins a new ledger; nothing is deleted"


class LedgerReadOnly(LedgerError):
    """A write to a ledger that was opened for reading, or that a newer laststep wrote."""

    HELP_TEXT = "update laststep to the version that wrote it, or set XDG_STATE_HOME to keep a ledger of your own"


class NoSuchRun(LaststepError):
    """No run of that name."""

    HELP_TEXT = "`laststep scores` lists every run of the ledger"
    exit_code = ExitCode.NOTHING_TO_ATTACH


class AmbiguousRun(LaststepError):
    """A prefix that several runs share."""

    HELP_TEXT = "type more of the name"


class NoSuchRerun(LaststepError):
    """No rerun of that id."""

    HELP_TEXT = "`laststep scores RUN` lists a run's scores and reruns"


class RerunUnderWay(LaststepError):
    """The same score is being made by another process."""

    HELP_TEXT = "wait for it, or end that process"
    exit_code = ExitCode.REFUSED


class WatchUnderWay(LaststepError):
    """The run is being watched by another process."""

    HELP_TEXT = "`laststep` opens the dashboard on it; a second watch of one run is not needed"
    exit_code = ExitCode.REFUSED
