"""Launch and evaluation scripts, judged by what they would do: never executed, read word by word.

An evaluation is safe for a checkpoint only with the quantization that the checkpoint was trained with, over all rows,
of the checkpoint's weights; a launch is safe only if its last step will be validated and can be repeated. What a script
takes from elsewhere (another configuration, a variable) is not known, and said so.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from monitor.audit.overrides import Command, script_commands
from monitor.audit.script_rules import NONE, CommandSettings, ScriptRules, elsewhere, recipe_name, script_rules
from monitor.model.audit import AuditEvidence, RunKind, ScriptVerdict

LARGEST_SCRIPT = 1 << 20
"""Characters; a longer file is no script."""


@dataclass(frozen=True)
class Script:
    """One script's text as it was read."""

    path: str
    text: str


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, or can't be told."""

    sentence: str
    change: str = ""
    key: str | None = None
    """The override that shows it."""
    certain: bool = True
    """False: it can't be told from the script."""
    grave: bool = True
    """False: the score counts all the same."""


def judge_scripts(scripts: Iterable[Script], recipes: Sequence[str] = ()) -> tuple[ScriptVerdict, ...]:
    """A verdict for each script that starts a trainer or an evaluation, in the order given.

    `recipes`: of the checkpoints there are; without any, those that the launch scripts among `scripts` ask for.
    """
    rules = script_rules()
    read = [(script, command) for script in scripts if (command := _telling(script, rules)) is not None]
    launches = [CommandSettings(command, rules) for _, command in read if _kind(command, rules) is RunKind.TRAINING]
    asked = {recipe_name(settings): settings for settings in launches}
    wanted = tuple(recipes) or tuple(sorted(name for name in asked if name not in (None, NONE)))
    names = Counter(name for settings in launches if (name := _run_name(settings)) is not None)
    known = {name: settings for name, settings in asked.items() if name is not None}
    verdicts: list[ScriptVerdict] = []
    for script, command in read:
        settings = CommandSettings(command, rules)
        if _kind(command, rules) is RunKind.TRAINING:
            verdicts.append(_launch(script, settings, names))
        else:
            verdicts += _evaluation(script, settings, wanted, known)
    return tuple(verdicts)


def _telling(script: Script, rules: ScriptRules) -> Command | None:
    """The last command of the script that starts a trainer or an evaluation."""
    commands = script_commands(script.text[:LARGEST_SCRIPT])
    entries = (*rules.trainers, *rules.evaluators)
    starts = [command for command in commands if command.entry and _is(command.entry, entries)]
    if not starts:
        starts = [command for command in commands if any(key.startswith("trainer.") for key in command.overrides)]
    return starts[-1] if starts else None


def _is(entry: str, patterns: Sequence[str]) -> bool:
    return any(re.search(pattern, entry) for pattern in patterns)


def _kind(command: Command, rules: ScriptRules) -> RunKind:
    if command.entry and _is(command.entry, rules.evaluators):
        return RunKind.EVALUATION
    return RunKind.TRAINING if CommandSettings(command, rules).flag("val_only") is False else RunKind.EVALUATION


def _run_name(settings: CommandSettings) -> tuple[str | None, str] | None:
    name = settings.given("experiment")
    return (settings.given("project"), name) if name and "$" not in name else None


def _applied(script: Script, settings: CommandSettings) -> str | None:
    applied = elsewhere(script.text, settings.rules) or recipe_name(settings)
    if applied == NONE and re.search(settings.rules.other_configuration, settings.command.text):
        return None
    return applied


def _launch(script: Script, settings: CommandSettings, names: Counter[tuple[str | None, str]]) -> ScriptVerdict:
    applied = _applied(script, settings)
    verdict = ScriptVerdict(script.path, RunKind.TRAINING, None, applied, (applied,) if applied else ())
    return _concluded(verdict, script, settings, [*_validated(settings), *_kept(settings, names)])


def _evaluation(
    script: Script, settings: CommandSettings, recipes: tuple[str, ...], launches: dict[str, CommandSettings]
) -> list[ScriptVerdict]:
    """One verdict for checkpoints of the recipe that it applies, one for those of others."""
    applied = _applied(script, settings)
    common = [*_would_train(settings), *_weights(settings), *_rows(settings), *_noise(settings)]
    groups = [tuple(name for name in recipes if name == applied), tuple(name for name in recipes if name != applied)]
    verdicts = []
    for group in groups if recipes else [()]:
        if group or not recipes:
            verdict = ScriptVerdict(script.path, RunKind.EVALUATION, None, applied, group)
            faults = [*_quantization(settings, applied, group, launches), *common]
            verdicts.append(_concluded(verdict, script, settings, faults))
    return verdicts


def _concluded(
    verdict: ScriptVerdict, script: Script, settings: CommandSettings, faults: Sequence[Fault]
) -> ScriptVerdict:
    grave = [fault for fault in faults if fault.grave]
    if any(fault.certain for fault in grave):
        safe: bool | None = False
    else:
        safe = None if grave else True
    shown = [*(fault for fault in grave if fault.certain), *(fault for fault in grave if not fault.certain)]
    shown += [fault for fault in faults if not fault.grave]
    for_whom = f"for a checkpoint trained in {' or '.join(verdict.for_recipes)}" if verdict.for_recipes else ""
    if verdict.kind is RunKind.TRAINING:
        word = {True: "asks for a final validation", False: "unsafe", None: "can't be told"}[safe]
    else:
        word = {True: f"safe {for_whom}", False: f"unsafe {for_whom}", None: f"can't be told {for_whom}"}[safe].strip()
    reasons = "; ".join(fault.sentence for fault in shown)
    return replace(
        verdict,
        safe=safe,
        sentence=f"{word}: {reasons}" if reasons else word,
        changes=tuple(dict.fromkeys(fault.change for fault in shown if fault.change)),
        evidence=tuple(_evidence(script, settings.command, fault) for fault in shown),
    )


def _evidence(script: Script, command: Command, fault: Fault) -> AuditEvidence:
    """The line that sets the key; the command's first line where no line does."""
    lines = script.text.splitlines()
    for number in range(command.line, len(lines) + 1):
        if fault.key is not None and f"{fault.key}=" in lines[number - 1]:
            said = f"{fault.key}={command.overrides.get(fault.key, '')}"
            return AuditEvidence(said, script.path, number)
    return AuditEvidence(fault.sentence, script.path, command.line)


# An evaluation


def _would_train(settings: CommandSettings) -> list[Fault]:
    if not settings.flag("val_only") or settings.flag("val_before_train") is not False:
        return []
    sentence = "val_only counts only inside val_before_train, which is off: it would train"
    return [Fault(sentence, "trainer.val_before_train=True", settings.key("val_before_train"))]


def _weights(settings: CommandSettings) -> list[Fault]:
    """Whose weights are evaluated."""
    if settings.flag("val_only") is not True:
        return []
    mode, path = (settings.value("resume_mode") or "").lower(), settings.given("resume_path")
    cure = "trainer.resume_mode=resume_path trainer.resume_from_path=CHECKPOINT"
    if mode == "disable":
        return [
            Fault("resume_mode=disable evaluates the start model, no checkpoint", cure, settings.key("resume_mode"))
        ]
    if not path or path.lower() == "null":
        sentence = "it names no checkpoint: it takes the newest of its own folder, or the start model"
        return [Fault(sentence, cure, certain=False)]
    if mode != "resume_path":
        sentence = f"resume_mode is {mode}: the checkpoint that is named is not the one that is taken"
        return [Fault(sentence, "trainer.resume_mode=resume_path", settings.key("resume_mode"))]
    return [
        Fault(
            "whether the loaded weights reach the rollout engine shows only in the log: a score at the start model's "
            "level, or `this event loop is already running`, means that they did not",
            key=settings.key("resume_path"),
            grave=False,
        )
    ]


def _rows(settings: CommandSettings) -> list[Fault]:
    most = settings.number("most_rows")
    if most is None or most <= 0:
        return []
    sentence = f"it evaluates at most {most} rows: its score is of a part, unless the set is smaller"
    return [Fault(sentence, f"{settings.key('most_rows')}=-1", settings.key("most_rows"))]


def _noise(settings: CommandSettings) -> list[Fault]:
    noise = settings.given("noise")
    if noise is None or noise.lower() in (NONE, "null", "false", ""):
        return []
    sentence = f"it evaluates with the noise schedule {noise}"
    return [Fault(sentence, f"{settings.key('noise')}=none", settings.key("noise"))]


def _quantization(
    settings: CommandSettings, applied: str | None, recipes: tuple[str, ...], launches: dict[str, CommandSettings]
) -> list[Fault]:
    if not recipes:
        return [Fault("with which recipe the checkpoints were trained is not known", certain=False)]
    faults = []
    for recipe in recipes:
        if recipe == applied:
            continue
        change = _overrides_for(recipe, launches, settings)
        if applied is None:
            faults.append(Fault("which quantization it applies is set elsewhere", change, certain=False))
        elif applied == NONE:
            sentence = f"no quantization override: a checkpoint trained in {recipe} would be scored in BF16"
            faults.append(Fault(sentence, change))
        else:
            sentence = f"it applies {applied}, the checkpoint was trained in {recipe}"
            faults.append(Fault(sentence, change, settings.key("quant_format")))
    return faults


def _overrides_for(recipe: str, launches: dict[str, CommandSettings], settings: CommandSettings) -> str:
    """The overrides by which a launch script asks for the recipe, to be added as they stand."""
    if recipe == NONE:
        return "remove " + " ".join(settings.quantization_overrides()) if settings.quantization_overrides() else ""
    launch = launches.get(recipe)
    if launch is None:
        return f"add the quantization overrides of the launch script that trained {recipe}"
    return "add " + " ".join(f"+{key}={shlex.quote(value)}" for key, value in launch.quantization_overrides().items())


# A launch


def _validated(settings: CommandSettings) -> list[Fault]:
    """Whether the last step will be validated."""
    if settings.flag("val_only") is None:
        return [Fault("whether it trains or only validates is set elsewhere", certain=False)]
    frequency, total = settings.number("test_freq"), settings.number("total_steps")
    faults: list[Fault] = []
    if frequency is None:
        faults.append(Fault("how often it validates is set elsewhere", certain=False, key=settings.key("test_freq")))
    elif frequency <= 0:
        said = "test_freq is -1 by default" if settings.key("test_freq") is None else f"test_freq is {frequency}"
        faults.append(Fault(f"{said}: it never validates", "trainer.test_freq=20", settings.key("test_freq")))
    elif total is not None and total % frequency:
        sentence = (
            f"step {total} is no multiple of {frequency}: only the trainer's own rule for the last step validates it"
        )
        faults.append(Fault(sentence, key=settings.key("test_freq"), grave=False))
    if total is not None and settings.number("total_epochs") is not None:
        sentence = "steps and epochs are both set: where the epochs run out first there is no last step to validate"
        faults.append(Fault(sentence, "set one of them", settings.key("total_epochs"), grave=False))
    return faults


def _kept(settings: CommandSettings, names: Counter[tuple[str | None, str]]) -> list[Fault]:
    """What is left of the run: checkpoints to repeat its validation from, and metrics that no restart erases."""
    faults: list[Fault] = []
    saves = settings.number("save_freq")
    if saves is not None and saves <= 0:
        sentence = "it saves no checkpoint: a final score that is missing can't be made up for"
        faults.append(Fault(sentence, "trainer.save_freq=20", settings.key("save_freq"), grave=False))
    name = _run_name(settings)
    if name is not None and names[name] > 1:
        sentence = f"{names[name]} scripts use the name {name[1]}: each resumes or erases what the other left"
        faults.append(Fault(sentence, "a trainer.experiment_name of its own", settings.key("experiment"), grave=False))
    elif name is not None and "file" in (settings.given("logger") or ""):
        sentence = f"started again as {name[1]}, the file logger erases the metrics of the first time"
        faults.append(Fault(sentence, "a trainer.experiment_name with the time", settings.key("logger"), grave=False))
    if settings.flag("val_before_train") is False:
        sentence = "without a validation before training, the start model's level is not known"
        faults.append(Fault(sentence, "trainer.val_before_train=True", settings.key("val_before_train"), grave=False))
    return faults
