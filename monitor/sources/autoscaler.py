"""Whether an autoscaler may add nodes to a Ray cluster: by the command line of Ray's own monitor on the head node.

A head starts `ray/autoscaler/_private/monitor.py` (or `v2/monitor.py`), with `--autoscaling-config` where it may add
nodes. Without such a process here (a worker node, KubeRay's sidecar, `--no-monitor`) the answer is not known.
"""

from __future__ import annotations

import os
import re

from monitor.sources import proc

_MONITOR = re.compile(r"/ray/autoscaler/(?:_private|v2)/monitor\.py\s")


def may_add_nodes(gcs_address: str) -> bool | None:
    """True: it is configured to; False: it is not; None: not known from this machine."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            told = of_command(proc.title(int(name)), gcs_address)
            if told is not None:
                return told
    return None


def of_command(command: str, gcs_address: str) -> bool | None:
    """The same, of one command line; None where it is not that cluster's monitor."""
    if not gcs_address or not _MONITOR.search(command) or f"--gcs-address={gcs_address}" not in command.split():
        return None
    return "--autoscaling-config" in command
