"""Puts the hooks into a TRL training: `callbacks=[LaststepCallback()]`, or importing this module before training.

TRL has no plugin entry point. `laststep run` brings the hooks in through `trainer_hooks/autoload`; anywhere else one of
the two lines does. What is observed of `GRPOTrainer` is `trl_training.py`; the callback itself only asks for that, and
stands where TRL and transformers take a `TrainerCallback`.
"""

from __future__ import annotations

from trainer_hooks import install
from trainer_hooks.frameworks.trl_training import StepCallback

install.driver()


class LaststepCallback(StepCallback):
    """A `TrainerCallback` by its methods; one is enough, and a second one records nothing twice."""
