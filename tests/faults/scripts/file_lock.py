"""A file lock that another process holds."""

from __future__ import annotations

import fcntl
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


HOLD = "import fcntl,sys,time; f=open(sys.argv[1],'w'); fcntl.flock(f,2); print('held',flush=True); time.sleep(3600)"


def main() -> None:
    path = sys.argv[1] + ".lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    time.sleep(0.1)
    with open(path, "w") as file:
        tell(os.getpid())
        fcntl.flock(file, fcntl.LOCK_EX)  # culprit


if __name__ == "__main__":
    main()
