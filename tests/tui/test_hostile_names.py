"""Names, paths and lines made to harm a screen: on every screen each row keeps its width, its columns and its text.

Control sequences, direction marks, wide and combining characters, emoji, in every text that comes from outside.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len

from monitor.model.fact import Evidence
from monitor.model.json_form import to_json
from monitor.model.reading import Reading, Unknown
from monitor.tui.cells import plain
from monitor.tui.live import parse
from monitor.tui.screen_data import ScreenData
from monitor.tui.screens.machine_sections import loops, processes
from tests.tui import examples
from tests.tui.session import Session, opened

CONTROLS = "\x1b[31mrun\x1b]0;owned\x07 \x9b2Jname\x1b[2J\r\ttail\x00"
RIGHT_TO_LEFT = "\u202egnp.exe\u2066 \u200f\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627"
WIDE = "日本語テストの実行名 한국어 🚀🚀🚀 " * 2
COMBINING = "e" + "\u0301" * 40 + " ❤\ufe0f 👩\u200d💻 क्षि ก็ a\u20dd"
MARKUP = "[bold red]x[/] [@click=app.quit]y[/] \\[z"
LONG = "x" * 5000
HOSTILE = {
    "control sequences": CONTROLS,
    "right to left": RIGHT_TO_LEFT,
    "wide": WIDE,
    "combining": COMBINING,
    "markup": MARKUP,
    "long": LONG,
    "all at once": f"{CONTROLS} {RIGHT_TO_LEFT} {WIDE} {COMBINING} {MARKUP}",
}
SIZES = [(80, 24), (120, 40), (200, 50)]


def hostile(bad: str) -> ScreenData:
    """A hanging run every text of which is `bad`, as the ledger and the watch would give it."""
    base = examples.hanging()
    found = examples.finding()
    finding = replace(
        found,
        sentence=bad,
        advice=bad,
        file=f"/{bad}.py",
        culprit=replace(found.culprit, process=bad, actor=bad, task=bad),
        chain=tuple(replace(link, waiter=bad, waits_for=bad, why=bad) for link in found.chain),
        evidence=tuple(replace(item, what=bad, file=f"/{bad}") for item in found.evidence),
    )
    assert base.live is not None
    verdict = replace(base.live.verdict, findings=(finding,), reasons=(bad,))
    run = examples.state(trainer=bad, phase=bad, notices=(Evidence(bad, f"/{bad}", 3, examples.NOW),))
    document = examples.document(
        run=run,
        verdict=verdict,
        bundle=f"/nowhere/{bad}",
        processes=[dict(row, label=f"{bad} (pid {row['pid']})", role=bad) for row in examples.PROCESSES],
        gpus=to_json(Reading(examples.NOW, None, Unknown("gpus", examples.NOW - 3, bad, bad))),
        loops=[{"process": bad, "thread": bad, "lag_seconds": 0.003, "pending_tasks": 12}],
        loops_at=examples.NOW - 3,
        log={"path": f"/nowhere/{bad}", "tail": [bad] * 4},
    )
    return replace(
        base,
        run=bad,
        live=parse(document),
        notices=(bad,),
        ledger_problem=bad,
        runs=tuple(replace(row, name=bad, trainer=bad, reasons=(bad,)) for row in base.runs),
        scores=tuple(replace(score, run=bad, metric=bad, reasons=(bad,)) for score in base.scores),
        findings=tuple(replace(row, finding=finding) for row in base.findings),
    )


def broken_rows(session: Session) -> list[str]:
    """Rows that aren't exactly as wide as the screen, or that hold something a terminal would act on."""
    width, height = session.app.size
    rows = ["".join(part.text for part in strip) for strip in session.app.screen._compositor.render_strips()[:height]]
    return [row for row in rows if cell_len(row) != width or not row.isprintable()]


@pytest.mark.parametrize(
    ("name", "size"), [("long", SIZES[0]), ("wide", SIZES[0]), *(("all at once", size) for size in SIZES)]
)
async def test_every_row_of_every_screen_keeps_its_width_and_is_only_text(name: str, size: tuple[int, int]) -> None:
    async with opened(hostile(HOSTILE[name]), size) as session:
        for keys in (["1"], ["2"], ["3"], ["3", "e"], ["3", "c"], ["4"], ["5"], ["r"]):
            await session.press(*keys)
            assert broken_rows(session) == [], keys
            await session.press("escape")


async def test_markup_in_a_name_is_text_on_the_banner_and_where_the_name_is_to_be_typed() -> None:
    async with opened(hostile(MARKUP)) as session:
        text = await session.press("r")
        assert text.splitlines()[1].count(MARKUP) == 1
        assert f"type {MARKUP} and Enter" in text


@pytest.mark.parametrize("name", ["wide", "combining", "right to left", "long"])
def test_the_columns_of_processes_and_loops_stand_under_each_other(name: str) -> None:
    usual: list[dict[str, Any]] = [dict(row) for row in examples.PROCESSES]
    usual[1]["label"] = HOSTILE[name]
    lags = [{"process": who, "thread": "t", "lag_seconds": 0.003} for who in ("driver (pid 1)", HOSTILE[name])]
    data = examples.healthy(live=parse(examples.document(processes=usual, loops=lags)))
    for section, words in ((processes(data, 60, 0), ("sleeping", "running")), (loops(data, 60, 0), ("answers",))):
        texts = [plain(row) for row in section.lines]
        assert len(texts) > 1
        assert len({cell_len(text.partition(word)[0]) for text in texts for word in words if word in text}) == 1, texts
