"""The errors of this library: one clear sentence each, and the cure. Covers nothing else."""

from __future__ import annotations


class QuantError(ValueError):
    """Something a person can mend. The message is one sentence; `HELP_TEXT` says how to mend it."""

    HELP_TEXT = ""

    def __init__(self, message: str, help_text: str | None = None) -> None:
        super().__init__(message)
        if help_text is not None:
            self.HELP_TEXT = help_text


class FormatError(QuantError):
    """A tensor, format or scale rule that can't be quantized as asked."""

    HELP_TEXT = "formats `mxfp4` and `nvfp4` take float32, bfloat16 and float16 tensors"


class RecipeError(QuantError):
    """A recipe that is unknown, malformed, or doesn't fit the model."""

    HELP_TEXT = "see configs/quant for the recipes there are"


class NoiseError(QuantError):
    """A noise schedule that is unknown, malformed, or can't be applied to the model."""

    HELP_TEXT = "see configs/noise for the form"


class WeightsError(QuantError):
    """Weights that are missing, cut, or not what they were said to be."""

    HELP_TEXT = "check the checkpoint: every shard there, none cut"


class EvaluationError(QuantError):
    """An evaluation that can't begin or can't end with a score."""

    HELP_TEXT = "mend what the sentence names and evaluate again: nothing was recorded"
