"""What will go wrong with a training before its first step: rules on its settings. Pure.

verl's way, as its code has it (0.7 to 0.9.1): a validation runs where `test_freq > 0` and the step is the last one or a
multiple; the loop ends when epochs run out, whether or not the last step was reached; `val_only` is looked at only
inside the validation before training; the file logger opens its file with "wb". A setting that can't be told gives
`unknown`, never a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from monitor.model.launch import LaunchFinding, LaunchSettings, LaunchSurroundings, Weight

DEFAULTS = {
    "trainer.test_freq": -1,
    "trainer.save_freq": -1,
    "trainer.val_before_train": True,
    "trainer.val_only": False,
    "trainer.total_epochs": 30,
    "trainer.resume_mode": "auto",
}
"""verl's own (trainer/config/ppo_trainer.yaml), the same from 0.7 to 0.9.1."""

VALIDATES_FIRST = ("main_dapo", "dapo")
"""Entry points whose fit validates before it saves, in every version."""
BOTH = frozenset({"both", "all", "train_and_val", "always"})
NOISE_KEYS = ("noise.schedule", "noise.name", "trainer.noise_injection.schedule", "trainer.noise_injection.enabled")
QUANTIZATION = "trainer.hw_error_injection"
QAT = "actor_rollout_ref.actor.fsdp_config.qat"

Rule = Callable[[LaunchSettings, LaunchSurroundings], Iterator[LaunchFinding]]


def judge_launch(settings: LaunchSettings, around: LaunchSurroundings) -> tuple[LaunchFinding, ...]:
    """All findings, the gravest first."""
    found = [finding for rule in RULES for finding in rule(settings, around)]
    order = list(Weight)
    return tuple(sorted(found, key=lambda finding: order.index(finding.weight)))


def _setting(settings: LaunchSettings, name: str) -> object:
    return settings.known(f"trainer.{name}", DEFAULTS.get(f"trainer.{name}"))


def _number(settings: LaunchSettings, name: str) -> int | None:
    value = _setting(settings, name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def only_validates(settings: LaunchSettings) -> bool:
    """True where nothing is trained."""
    return _setting(settings, "val_only") is True and _setting(settings, "val_before_train") is not False


def final_validation_due(settings: LaunchSettings, around: LaunchSurroundings) -> Iterator[LaunchFinding]:
    """`test_freq` at or below 0 validates never, the last step included."""
    if only_validates(settings):
        return
    key = "trainer.test_freq"
    frequency = _number(settings, "test_freq")
    if frequency is None:
        sentence = f"whether a final validation is due can't be told: {_why_unknown(settings, key)}"
        yield LaunchFinding("final-validation", Weight.UNKNOWN, sentence, "", (key,))
    elif frequency <= 0:
        how = f"{key}={frequency}" if key in settings.given else f"{key} is not set, and verl's default is {frequency}"
        sentence = f"no final validation will run: {how}, so the last step is never validated"
        yield LaunchFinding("final-validation", Weight.WRONG, sentence, f"set {key} to 1 or more", (key,))


def last_step_reached(settings: LaunchSettings, around: LaunchSurroundings) -> Iterator[LaunchFinding]:
    """Epochs that run out before `total_training_steps`: no last step, so neither final validation nor final save."""
    keys = ("trainer.total_training_steps", "trainer.total_epochs", "data.train_batch_size")
    total = _number(settings, "total_training_steps")
    if total is None or only_validates(settings):
        return
    epochs, batch = _number(settings, "total_epochs"), settings.known("data.train_batch_size")
    if epochs is None or not isinstance(batch, int) or batch <= 0 or around.train_rows is None:
        missing = "the rows of the training data are" if around.train_rows is None else "epochs or batch size are"
        sentence = f"whether {total} steps will be reached can't be told: {missing} not known"
        yield LaunchFinding("last-step", Weight.UNKNOWN, sentence, "", keys)
        return
    steps = epochs * (around.train_rows // batch)
    if steps < total:
        sentence = (
            f"training ends after {steps} steps, before the last one of {total}: {epochs} epochs of "
            f"{around.train_rows} rows in batches of {batch}. Nothing is validated or saved as final"
        )
        yield LaunchFinding(
            "last-step", Weight.WRONG, sentence, f"raise {keys[1]}, or set {keys[0]} to {steps} or less", keys
        )


def kept_before_validation(settings: LaunchSettings, around: LaunchSurroundings) -> Iterator[LaunchFinding]:
    """A hang in the final validation loses the last weights unless they were saved before it."""
    if only_validates(settings):
        return
    key = "trainer.save_freq"
    frequency = _number(settings, "save_freq")
    if frequency is None:
        sentence = f"whether the last weights are saved can't be told: {_why_unknown(settings, key)}"
        yield LaunchFinding("save", Weight.UNKNOWN, sentence, "", (key,))
    elif frequency <= 0:
        how = f"{key}={frequency}" if key in settings.given else f"{key} is not set, and verl's default is {frequency}"
        sentence = f"no checkpoint is written: {how}. A missing or wrong final score can't be made again"
        yield LaunchFinding("save", Weight.RISK, sentence, f"set {key} to 1 or more", (key,))
    elif any(mark in settings.entry for mark in VALIDATES_FIRST):
        sentence = (
            f"{settings.entry} validates before it saves: a hang in the final validation loses the last weights, and "
            "with them the only way to make the score again"
        )
        yield LaunchFinding("save", Weight.RISK, sentence, "save before the final validation", (key,))


def validation_only_that_trains(settings: LaunchSettings, around: LaunchSurroundings) -> Iterator[LaunchFinding]:
    """`val_only` counts only inside `val_before_train`."""
    keys = ("trainer.val_only", "trainer.val_before_train")
    if _setting(settings, "val_only") is not True:
        return
    if _setting(settings, "val_before_train") is False:
        sentence = "this trains: val_only is looked at only where val_before_train is on, and it is off"
        yield LaunchFinding("val-only", Weight.WRONG, sentence, f"set {keys[1]}=True", keys)
    elif _setting(settings, "resume_mode") == "disable" or (
        _setting(settings, "resume_mode") == "auto" and around.checkpoint_step is None
    ):
        sentence = "val_only without a checkpoint to resume from scores the start model, not a trained one"
        change = "set trainer.resume_mode=resume_path and trainer.resume_from_path"
        yield LaunchFinding("val-only", Weight.RISK, sentence, change, (keys[0], "trainer.resume_mode"))


def results_kept_apart(settings: LaunchSettings, around: LaunchSurroundings) -> Iterator[LaunchFinding]:
    """A name that an earlier run has."""
    if around.metrics_file is not None:
        sentence = f"the metrics of an earlier run will be erased: {around.metrics_file} is there and is opened anew"
        change = "give trainer.experiment_name a name that no run had"
        keys = ("trainer.experiment_name", "trainer.project_name")
        yield LaunchFinding("erased-metrics", Weight.WRONG, sentence, change, keys)
    total, step = _number(settings, "total_training_steps"), around.checkpoint_step
    resumes = _setting(settings, "resume_mode") == "auto"
    if resumes and step is not None and total is not None and step >= total and not only_validates(settings):
        sentence = (
            f"it resumes at step {step} of {total}, the last: the legacy trainer trains one step more, V1 none, and "
            "neither validates the checkpoint that is there"
        )
        change = "to score that checkpoint, set trainer.val_only=True; to train anew, another default_local_dir"
        yield LaunchFinding("resume", Weight.WRONG, sentence, change, ("trainer.resume_mode",))


def quantized_in_validation(settings: LaunchSettings, around: LaunchSurroundings) -> Iterator[LaunchFinding]:
    """What quantizes training must quantize the validation too."""
    if settings.known(f"{QUANTIZATION}.enabled") is True:
        during = settings.known(f"{QUANTIZATION}.apply_during")
        point = settings.known(f"{QUANTIZATION}.injection_point")
        if isinstance(during, str) and during.lower() not in BOTH and "val" not in during.lower():
            sentence = f"the validation is not quantized as training is: it is applied during `{during}` only"
            key = f"{QUANTIZATION}.apply_during"
            yield LaunchFinding("quantization", Weight.WRONG, sentence, f"set {key}=both", (key,))
        if isinstance(point, str) and point.lower() not in BOTH and not point.lower().startswith(("rollout", "vllm")):
            sentence = f"the rollout engine, which validates, is not quantized: it is injected into `{point}` only"
            key = f"{QUANTIZATION}.injection_point"
            yield LaunchFinding("quantization", Weight.WRONG, sentence, f"set {key}=both", (key,))
    if settings.known(f"{QAT}.enable") is True and str(settings.known(f"{QAT}.mode", "w4a16")).lower() == "w4a16":
        sentence = "validation and rollout quantize weights only: W4A16 leaves activations as they are, it is no W4A4"
        yield LaunchFinding("quantization", Weight.RISK, sentence, "", (f"{QAT}.mode",))


def noise_in_validation(settings: LaunchSettings, around: LaunchSurroundings) -> Iterator[LaunchFinding]:
    """Exploration noise that nobody switches off while the final score is made."""
    keys = tuple(key for key in NOISE_KEYS if settings.known(key) not in (None, False, "none", "off", ""))
    off = settings.known("noise.apply_in_validation")
    if keys and off is not False:
        sentence = f"noise may stay on in the validation: {keys[0]}={settings.known(keys[0])}, and nothing turns it off"
        change = "turn it off for validations, or read the score as one with noise"
        yield LaunchFinding("noise", Weight.RISK, sentence, change, keys)


def _why_unknown(settings: LaunchSettings, key: str) -> str:
    if key in settings.unresolved:
        return f"{key} is {settings.given[key]}, which the script does not set"
    if settings.other_configuration:
        return f"{key} may stand in {settings.other_configuration}, which was not read"
    return f"{key} is {settings.given.get(key)!r}"


RULES: tuple[Rule, ...] = (
    final_validation_due,
    last_step_reached,
    validation_only_that_trains,
    results_kept_apart,
    quantized_in_validation,
    kept_before_validation,
    noise_in_validation,
)
