"""Gathers what only a verl run's preflight judges: tokenizer, reward file, adapters, GPUs. From files and NVML."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from monitor.rerun.facts import GpuSpace, VerlFacts
from monitor.rerun.plan import RerunPlan

TOKENIZER_FOLDERS = ("", "huggingface", "actor/huggingface")
IMPORTS_VERL = re.compile(r"^\s*(?:from|import)\s+verl\b", re.MULTILINE)
ADAPTERS = ("lora_adapter", "actor/lora_adapter")


def verl_facts(plan: RerunPlan) -> VerlFacts | None:
    """The facts; None for a plan of another trainer."""
    if plan.verl is None:
        return None
    checkpoint = Path(plan.checkpoint)
    differences, unknown = tokenizer_differences(checkpoint, Path(plan.start_model) if plan.start_model else None)
    taken, total, space = gpus()
    adapter = next((str(checkpoint / name) for name in ADAPTERS if (checkpoint / name).is_dir()), "")
    return VerlFacts(
        differences,
        unknown,
        _reward_error(plan.verl.reward),
        adapter,
        taken,
        total,
        gpu_space=space,
        needs_verl=needs_verl(plan.verl.reward),
        merge_free=_merge_free(),
    )


def needs_verl(reward: str | None) -> str:
    """Why the rewards need verl installed; empty where they don't, as far as the reward's own file shows."""
    if reward is None:
        return "the reward is verl's own"
    try:
        text = Path(reward.rpartition(":")[0]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    return "the run's reward function imports verl" if IMPORTS_VERL.search(text) else ""


def _merge_free() -> int | None:
    try:
        return shutil.disk_usage(tempfile.gettempdir()).free
    except OSError:
        return None


def tokenizer_differences(checkpoint: Path, start_model: Path | None) -> tuple[tuple[str, ...], str]:
    """In what the two tokenizers differ: vocabulary, added tokens, chat template; or why that can't be told."""
    ours = _tokenizer(checkpoint)
    theirs = _tokenizer(start_model) if start_model else None
    if ours is None:
        return (), "the checkpoint has no tokenizer.json"
    if theirs is None:
        return (), "the start model has no tokenizer.json to compare with"
    return tuple(f"its {key} differs" for key in ours if ours[key] != theirs[key]), ""


def _tokenizer(folder: Path) -> dict[str, Any] | None:
    for place in (folder / name for name in TOKENIZER_FOLDERS):
        try:
            document = json.loads((place / "tokenizer.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        model = document.get("model") or {}
        # Libraries write what lies beside these in other words from version to version; merges as pairs or as text.
        merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model.get("merges") or ()]
        added = {token.get("content"): token.get("id") for token in document.get("added_tokens") or ()}
        words = {"vocabulary": model.get("vocab"), "merges": merges, "added tokens": added}
        return {**words, "chat template": _chat_template(place)}
    return None


def _chat_template(folder: Path) -> str | None:
    """A file of its own in newer checkpoints, a key of tokenizer_config.json in older ones."""
    try:
        return (folder / "chat_template.jinja").read_text(encoding="utf-8").strip()
    except OSError:
        pass
    try:
        found = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("chat_template")
    except (OSError, ValueError, AttributeError):
        return None
    return found.strip() if isinstance(found, str) else None


def _reward_error(reward: str | None) -> str:
    """Why the run's own reward function can't be used; verl's own is the engine's business."""
    if reward is None:
        return ""
    file, _, function = reward.rpartition(":")
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return f"the run's reward function {file} can't be read: {error}"
    return "" if function in text else f"{file} has no `{function}`"


def gpus() -> tuple[tuple[str, ...], int | None, tuple[GpuSpace, ...]]:
    """The GPUs that some process holds, how many there are, and the memory of the free ones."""
    from monitor.sources.gpus import GpuReader

    reader = GpuReader()
    try:
        found = reader.poll(time.time()).value
    finally:
        reader.close()
    if not found:
        return (), None, ()
    taken = tuple(f"GPU {gpu.index} is held by pid {gpu.pids[0]}" for gpu in found if gpu.pids)
    space = tuple(
        GpuSpace(gpu.index, gpu.memory_total, gpu.memory_total - gpu.memory_used)
        for gpu in found
        if not gpu.pids and gpu.memory_total is not None and gpu.memory_used is not None
    )
    return taken, len(found), space
