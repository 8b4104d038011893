"""One real run: `python examples/verl_cpu/run.py legacy|v1 --out FOLDER [-- key=value …]`.

Builds the environment where it is missing, starts a Ray head of its own (ports and token of its own, so that several
runs live beside each other), and runs verl's `main_ppo` in it to the end. All that the run writes lies in FOLDER:
`console.log`, `metrics/`, `validation/`, `rollout/`, `checkpoints/`, and `ray.json`, which says where its Ray listens.
Gives verl's exit code. SIGINT and SIGTERM end the run and its Ray.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from examples.verl_cpu import environment as verl_environment
from examples.verl_cpu.overrides import STEPS, TRAINERS, V1, environment, overrides

LOGICAL_CPUS = {V1: 24}
"""V1's TransferQueue asks for many logical CPUs; they cost nothing."""
FEW_CPUS = 8
OBJECT_STORE_BYTES = 400 * 2**20


def arguments(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="examples/verl_cpu/run.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("trainer", choices=TRAINERS)
    parser.add_argument("--out", type=Path, required=True, help="a new or empty folder for everything the run writes")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--name", default="", help="the experiment's name; else the trainer's")
    parser.epilog = "further Hydra overrides (key=value) stand after `--`"
    place = argv.index("--") if "--" in argv else len(argv)
    given = parser.parse_args(argv[:place])
    given.overrides = argv[place + 1 :]
    return given


def main(argv: list[str]) -> int:
    """Run in the environment's own Python."""
    given = arguments(argv)
    if given.out.is_dir() and any(given.out.iterdir()):
        print(f"laststep: {given.out} is not empty: name a folder for this run alone", file=sys.stderr)
        return 2
    try:
        python = verl_environment.build()
    except verl_environment.EnvironmentMissing as error:
        print(f"laststep: {error}", file=sys.stderr)
        return 1
    if Path(sys.prefix).resolve() != verl_environment.VENV.resolve():
        os.execv(python, [str(python), __file__, *argv])
    return run(given)


def run(given: argparse.Namespace) -> int:
    """Start Ray, start verl, wait."""
    from monitor.ray_head import RayHead

    out: Path = given.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    variables = environment(out, os.environ)
    os.environ.update(variables)
    cpus = LOGICAL_CPUS.get(given.trainer, FEW_CPUS)
    with RayHead.start(num_cpus=cpus, num_gpus=1, object_store_bytes=OBJECT_STORE_BYTES, dies_with_parent=True) as head:
        places = {"address": head.address, "dashboard": head.dashboard_url, "token_path": str(head.token_path)}
        (out / "ray.json").write_text(json.dumps(places, indent=1) + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "verl.trainer.main_ppo"]
        model, data, name = verl_environment.MODEL, verl_environment.DATA, given.name or f"tiny-{given.trainer}"
        command += overrides(given.trainer, out, model, data, given.steps, name) + given.overrides
        with (out / "console.log").open("wb") as console:
            driver = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                cwd=out,
                env={**variables, **head.environment()},
                start_new_session=True,
            )
        print(f"driver {driver.pid}, Ray {head.address}, console {out / 'console.log'}", file=sys.stderr, flush=True)
        return _wait(driver)


def _wait(driver: subprocess.Popen[bytes]) -> int:
    """The driver's exit code, as a shell gives it; signals for this process are the driver's."""

    def forward(number: int, frame: FrameType | None) -> None:
        driver.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, forward)
    code = driver.wait()
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
