"""Commits that are suspect by their words, or because they were named: what they added, and until when it was there.

Used where the source after a commit can't be judged by its syntax: a skip behind a setting, a helper, a file that isn't
Python any more. The lines that the commit added are followed: its window ends where a later commit says that it reverts
it, or where none of those lines is left.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.audit import git_log
from monitor.audit.git_command import Git, exactly
from monitor.audit.git_log import Commit, Line
from monitor.audit.validation_source import SourceWords

SHORTEST_LINE = 8
"""Characters: shorter lines (`else:`) stand anywhere and tell nothing."""
MOST_WORDED = 50
"""So many commits with telling words are looked into."""
HASH = re.compile(r"[0-9a-fA-F]{4,64}\Z")


@dataclass(frozen=True)
class Suspicion:
    """What a suspect commit added, and the commit that took it out again."""

    commit: Commit
    file: str
    lines: tuple[str, ...]
    ended: Commit | None = None
    given: bool = False


def worded(git: Git, line: Line, span: str, words: SourceWords, validating: frozenset[str]) -> list[Suspicion]:
    """Commits of the line whose subject or added lines say that a validation is skipped, in files that validate."""
    if not validating:
        return []
    pattern = re.compile(words.suspect_words)
    reverting = re.compile(words.reverting_subject)
    limit = exactly(sorted(validating))
    by_subject = git_log.commits(git, "--extended-regexp", "-i", "--grep=skip|disabl|bypass|remov", span, limit=limit)
    by_lines = git_log.commits(git, "--extended-regexp", "-G[Ss]kip.{0,60}[Vv]alid", span, limit=limit)
    found = {commit.sha: commit for commit in (*by_subject, *by_lines) if not reverting.search(commit.subject)}
    suspicions = []
    for commit in list(found.values())[:MOST_WORDED]:
        files = [path for path in commit.files if path in validating]
        for path, added in git_log.added_lines(git, commit.sha, files).items():
            telling = tuple(text for text in added if pattern.search(text))
            if telling or pattern.search(commit.subject):
                lines = telling or _telling(added)
                suspicions.append(_followed(git, line, span, Suspicion(commit, path, lines), words))
    return suspicions


def given(git: Git, line: Line, span: str, commit: Commit, words: SourceWords) -> list[Suspicion]:
    """What a commit named by the caller added to Python files, followed along the line."""
    files = [path for path in commit.files if path.endswith(".py")]
    suspicions = [
        Suspicion(commit, path, _telling(added), given=True)
        for path, added in git_log.added_lines(git, commit.sha, files).items()
    ]
    return [_followed(git, line, span, suspicion, words) for suspicion in suspicions]


def _telling(added: Sequence[str]) -> tuple[str, ...]:
    return tuple(text for text in added if len(text) >= SHORTEST_LINE)


def _followed(git: Git, line: Line, span: str, suspicion: Suspicion, words: SourceWords) -> Suspicion:
    """The suspicion with the first later commit that reverts it or leaves none of its lines."""
    order = line.places()
    start = order.get(suspicion.commit.sha, -1)
    touching = git_log.commits(git, span, limit=exactly([suspicion.file]))
    later = sorted((item for item in touching if order.get(item.sha, -1) > start), key=lambda item: order[item.sha])
    read = git_log.contents(git, ((item.sha, suspicion.file) for item in later), words.most_versions)
    for item in later:
        if _reverts(item, suspicion.commit, words):
            return Suspicion(suspicion.commit, suspicion.file, suspicion.lines, item, suspicion.given)
        source = read.get((item.sha, suspicion.file), "" if not suspicion.lines else "\n".join(suspicion.lines))
        left = {text.strip() for text in (source or "").splitlines()}
        if suspicion.lines and not left.intersection(suspicion.lines):
            return Suspicion(suspicion.commit, suspicion.file, suspicion.lines, item, suspicion.given)
    return suspicion


def _reverts(commit: Commit, reverted: Commit, words: SourceWords) -> bool:
    named = re.search(words.reverting_body, commit.body)
    return bool(named and reverted.sha.startswith(named.group(1).lower()))
