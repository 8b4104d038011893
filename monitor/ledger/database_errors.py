"""sqlite's errors as the ledger's sentences.

Python 3.10 gives no error codes, so the words of sqlite's messages (stable since 3.0) are looked at as well.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from monitor.ledger.errors import LedgerBusy, LedgerCorrupt, LedgerError, LedgerFull, LedgerReadOnly

DAMAGE = ("malformed", "not a database", "unsupported file format")
FULL = ("disk is full",)
BUSY = ("locked",)
READ_ONLY = ("readonly", "read-only")
STORAGE = ("disk i/o error", "unable to open database file")

LEAST_FREE_BYTES = 256 * 1024
"""With less free space sqlite's write-ahead log can't be begun, and its errors no longer speak of a full disk."""


def is_damage(error: sqlite3.Error) -> bool:
    """True where the file's content is broken, not the way to it."""
    return _says(error, DAMAGE)


def is_read_only(error: sqlite3.Error) -> bool:
    """True where a write was needed and not allowed."""
    return _says(error, READ_ONLY)


def is_storage(error: sqlite3.Error) -> bool:
    """True where a file could not be made, grown or reached."""
    return _says(error, (*STORAGE, *FULL))


def translated(error: sqlite3.Error, path: Path) -> LedgerError | None:
    """The sentence for `error`, None where it is a fault of this program."""
    if is_damage(error):
        return LedgerCorrupt(f"the ledger {path} is damaged: {error}")
    if _says(error, FULL) or (_says(error, STORAGE) and _free_bytes(path) < LEAST_FREE_BYTES):
        return LedgerFull(f"the disk that holds the ledger {path} is full")
    if _says(error, BUSY):
        return LedgerBusy(f"the ledger {path} is locked by another process")
    if is_read_only(error):
        return LedgerReadOnly(f"the ledger {path} can't be written: {error}", "mend its rights and those of its folder")
    if _says(error, STORAGE):
        return LedgerError(f"the ledger {path} can't be read or written: {error}", "look at the disk and its rights")
    return None


def unreachable(error: OSError, path: Path) -> LedgerError:
    """The sentence for a file or folder that can't be made or opened."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LedgerFull(f"the disk that holds the ledger {path} is full")
    return LedgerError(f"the ledger {path} can't be opened: {error.strerror}", "look at the folder and its rights")


def _says(error: sqlite3.Error, words: tuple[str, ...]) -> bool:
    text = str(error).lower()
    return any(word in text for word in words)


def _free_bytes(path: Path) -> int:
    try:
        found = os.statvfs(path.parent)
    except OSError:
        return LEAST_FREE_BYTES
    return found.f_bavail * found.f_frsize
