"""How long each view of a large ledger takes: `python -m benchmarks.ledger_speed [--runs 10000]`.

Writes a ledger of so many runs (three scores with attestations and forty phases each, findings), and times every
question that a screen or a call asks, each the median of several, in CPU and by the clock, with a ledger of a tenth of
the runs beside it: what grows with the ledger shows. Fails where a view of the full one takes longer than `LIMIT_MS`
of CPU.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from monitor.ledger import records
from monitor.ledger import runs as tables
from monitor.ledger.comparisons import of_score, reported_comparisons, reported_of
from monitor.ledger.store import Ledger
from monitor.model.finding import Culprit, Finding
from monitor.model.run import PhaseSpan
from monitor.tui.ledger_reader import LedgerFileReader
from tests.ledger import examples

LIMIT_MS = 100.0
REPEATS = 7
WAITS = Finding("self-get", True, "it waits for itself", Culprit(pid=1), None, None, (), ())


def write(path: Path, runs: int) -> None:
    """A ledger of so many runs, in the tables' own ways."""
    with Ledger.open(path, say=lambda sentence: None) as ledger:
        for number in range(runs):
            name = f"grpo-{number:06d}"
            state = replace(examples.run(), name=name, started_at=1000.0 + number)
            spans = [PhaseSpan(step, phase, float(step), step + 0.5, 0.5) for step in range(10) for phase in "abcd"]
            with ledger._database.write(durable=False) as connection:
                tables.save_run(connection, state)
                tables.save_spans(connection, name, spans)
                for step, value in ((0, 0.1), (20, 0.55), (29, 0.71)):
                    records.add_score(connection, replace(examples.score(step, value), run=name))
                if number % 10 == 0:
                    records.save_finding(connection, name, replace(WAITS, culprit=Culprit(pid=number)), None, 2000.0)


def views(ledger: Ledger, runs: int) -> dict[str, Callable[[], object]]:
    """Every question by its name."""
    middle = f"grpo-{runs // 2:06d}"

    def first_screen() -> object:
        with Ledger.open(ledger.path, read_only=True) as new:
            return LedgerFileReader(new)._read_all(None, 5000.0)

    reader = LedgerFileReader(ledger)
    reader._read_all(None, 5000.0)

    def compared() -> object:
        named = [summary.name for summary in ledger.runs(limit=200)]
        items = [
            of_score(state, score) for state, scores in ledger.runs_with_scores(named) for score in reported_of(scores)
        ]
        return reported_comparisons(items)

    return {
        "the dashboard's first reading": first_screen,
        "the dashboard's next readings": lambda: reader._read_all(None, 5000.0),
        "another run in the dashboard": lambda: reader._read_all(middle, 5000.0),
        "the newest 200 runs": lambda: ledger.runs(limit=200),
        "200 runs from the middle": lambda: ledger.runs(limit=200, offset=runs // 2),
        "one run by its name": lambda: ledger.run(middle),
        "one run by a prefix": lambda: ledger.run(middle[:-1] + "0" if middle[-1] == "0" else middle),
        "its scores": lambda: ledger.scores(middle),
        "its history": lambda: ledger.score_history(middle),
        "its phases": lambda: ledger.spans(middle),
        "its findings": lambda: ledger.findings(middle),
        "what earlier runs taught": lambda: ledger.phase_history(ledger.run(middle)),
        "200 runs with scores and comparisons": compared,
        "the live row": lambda: ledger.live(),
        "who watches": lambda: ledger.watch_alive(),
    }


def timed(question: Callable[[], object]) -> tuple[float, float]:
    """Medians of `REPEATS` in milliseconds: of the CPU, and by the clock, which also counts what else runs here."""
    cpu, clock = [], []
    for _ in range(REPEATS):
        begun = time.process_time(), time.perf_counter()
        question()
        cpu.append(1000 * (time.process_time() - begun[0]))
        clock.append(1000 * (time.perf_counter() - begun[1]))
    return statistics.median(cpu), statistics.median(clock)


def main() -> int:
    """A table; 1 where a view's least time is over the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    runs = parser.parse_args().runs
    results: dict[str, list[tuple[float, float]]] = {}
    for count in (runs // 10, runs):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "ledger.sqlite"
            begun = time.perf_counter()
            write(path, count)
            spent = time.perf_counter() - begun
            size = path.stat().st_size / 2**20
            print(
                f"{count} runs written in {spent:.1f} s, {1000 * spent / count:.2f} ms each, {size:.0f} MiB", flush=True
            )
            begun = time.perf_counter()
            with Ledger.open(path, read_only=True) as ledger:
                print(f"opened in {1000 * (time.perf_counter() - begun):.1f} ms", flush=True)
                for name, question in views(ledger, count).items():
                    results.setdefault(name, []).append(timed(question))
    print(f"load average {os.getloadavg()[0]:.1f}")
    print(f"\n| view | {runs // 10} runs, CPU ms | {runs} runs, CPU ms | by the clock |\n|---|---|---|---|")
    for name, ((small, _), (large, clock)) in results.items():
        print(f"| {name} | {small:.1f} | {large:.1f} | {clock:.1f} |")
    slow = [name for name, rows in results.items() if rows[1][0] > LIMIT_MS]
    print(f"\nover {LIMIT_MS:.0f} ms: {', '.join(slow) or 'none'}")
    return int(bool(slow))


if __name__ == "__main__":
    raise SystemExit(main())
