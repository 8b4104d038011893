"""A family of runs like those that went wrong once: a trainer's console logs, launch scripts, and its git history.

Lines are in verl's legacy form, values are made up where a test gives none. Every variation that the tests need is a
field of `Run`; nothing of it is random but by a seed.
"""

from __future__ import annotations

import os
import pprint
import random
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monitor.audit.audit import AuditOptions, audit
from monitor.model.audit import Audit, AuditedRun

METRIC = "val-core/openai/gsm8k/acc/mean@1"
SKIP = (
    "[WARN] Skipping final step validation to avoid known hang issue. "
    "Use test_freq to get validation metrics before the last step."
)
ROWS, LAYERS = 1319, 196
ZONE = "+0800"


@dataclass(frozen=True)
class Run:
    """One run and how its log tells of it. Scores: fractions by step; None: the log breaks off in that validation."""

    name: str = "mxfp4_w4a4_e1a_plain"
    scores: Mapping[int, float | None] = field(default_factory=lambda: {0: 0.08, 20: 0.61, 29: 0.71})
    started: str = "2026-01-15 14:31:05"
    total: int = 29
    test_freq: int = 20
    format: str = "mxfp4"
    asked: str = "W4A4"
    engine: str = "counted"
    """`counted`, `bf16`, `silent`, `fork` (hooks registered, nothing counted), or a scheme that it counts (`W4A16`)."""
    counted_format: str = ""
    """Format that the engine counts, where it is another."""
    active: int = LAYERS
    calls: int = ROWS * LAYERS
    skips: bool = False
    noise: str = "none"
    entry: str = "verl.trainer.main_ppo"
    driver: str = "TaskRunner"
    from_step: int = 0
    """Resumed from this step's checkpoint."""
    until: int | None = None
    """The last step that is logged, where the run was stopped before its end."""
    percent: bool = False
    wrapped: bool = False
    """Closing metrics wrapped by pprint over several lines."""
    final_words: str | None = None
    """What the closing line says instead of the metrics."""
    batches: int = 1
    batches_ended: int = 1
    before: tuple[str, ...] = ()
    """Lines at the top of the log, after the echoed command."""
    loop_error_at: int | None = None
    seed: int = 1
    launched: bool = True


def console(run: Run) -> list[str]:
    """The lines of the run's console log."""
    rng = random.Random(f"{run.name}{run.seed}")
    driver = f"({run.driver} pid={rng.randint(20_000, 90_000)}) "
    worker, engine = (f"({name} pid={rng.randint(20_000, 90_000)}) " for name in ("WorkerDict", "vLLMHttpServer"))
    lines = [command(run)] if run.launched else []
    lines += [*run.before, f"{run.started},412 INFO worker.py:1918 -- Started a local Ray instance."]
    lines += [
        f"{driver}Size of train dataloader: {run.total}, Size of val dataloader: {run.batches}",
        f"{driver}Total training steps: {run.total}",
    ]
    lines += _hooks(run, worker, engine)
    if run.from_step:
        lines += [
            f"{driver}Setting global step to {run.from_step}",
            f"{driver}Resuming from global_step_{run.from_step}",
        ]
    elif 0 in run.scores:
        lines += [*_validation(run, 0, driver, engine), f"{driver}Initial validation metrics: {_core(run, 0)}"]
        lines += [f"{driver}step:0 - {_flat(_core(run, 0))}"]
    for step in range(run.from_step + 1, (run.until or run.total) + 1):
        last = step == run.total
        metrics: dict[str, float] = {"actor/pg_loss": round(rng.gauss(0, 0.02), 6)}
        if step == run.loop_error_at:
            lines.append(f"{worker}RuntimeError: this event loop is already running")
        if last and run.skips:
            lines.append(f"{driver}{SKIP}")
        elif (step % run.test_freq == 0 or last) and step in run.scores:
            lines += _validation(run, step, driver, engine)
            if run.scores[step] is None:
                return lines
            metrics |= _core(run, step) | {"timing_s/testing": 47.5}
        metrics |= {"timing_s/step": round(rng.uniform(118, 171), 4), "training/global_step": step}
        lines.append(f"{driver}step:{step} - {_flat(metrics)}")
        lines.append(f"{driver}Training Progress: {100 * step // run.total:3d}%| {step}/{run.total} [144.5s/it]")
    if run.until is None:
        lines += [driver + line for line in _closing(run)]
    return lines


def command(run: Run) -> str:
    """The command as `set -x` echoes it."""
    return (
        f"+ python3 -m {run.entry} trainer.total_training_steps={run.total} trainer.test_freq={run.test_freq} "
        f"+quant.format={run.format} +noise.schedule={run.noise} trainer.experiment_name={run.name}"
    )


def _hooks(run: Run, worker: str, engine: str) -> list[str]:
    tag = f"[{run.format.upper()}]"
    if run.engine == "fork":
        return [
            f"{worker}[HW Error] Registered {LAYERS} hooks on actor model for training",
            f"{engine}[HW Error] Registered {LAYERS} hooks on vLLM model after weight sync",
            f"{worker}[{run.format.upper()}-W4A16] First WEIGHT quant on model.layers.0.self_attn.q_proj",
            f"{worker}[W4A4] First ACTIVATION quant on model.layers.0.self_attn.q_proj",
        ]
    lines = [
        f"{worker}{tag} {run.asked} fake quantization hooks on {LAYERS} nn.Linear (excluded: lm_head, embed_tokens)"
    ]
    if run.engine == "bf16":
        lines.append(f"{engine}{tag} rollout engine: no quantization hooks, bf16")
    elif run.engine != "silent":
        lines.append(f"{engine}{tag} rollout engine: {run.asked} hooks on {LAYERS} linear layers")
    return lines


def _validation(run: Run, step: int, driver: str, engine: str) -> list[str]:
    meta = {"eos_token_id": 151645, "do_sample": False, "validate": True, "global_steps": step}
    lines = []
    for number in range(run.batches):
        lines.append(f"{driver}test_gen_batch meta info: {meta}")
        if number < run.batches_ended:
            lines.append(f"{driver}validation generation end")
    if run.engine not in ("bf16", "silent", "fork"):
        scheme = run.asked if run.engine == "counted" else run.engine
        form = (run.counted_format or run.format).upper()
        lines.append(
            f"{engine}[{form}] validation step {step}: {scheme} active in {run.active}/{LAYERS} linear layers, "
            f"{run.calls} calls"
        )
    return lines


def _core(run: Run, step: int) -> dict[str, float]:
    value = run.scores[step]
    assert value is not None
    shown = round(value * 100, 2) if run.percent else round(value, 4)
    return {METRIC: shown, "val-aux/openai/gsm8k/reward/mean@1": shown}


def _flat(metrics: Mapping[str, float]) -> str:
    return " - ".join(f"{name}:{value}" for name, value in metrics.items())


def _closing(run: Run) -> list[str]:
    if run.final_words is not None:
        return [f"Final validation metrics: {run.final_words}"]
    final = {} if run.skips or run.total not in run.scores else _core(run, run.total)
    text = f"Final validation metrics: {final}"
    return pprint.pformat(text, width=60).splitlines() if run.wrapped else [text]


def script(run: Run) -> str:
    """The launch script of the run."""
    return f"""\
#!/usr/bin/env bash
set -xeuo pipefail
python3 -m {run.entry} \\
    data.val_files=$HOME/data/gsm8k/test.parquet \\
    +quant.enable=true +quant.format={run.format} +quant.weights=true +quant.activations=true \\
    +noise.schedule={run.noise} \\
    trainer.n_gpus_per_node=8 trainer.nnodes=1 \\
    trainer.total_training_steps={run.total} trainer.test_freq={run.test_freq} \\
    trainer.val_before_train=True trainer.experiment_name={run.name} "$@"
"""


EVALUATION = [
    "+ python3 -m verl.trainer.main_ppo trainer.val_only=True trainer.resume_mode=resume_path "
    "trainer.resume_from_path=checkpoints/qerl/mxfp4_w4a4_e13j_global_aqn/global_step_29",
    "(TaskRunner pid=41877) Setting global step to 29",
    "(WorkerDict pid=42019) RuntimeError: this event loop is already running",
    "(TaskRunner pid=41877) validation generation end",
    f"(TaskRunner pid=41877) Initial validation metrics: {{'{METRIC}': 0.0849}}",
]

_QUIET = {"engine": "silent", "skips": True}
FAMILY = (
    Run("nvfp4_w4a4_ste_fix_e13g", {0: 0.0811, 20: 0.6088, 29: 0.7089}, "2026-01-15 09:12:40", format="nvfp4"),
    Run("mxfp4_w4a4_ste_fix_e13h", {0: 0.0796, 20: 0.6073, 29: 0.7142}, "2026-01-15 14:31:05"),
    Run("mxfp4_w4a4_e13j_global_aqn", {0: 0.0819, 20: 0.7331}, "2026-01-16 11:23:58", engine="bf16", skips=True,
        noise="global_aqn"),
    Run("mxfp4_w4a4_e13k_aqn_qerl_sigma", {0: 0.0796, 20: 0.6596}, "2026-01-16 17:11:45", **_QUIET),
    Run("mxfp4_w4a4_e13l_variable_rin", {0: 0.0804, 20: 0.5322}, "2026-01-16 20:27:24", **_QUIET),
    Run("mxfp4_w4a4_e13m_inverse_rin", {0: 0.0796, 20: 0.6937}, "2026-01-17 00:36:58", **_QUIET),
    Run("mxfp4_w4a4_e13n_ceiling_rin", {0: 0.0819, 20: 0.6907}, "2026-01-17 10:04:23", **_QUIET),
    Run("mxfp4_w4a4_e14a_zone_schedule", {0: 0.0804, 20: None}, "2026-01-17 17:08:10", **_QUIET),
)  # fmt: skip

COMMITS = (
    ("2026-01-14 10:00:00", "feat: quantized RL training on the PPO trainer", False),
    ("2026-01-16 02:00:33", "fix: Skip final validation", True),
    ("2026-01-16 02:02:05", 'Revert "fix: Skip final validation"', False),
    ("2026-01-16 03:33:24", "fix: Skip final step validation to avoid Ray deadlock", True),
    ("2026-01-17 23:10:00", "fix: restore final step validation", False),
)


def trainer_source(skips: bool) -> str:
    """The training loop before or after the commit that skips."""
    validate = (
        '{indent}with marked_timer("testing", timing_raw, color="green"):\n{indent}    val_metrics = self._validate()\n'
    )
    head = (
        "class RayPPOTrainer:\n    def fit(self):\n        for batch in self.train_dataloader:\n"
        "            is_last_step = self.global_steps >= self.total_training_steps\n"
    )
    if not skips:
        return head + validate.format(indent=" " * 12)
    return (
        f'{head}            if is_last_step:\n                print("{SKIP}")\n                val_metrics = {{}}\n'
        "            else:\n" + validate.format(indent=" " * 16)
    )


def write_repository(folder: Path, runs: Iterable[Run] = ()) -> Path:
    """A git repository of the trainer with the family's timeline, and the launch scripts of `runs`."""
    source = folder / "verl/trainer/ppo/ray_trainer.py"
    source.parent.mkdir(parents=True)
    (folder / "scripts").mkdir()
    for run in runs:
        (folder / "scripts" / f"test_{run.name}.sh").write_text(script(run))
    _git(folder, "init", "-q", "-b", "main")
    for when, subject, skips in COMMITS:
        source.write_text(trainer_source(skips))
        _git(folder, "add", "-A")
        _git(folder, "commit", "-q", "-m", subject, when=when)
    return folder


def _git(folder: Path, *words: str, when: str = "2026-01-14 10:00:00") -> None:
    told = {"NAME": "trainer", "EMAIL": "t@example.org", "DATE": f"{when} {ZONE}"}
    who = {f"GIT_{role}_{what}": told[what] for role in ("AUTHOR", "COMMITTER") for what in told}
    environ = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", "-C", str(folder), *words], env=environ, check=True, capture_output=True)


def write_logs(folder: Path, runs: Iterable[Run]) -> Path:
    """One log a run."""
    folder.mkdir(parents=True, exist_ok=True)
    for run in runs:
        (folder / f"{run.name}.log").write_text("\n".join(console(run)) + "\n")
    return folder


def write_family(folder: Path, runs: Iterable[Run] = FAMILY) -> Path:
    """The whole case: logs, the evaluation's log, scripts and history."""
    runs = tuple(runs)
    write_repository(folder / "repo", runs)
    write_logs(folder / "logs", runs)
    (folder / "logs" / "eval_e13j_val_only.log").write_text("\n".join(EVALUATION) + "\n")
    return folder


def audited(*paths: Path) -> Audit:
    """The audit of some paths, in this process."""
    return audit(AuditOptions(paths=paths, workers=1))


def the_run(found: Audit, name: str) -> AuditedRun:
    """The run of that name or label."""
    (run,) = [run for run in found.runs if name in (run.name, run.label) and run.kind.value == "training"]
    return run


def audit_log(folder: Path, *lines: Iterable[str], name: str = "run") -> Audit:
    """The audit of one log made of some runs' lines."""
    path = folder / f"{name}.log"
    path.write_text("\n".join(line for part in lines for line in part) + "\n")
    return audited(path)


def words(run: AuditedRun) -> list[str]:
    """The run's standing."""
    return [word.value for word in run.standing]
