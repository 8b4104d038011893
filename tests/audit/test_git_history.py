"""Windows of suspect commits, in repositories made to order: reverts, merges, wild dates, hostile configuration."""

from __future__ import annotations

import datetime
import os
import stat
from pathlib import Path

import pytest

from monitor.audit.git_history import read_history
from monitor.model.audit import SkipWindow
from tests.audit.repositories import TRAINER, Repository, trainer

FIRST = "2026-01-14T10:00:00+08:00"
SKIP = "2026-01-16T03:33:24+08:00"
FIX = "2026-01-17T23:10:00+08:00"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "trainer")
    made.commit("feat: the trainer", FIRST, "validate")
    return made


def utc(iso: str) -> float:
    return datetime.datetime.fromisoformat(iso).timestamp()


def spans(windows: tuple[SkipWindow, ...]) -> list[tuple[float, float | None]]:
    return [(window.since, window.until) for window in windows]


def test_a_reverted_first_attempt_and_the_real_one_are_two_windows_in_utc(repository: Repository) -> None:
    repository.commit("fix: Skip final validation", "2026-01-16T02:00:33+08:00", "skip")
    revert = repository.commit('Revert "fix: Skip final validation"', "2026-01-16T02:02:05+08:00", "validate")
    repository.commit("fix: Skip final step validation to avoid Ray deadlock", SKIP, "skip")
    repository.commit("fix: restore final step validation", FIX, "validate")
    history = read_history(repository.path)
    assert spans(history.windows) == [
        (utc("2026-01-15T18:00:33+00:00"), utc("2026-01-15T18:02:05+00:00")),
        (utc("2026-01-15T19:33:24+00:00"), utc("2026-01-17T15:10:00+00:00")),
    ]
    first, real = history.windows
    assert first.reverted_by == revert and "reverted" in first.effect
    assert real.authored_at == SKIP and real.fit == "RayPPOTrainer.fit"
    assert real.evidence[0].file == TRAINER and real.evidence[0].line is not None
    assert "is_last_step" in trainer("skip").splitlines()[real.evidence[0].line - 1]
    assert history.utc_offset == 480 and history.problems == ()


def test_zones_of_two_committers_are_each_their_own(repository: Repository) -> None:
    repository.commit("skip final validation", "2026-01-16T03:00:00+08:00", "skip")
    repository.commit("validate again", "2026-01-15T20:00:00-05:00", "validate")
    (window,) = read_history(repository.path).windows
    assert (window.since, window.until) == (utc("2026-01-15T19:00:00+00:00"), utc("2026-01-16T01:00:00+00:00"))


def test_a_skip_that_no_words_tell_is_found_by_what_it_does(repository: Repository) -> None:
    source = trainer("skip").replace('                print("[WARN] Skipping final step validation")\n', "")
    repository.commit("refactor: tidy up", SKIP, source=source)
    (window,) = read_history(repository.path).windows
    assert window.until is None and "still so" in window.effect


def test_a_last_step_that_is_no_more_asked_for_is_found(repository: Repository) -> None:
    repository.commit("perf: fewer validations", SKIP, "multiples")
    (window,) = read_history(repository.path).windows
    assert "only where the frequency divides it" in window.effect


def test_a_skip_behind_a_setting_is_suspect_by_its_words_until_they_are_gone(repository: Repository) -> None:
    repository.commit("feat: hurry", SKIP, "behind a setting")
    repository.commit(
        "chore: something else", "2026-01-17T00:00:00+08:00", "validate", file="verl/other.py", name="Other"
    )
    repository.commit("refactor", FIX, "validate")
    (window,) = read_history(repository.path).windows
    assert spans((window,)) == [(utc(SKIP), utc(FIX))]
    assert "its words" in window.effect and window.fit is None


def test_innocent_commits_are_not_accused(repository: Repository) -> None:
    repository.commit("docs: when to skip validation", SKIP, source="Never skip validation.\n", file="README.md")
    repository.commit("feat: skip samples that fail validation of their schema", SKIP, source="x = 1\n", file="data.py")
    repository.commit("fix: don't forget the last step", FIX, "validate", file="verl/other.py", name="Other")
    assert read_history(repository.path).windows == ()


def test_another_trainers_method_has_a_window_of_its_own(repository: Repository) -> None:
    file = "recipe/dapo/dapo_ray_trainer.py"
    repository.commit("feat: dapo", FIRST, "validate", file=file, name="RayDAPOTrainer")
    repository.commit("skip final validation in dapo", SKIP, "skip", file=file, name="RayDAPOTrainer")
    (window,) = read_history(repository.path).windows
    assert window.fit == "RayDAPOTrainer.fit"


def test_a_merge_brings_the_skip_in_when_it_was_merged_and_names_the_side_commit(repository: Repository) -> None:
    repository.git("checkout", "-q", "-b", "hurry")
    side = repository.commit("fix: skip final validation", "2026-01-15T09:00:00+08:00", "skip")
    repository.git("checkout", "-q", "main")
    repository.commit("chore: other", "2026-01-15T12:00:00+08:00", "validate", file="verl/other.py", name="Other")
    repository.git("merge", "-q", "--no-ff", "-m", "Merge hurry", "hurry", when=SKIP)
    repository.commit("fix: validate", FIX, "validate")
    (window,) = read_history(repository.path).windows
    assert spans((window,)) == [(utc(SKIP), utc(FIX))]
    assert any(side[:10] in note and "2026-01-15T09:00:00+08:00" in note for note in window.notes)


def test_a_skip_on_another_branch_is_told_with_its_branch(repository: Repository) -> None:
    repository.git("checkout", "-q", "-b", "hurry")
    repository.commit("fix: skip final validation", SKIP, "skip")
    repository.git("checkout", "-q", "main")
    (window,) = read_history(repository.path).windows
    assert any("hurry" in note for note in window.notes)


def test_a_wild_date_widens_the_window_and_is_said(repository: Repository) -> None:
    repository.commit("one", "2026-01-15T10:00:00+08:00", "validate", file="a.py", name="A")
    repository.commit("fix: skip final validation", "1999-01-01T00:00:00+00:00", "skip")
    repository.commit("two", "2026-01-16T10:00:00+08:00", "validate", file="b.py", name="B")
    repository.commit("fix", "2099-01-01T00:00:00+00:00", "validate")
    repository.commit("three", FIX, "validate", file="c.py", name="C")
    (window,) = read_history(repository.path, now=utc("2026-02-01T00:00:00+00:00")).windows
    assert spans((window,)) == [(utc("2026-01-15T10:00:00+08:00"), utc(FIX))]
    assert sum("out of order" in note for note in window.notes) == 2


def test_a_commit_written_long_before_it_was_committed_says_so(repository: Repository) -> None:
    repository.commit("fix: skip final validation", SKIP, "skip", authored="2026-01-15T00:00:00+08:00")
    (window,) = read_history(repository.path).windows
    assert window.since == utc(SKIP)
    assert any("2026-01-15T00:00:00+08:00" in note for note in window.notes)


def test_a_renamed_file_keeps_its_window(repository: Repository) -> None:
    repository.commit("fix: skip final validation", SKIP, "skip")
    repository.git("mv", TRAINER, "verl/trainer.py")
    repository.commit("move", "2026-01-16T12:00:00+08:00")
    repository.commit("fix: validate", FIX, "validate", file="verl/trainer.py")
    assert spans(read_history(repository.path).windows) == [(utc(SKIP), utc(FIX))]


def test_a_version_that_is_no_python_changes_nothing(repository: Repository) -> None:
    repository.commit("fix: skip final validation", SKIP, "skip")
    repository.commit("conflict", "2026-01-16T12:00:00+08:00", source="<<<<<<< HEAD\n" + trainer("validate"))
    repository.commit("fix: validate", FIX, "validate")
    assert spans(read_history(repository.path).windows) == [(utc(SKIP), utc(FIX))]


def test_a_shallow_clone_says_that_the_begin_is_not_known(repository: Repository, tmp_path: Path) -> None:
    repository.commit("fix: skip final validation", SKIP, "skip")
    repository.commit("later", "2026-01-16T12:00:00+08:00", "validate", file="a.py", name="A")
    repository.git("clone", "-q", "--depth", "1", f"file://{repository.path}", str(tmp_path / "shallow"))
    history = read_history(tmp_path / "shallow")
    (window,) = history.windows
    assert window.since == 0.0 and any("shallow" in note for note in window.notes)
    assert any("--unshallow" in problem.cure for problem in history.problems)


def test_a_commit_given_by_hash_has_a_window_whatever_it_says(repository: Repository) -> None:
    given = repository.commit(
        "chore: tune", SKIP, source=trainer("validate") + "\n\ndef tuned():\n    return 29 * 20\n"
    )
    repository.commit("undo", FIX, "validate")
    (window,) = read_history(repository.path, [given[:8]]).windows
    assert (window.commit, window.since, window.until) == (given, utc(SKIP), utc(FIX))


@pytest.mark.parametrize("suspect", ["--upload-pack=touch owned", "main", "deadbeef", "zz", ""])
def test_a_hash_that_is_none_is_said_and_nothing_else_is_lost(repository: Repository, suspect: str) -> None:
    repository.commit("fix: skip final validation", SKIP, "skip")
    history = read_history(repository.path, [suspect])
    assert len(history.windows) == 1 and len(history.problems) == 1


def test_a_folder_without_repository_or_without_commits_or_damaged_is_one_sentence(tmp_path: Path) -> None:
    bare = Repository(tmp_path / "empty").path
    damaged = Repository(tmp_path / "damaged")
    damaged.commit("one", FIRST, "validate")
    for item in (damaged.path / ".git" / "objects").glob("??/*"):
        os.chmod(item, stat.S_IRUSR | stat.S_IWUSR)
        item.write_bytes(b"no object")
    (tmp_path / "plain").mkdir()
    for path in (bare, damaged.path, tmp_path / "plain", tmp_path / "nothing"):
        history = read_history(path)
        assert history.windows == () and len(history.problems) == 1
        assert history.problems[0].problem and history.problems[0].cure


def test_a_hostile_configuration_starts_no_program_and_nothing_is_written(
    repository: Repository, tmp_path: Path
) -> None:
    repository.commit("fix: skip final validation", SKIP, "skip")
    trap, sprung = tmp_path / "trap.sh", tmp_path / "sprung"
    trap.write_text(f"#!/bin/sh\ntouch {sprung}\n")
    trap.chmod(0o755)
    (repository.path / ".git" / "info").mkdir(exist_ok=True)
    (repository.path / ".git" / "info" / "attributes").write_text("*.py diff=evil filter=evil\n")
    for key in (
        "core.fsmonitor", "core.pager", "core.sshCommand", "diff.external", "diff.evil.command", "diff.evil.textconv",
        "filter.evil.clean", "filter.evil.smudge", "gpg.program", "core.editor", "pager.log", "credential.helper",
    ):  # fmt: skip
        repository.git("config", key, str(trap))
    repository.git("config", "log.showSignature", "true")
    before = {item: item.stat().st_mtime_ns for item in (repository.path / ".git").rglob("*")}
    assert len(read_history(repository.path).windows) == 1
    assert not sprung.exists()
    assert {item: item.stat().st_mtime_ns for item in (repository.path / ".git").rglob("*")} == before


def test_a_commit_message_cannot_pass_for_another_commit(repository: Repository) -> None:
    forged = "\x1f".join(["a" * 40, "", "0", "0", "", "fix: skip final validation", ""])
    repository.commit(f"chore\n\n{forged}\n\x01\x1e{forged}", SKIP, "validate", file="a.py", name="A")
    assert read_history(repository.path).windows == ()


def test_a_slow_git_ends_at_the_deadline(repository: Repository) -> None:
    from dataclasses import replace

    from monitor.audit.validation_source import source_words

    history = read_history(repository.path, words=replace(source_words(), deadline_seconds=0.0))
    assert "longer than" in history.problems[0].problem
