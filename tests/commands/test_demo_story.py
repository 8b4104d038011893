"""When the story of a headless demo is over: never while a run starts, never at one doubtful moment."""

from __future__ import annotations

from typing import Any

from monitor.commands.demo_story import DOUBT_SECONDS, doubtful_since_of, is_over


def row(word: str, at: float, *, begun: bool = True, bundle: str | None = None) -> dict[str, Any]:
    """A live row with what the story looks at."""
    return {"at": at, "verdict": {"word": word}, "run": {"spans": [{}] if begun else []}, "bundle": bundle}


def over_after(rows: list[dict[str, Any]]) -> float | None:
    """When the story is over, None where these rows don't end it."""
    since: float | None = None
    for entry in rows:
        since = doubtful_since_of(entry, since)
        if is_over(entry, since):
            return float(entry["at"])
    return None


def test_doubt_about_a_run_that_has_begun_no_phase_ends_nothing() -> None:
    assert over_after([row("unknown", float(at), begun=False, bundle="b") for at in range(200)]) is None


def test_doubt_that_stands_ends_the_story() -> None:
    assert over_after([row("unknown", float(at), bundle="b") for at in range(200)]) == DOUBT_SECONDS


def test_doubt_that_passes_begins_anew() -> None:
    doubtful = [row("unknown", float(at)) for at in range(int(DOUBT_SECONDS))]
    assert (
        over_after([*doubtful, row("healthy", DOUBT_SECONDS), *(row("stall", 21.0 + at) for at in range(10))]) is None
    )


def test_a_proved_hang_ends_it_once_its_bundle_is_there() -> None:
    assert over_after([row("hang", 1.0), row("hang", 2.0, bundle="b")]) == 2.0


def test_the_end_of_the_run_ends_it() -> None:
    assert over_after([row("healthy", 1.0), row("ended", 2.0)]) == 2.0
