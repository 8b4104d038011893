"""verl's plugin entry point (`verl.plugins`, verl >= 0.9): puts the hooks in where `LASTSTEP` asks for them.

Installed beside verl it is imported by every process that imports verl; without `LASTSTEP` it does nothing.
"""

from __future__ import annotations

import os

from trainer_hooks import install, records

if os.environ.get(records.ENABLE_VARIABLE, "0") not in ("", "0"):
    install.driver()
