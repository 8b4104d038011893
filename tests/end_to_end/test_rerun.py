"""The missing score of a hung run is filled; a rerun of a run that did not hang equals it, sample by sample."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.command import laststep, processes_of

pytestmark = [pytest.mark.real, pytest.mark.torch]


def tree_hash(folder: Path) -> str:
    """A hash over every file's name and bytes."""
    digest = hashlib.sha256()
    for path in sorted(item for item in folder.rglob("*") if item.is_file()):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def rows(path: str | Path) -> dict[str, dict[str, Any]]:
    """A validation dump by sample."""
    return {row["uid"]: row for row in map(json.loads, Path(path).read_text().splitlines())}


def test_the_missing_score_of_a_hung_run_is_filled_and_valid(own_folders: Path) -> None:
    out = own_folders / "run"
    hung = laststep("demo", "--headless", "--json", "--steps", "2", "--hang", "control-queue", "--out", str(out))
    assert hung.code == 11, hung.stderr
    run = hung.document["run"]["name"]
    before = laststep("scores", run, "--json")
    assert before.code == 12
    assert before.document["runs"][0]["standing"] == ["missing-final"]
    untouched = tree_hash(out)
    filled = laststep("rerun", run, "--confirm", run, "--json")
    assert filled.code == 0, filled.stderr
    assert filled.document["score"]["step"] == 2
    assert filled.document["score"]["standing"] == ["valid"]
    assert filled.document["score"]["provenance"]["attestation"]
    assert tree_hash(out) == untouched
    after = laststep("scores", run, "--json")
    assert after.code == 0
    assert after.document["runs"][0]["standing"] == []
    assert processes_of(own_folders) == []


def test_a_rerun_equals_the_runs_own_final_score_sample_by_sample_and_bf16_does_not(own_folders: Path) -> None:
    out = own_folders / "run"
    healthy = laststep("demo", "--headless", "--json", "--steps", "2", "--out", str(out))
    assert healthy.code == 0, healthy.stderr
    run = healthy.document["run"]["name"]
    own = rows(out / "validation" / "2.jsonl")
    again = laststep("rerun", run, "--confirm", run, "--json")
    assert again.code == 0, again.stderr
    redone = rows(again.document["score"]["provenance"]["dump_path"])
    assert redone.keys() == own.keys()
    for key in ("input", "output", "gts", "score", "log_probability"):
        assert {uid: row[key] for uid, row in redone.items()} == {uid: row[key] for uid, row in own.items()}
    plain = laststep("rerun", run, "--quant", "bf16", "--confirm", run, "--json")
    assert plain.code == 12, plain.stderr
    assert "not-quantized" in plain.document["score"]["standing"]
    unquantized = rows(plain.document["score"]["provenance"]["dump_path"])
    assert all(unquantized[uid]["log_probability"] != own[uid]["log_probability"] for uid in own)


def test_weights_that_exist_only_in_hung_processes_are_said_and_their_rerun_is_refused(own_folders: Path) -> None:
    hung = laststep(
        "demo", "--headless", "--json", "--steps", "2", "--hang", "engine-stopped", "--order", "validate-first"
    )
    assert hung.code == 11, hung.stderr
    finding = hung.document["findings"][0]
    assert "only in the hung processes" in finding["sentence"] + finding["advice"]
    run = hung.document["run"]["name"]
    refused = laststep("rerun", run, "--confirm", run, "--json")
    assert refused.code == 13
    assert refused.document["status"] == "refused"
    failed = [line for line in refused.document["preflight"] if line["state"] == "fail"]
    assert any("checkpoint" in line["name"] for line in failed)


def test_a_launch_without_the_runs_whole_name_is_not_confirmed(own_folders: Path) -> None:
    healthy = laststep("demo", "--headless", "--json", "--steps", "1")
    run = healthy.document["run"]["name"]
    refused = laststep("rerun", run, "--confirm", run[:-1])
    assert refused.code == 2
    assert "not confirmed" in refused.stderr
