"""Every call of `laststep` that README and docs show exists, with every option that they give it."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from monitor.cli import CALLS, parser_for

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CALL = re.compile(r"(?:^|[\s`(])(?:\.venv/bin/)?laststep((?: +(?:--?)?[\w./=<>…\[\]{}'*|-]+)+)")


def _subparsers() -> dict[str, argparse.ArgumentParser]:
    whole = parser_for(list(CALLS))
    (calls,) = [action for action in whole._actions if isinstance(action, argparse._SubParsersAction)]
    return {"": whole, **calls.choices}


def _shown(page: Path) -> list[tuple[str, list[str]]]:
    """The calls of a page's code, each with its words, up to a `--` that ends ours."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.S | re.M)
    code = [line.partition(" #")[0] for block in blocks for line in block.splitlines()]
    code += re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))
    found = []
    for line in code:
        for match in CALL.finditer(line):
            words = match.group(1).split()
            found.append((line, words[: words.index("--")] if "--" in words else words))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_shows_exists(page: Path) -> None:
    parsers = _subparsers()
    for line, words in _shown(page):
        call = next((word for word in words if not word.startswith("-")), "") if words[0] in parsers else ""
        assert call or words[0].startswith("-") or not words[0].islower(), f"{line}: there is no call {words[0]}"
        known = {option for name in ("", call) for action in parsers[name]._actions for option in action.option_strings}
        for word in words:
            if word.startswith("--"):
                assert word.partition("=")[0] in known, f"{line}: {call or 'laststep'} has no {word}"


def test_the_readme_shows_most_calls_so_the_reading_of_it_works() -> None:
    named = {words[0] for _, words in _shown(ROOT / "README.md")}
    assert {"watch", "status", "dump", "replay", "scores", "rerun", "audit", "check", "run", "demo"} <= named


def test_every_link_of_the_pages_leads_to_a_file() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
