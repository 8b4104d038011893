"""Puts the hooks into verl: `VERL_USE_EXTERNAL_MODULES=trainer_hooks.frameworks.verl`. Importing it is all.

verl imports what that variable names at the end of its own import, in every process that uses it: the driver, the
workers, the vLLM server and the engine's children. Which of verl's names are observed is `verl_names.py`; the entry
point that does the same without the variable is `trainer_hooks/verl_plugin.py`.
"""

from __future__ import annotations

from trainer_hooks import install

install.driver()
