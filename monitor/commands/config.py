"""`laststep config`: every setting, its value and where it comes from; the folders in force, and what chose them."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import os
from typing import Any

from monitor import paths, settings
from monitor.commands.attaching import add_json_argument, print_json

SCHEMA = 1
NEAR = 0.85
"""How much alike a variable's name and a setting's must be to ask whether one was meant for the other."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `config`."""
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the settings in force; a wrong one is an error that names key, line and the nearest right word."""
    loaded, origins = settings.load_with_origins()
    rows = [
        {"setting": key, "value": value, "source": origins[key].source, "where": origins[key].where}
        for key, value in dataclasses.asdict(loaded).items()
    ]
    places = [*_places()]
    if arguments.json:
        print_json({"schema": SCHEMA, "settings": rows, "places": places, "notices": mistaken_variables()})
        return 0
    width = max(len(row["setting"]) for row in rows)
    for row in rows:
        from_where = "default" if row["source"] == "default" else f"{row['source']}: {row['where']}"
        print(f"{row['setting']:<{width}}  {row['value']!s:<10}  {from_where}")
    print()
    for place in places:
        print(f"{place['place']:<{width}}  {place['path']}  ({place['where']})")
    print(f"\nwhat each means, its unit and its reason: {settings.config_directory() / 'monitor.yaml'}")
    for notice in mistaken_variables():
        print(f"notice: {notice}")
    return 0


def _places() -> list[dict[str, str]]:
    """The folders and files that the environment can move, and by what."""
    own = settings.user_config_path()
    state = paths.state_location()
    asked = _by("XDG_STATE_HOME")
    return [
        {
            "place": "your settings",
            "path": str(own) + ("" if own.exists() else ", not there"),
            "where": _by("XDG_CONFIG_HOME"),
        },
        {"place": "ledger and bundles", "path": str(state.directory), "where": state.moved_because or asked},
        {"place": "sockets and events", "path": str(paths.runtime_directory()), "where": _by("LASTSTEP_DIR")},
    ]


def _by(variable: str) -> str:
    return f"environment: {variable}" if os.environ.get(variable) else "default"


def mistaken_variables() -> list[str]:
    """Variables of the environment that look like a setting's and are none: they change nothing, so it is said."""
    known = [settings.variable_of(field.name) for field in dataclasses.fields(settings.Settings)]
    notices: list[Any] = []
    for name in sorted(os.environ):
        if name.startswith("LASTSTEP_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=NEAR)
            notices += [f"{name} is no setting and changes nothing; did you mean {near[0]}?"] if near else []
    return notices
