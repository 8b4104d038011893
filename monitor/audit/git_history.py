"""Which commits of a trainer took its final validation away, from when until when: windows of suspicion.

A commit is suspect for what it does (the source after it has no path to a validation on the last step), for its words
where its code is not understood ("skip … validation" in its subject or in lines it adds), or because it is given by
hash. Its window ends with the commit after which the source validates again: a revert, a fix, or the file's end. A
window is suspicion only: which checkout ran, and which trainer's class, the run's own log tells.

Covers the checkout's own line, merges (as one step, with the side commits named) and other branches. Does not see what
was edited without a commit.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from monitor.audit import git_log, source_states, suspect_commits
from monitor.audit.commit_windows import Found, window_of
from monitor.audit.git_command import Git, GitUnreadable, everywhere
from monitor.audit.git_log import Commit, Line
from monitor.audit.validation_source import SourceWords, source_words
from monitor.model.audit import FileProblem, SkipWindow

MOST_BRANCHES = 20


@dataclass(frozen=True)
class GitHistory:
    """What a repository's history says of its trainer's final validation."""

    windows: tuple[SkipWindow, ...] = ()
    """Oldest first."""
    utc_offset: int | None = None
    """Minutes east of UTC in which most of its commits were made: the likely zone of logs beside it."""
    problems: tuple[FileProblem, ...] = ()
    """What could not be read, in sentences."""


def read_history(
    repository: Path, suspects: Sequence[str] = (), words: SourceWords | None = None, now: float | None = None
) -> GitHistory:
    """The windows of `repository`. Never raises for what it finds: what can't be read is among `problems`."""
    words = words or source_words()
    git = Git(repository, words.deadline_seconds)
    reader = _Reader(git, words, time.time() if now is None else now)
    try:
        reader.read(suspects)
    except GitUnreadable as error:
        reader.say(str(error), error.HELP_TEXT)
    ordered = sorted(reader.windows.values(), key=lambda window: (window.since, window.until or float("inf")))
    return GitHistory(tuple(ordered), reader.utc_offset, tuple(reader.problems))


class _Reader:
    def __init__(self, git: Git, words: SourceWords, now: float) -> None:
        self._git, self._words, self._now = git, words, now
        self.windows: dict[tuple[str, str | None, str | None], SkipWindow] = {}
        self.problems: list[FileProblem] = []
        self.utc_offset: int | None = None

    def say(self, problem: str, cure: str = "") -> None:
        self.problems.append(FileProblem(str(self._git.repository), problem, cure))

    def read(self, suspects: Sequence[str]) -> None:
        self._git.text("rev-parse", "--git-dir")
        try:
            head = self._commit("HEAD")
        except GitUnreadable:
            head = ""
        shallow = self._git.text("rev-parse", "--is-shallow-repository").strip() == "true"
        branches = self._branches(head)
        if not head and not branches:
            self.say(
                "the repository has no commits: no window can be told from it", "name the clone that has a history"
            )
            return
        if shallow:
            self.say("the clone is shallow: commits older than its history are not seen", "git fetch --unshallow")
        spans = [("HEAD", "")] if head else []
        spans += [(f"HEAD..{tip}" if head else tip, name) for name, tip in branches]
        for span, name in spans:
            self._read_line(span, name, shallow)
        for suspect in suspects:
            self._read_given(suspect, spans, shallow)

    def _branches(self, head: str) -> list[tuple[str, str]]:
        """Branches whose tip isn't in HEAD's history."""
        words = ["for-each-ref", "--format=%(objectname) %(refname)", "--sort=-committerdate"]
        if head:
            words.append("--no-merged=HEAD")
        rows = [row.split(" ", 1) for row in self._git.text(*words, "refs/heads", "refs/remotes").splitlines()]
        tips: dict[str, str] = {}
        for row in rows:
            if len(row) == 2:
                tips.setdefault(row[0], row[1].removeprefix("refs/heads/").removeprefix("refs/remotes/"))
        if len(tips) > MOST_BRANCHES:
            self.say(f"{len(tips)} branches lie beside HEAD's history, the newest {MOST_BRANCHES} were read")
        return [(name, tip) for tip, name in list(tips.items())[:MOST_BRANCHES]]

    def _read_line(self, span: str, branch: str, shallow: bool) -> None:
        words = self._words
        line = git_log.line_of(self._git, span, branch, shallow=shallow)
        limit = everywhere(words.files)
        found = git_log.commits(
            self._git, "--extended-regexp", f"-G{words.touched}", span, limit=limit, most=words.most_commits
        )
        states = source_states.states_of(self._git, line, span, found, words)
        if not states.complete:
            self.say(f"more than {words.most_versions} versions of trainer files: only the newest were judged")
        places = line.places()
        for spell in states.spells:
            self._keep(line, Found.of_spell(spell, self._side_commits(spell.began)))
        for suspicion in suspect_commits.worded(self._git, line, span, words, states.validating):
            index = places[suspicion.commit.sha]
            if not any(spell.covers(suspicion.file, index, places) for spell in states.spells):
                self._keep(line, Found.of_suspicion(suspicion))
        if self.utc_offset is None:
            offsets = Counter(commit.utc_offset for commit in git_log.commits(self._git, span, most=200))
            self.utc_offset = offsets.most_common(1)[0][0] if offsets else None

    def _commit(self, name: str) -> str:
        return self._git.text("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()

    def _known(self, sha: str) -> bool:
        return any(key[0] == sha for key in self.windows)

    def _side_commits(self, commit: Commit) -> list[Commit]:
        """For a merge: the commits it brought in that touch a validation."""
        if len(commit.parents) < 2:
            return []
        span = f"{commit.parents[0]}..{commit.parents[1]}"
        search = ("--extended-regexp", f"-G{self._words.touched}", span)
        return git_log.commits(self._git, *search, limit=everywhere(self._words.files), most=20)

    def _keep(self, line: Line, found: Found) -> None:
        window = window_of(line, found, self._words, self._now)
        self.windows.setdefault((window.commit, window.fit, found.file), window)

    def _read_given(self, suspect: str, spans: Iterable[tuple[str, str]], shallow: bool) -> None:
        if not suspect_commits.HASH.match(suspect):
            self.say(f"{suspect!r} is not a commit's hash", "give at least its first four hexadecimal digits")
            return
        try:
            sha = self._git.text(
                "rev-parse", "--verify", "--quiet", "--end-of-options", f"{suspect}^{{commit}}"
            ).strip()
        except GitUnreadable:
            self.say(f"the repository holds no commit {suspect}", "fetch its branch, or check the hash")
            return
        if self._known(sha):
            note = "named by the caller"
            same = {key: window for key, window in self.windows.items() if key[0] == sha}
            self.windows |= {key: replace(window, notes=(*window.notes, note)) for key, window in same.items()}
            return
        for span, branch in spans:
            line = git_log.line_of(self._git, span, branch, shallow=shallow)
            if sha in line.places():
                break
        else:
            line, span = self._landed(sha)
        (commit,) = git_log.commits(self._git, sha, most=1)
        suspicions = suspect_commits.given(self._git, line, span, commit, self._words)
        for suspicion in suspicions:
            self._keep(line, Found.of_suspicion(suspicion))
        if not suspicions:
            self.say(f"the commit {commit.short} ({commit.subject}) changes no Python file: it has no window")

    def _landed(self, sha: str) -> tuple[Line, str]:
        """The line of a side commit: itself, then what came after it on HEAD's own line."""
        line = git_log.line_of(self._git, f"{sha}..HEAD")
        own = git_log.line_of(self._git, sha)
        return Line((*own.commits[-1:], *line.commits), "a side branch"), f"{sha}..HEAD"


def places_inside(window: SkipWindow, starts: Iterable[tuple[str, float | None]]) -> tuple[str, ...]:
    """Names of the runs that started inside the window; a start that isn't known is inside none."""
    return tuple(name for name, at in starts if at is not None and window.holds(at))


def looks_like_repository(path: Path) -> bool:
    """True for a folder under git's own care: it, and not a folder above it, holds the history."""
    return (path / ".git").exists() or ((path / "HEAD").is_file() and (path / "objects").is_dir())
