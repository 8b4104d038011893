"""A rank that never enters the collective."""

from __future__ import annotations

import os
import subprocess
import sys
import time


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


def held_name() -> None:
    time.sleep(3600)  # culprit


def run_rank(rank: int) -> None:
    import torch
    import torch.distributed as dist

    dist.init_process_group("gloo", f"file://{sys.argv[1]}.store", world_size=2, rank=rank)
    values = torch.ones(1)
    dist.barrier()
    if rank == 1:
        tell(os.getpid())
        held_name()
    else:
        dist.all_reduce(values)


def main() -> None:
    rank = os.environ.get("FAULT_RANK")
    if rank is not None:
        return run_rank(int(rank))
    children = [subprocess.Popen(sys.orig_argv, env={**os.environ, "FAULT_RANK": str(number)}) for number in range(2)]
    for child in children:
        child.wait()


if __name__ == "__main__":
    main()
