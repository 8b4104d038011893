"""The reader on several versions of Ray, each in a throwaway environment, on faults that its reading alone can prove.

    python -m benchmarks.reader_on_ray [--versions 2.44.1,2.49.2,2.55.1,2.60.0] [--folder DIR] [--install-only]

For each version: a virtual environment with that Ray and laststep's own base requirements, from the package index; in
it, `benchmarks.diagnosis` on a head of that Ray, without hooks. The faults chosen are proved only where ObjectRefs,
asyncio tasks with their Ray task and threads are read true and the State API's records are understood. Prints one JSON
document: version, then each fault's class, proved, process and line, and why not. Needs no GPU; 1.5 GB of disk a
version while it runs. `--folder` keeps the environments.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = "2.44.1,2.49.2,2.55.1,2.60.0"
FAULTS = (
    "ray_self_get",
    "ray_lost_reply",
    "ray_control_queue",
    "ray_loop_blocked",
    "ray_actor_cycle",
    "ray_engine_drain",
)
RUN_SECONDS = 420.0


def install(version: str, folder: Path) -> tuple[Path | None, str]:
    """The interpreter of an environment with this Ray, or None and the last line that pip said."""
    interpreter = folder / f"ray-{version}" / "bin" / "python"
    if not interpreter.exists():
        subprocess.run([sys.executable, "-m", "venv", str(interpreter.parents[1])], check=True)
    wanted = [name for name in metadata.requires("laststep") or () if "extra ==" not in name and "ray[" not in name]
    command = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # Old Rays import pkg_resources, which setuptools 81 no longer has.
    command += [f"ray[default]=={version}", "setuptools<81", *wanted]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
    return interpreter, ""


def check(interpreter: Path, folder: Path) -> dict[str, Any]:
    """The faults on this environment's Ray."""
    rows = folder / f"{interpreter.parents[1].name}.rows"
    command = [str(interpreter), "-m", "benchmarks.diagnosis", "--part", "ray", "--seeds", "1"]
    command += ["--only", ",".join(FAULTS), "--rows", str(rows)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS)
    scores = [json.loads(line) for line in rows.read_text().splitlines()] if rows.exists() else []
    found: dict[str, Any] = {
        score["script"]: {
            "class": score["hang_class"],
            "proved": score["proved"],
            "process": score["right_process"],
            "line": score["right_line"],
            **({} if score["right_class"] else {"because": score["reasons"]}),
        }
        for score in scores
    }
    if done.returncode:
        found["failed"] = done.stderr.strip().splitlines()[-3:]
    return found


def main() -> int:
    """Exit 0 with the document; 1 where a version could not be installed or a fault was not named right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--versions", default=VERSIONS)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--install-only", action="store_true")
    words = parser.parse_args()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="lsr") as temporary:
        folder = words.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for version in words.versions.split(","):
            interpreter, because = install(version, folder)
            if interpreter is None:
                results[version] = {"failed": because}
            elif not words.install_only:
                results[version] = check(interpreter, folder)
    print(json.dumps(results, indent=1))
    right = all("failed" not in found and all(item["line"] for item in found.values()) for found in results.values())
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
