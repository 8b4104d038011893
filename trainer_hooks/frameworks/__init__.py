"""One file a trainer: which of its functions are observed. `install` puts all of them in wait for their modules."""

from __future__ import annotations

from trainer_hooks.frameworks import demo, on_import, trl_training, verl_names


def install() -> None:
    """Wrap every known trainer's functions, now or when their modules are imported."""
    on_import.install(demo.wraps())
    on_import.install(verl_names.wraps())
    on_import.install(trl_training.wraps())
