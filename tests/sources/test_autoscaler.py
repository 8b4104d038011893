"""Whether a cluster may grow is told by Ray's own monitor of that cluster, and by nothing else."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from monitor.sources.autoscaler import may_add_nodes, of_command

HEAD = "10.0.0.1:6379"
MONITOR = "python -u /env/ray/autoscaler/_private/monitor.py --logs-dir=/l --gcs-address=10.0.0.1:6379"


def test_a_monitor_with_a_configuration_may_add_nodes_and_one_without_may_not() -> None:
    assert of_command(f"{MONITOR} --autoscaling-config=/a.yaml", HEAD) is True
    assert of_command(f"{MONITOR} --monitor-ip=10.0.0.1", HEAD) is False
    assert of_command(MONITOR.replace("_private", "v2"), HEAD) is False


def test_the_monitor_of_another_cluster_and_other_programs_tell_nothing() -> None:
    assert of_command(MONITOR, "10.0.0.1:637") is None
    assert of_command(MONITOR, "") is None
    assert of_command(f"vi {MONITOR.split()[2]}.txt --gcs-address={HEAD}", HEAD) is None


def test_a_running_monitor_is_found_and_without_one_it_is_not_known(tmp_path: Path) -> None:
    script = tmp_path / "ray/autoscaler/v2/monitor.py"
    script.parent.mkdir(parents=True)
    script.write_text("input()")
    words = [sys.executable, str(script), "--gcs-address=198.51.100.1:6379", "--autoscaling-config=/a.yaml"]
    child = subprocess.Popen(words, stdin=subprocess.PIPE)
    try:
        # Popen returns between fork and exec where it may: the new command line comes a moment later.
        deadline = time.monotonic() + 30
        while may_add_nodes("198.51.100.1:6379") is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert may_add_nodes("198.51.100.1:6379") is True
        assert may_add_nodes("198.51.100.2:6379") is None
    finally:
        child.communicate(b"\n")
