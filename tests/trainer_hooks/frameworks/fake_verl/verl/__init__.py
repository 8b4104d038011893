"""A package with verl's names (0.9.1), no Ray and no model: what the observers see of its three kinds of fit."""

import importlib
import os

for name in filter(None, os.environ.get("VERL_USE_EXTERNAL_MODULES", "").split(",")):
    importlib.import_module(name)
