"""Whose code a frame is, by its path."""

from __future__ import annotations

import pytest

from monitor.detect.frames import innermost_users, is_hook, is_library, is_ray, is_standard, is_users
from monitor.model.snapshot import Frame


@pytest.mark.parametrize(
    ("file", "whose"),
    [
        ("/home/me/train/main.py", is_users),
        ("/tmp/ray/session_2026/runtime_resources/working_dir_files/_ray_pkg_1/main.py", is_users),
        ("/env/lib/python3.11/site-packages/verl/trainer/ppo/ray_trainer.py", is_users),
        ("/env/lib/python3.11/site-packages/ray/_private/worker.py", is_ray),
        ("python/ray/_raylet.pyx", is_ray),
        ("/env/lib/python3.11/site-packages/torch/nn/modules/linear.py", is_library),
        ("/usr/lib/python3.11/threading.py", is_standard),
        ("/home/someone/.pyenv/versions/3.12.1/lib/python3.12/asyncio/base_events.py", is_standard),
        ("<frozen importlib._bootstrap>", is_standard),
        ("/opt/laststep/trainer_hooks/frameworks/wrapping.py", is_hook),
    ],
)
def test_a_path_tells_whose_code_it_is(file: str, whose: object) -> None:
    frame = Frame("f", file, 3)
    told = [rule for rule in (is_users, is_ray, is_library, is_standard, is_hook) if rule(frame)]
    assert told == [whose]


def test_the_innermost_of_the_persons_frames_is_the_culprits() -> None:
    frames = [Frame("wait", "/usr/lib/python3.11/threading.py", 1), Frame("a", "/app/a.py", 2), Frame("b", "/b.py", 3)]
    assert innermost_users(frames) == frames[1]
    assert innermost_users([Frame("cython", "/app/a.pyx", 0)]) is None
