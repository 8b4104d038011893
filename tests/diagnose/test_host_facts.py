"""The machine's facts: limits of the run's own cgroup and of those above it, and what could not be read said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitor.diagnose.host_facts import HostFacts, read
from monitor.model.json_form import from_json, to_json
from tests.detect import snapshots as made

MEMORY = "MemTotal:       16000 kB\nMemAvailable:    4000 kB\nHugePages_Total:   0\n"


def _root(folder: Path, files: dict[str, str], pid: int = made.TRAINER) -> Path:
    for name, text in {"proc/meminfo": MEMORY, **files}.items():
        path = folder / name.format(pid=pid)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def _facts(folder: Path, files: dict[str, str]) -> HostFacts:
    return read(made.self_get(hooks=True), root=_root(folder, files))


def test_the_tightest_limit_of_the_trainers_cgroup_and_those_above_counts(tmp_path: Path) -> None:
    facts = _facts(
        tmp_path,
        {
            "proc/{pid}/cgroup": "0::/job/step\n",
            "sys/fs/cgroup/job/step/memory.max": "max\n",
            "sys/fs/cgroup/job/memory.max": "8388608\n",
            "sys/fs/cgroup/memory.max": "16777216\n",
            "sys/fs/cgroup/job/step/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/job/cpu.max": "max 100000\n",
            "sys/fs/cgroup/job/step/memory.events": "low 0\noom 3\noom_kill 2\n",
        },
    )
    assert (facts.memory_limit_bytes, facts.cpu_quota, facts.oom_kills) == (8388608, 1.5, 2)
    assert (facts.memory_bytes, facts.memory_available_bytes) == (16000 << 10, 4000 << 10)
    assert facts.missing == ()


def test_limits_of_cgroup_v1_are_read_and_its_largest_number_is_none(tmp_path: Path) -> None:
    files = {
        "proc/{pid}/cgroup": "5:memory:/job\n4:cpu,cpuacct:/job\n1:name=systemd:/x\n",
        "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "4194304\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
    }
    facts = _facts(tmp_path, files)
    assert (facts.memory_limit_bytes, facts.cpu_quota) == (4194304, None)


def test_in_a_container_that_shows_the_hosts_path_the_mount_itself_is_read(tmp_path: Path) -> None:
    files = {"proc/{pid}/cgroup": "0::/kubepods/pod1/abc\n", "sys/fs/cgroup/memory.max": "2097152\n"}
    assert _facts(tmp_path, files).memory_limit_bytes == 2097152


def test_a_path_that_climbs_out_of_the_mount_is_not_followed(tmp_path: Path) -> None:
    files = {"proc/{pid}/cgroup": "0::/../../../etc\n", "sys/fs/cgroup/memory.max": "max\n"}
    assert _facts(tmp_path, files).memory_limit_bytes is None


@pytest.mark.parametrize("text", ["", "nonsense", "0::", ":::::", "0::/\x00"])
def test_nonsense_gives_no_limit_and_never_raises(tmp_path: Path, text: str) -> None:
    facts = _facts(tmp_path, {"proc/{pid}/cgroup": text, "sys/fs/cgroup/memory.max": "many"})
    assert (facts.memory_limit_bytes, facts.cpu_quota, facts.oom_kills) == (None, None, None)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    facts = read((), root=tmp_path)
    assert len(facts.missing) == 2 and all("No such file" in what for what in facts.missing)
    assert (facts.memory_bytes, facts.ptrace_scope) == (None, None)


def test_of_this_machine_kernel_cpus_memory_and_python_are_known() -> None:
    facts = read(())
    assert facts.kernel == os.uname().release and facts.python and (facts.memory_bytes or 0) > 1 << 20
    assert 1 <= (facts.usable_cpus or 0) <= (facts.cpus or 0)
    assert from_json(HostFacts, to_json(facts)) == facts
