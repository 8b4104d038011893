"""The Scores screen through its keys: order, filter, the evidence behind a score, what it may be compared with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.model.fact import Evidence
from monitor.model.score import Provenance, Score, Standing
from monitor.tui.screen_data import RunRow, ScreenData
from monitor.tui.screens.scores import ORDERS, ordered
from tests.tui import examples
from tests.tui.fakes import rows
from tests.tui.session import opened

METRIC = "val-core/openai/gsm8k/acc/mean@1"
BF16 = "not-quantized: the engine ran in bf16; a rerun with mxfp4_w4a4 would count"
SEEN = Evidence("step:20 - val-core/openai/gsm8k/acc/mean@1:0.7331", "/logs/e13j.log", 52, examples.NOW - 60)


def score(run: str, step: int, value: float, *standing: Standing, reasons: tuple[str, ...] = ()) -> Score:
    """One score of a run of the family."""
    known = Provenance("training", step == 29, 1319, 1319, "mxfp4_w4a4", evidence=(SEEN,))
    return Score(run, step, METRIC, value, examples.NOW - 30, known, standing, reasons)


def family(**changes: object) -> ScreenData:
    """Three runs: a valid one, an inflated one, one without proof."""
    runs = tuple(
        RunRow(name, examples.NOW - age, "verl", 29, 29, examples.NOW - age + 9, "finished", standing)
        for name, age, standing in (
            ("e13k", 100.0, (Standing.MISSING_FINAL,)),
            ("e13j", 200.0, (Standing.MISSING_FINAL,)),
            ("e13h", 300.0, ()),
        )
    )
    scores = (
        score("e13h", 29, 0.7142, Standing.VALID, reasons=("valid: W4A4 attested in 196/196 layers",)),
        score("e13j", 20, 0.7331, Standing.NOT_FINAL, Standing.NOT_QUANTIZED, reasons=(BF16,)),
        score("e13k", 20, 0.6596, Standing.NOT_FINAL, Standing.UNPROVEN, reasons=("unproven: no count",)),
    )
    base = ScreenData(examples.NOW, "e13k", runs=runs, scores=scores)
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_evidence_of_a_score_is_one_key_away_with_file_and_line(size: tuple[int, int]) -> None:
    async with opened(family(), size) as session:
        text = await session.press("3", "down", "down", "down", "e")
        assert "what it may claim, and why" in text
        assert "the engine ran in bf16" in text and "/logs/e13j.log:52" in " ".join(text.split())
        assert len(rows(session.app)) == size[1] and "q quit" in text
        await session.press("escape")
        assert "what it may claim" not in session.text and session.app.state.view == "scores"


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_score_says_which_comparisons_hold_and_which_baseline_is_right(size: tuple[int, int]) -> None:
    async with opened(family(), size) as session:
        text = await session.press("3", "down", "c")
        assert "e13k" in text and "✗ against e13j step 20: −7.35 points: does not hold" in text
        assert "the baseline to hold it against: e13h" in text
        assert "0 of 2" in text
        await session.press("c")
        assert "does not hold" not in session.text


@pytest.mark.asyncio
async def test_the_order_of_the_runs_changes_with_a_key_and_is_said() -> None:
    async with opened(family()) as session:
        text = await session.press("3", "o")
        assert "ordered by name" in text
        table = text.split("quantization", 1)[1]
        assert table.index("e13h") < table.index("e13j") < table.index("e13k")


def test_each_order_puts_first_what_it_says() -> None:
    data = family()
    by_run = {item.run: [item] for item in data.scores}
    firsts = {order: ordered(list(data.runs), by_run, order)[0].name for order in ORDERS}
    assert firsts == {"newest": "e13k", "name": "e13h", "best score": "e13j", "worst standing": "e13j"}


@pytest.mark.asyncio
async def test_a_run_selected_instead_of_a_score_says_what_to_do() -> None:
    async with opened(family()) as session:
        assert "Select a score" in await session.press("3", "home", "e")


@pytest.mark.asyncio
async def test_a_filter_finds_scores_by_their_standing_and_keeps_what_is_open_right() -> None:
    async with opened(family()) as session:
        await session.press("3", "slash", *"not-quant", "enter", "e")
        assert "e13j" in session.text and "step 20" in session.text


@pytest.mark.asyncio
async def test_hostile_text_in_a_score_is_text_on_its_detail() -> None:
    bad = "\x1b[2J\x1b]0;owned\x07[bold]x\u202e"
    item = score("e13k", 20, 0.5, Standing.UNPROVEN, reasons=(bad,))
    known = replace(
        item.provenance, evidence=(Evidence(bad, bad, 1),), recipe_declared=bad, dump_path=bad, data_sha256=bad
    )
    hostile = family(scores=(replace(item, provenance=known, metric=bad, correction=bad, revision=1),))
    async with opened(hostile, (120, 40)) as session:
        for keys in (("3", "down", "e"), ("c",)):
            text = await session.press(*keys)
            assert all(character.isprintable() for row in text.split("\n") for character in row)


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_table_stays_as_it_is_when_the_cursor_goes_from_a_run_to_its_score(size: tuple[int, int]) -> None:
    """A row that appears or goes below the table would move its rule: 200 bytes more a key."""
    async with opened(family(), size) as session:
        await session.press("3")
        places = []
        for _ in range(2):
            text = await session.press("down")
            places.append(next(n for n, row in enumerate(text.splitlines()) if row.startswith((" why ", " the run "))))
        assert len(set(places)) == 1


@pytest.mark.asyncio
async def test_of_a_metric_without_room_the_end_is_shown_which_tells_it_from_others() -> None:
    data = family()
    long = tuple(replace(item, metric="val-core/a-data-set-with-a-long-name/acc/mean@1") for item in data.scores)
    async with opened(replace(data, scores=long), (120, 40)) as session:
        text = await session.press("3")
        assert "name/acc/mean@1" in text and "val-core/a" not in text
