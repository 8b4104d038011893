"""Every figure of RESULTS.md in one go: `make bench`. Each prints one JSON document under its name."""

from __future__ import annotations

import subprocess
import sys

COMMANDS = (
    ("hang_proofs",),
    ("hang_proofs", "--no-hooks", "--runs", "3"),
    ("watch_cost",),
    ("hooks_cost",),
    ("terminal_cost",),
    ("watch_week",),
    ("terminal_kills",),
    ("ledger_kills",),
    ("ledger_speed",),
    ("quant_exactness",),
    ("quant_peers",),
    ("quant_speed",),
    ("quant_memory",),
)


def main() -> int:
    """All of them, one after the other, so that none disturbs another; 1 where one failed."""
    failed = 0
    for name, *words in COMMANDS:
        print(f"== python -m benchmarks.{name} {' '.join(words)}".rstrip(), flush=True)
        failed |= subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *words]).returncode
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
