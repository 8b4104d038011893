"""A disk that is truly full (a tmpfs of 1 MB in a mount namespace): one clear sentence, nothing torn, nothing lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.small_disk import on_small_disk


@pytest.fixture(scope="module")
def happened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What happened on the small disk."""
    return on_small_disk("tests.ledger.full_disk", tmp_path_factory.mktemp("disk"))


def test_a_disk_that_fills_is_one_sentence_and_keeps_all_that_was_committed(happened: dict[str, Any]) -> None:
    assert happened["told"].endswith("is full")
    assert happened["readable"] == happened["kept"] > 0


def test_writing_goes_on_once_there_is_space(happened: dict[str, Any]) -> None:
    assert happened["steps"] == list(range(happened["kept"] + 1))


def test_a_ledger_on_a_full_disk_says_so_and_is_never_taken_for_damaged(happened: dict[str, Any]) -> None:
    assert happened["writer"].endswith("is full")
    assert happened["fresh"].endswith("is full")
    assert happened["aside"] == []


def test_a_ledger_on_a_full_disk_can_still_be_read(happened: dict[str, Any]) -> None:
    assert happened["reader"] == f"{len(happened['steps'])} scores"
