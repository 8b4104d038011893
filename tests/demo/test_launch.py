"""A real, short run: its lines, files and layout are verl's, it can be scored again bit for bit, and it ends clean."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.demo.config import ROLLOUT_SLOTS
from monitor.demo.launch import DemoRun
from monitor.demo.trainer import METRIC
from monitor.model.errors import LaststepError
from tests.head_processes import of_head

SECONDS = 240
EVALUATE = """
import sys
from pathlib import Path
from monitor.demo.evaluation_engine import ENGINE
from quant.evaluation import EvaluationRequest, evaluate
from quant.recipe import load_recipe
out = Path(sys.argv[1])
recipe = None if sys.argv[3] == "none" else load_recipe(sys.argv[3])
request = EvaluationRequest(
    out / "checkpoints" / "global_step_2", out / "model", out / "data" / "validation.jsonl", recipe, 2,
    Path(sys.argv[2]), "accuracy",
)
print(evaluate(ENGINE, request, lambda done, total: None).value)
"""


def test_a_folder_that_holds_a_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "console.log").write_text("earlier")
    with pytest.raises(LaststepError, match="already holds a run"):
        DemoRun.start(tmp_path, steps=1)
    assert (tmp_path / "console.log").read_text() == "earlier"


def test_an_unknown_hang_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(LaststepError, match="unknown hang `selfget`") as refusal:
        DemoRun.start(tmp_path / "out", hang="selfget")
    assert "self-get" in refusal.value.HELP_TEXT
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A healthy run of two steps, ended by itself."""
    out = tmp_path_factory.mktemp("healthy") / "out"
    with DemoRun.start(out, steps=2, environment={"LASTSTEP_DIR": str(out.parent / "hooks")}) as run:
        assert run.driver.wait(SECONDS) == 0, (out / "console.log").read_text()
    assert of_head(run.head.temp_dir) == []
    assert not run.head.temp_dir.exists()
    yield out


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.real
def test_the_console_has_verls_lines_in_verls_order(finished: Path) -> None:
    text = (finished / "console.log").read_text()
    patterns = [
        r"'trainer': \{",
        r"Size of train dataloader: 2, Size of val dataloader: 4",
        r"Total training steps: 2",
        r"test_gen_batch meta info: .*'validate': True.*'global_steps': 0",
        r"validation generation end",
        r"\[quantization\] W4A4 active in 12/12 linear layers, \d+ calls, weights [0-9a-f]+ of step 0",
        r"Dumped generations to .*/0\.jsonl",
        r"Initial validation metrics: ",
        r"step:1 - ",
        r"local_global_step_folder: .*/global_step_2",
        r"test_gen_batch meta info: .*'global_steps': 2",
        r"\[quantization\] W4A4 active in 12/12 linear layers, \d+ calls, weights [0-9a-f]+ of step 2",
        r"Dumped generations to .*/2\.jsonl",
        r"step:2 - .*val-core/arithmetic/acc/mean@1:.*timing_s/testing:",
        r"Final validation metrics: ",
    ]
    at = 0
    for pattern in patterns:
        found = re.compile(pattern).search(text, at)
        assert found, f"{pattern} is not after {text[at - 200 : at]!r}"
        at = found.end()
    assert text.count("validation generation end") == 8
    # The bar goes to stderr, which Ray forwards apart from stdout: its place among the lines is not certain.
    assert re.search(r"Training Progress: +50%.*1/2 \[", text)


@pytest.mark.real
def test_the_files_are_complete_and_agree(finished: Path) -> None:
    (log,) = (finished / "logs").rglob("*.jsonl")
    steps = _rows(log)
    assert [line["step"] for line in steps] == [0, 1, 2]
    for step, line in ((0, steps[0]), (2, steps[2])):
        rows = _rows(finished / "validation" / f"{step}.jsonl")
        assert len({row["uid"] for row in rows}) == 256
        assert {row["step"] for row in rows} == {step}
        assert line["data"][METRIC] == sum(row["score"] for row in rows) / 256
    checkpoints = finished / "checkpoints"
    assert (checkpoints / "latest_checkpointed_iteration.txt").read_text() == "2"
    assert (checkpoints / "global_step_2" / "actor" / "model_world_size_1_rank_0.pt").stat().st_size > 0
    assert not (finished / "injected.json").exists()


@pytest.mark.real
def test_another_process_gives_the_final_validation_again_bit_for_bit(finished: Path, tmp_path: Path) -> None:
    def again(recipe: str) -> str:
        call = [sys.executable, "-c", EVALUATE, str(finished), str(tmp_path / recipe), recipe]
        subprocess.run(call, check=True, timeout=SECONDS, stdout=subprocess.DEVNULL)
        return (tmp_path / recipe).read_text()

    original = (finished / "validation" / "2.jsonl").read_text()
    assert again("mxfp4_w4a4") == original
    unquantized = [json.loads(line)["log_probability"] for line in again("none").splitlines()]
    assert unquantized != [row["log_probability"] for row in _rows(finished / "validation" / "2.jsonl")]


@pytest.mark.real
@pytest.mark.parametrize("hooks", [True, False])
def test_the_hooks_are_in_or_out(finished: Path, hooks: bool, tmp_path: Path) -> None:
    if hooks:
        assert any((finished.parent / "hooks" / "hooks").glob("*.events.jsonl"))
        return
    environment = {"LASTSTEP_DIR": str(tmp_path / "hooks")}
    with DemoRun.start(tmp_path / "out", steps=1, hooks=False, environment=environment) as run:
        assert run.driver.wait(SECONDS) == 0
    assert not (tmp_path / "hooks").exists()


def _unfinished_calls(run: DemoRun) -> list[tuple[str, str]]:
    query = "detail=1&limit=1000&filter_keys=state&filter_predicates=!%3D&filter_values=FINISHED"
    request = urllib.request.Request(
        f"{run.head.dashboard_url}/api/v0/tasks?{query}",
        headers={"Authorization": f"Bearer {run.head.token_path.read_text()}"},
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        tasks = json.load(answer)["data"]["result"]["result"]
    return [(task["name"], task["state"]) for task in tasks]


@pytest.mark.real
def test_the_queue_of_control_calls_is_a_real_one_and_stop_leaves_nothing(tmp_path: Path) -> None:
    full = {
        ("RolloutServer.generate", "RUNNING"): ROLLOUT_SLOTS,
        ("RolloutServer.update_weights", "PENDING_ACTOR_TASK_ORDERING_OR_CONCURRENCY"): 1,
    }
    with DemoRun.start(tmp_path / "out", steps=1, hang="control-queue", chatter=True) as run:
        deadline = time.monotonic() + SECONDS
        calls: Counter[tuple[str, str]] = Counter()
        while not calls >= Counter(full) and time.monotonic() < deadline:
            assert run.driver.poll() is None
            time.sleep(0.5)
            calls = Counter(_unfinished_calls(run))
        assert {call: calls[call] for call in full} == full
        assert json.loads((run.out / "injected.json").read_text())["class"] == "control-queue"
        driver = run.driver.pid
    assert of_head(run.head.temp_dir) == []
    with pytest.raises(ProcessLookupError):
        os.kill(driver, signal.SIG_DFL)
