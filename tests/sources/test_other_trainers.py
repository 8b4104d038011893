"""Lines of OpenRLHF, NeMo-RL, SkyRL and slime as facts.

The lines were typed here after reading the projects' format strings; none of their code was run, and no line is from a
log of theirs. Read were: OpenRLHF 3c3be62: trainer/ppo_trainer.py, utils/logging_utils.py. NeMo-RL 7ea279a:
nemo_rl/algorithms/grpo.py. SkyRL a956457: skyrl/train/trainer.py, utils/utils.py. slime 624b824:
slime/observability/{rollout_metrics,logging_utils}.py. Assumed, not read: what stands before SkyRL's messages (loguru's
default form, module and line), and the source name and line before slime's. The patterns don't look at either.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.model.fact import Fact, FactKind
from monitor.sources.console import ConsoleSource
from monitor.sources.trainer_profile import load_profile, match_profile

OPENRLHF = "INFO 08-13 10:00:00 ppo_trainer.py:{}] {}"
SLIME = "[2026-08-21 10:00:00] rollout_metrics.py:{} - {}"
SKYRL = "2026-08-21 10:00:00.123 | INFO     | skyrl.train.trainer:train:389 - {}"
BAR = "Training Batches Processed:  {}%|██        | {}/29 [00:41<19:10, 41.1s/it]"


def _facts(folder: Path, profile: str, *lines: str) -> list[Fact]:
    path = folder / "console.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return ConsoleSource(path, load_profile(profile)).poll(4e9)


def _told(facts: list[Fact]) -> list[tuple[str, int | None, str | None]]:
    return [(fact.kind.value, fact.step, fact.phase) for fact in facts]


def _scores(facts: list[Fact]) -> list[tuple[int | None, str, float]]:
    return [(f.step, f.data["metric"], f.data["value"]) for f in facts if f.kind is FactKind.SCORE]


def test_openrlhfs_evaluation_follows_the_line_of_its_step(tmp_path: Path) -> None:
    facts = _facts(
        tmp_path,
        "openrlhf",
        OPENRLHF.format(547, "✨ Global step 4: {'policy_loss': 0.01, 'reward': 0.5, 'timing/generation': 12.5}"),
        OPENRLHF.format(581, "⏰ Evaluation start time: 2026-08-13 10:00:00"),
        OPENRLHF.format(
            594, "✨ Evaluation completed in 0:01:02, global_step 4, eval_metrics: {'eval_default_pass1': 0.25}"
        ),
    )
    assert _told(facts) == [
        ("phase_end", 4, "generation"),
        ("step_end", 4, None),
        ("phase_begin", 4, "testing"),
        ("phase_end", 4, "testing"),
        ("score", 4, None),
    ]
    assert _scores(facts) == [(4, "eval_default_pass1", 0.25)]


def test_slimes_rollouts_and_evaluations_are_read_by_their_own_numbers(tmp_path: Path) -> None:
    facts = _facts(
        tmp_path,
        "slime",
        SLIME.format(268, "perf 0: {'rollout/response_lengths': 12.0, 'perf/rollout_time': 3.5}"),
        SLIME.format(
            247, "eval 0: {'eval/aime': 0.125, 'eval/aime/response_len/mean': 9.0, 'eval/aime-truncated_ratio': 0.5}"
        ),
    )
    assert [fact.step for fact in facts if fact.kind is FactKind.STEP_END] == [0]
    assert _scores(facts) == [(0, "eval/aime", 0.125)]


def test_skyrls_evaluation_belongs_to_the_step_after_the_bars_count(tmp_path: Path) -> None:
    facts = _facts(
        tmp_path,
        "skyrl",
        SKYRL.format("Started: 'eval'"),
        BAR.format(0, 0),
        BAR.format(3, 1),
        SKYRL.format("Started: 'eval'"),
    )
    assert [(fact.step, fact.phase) for fact in facts if fact.kind is FactKind.PHASE_BEGIN] == [
        (0, "eval"),
        (2, "eval"),
    ]
    assert [fact.step for fact in facts if fact.kind is FactKind.STEP_END] == [1]


def test_nemo_rls_total_validation_and_save_are_seen_as_they_begin(tmp_path: Path) -> None:
    facts = _facts(
        tmp_path,
        "nemo_rl",
        f"{'=' * 25} Step 29/29 {'=' * 25}",
        "▶ Starting validation at step 29...",
        "📊 Validation Results:",
        "    • Accuracy: 0.5000",
        "Saving checkpoint for step 29...",
    )
    assert [fact.data["total_steps"] for fact in facts if "total_steps" in fact.data] == [29]
    begun = [(fact.step, fact.phase) for fact in facts if fact.kind is FactKind.PHASE_BEGIN]
    assert begun == [(29, "testing"), (29, "save_checkpoint")]
    assert _scores(facts) == [], "a score whose step is not printed is none"


@pytest.mark.parametrize(
    ("entrypoint", "profile"),
    [
        ("python3 -m openrlhf.cli.train_ppo_ray --pretrain x", "openrlhf"),
        ("uv run examples/run_grpo_math.py --config x", "nemo_rl"),
        ("python -m skyrl.train.entrypoints.main_base", "skyrl"),
        ("trl grpo --model x", "trl"),
        ("python3 -m verl.trainer.main_ppo a=b", "verl"),
    ],
)
def test_the_entry_point_tells_the_trainer(entrypoint: str, profile: str) -> None:
    assert match_profile([], entrypoint).name == profile
