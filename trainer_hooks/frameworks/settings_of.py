"""Reads a trainer's resolved configuration, whatever holds it: dictionaries, OmegaConf, dataclasses, namespaces.

Gives the fields of the RUN_CONFIG record from verl's keys. A key that is missing, or fails to resolve, is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIELDS = {
    "experiment": "trainer.experiment_name",
    "project": "trainer.project_name",
    "total_steps": "trainer.total_training_steps",
    "test_freq": "trainer.test_freq",
    "save_freq": "trainer.save_freq",
    "validate_before_train": "trainer.val_before_train",
    "checkpoint_dir": "trainer.default_local_dir",
    "validation_data_dir": "trainer.validation_data_dir",
    "validation_file": "data.val_files",
    "model_path": "actor_rollout_ref.model.path",
    "recipe": "quantization",
}
"""Field of the record → key of the configuration."""


def lookup(config: Any, key: str) -> Any:
    """The value of a dotted key, None where it is not there."""
    value = config
    for part in key.split("."):
        try:
            value = value.get(part) if hasattr(value, "get") else getattr(value, part, None)
        except Exception:
            # OmegaConf raises classes of its own for a missing or unresolvable value.
            return None
        if value is None:
            return None
    return value


def run_config(config: Any) -> dict[str, Any]:
    """What of `FIELDS` the configuration says, in plain values."""
    known = {field: plain(lookup(config, key)) for field, key in FIELDS.items()}
    files = known.get("validation_file")
    if isinstance(files, list):
        # verl takes one file or several; of several none is the validation set.
        known["validation_file"] = files[0] if len(files) == 1 else None
    return {field: value for field, value in known.items() if value is not None}


def plain(value: Any, depth: int = 8) -> Any:
    """`value` in JSON's own types; None for what has none."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if depth and (isinstance(value, Mapping) or hasattr(value, "items")):
        return {str(key): plain(item, depth - 1) for key, item in value.items()}
    if depth and hasattr(value, "__iter__"):
        return [plain(item, depth - 1) for item in value]
    return str(value) if hasattr(value, "__fspath__") else None
