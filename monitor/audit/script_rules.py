"""Keys, defaults and patterns of `configs/audit/scripts.yaml`, and the settings of one command read through them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from monitor.audit.overrides import Command
from monitor.settings import build, config_directory, load_yaml

NONE = "none"
"""The recipe's name where nothing is quantized."""
FULL_BITS = 16


@dataclass(frozen=True)
class ScriptRules:
    """Every key of the file; what each means stands beside it there."""

    trainers: tuple[str, ...]
    evaluators: tuple[str, ...]
    keys: dict[str, tuple[str, ...]]
    defaults: dict[str, str]
    quantization_sections: tuple[str, ...]
    quantization_elsewhere: tuple[str, ...]
    other_configuration: str
    passes_on: str


@cache
def script_rules() -> ScriptRules:
    """The rules that ship."""
    path = config_directory() / "audit" / "scripts.yaml"
    return build(ScriptRules, load_yaml(path), str(path))


@dataclass(frozen=True)
class CommandSettings:
    """What one command sets, by the rules' names instead of the trainer's keys."""

    command: Command
    rules: ScriptRules

    def key(self, name: str) -> str | None:
        """The key by which the command sets `name`, None where it sets it by none."""
        return next((key for key in self.rules.keys[name] if key in self.command.overrides), None)

    def given(self, name: str) -> str | None:
        """The value that the command sets, None where it sets none."""
        key = self.key(name)
        return None if key is None else self.command.overrides[key].strip().strip("'\"")

    def value(self, name: str) -> str | None:
        """The value that holds: what is set, else the trainer's default."""
        given = self.given(name)
        return given if given is not None else self.rules.defaults.get(name)

    def flag(self, name: str) -> bool | None:
        """A truth value; None where it is neither word of one (a variable)."""
        word = (self.value(name) or "").lower()
        return {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False,
                "off": False}.get(word)  # fmt: skip

    def number(self, name: str) -> int | None:
        """A whole number; None where it is none (a variable, null)."""
        value = self.value(name) or ""
        return int(value) if re.fullmatch(r"[+-]?\d{1,12}", value) else None

    def quantization_overrides(self) -> dict[str, str]:
        """All overrides that belong to the quantization."""
        return {key: value for key, value in self.command.overrides.items() if self.is_quantization(key)}

    def is_quantization(self, key: str) -> bool:
        """True for a key of the quantization."""
        return key.startswith(self.rules.quantization_sections)


def recipe_name(settings: CommandSettings) -> str | None:
    """The recipe that the overrides ask for (`mxfp4_w4a4`), `none` where they ask for none, None: can't be told."""
    overrides = settings.quantization_overrides()
    if not overrides:
        return NONE
    if settings.key("quant_enabled") is not None:
        enabled = settings.flag("quant_enabled")
        if enabled is not True:
            return NONE if enabled is False else None
    form = (settings.given("quant_format") or "").lower()
    if not re.fullmatch(r"[a-z][a-z0-9]*(_w\d+a\d+)?", form):
        return None
    if "_" in form:
        return form
    point = settings.given("quant_point")
    weights, activations = _half(settings, "quant_weights", point), _half(settings, "quant_activations", point)
    if weights is None or activations is None:
        return None
    bits = 4 if "4" in form else 8
    return f"{form}_w{bits if weights else FULL_BITS}a{bits if activations else FULL_BITS}"


def _half(settings: CommandSettings, name: str, point: str | None) -> bool | None:
    """Whether one operand is quantized: by its own key, by the injection point (`both`, `weight`, …), else yes."""
    if settings.key(name) is not None:
        return settings.flag(name)
    if point is None or point.lower() == "both":
        return True
    return point.lower().startswith("weight") == (name == "quant_weights")


def elsewhere(text: str, rules: ScriptRules) -> str | None:
    """A recipe set by an environment variable or a program's option, None where none is."""
    for pattern in rules.quantization_elsewhere:
        found = re.search(pattern, text, re.MULTILINE)
        if found:
            return found["recipe"].lower()
    return None


def recipe_of_overrides(overrides: Mapping[str, str]) -> str | None:
    """The recipe of a mapping of overrides alone."""
    command = Command(None, dict(overrides), (), 1, "")
    return recipe_name(CommandSettings(command, script_rules()))
