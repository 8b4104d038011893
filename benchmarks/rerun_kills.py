"""Reruns killed by kill -9 at random moments: `python -m benchmarks.rerun_kills [--kills 24] [--seed 1]`.

Two ways to evaluate take turns: a child process as for verl runs, and a Ray of the rerun's own as for the demo. Killed
are, in turn, the rerun's process, a process below it (any: evaluation, raylet, actor), the process that started it and
follows it, a dashboard that shows it, and a played watch of its run. All reruns are of the same score of one run, so
each start shows that nothing of the last one blocks it. What would be wrong: a rerun that neither failed nor finished,
a score without a rerun that is `done`, a process, folder or lock left. One JSON document on stdout; exit 1 for any. The
engine is a network of two linear layers that takes its time: vLLM's own processes are not killed here.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from monitor.ledger.rows import RerunRow
from monitor.ledger.store import Ledger
from monitor.rerun import claims
from monitor.rerun.follow import watch_rerun
from monitor.rerun.launch import start
from monitor.rerun.plan import RerunPlan, make_plan
from monitor.rerun.preflight import Refused
from monitor.sources import checkpoints
from tests.pty.terminal import Terminal
from tests.rerun.engines import SmallEngine
from tests.rerun.leftovers import processes_of
from tests.rerun.run_folder import RUN, STEP, make_run
from tests.rerun.verl_plans import evaluation

TARGETS = ("job", "worker", "starter", "dashboard", "watch")
WAYS = ("child process", "own Ray")
DASHBOARD = "import sys; from monitor.tui.app import run; sys.exit(run(sys.argv[1], None))"
WATCH = (
    "import sys, time; from pathlib import Path; from monitor.ledger.store import Ledger\n"
    "from monitor.rerun import claims\n"
    "with Ledger.open(Path(sys.argv[1])) as ledger, ledger.claim_watch(sys.argv[2]):\n"
    "    while True: claims.settle(ledger); time.sleep(0.2)"
)
PATIENCE = 180.0


class UnhurriedEngine(SmallEngine):
    """Half a second a batch: there is a middle to be killed in."""

    def generate(self, module: object, samples: list) -> list:  # type: ignore[type-arg]
        """As the small engine, later."""
        time.sleep(0.5)
        return super().generate(module, samples)


ENGINE = UnhurriedEngine()


def planned(ledger: Ledger, way: str, number: int) -> RerunPlan:
    """The plan of kill `number`."""
    plan = make_plan(ledger, RUN)
    plan = dataclasses.replace(
        plan, engine="benchmarks.rerun_kills:ENGINE", out_directory=f"{plan.out_directory}-{number}"
    )
    if way == "own Ray":
        return plan
    reward = Path(plan.validation_file).with_name("reward.py")
    verl = evaluation(engine=plan.engine, reward=f"{reward}:compute_score")
    return dataclasses.replace(plan, verl=verl, python=sys.executable)


def begin(path: Path, way: str, number: int) -> None:
    """The starter: starts the rerun and follows it to its end, as `laststep rerun` does."""
    with Ledger.open(path) as ledger:
        for _ in watch_rerun(ledger, start(planned(ledger, way, number), ledger)):
            pass


class Scene:
    """A run's folder and its ledger."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.path = folder / "state" / "laststep" / "ledger.sqlite"
        self.chance = random.Random(seed)
        self.environment = {
            **os.environ,
            "XDG_STATE_HOME": str(folder / "state"),
            "LASTSTEP_DIR": str(folder / "run"),
        }
        self.latest: dict[str, float] = {}
        """Way → seconds that the last rerun that was done took: a kill comes at any moment of that long."""
        self.ends: Counter[str] = Counter()
        self.faults: list[str] = []
        self.path.parent.mkdir(parents=True)
        with Ledger.open(self.path) as ledger:
            ledger.save_run(make_run(folder / "of-the-run"))
            reward = folder / "of-the-run" / "data" / "reward.py"
            reward.write_text("def compute_score(**_named):\n    return 1.0\n")
            last = folder / "of-the-run" / "checkpoints" / f"global_step_{STEP}"
            ledger.save_checkpoint_manifest(RUN, STEP, checkpoints.manifest(last))

    def leave_alone(self, way: str, number: int) -> None:
        """One rerun that nothing disturbs: it must be done."""
        with Ledger.open(self.path) as ledger:
            try:
                *_, row = watch_rerun(ledger, start(planned(ledger, way, number), ledger))
                end = row.status
            except Refused as error:
                end = f"refused: {error}"
        print(f"left alone ({way}): {end}", file=sys.stderr, flush=True)
        if end != "done":
            self.faults.append(f"{way}, left alone: {end}")

    def kill(self, number: int, way: str, target: str) -> None:
        """One rerun, one kill, and what is left."""
        with Ledger.open(self.path) as ledger:
            known = {row.id for row in ledger.reruns(RUN)}
            scores = len(ledger.scores(RUN))
        began, at = time.monotonic(), time.time()
        delay = self.chance.uniform(0.0, self.latest[way])
        log = (self.folder / f"starter-{number}.log").open("wb")
        words = [sys.executable, "-m", "benchmarks.rerun_kills", "--begin", str(self.path), way, str(number)]
        starter = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment)
        label = f"kill {number} ({way}, {target}, {delay:.1f} s)"
        hit = self._strike(target, starter, number, delay)
        if target != "starter":
            self._wait(starter, f"kill {number} ({way}, {target})")
        row = self._end(known)
        how = row.status if row else "never began"
        self.ends[f"{target}{'' if hit else ' (was over or not there yet)'}: {how}"] += 1
        took = time.monotonic() - began
        if row and row.status == "done" and row.ended_at:
            # The machine's other work comes and goes, and a rerun's length with it.
            self.latest[way] = row.ended_at - at
        print(
            f"{label}: over after {took:.1f} s, hit {hit}, {how}: {row.error if row else ''}",
            file=sys.stderr,
            flush=True,
        )
        self._look(label, number, row, scores, must_end_done=target in ("starter", "dashboard", "watch") and bool(row))

    def _wait(self, starter: subprocess.Popen[bytes], label: str) -> None:
        """Wait for the starter; one that hangs is a fault of its rerun, and is ended with what belongs to it."""
        try:
            starter.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.faults.append(f"{label}: neither failed nor done after {PATIENCE:.0f} s")
            for pid in self._jobs():
                os.kill(pid, 9)
            starter.wait(PATIENCE)

    def _strike(self, target: str, starter: subprocess.Popen[bytes], number: int, delay: float) -> bool:
        """kill -9 after `delay`; False where there was nothing to kill."""
        if target == "dashboard":
            command = [sys.executable, "-c", DASHBOARD, str(self.path)]
            with Terminal(command, environment=self.environment) as terminal:
                until = time.monotonic() + delay
                while time.monotonic() < until:
                    terminal.pump(0.02)
                terminal.kill(9)  # type: ignore[arg-type]
                terminal.wait_exit(30)
            return True
        if target == "watch":
            words = [sys.executable, "-c", WATCH, str(self.path), RUN]
            watch = subprocess.Popen(words, env=self.environment)
            time.sleep(delay)
            watch.kill()
            return watch.wait() == -9
        time.sleep(delay)
        if target == "starter":
            starter.kill()
            return starter.wait() == -9
        victims = self._victims(target, number)
        if not victims:
            return False
        try:
            os.kill(self.chance.choice(victims), 9)
        except ProcessLookupError:
            return False
        return True

    def _victims(self, target: str, number: int) -> list[int]:
        """Pids of the rerun's process, or of those below it."""
        found = []
        for plan in self._folders(number):
            for pid in sorted(processes_of(plan)):
                try:
                    job = b"monitor.rerun.job" in Path(f"/proc/{pid}/cmdline").read_bytes()
                except OSError:
                    continue
                if job == (target == "job"):
                    found.append(pid)
        return found

    def _folders(self, number: int) -> list[RerunPlan]:
        """The plans of kill `number`; one, or none yet."""
        from monitor.rerun.plan import read_plan

        return [read_plan(file) for file in (self.path.parent / "reruns").glob(f"*-{number}/plan.json")]

    def _end(self, known: set[str]) -> RerunRow | None:
        """The rerun's row once it is over; None where it never claimed its score."""
        deadline = time.monotonic() + PATIENCE
        with Ledger.open(self.path) as ledger:
            while time.monotonic() < deadline:
                claims.settle(ledger)
                new = [row for row in ledger.reruns(RUN) if row.id not in known]
                if new and new[0].over:
                    return new[0]
                if not new and not self._jobs():
                    return None
                time.sleep(0.2)
        self.faults.append("a rerun neither failed nor finished")
        return None

    def _jobs(self) -> list[int]:
        """Processes of any rerun of this ledger."""
        mark = str(self.path.parent / "reruns").encode()
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def _look(self, label: str, number: int, row: RerunRow | None, scores: int, *, must_end_done: bool) -> None:
        """Add what is not as it should be."""
        with Ledger.open(self.path) as ledger:
            added = ledger.scores(RUN)[scores:]
            blocking = claims.under_way(ledger, RUN, STEP, "mxfp4_w4a4")
        done = row is not None and row.status == "done"
        if done != any(score.provenance.rerun_id == row.id for score in added if row) or len(added) != int(done):
            self.faults.append(f"{label}: {len(added)} scores of a rerun that is {row.status if row else 'not there'}")
        if must_end_done and not done:
            self.faults.append(f"{label}: the rerun was not killed, and is {row.status if row else 'not there'}")
        if blocking:
            self.faults.append(f"{label}: still locked by {blocking}")
        deadline = time.monotonic() + 30
        while self._jobs() and time.monotonic() < deadline:
            time.sleep(0.2)
        self.faults += [f"{label}: process {pid} is left" for pid in self._jobs()]
        for plan in self._folders(number):
            note = Path(plan.out_directory) / claims.FOLDER_NOTE
            if note.exists() and Path(note.read_text()).exists():
                self.faults.append(f"{label}: Ray's folder {note.read_text()} is left")


def measure(kills: int, seed: int) -> dict[str, object]:
    """All kills, then one rerun that is left alone and must be done."""
    with tempfile.TemporaryDirectory(prefix="lskills") as folder:
        scene = Scene(Path(folder), seed)
        for way in WAYS:
            began = time.monotonic()
            scene.leave_alone(way, kills + len(scene.latest))
            scene.latest[way] = time.monotonic() - began
        for number in range(kills):
            scene.kill(number, WAYS[number % 2], TARGETS[number // 2 % len(TARGETS)])
        for number, way in enumerate(WAYS, kills + len(WAYS)):
            scene.leave_alone(way, number)
        latest = {way: round(seconds, 1) for way, seconds in scene.latest.items()}
    return {
        "kills": kills,
        "seed": seed,
        "undisturbed_seconds": latest,
        "ends": dict(sorted(scene.ends.items())),
        "faults": scene.faults,
    }


def main() -> int:
    """Kill, look, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--begin", nargs=3, metavar=("LEDGER", "WAY", "NUMBER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.begin:
        begin(Path(arguments.begin[0]), arguments.begin[1], int(arguments.begin[2]))
        return 0
    began = time.monotonic()
    figures = measure(arguments.kills, arguments.seed)
    print(json.dumps({**figures, "seconds": round(time.monotonic() - began), "load": os.getloadavg()[0]}, indent=1))
    return 1 if figures["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
