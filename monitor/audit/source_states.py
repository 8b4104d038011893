"""What a trainer's files did with the last step's validation, commit by commit along one line, and where that changed.

Judges versions of files by `validation_source`; each (file, method) is followed by itself, since another trainer's
method is not touched by a commit that edits this one. A file renamed in the commit that ends a window goes on under its
new name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from monitor.audit import git_log
from monitor.audit.git_command import Git, exactly
from monitor.audit.git_log import Commit, Line
from monitor.audit.validation_source import Effect, Place, SourceWords, places

Key = tuple[str, str]
"""(file, method)"""

GONE = "gone"


@dataclass(frozen=True)
class Spell:
    """The time between two commits of a line in which one method leaves the final validation out."""

    file: str
    place: Place
    began: Commit
    ended: Commit | None = None
    gone: bool = False
    """It ended because the file or the method is no more there."""
    from_the_start: bool = False
    """It was so in the oldest version that there is."""
    later_files: tuple[str, ...] = ()
    """Names of the file after renames."""

    def covers(self, file: str, index: int, places: Mapping[str, int]) -> bool:
        """Whether the commit at `index` of the line lies inside, in this file."""
        end = places[self.ended.sha] if self.ended else len(places)
        return file in (self.file, *self.later_files) and places[self.began.sha] <= index < end


@dataclass(frozen=True)
class LineStates:
    """What was read along one line."""

    spells: tuple[Spell, ...]
    """Oldest first."""
    complete: bool
    """All versions were read."""
    validating: frozenset[str]
    """Files that call a validation in some version."""


def states_of(git: Git, line: Line, span: str, found: Sequence[Commit], words: SourceWords) -> LineStates:
    """The states of every file that `found`, the commits of the line that may have changed something, touch.

    Where a version can't be judged, the next ones are read too, whatever they changed.
    """
    histories, complete = _histories(git, line, found, words.most_versions)
    order = line.places()
    out: list[Spell] = []
    validating = set()
    for path, history in histories.items():
        versions = [_worst(() if source is None else places(source, words)) for _, source in history]
        if any(_is_unreadable(version) for version in versions):
            whole, _ = _histories(git, line, git_log.commits(git, span, limit=exactly([path])), words.most_versions)
            history = whole.get(path, history)
            versions = [_worst(() if source is None else places(source, words)) for _, source in history]
        out += _of_file(path, [commit for commit, _ in history], versions)
        validating |= {path} if any(versions) else set()
    out.sort(key=lambda spell: order[spell.began.sha])
    return LineStates(tuple(_joined(out)), complete, frozenset(validating))


History = list[tuple[Commit | None, str | None]]
"""Versions of a file, oldest first; the first is of before the first commit."""


def _histories(git: Git, line: Line, found: Sequence[Commit], most: int) -> tuple[dict[str, History], bool]:
    order = line.places()
    ordered = sorted((commit for commit in found if commit.sha in order), key=lambda commit: order[commit.sha])
    wanted = list(_versions(ordered))
    read = git_log.contents(git, reversed(wanted), most)
    histories: dict[str, History] = {}
    for commit in ordered:
        for path in commit.files:
            if (commit.sha, path) not in read:
                continue
            history = histories.setdefault(path, [])
            if not history and commit.parents:
                history.append((None, read.get((f"{commit.sha}^1", path))))
            history.append((commit, read[commit.sha, path]))
    return histories, len(read) == len(set(wanted))


def _versions(ordered: Iterable[Commit]) -> Iterable[tuple[str, str]]:
    known: set[str] = set()
    for commit in ordered:
        for path in commit.files:
            if path not in known and commit.parents:
                known.add(path)
                yield f"{commit.sha}^1", path
            yield commit.sha, path


def _of_file(path: str, commits: Sequence[Commit | None], versions: Sequence[dict[str, Place]]) -> list[Spell]:
    open_spells: dict[str, Spell] = {}
    done: list[Spell] = []
    before: dict[str, Place] = {}
    for number, (commit, now) in enumerate(zip(commits, versions)):
        if _is_unreadable(now):
            continue  # It says nothing: what was before it goes on.
        for name, place in now.items():
            if commit is not None and name not in open_spells and _begins(place, before.get(name)):
                open_spells[name] = Spell(path, place, commit, from_the_start=number == 0)
        for name in [name for name in open_spells if not _leaves_out(now.get(name))]:
            done.append(replace(open_spells.pop(name), ended=commit, gone=name not in now))
        before = now
    return [*done, *open_spells.values()]


def _is_unreadable(version: Mapping[str, Place]) -> bool:
    return any(place.effect is Effect.UNKNOWN for place in version.values())


def _worst(found: Sequence[Place]) -> dict[str, Place]:
    """Method → the worst that one of its loops does."""
    rank = (Effect.SKIPS, Effect.ONLY_MULTIPLES, Effect.UNKNOWN, Effect.VALIDATES, Effect.ABSENT)
    ordered = sorted(found, key=lambda place: rank.index(place.effect), reverse=True)
    return {place.function: place for place in ordered}


def _leaves_out(place: Place | None) -> bool:
    return place is not None and place.effect in (Effect.SKIPS, Effect.ONLY_MULTIPLES)


def _begins(place: Place, before: Place | None) -> bool:
    """A skip is suspect wherever it comes from; a frequency alone only where the last step was asked for before."""
    if place.effect is Effect.SKIPS:
        return before is None or before.effect is not Effect.SKIPS
    return place.effect is Effect.ONLY_MULTIPLES and before is not None and before.effect is Effect.VALIDATES


def _joined(found: list[Spell]) -> list[Spell]:
    """Spells that go on in another file from the commit that ended them (a rename) as one."""
    out: list[Spell] = []
    for spell in found:
        former = next(
            (
                item
                for item in out
                if item.gone
                and item.ended is not None
                and item.ended.sha == spell.began.sha
                and item.place.function == spell.place.function
            ),
            None,
        )
        if former is None:
            out.append(spell)
        else:
            out[out.index(former)] = replace(
                former, ended=spell.ended, gone=spell.gone, later_files=(*former.later_files, spell.file)
            )
    return out
