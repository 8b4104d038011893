"""`python -m tests.real_verl.blind COMMAND…`: the command as it would be had the run no hooks.

The same run is so watched with hooks and without; only where the hooks' files lie is hidden from this observer.
"""

from __future__ import annotations

import sys

from monitor import cli
from monitor.sources import run_locator


def main() -> int:
    """The command, with an empty place for the hooks' files."""
    setattr(run_locator, "_hooks_directory", lambda driver_pid: "/nonexistent/hooks")  # noqa: B010
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
