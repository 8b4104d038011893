"""The trainer's printed configuration as fields of `RunConfig`: keys by the profile, relative paths by a folder.

Intention only: what was configured, not what ran. Counts the rows of a JSON-lines validation file, so that a validation
has a total; other formats stay unknown.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitor.sources.parquet_rows import count_parquet_rows
from monitor.sources.printed_dict import look_up
from monitor.sources.trainer_profile import TrainerProfile

PATHS = frozenset({"checkpoint_dir", "validation_data_dir", "validation_file", "model_path"})
INTEGERS = frozenset({"total_steps", "test_freq", "save_freq"})
LARGEST_COUNTED = 512 << 20


def config_fields(config: dict[str, Any], profile: TrainerProfile, base: Path | None) -> dict[str, Any]:
    """Fields of `RunConfig` that the printed configuration holds. Without `base`, relative paths are left out."""
    fields: dict[str, Any] = {"trainer": profile.name}
    for name, key in profile.config_keys.items():
        value = _field(name, look_up(config, key), base)
        if value is not None:
            fields[name] = value
    quantized = trains_quantized(config, profile)
    if quantized is not None:
        fields["quantized"] = quantized
    each = reading_value(config, profile, "validation_samples_each")
    filtered = reading_value(config, profile, "filters_prompts") is True
    rows = None if filtered else count_rows(fields.get("validation_file"))
    if rows is not None:
        most = most_prompts(config, profile)
        rows = rows if most is None else min(rows, most)
        fields["validation_rows"] = rows * (each if isinstance(each, int) and each > 0 else 1)
    return fields


def most_prompts(config: dict[str, Any], profile: TrainerProfile) -> int | None:
    """The most prompts a validation takes, None where it takes all."""
    most = reading_value(config, profile, "validation_most_prompts")
    return most if isinstance(most, int) and not isinstance(most, bool) and most > 0 else None


def trains_quantized(config: dict[str, Any], profile: TrainerProfile) -> bool | None:
    """Whether training quantizes, by the profile's switches; None where the configuration has none of them."""
    said = [value for key in profile.quantization_switches if (value := look_up(config, key, exact=True)) is not None]
    return any(bool(value) for value in said) if said else None


def reading_value(config: dict[str, Any], profile: TrainerProfile, name: str) -> Any:
    """The value of one of the profile's `reading_keys`."""
    return look_up(config, profile.reading_keys[name]) if name in profile.reading_keys else None


def file_log_path(
    config: dict[str, Any], profile: TrainerProfile, environ: Mapping[str, str], base: Path
) -> str | None:
    """Where the trainer's file logger writes, by its environment; None where it is off or not told."""
    if not logs_to_file(config, profile):
        return None
    direct = environ.get(profile.file_log_path_variable or "", "")
    if direct:
        return absolute(direct, base)
    project, experiment = (look_up(config, profile.config_keys.get(name, "")) for name in ("project", "experiment"))
    if not project or not experiment:
        return None
    root = environ.get(profile.file_log_root_variable or "") or profile.file_log_root_default
    return absolute(os.path.join(root, str(project), f"{experiment}.jsonl"), base)


def logs_to_file(config: dict[str, Any], profile: TrainerProfile) -> bool:
    """True where the file logger is on."""
    loggers = reading_value(config, profile, "loggers")
    return "file" in (loggers if isinstance(loggers, (list, tuple)) else [loggers])


def absolute(path: str, base: Path) -> str:
    """`path` from the folder `base`."""
    return os.path.normpath(os.path.join(base, os.path.expanduser(path)))


def count_rows(path: object) -> int | None:
    """Rows of a parquet file, non-empty lines of a JSON-lines file; None where it is neither or can't be read."""
    if isinstance(path, str) and path.endswith(".parquet"):
        return count_parquet_rows(Path(path))
    if not isinstance(path, str) or not path.endswith((".jsonl", ".ndjson")):
        return None
    try:
        if os.path.getsize(path) > LARGEST_COUNTED:
            return None
        with open(path, "rb") as file:
            return sum(1 for line in file if line.strip())
    except OSError:
        return None


def _field(name: str, value: Any, base: Path | None) -> Any:
    if name in PATHS:
        single = value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value
        if not isinstance(single, str) or not single:
            return None
        if base is None:
            return single if os.path.isabs(single) else None
        return absolute(single, base)
    if name in INTEGERS:
        return value if isinstance(value, int) and not isinstance(value, bool) else None
    if name == "validate_before_train":
        return value if isinstance(value, bool) else None
    if name == "recipe":
        return value if isinstance(value, dict) and value else None
    return str(value) if value is not None else None
