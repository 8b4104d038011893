"""The systemd unit: its command is one the parser takes, and it restarts what died without hiding what was news."""

from __future__ import annotations

import configparser
import shlex
from pathlib import Path

from monitor.cli import parser_for
from monitor.model.errors import ExitCode

UNIT = Path(__file__).resolve().parents[2] / "packaging" / "laststep-watch.service"


def test_the_unit_starts_a_call_that_exists_and_takes_its_exit_codes_as_they_are_meant() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    program, *words = shlex.split(unit["Service"]["ExecStart"])
    assert program.endswith("/laststep")
    arguments = parser_for([words[0]]).parse_args(words)
    assert (arguments.call, arguments.forever) == ("watch", True)
    good = {int(code) for code in unit["Service"]["SuccessExitStatus"].split()}
    assert good == {ExitCode.STALL, ExitCode.HANG, ExitCode.TERMINATED}
    assert unit["Service"]["PrivateTmp"] == "no"
