"""`watch --on-finding CMD`: CMD once per new or withdrawn finding, the JSON on its stdin, with a deadline.

A command that fails, hangs or can't be started is said in one line on stderr and disturbs nothing: it runs in a thread
of its own and in a session of its own, and is killed with its children at the deadline.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any


class FindingCommand:
    """Runs the user's shell command for each finding."""

    def __init__(self, command: str, deadline_seconds: float) -> None:
        self._command = command
        self._deadline = deadline_seconds
        self._threads: list[threading.Thread] = []

    def tell(self, document: dict[str, Any]) -> None:
        """Start the command with `document` on its stdin; returns at once."""
        thread = threading.Thread(target=self._run, args=(json.dumps(document),), name="on-finding", daemon=True)
        self._threads = [known for known in self._threads if known.is_alive()] + [thread]
        thread.start()

    def finish(self) -> None:
        """Wait for commands under way, at most until their deadline."""
        for thread in self._threads:
            thread.join(self._deadline + 1.0)

    def _run(self, text: str) -> None:
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", self._command],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            self._say(f"could not be started: {error}")
            return
        try:
            process.communicate(text.encode(), timeout=self._deadline)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            self._say(f"was ended after {self._deadline:.0f} s")
        except OSError as error:
            self._say(f"failed: {error}")
        else:
            if process.returncode:
                self._say(f"exited with {process.returncode}")

    def _say(self, what: str) -> None:
        print(f"laststep: the --on-finding command {what}", file=sys.stderr, flush=True)
