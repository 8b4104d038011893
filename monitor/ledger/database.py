"""The ledger's file: opening, locking out a damaged one, transactions, and sqlite's errors as sentences.

Covers: the write-ahead log, one writer and many readers at once, a file that is damaged (set aside, said, a new one
begun), missing, replaced under our feet, newer than this program, or on a full disk. Does not know what is kept in it.

Readers take no lock that a writer waits for. Before each use the file's identity is looked at (2 µs), so that a reader
that came before the first writer, or whose file was set aside, sees the new one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from monitor.ledger import schema
from monitor.ledger.database_errors import is_damage, is_read_only, is_storage, translated, unreachable
from monitor.ledger.errors import LedgerError, LedgerReadOnly

BUSY_SECONDS = 10.0
CHECKED_BYTES = 256 * 2**20
"""A larger file is not read through when it is opened; damage then shows where it is met."""
WAL_BYTES = 16 * 2**20
"""The write-ahead log's file is cut to this size when it starts anew."""

READ = "ro"
READ_AS_IT_LIES = "ro&immutable=1"
"""Without the shared memory that readers and writer agree through: it can't be made on a full disk. Used only where
nothing lies in the write-ahead log, and for one reading at a time."""

Say = Callable[[str], None]


def say_on_stderr(sentence: str) -> None:
    """Talk goes to stderr."""
    print(f"laststep: {sentence}", file=sys.stderr, flush=True)


class Database:
    """One process's door to the ledger's file. May be used from several threads."""

    def __init__(self, path: Path, *, read_only: bool, say: Say = say_on_stderr) -> None:
        self.path = path
        self.read_only = read_only
        self.notices: list[str] = []
        self._say = say
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._suspect = False
        self.generation = 0
        """Raised whenever another file is opened: what was remembered of the last one is void."""

    @property
    def writable(self) -> bool:
        """False where it was opened for reading, or where a newer laststep wrote it."""
        return not self.read_only

    def open(self) -> None:
        """Open it now, so that what is wrong with it shows at once."""
        with self._lock, self._translated():
            self._ready()

    def close(self) -> None:
        """Close it; a later use opens it anew."""
        with self._lock:
            if self._connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.close()
            self._connection, self._identity = None, None

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with, all of one moment."""
        with self._lock, self._translated():
            connection = self._ready()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                _roll_back(connection)

    @contextlib.contextmanager
    def write(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it is kept or none. `durable` False: a power cut may take it back, a kill can't."""
        with self._lock, self._translated():
            connection = self._ready()
            if self.read_only:
                raise LedgerReadOnly(f"the ledger {self.path} is open for reading only")
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                _roll_back(connection)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            sentence = translated(error, self.path)
            if sentence is None:
                raise
            self._suspect = self._suspect or is_damage(error)
            raise sentence from error

    def _ready(self) -> sqlite3.Connection:
        if self._connection is not None and not self._suspect and self._identity == _identity(self.path):
            return self._connection
        if self._connection is not None:
            self.close()
        self.generation += 1
        try:
            self._connection = self._open_reader() if self.read_only else self._open_writer()
        except OSError as error:
            raise unreachable(error, self.path) from error
        self._suspect = False
        return self._connection

    def _open_writer(self) -> sqlite3.Connection:
        with self._opening_lock():
            self._set_aside_if_damaged()
            if not self.path.exists():
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            connection = _connect(f"file:{quote(str(self.path))}?mode=rw")
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._identity = _identity(self.path)
            return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        if schema.version(connection) > schema.SCHEMA:
            self._newer(connection)
            return
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise LedgerError(
                f"{self.path} lies on a file system without write-ahead logs ({mode})",
                "set XDG_STATE_HOME to a folder on a local disk",
            )
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        if schema.version(connection) < schema.SCHEMA:
            schema.migrate(connection)

    def _open_reader(self) -> sqlite3.Connection:
        if not self.path.exists():
            return self._empty()
        mode = self._reading_mode()
        if not self.path.exists():
            return self._empty()
        connection = _connect(f"file:{quote(str(self.path))}?mode={mode}")
        found = schema.version(connection)
        if found == 0:
            connection.close()
            return self._empty()
        if found > schema.SCHEMA:
            self._newer(connection)
        connection.execute("PRAGMA query_only = 1")
        self._identity = _identity(self.path) if mode == READ else None
        return connection

    def _reading_mode(self) -> str:
        """How the file can be read now; what hinders reading is put right where it can be."""
        try:
            damaged = self._suspect or bool(self._damage(READ))
            older = not damaged and 0 < self._version() < schema.SCHEMA
        except sqlite3.OperationalError as error:
            if not is_read_only(error):
                if is_storage(error) and _is_empty(Path(f"{self.path}-wal")):
                    return READ_AS_IT_LIES
                raise
            # A process was killed while it made the ledger: only a writer may take back what it left half done.
            damaged, older = False, True
        if older:
            writer = Database(self.path, read_only=False, say=self._say)
            writer.open()
            writer.close()
        if damaged:
            with self._opening_lock():
                self._set_aside_if_damaged()
        return READ

    def _version(self) -> int:
        with contextlib.closing(_connect(f"file:{quote(str(self.path))}?mode={READ}")) as connection:
            return schema.version(connection)

    def _empty(self) -> sqlite3.Connection:
        """A ledger without rows, until there is a file; `_identity` None makes the next use look again."""
        connection = _connect("file::memory:")
        schema.migrate(connection)
        self._identity = None
        return connection

    def _newer(self, connection: sqlite3.Connection) -> None:
        sentence = (
            f"the ledger {self.path} was written by a newer laststep (schema {schema.version(connection)}, "
            f"this one knows {schema.SCHEMA}): it is only read"
        )
        if sentence not in self.notices:
            self._notice(sentence)
        self.read_only = True
        connection.execute("PRAGMA query_only = 1")

    @contextlib.contextmanager
    def _opening_lock(self) -> Iterator[None]:
        """Held while a ledger is made, migrated or set aside; readers of a sound ledger never take it."""
        descriptor = os.open(f"{self.path}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _set_aside_if_damaged(self) -> None:
        reason = self._damage("rw", thorough=True)
        if not reason:
            return
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        aside = self.path.with_name(f"{self.path.name}.corrupt-{stamp}-{os.getpid()}")
        for ending in ("", "-journal", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{self.path}{ending}", f"{aside}{ending}")
        self._notice(f"the ledger was damaged ({reason}); it was set aside as {aside}, and a new one is begun")

    def _damage(self, mode: str, *, thorough: bool = False) -> str:
        """What is wrong with the file, empty where it is sound. A lock or a full disk is no damage."""
        if not self.path.exists() or self.path.stat().st_size == 0:
            return ""
        small = self.path.stat().st_size <= CHECKED_BYTES
        check = "integrity_check" if self._suspect else "quick_check"
        try:
            with contextlib.closing(_connect(f"file:{quote(str(self.path))}?mode={mode}")) as connection:
                if schema.is_foreign(connection):
                    return "it holds another program's tables"
                if thorough and (small or self._suspect):
                    answer = str(connection.execute(f"PRAGMA {check}(1)").fetchone()[0])
                    return "" if answer == "ok" else answer.splitlines()[0]
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                return str(error)
            raise
        return ""

    def _notice(self, sentence: str) -> None:
        self.notices.append(sentence)
        self._say(sentence)


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    return connection


def _roll_back(connection: sqlite3.Connection) -> None:
    """End a transaction that was not committed; sqlite may have ended it itself (full disk)."""
    if connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except FileNotFoundError:
        return True


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
