"""The dashboard on a disk that is truly full: it shows all that it knew, says what can't be written, leaves nothing."""

from __future__ import annotations

import pytest

from tests.small_disk import on_small_disk


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the screens of a dashboard on the small disk showed."""
    return on_small_disk("tests.tui.full_disk", tmp_path_factory.mktemp("disk"))


def test_the_run_and_its_log_are_shown_as_on_any_disk(shown: dict[str, str]) -> None:
    assert "step 29/29" in shown["run"] and "131/256 samples" in shown["run"]
    assert "2 lines, follows" in shown["log"] and "first line" in shown["log"]


def test_a_screen_that_cannot_be_saved_is_said_and_leaves_no_half_file(shown: dict[str, str]) -> None:
    assert "Not saved: " in shown["save"] and "No space left on device" in shown["save"]
    assert [path for path in shown["left"] if path.endswith((".svg", ".txt"))] == []


def test_a_rerun_is_refused_with_the_reason_and_the_cure_and_the_dashboard_goes_on(shown: dict[str, str]) -> None:
    assert "ledger.sqlite is full" in shown["rerun"]
    assert "free space on that disk" in shown["rerun"]
    assert "131/256 samples" in shown["after"]
