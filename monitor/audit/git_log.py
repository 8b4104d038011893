"""Commits and versions of files as git tells them, parsed so that no commit message can pass for another commit.

Covers the line of a checkout (first parents; a merge counts as one step with all that it brings in) and the contents of
files at commits. Dates are the committer's, since that is when the commit came to lie in this history.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from monitor.audit.git_command import Git, GitUnreadable

_FIELDS = ("%H", "%P", "%ct", "%at", "%cI", "%s", "%b")
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
LARGEST_FILE = 2_000_000
"""Bytes; a larger file is no trainer's source."""


@dataclass(frozen=True)
class Commit:
    """One commit. Times are seconds since the epoch, UTC."""

    sha: str
    parents: tuple[str, ...]
    committed_at: float
    authored_at: float
    utc_offset: int
    """Minutes east of UTC, where it was committed."""
    subject: str
    body: str
    files: tuple[str, ...] = ()

    @property
    def short(self) -> str:
        """Its first ten digits, as people cite it."""
        return self.sha[:10]


@dataclass(frozen=True)
class Line:
    """What one checkout went through: first parents, oldest first, with their committer's dates."""

    commits: tuple[tuple[str, float], ...]
    branch: str = ""
    """Its name, where it is not the line of HEAD."""
    first_is_cut: bool = False
    """The oldest commit has parents that this clone doesn't hold."""

    def places(self) -> dict[str, int]:
        """Commit → its index."""
        return {sha: index for index, (sha, _) in enumerate(self.commits)}


def line_of(git: Git, span: str, branch: str = "", *, shallow: bool = False) -> Line:
    """The line of `span` (a commit, or `A..B`)."""
    told = git.text("log", "--first-parent", "--format=%H %ct", "--end-of-options", span)
    rows = [row.split(" ") for row in told.splitlines()]
    pairs = tuple((row[0], _number(row[1])) for row in reversed(rows) if len(row) == 2)
    return Line(pairs, branch, first_is_cut=shallow)


def commits(git: Git, *words: str, limit: Sequence[str] = (), most: int = 5000) -> list[Commit]:
    """`git log` of `words` along first parents, newest first, each with the files it changed against the first."""
    mark = secrets.token_hex(12)
    form = f"{mark}:" + f"|{mark}|".join(_FIELDS) + f"|{mark}|"
    told = git.text(
        "log", "--first-parent", "-m", "--no-ext-diff", "--no-textconv", "--no-renames", "--name-only", "-z",
        f"--max-count={most}", f"--format=tformat:{form}", *words, *limit,
    )  # fmt: skip
    return [commit for part in told.split(f"{mark}:")[1:] if (commit := _parsed(part.split(f"|{mark}|")))]


def _parsed(fields: list[str]) -> Commit | None:
    if len(fields) != len(_FIELDS) + 1 or not _SHA.fullmatch(fields[0]):
        return None
    sha, parents, committed, authored, iso, subject, body, names = fields
    files = tuple(name.lstrip("\n") for name in names.split("\0") if name.strip("\n"))
    return Commit(
        sha, tuple(parents.split()), _number(committed), _number(authored), _offset(iso), subject, body, files
    )


def _number(text: str) -> float:
    try:
        return float(int(text))
    except ValueError:
        return 0.0


def _offset(iso: str) -> int:
    with contextlib.suppress(ValueError):
        moved = datetime.datetime.fromisoformat(iso.replace("Z", "+00:00")).utcoffset()
        if moved is not None:
            return int(moved.total_seconds() // 60)
    return 0


def contents(git: Git, wanted: Iterable[tuple[str, str]], most: int) -> dict[tuple[str, str], str | None]:
    """The text of (commit, path) pairs, the first `most` of them; None: the file isn't there, or is no text of a size.

    A commit may be written `SHA^1`. Paths with a line break are left out.
    """
    pairs = list(islice((pair for pair in dict.fromkeys(wanted) if "\n" not in pair[1]), most))
    if not pairs:
        return {}
    given = "".join(f"{commit}:{path}\n" for commit, path in pairs).encode()
    sizes = git.text("cat-file", "--batch-check", given=given).splitlines()
    small = [pair for pair, told in zip(pairs, sizes) if _is_small_blob(told)]
    read = _batch(git, small)
    return {pair: read.get(pair) for pair in pairs}


def _is_small_blob(told: str) -> bool:
    words = told.split(" ")
    return len(words) == 3 and words[1] == "blob" and words[2].isdigit() and int(words[2]) <= LARGEST_FILE


def _batch(git: Git, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    if not pairs:
        return {}
    given = "".join(f"{commit}:{path}\n" for commit, path in pairs).encode()
    return dict(zip(pairs, _blobs(git.bytes("cat-file", "--batch", given=given))))


def _blobs(answer: bytes) -> Iterator[str]:
    place = 0
    while place < len(answer):
        end = answer.index(b"\n", place)
        size = int(answer[place:end].split(b" ")[2])
        yield answer[end + 1 : end + 1 + size].decode("utf-8", "replace")
        place = end + 1 + size + 1


def added_lines(git: Git, sha: str, files: Sequence[str]) -> dict[str, list[str]]:
    """The lines a commit adds to `files` against its first parent, by file, stripped, without empty ones."""
    added: dict[str, list[str]] = {}
    for path in files:
        with contextlib.suppress(GitUnreadable):
            told = git.text(
                "show", "--first-parent", "-m", "--format=", "--unified=0", "--no-ext-diff", "--no-textconv",
                "--no-renames", "--end-of-options", sha, "--", f":(top,literal){path}",
            )  # fmt: skip
            body = told.split("\n@@", 1)[-1].splitlines()
            added[path] = [line[1:].strip() for line in body if line.startswith("+") and line[1:].strip()]
    return added
