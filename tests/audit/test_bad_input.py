"""Bad files are said one by one, the rest is judged, and nothing from outside reaches a terminal raw."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from monitor.cli import main
from tests.audit.family import METRIC, Run, audited, console, the_run, words, write_logs


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A folder with one run that is valid."""
    return write_logs(tmp_path, [Run()])


def _problem(folder: Path, name: str) -> str:
    found = audited(folder)
    assert words(the_run(found, "E1a")) == ["valid"]
    (problem,) = [item.problem for item in found.problems if item.file.endswith(name)]
    return problem


def test_a_binary_file_is_said(good: Path) -> None:
    (good / "bin.log").write_bytes(bytes(range(256)) * 100)
    assert _problem(good, "bin.log") == "is binary, no log"


def test_a_cut_gzip_is_said_and_its_beginning_read(good: Path) -> None:
    import gzip

    text = "\n".join(console(Run("mxfp4_w4a4_e2a_packed", seed=3))).encode()
    (good / "packed.log.gz").write_bytes(gzip.compress(text)[:-400])
    assert "gzip stream is cut" in _problem(good, "packed.log.gz")
    assert "valid" not in words(the_run(audited(good), "E2a"))


def test_yaml_that_is_none_is_said_with_its_line(good: Path) -> None:
    (good / "config.yaml").write_text("a: 1\nb: [1, 2\nc: {{\n")
    assert _problem(good, "config.yaml").startswith("is no YAML (line ")


def test_yaml_that_grows_without_bound_is_read_within_bounds(good: Path) -> None:
    layers = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9))
    (good / "bomb.yaml").write_text(f"a0: &a0 [x]\n{layers}\ntrainer: {{experiment_name: mxfp4_w4a4_e1a_plain}}\n")
    assert words(the_run(audited(good), "E1a")) == ["valid"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_said(good: Path) -> None:
    (good / "secret.log").write_text("x")
    (good / "secret.log").chmod(0)
    assert _problem(good, "secret.log").startswith("can't be read")


def test_a_pipe_is_said_and_never_waited_for(good: Path) -> None:
    os.mkfifo(good / "pipe.log")
    assert _problem(good, "pipe.log") == "is no regular file"


def test_a_link_that_leads_back_ends(good: Path) -> None:
    (good / "deeper").mkdir()
    (good / "deeper" / "back").symlink_to(good)
    assert _problem(good, "back") == "is a link that leads back to a folder above it"


def test_a_link_to_nothing_is_said(good: Path) -> None:
    (good / "gone.log").symlink_to(good / "nowhere.log")
    assert _problem(good, "gone.log") == "is a link to nothing"


def test_a_line_of_ten_megabytes_hides_no_other_line(tmp_path: Path) -> None:
    lines = console(Run())
    lines.insert(30, "(TaskRunner pid=7) " + "x" * (10 << 20))
    (tmp_path / "long.log").write_text("\n".join(lines) + "\n")
    assert words(the_run(audited(tmp_path), "E1a")) == ["valid"]


def test_a_line_of_ten_megabytes_that_begins_like_a_step_is_read_at_its_beginning(tmp_path: Path) -> None:
    pid = next(line for line in console(Run()) if "TaskRunner" in line).split(")")[0]
    lines = [line if " step:28 " not in line else line + " - x:" + "9" * (10 << 20) for line in console(Run())]
    assert any(line.startswith(pid) for line in lines)
    (tmp_path / "long.log").write_text("\n".join(lines) + "\n")
    found = audited(tmp_path)
    assert words(the_run(found, "E1a")) == ["valid"]
    assert "longer than a mebibyte" in found.problems[0].problem


def test_latin_1_in_a_log_loses_nothing_else(tmp_path: Path) -> None:
    lines = [line.encode() for line in console(Run())]
    lines.insert(5, "(TaskRunner pid=1) größe naïve".encode("latin-1"))
    (tmp_path / "latin.log").write_bytes(b"\n".join(lines) + b"\n")
    assert words(the_run(audited(tmp_path), "mxfp4_w4a4_e1a_plain")) in (["valid"], ["unproven"])


def test_a_path_that_does_not_exist_is_said_and_the_rest_is_judged(
    good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", str(good), str(good / "nowhere"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [item["problem"] for item in document["problems"]] == ["does not exist"]
    assert document["runs"][0]["standing"] == ["valid"]


def test_nothing_to_audit_is_one_sentence_and_exit_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(tmp_path)]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert "no run shows in" in said.err


@pytest.mark.parametrize(
    "words_given", [["--zone", "Mars/Olympus"], ["--since", "yesterday"], ["--rules", "/nowhere.yaml"]]
)
def test_a_word_that_makes_no_sense_is_exit_2_with_its_cure(
    good: Path, capsys: pytest.CaptureFixture[str], words_given: list[str]
) -> None:
    assert main(["audit", str(good), *words_given]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


HOSTILE = "\x1b]0;owned\x07\x1b[2J$(touch owned)`id`; rm -rf /"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_hostile_names_and_lines_reach_neither_the_screen_nor_a_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: list[str]
) -> None:
    run = Run(scores={0: 0.08, 20: 0.6}, skips=True)
    lines = [line.replace("mxfp4_w4a4_e1a_plain", f"'e1a{HOSTILE}'") for line in console(run)]
    lines.insert(12, f"(TaskRunner pid=9) step:1 - {METRIC}:{HOSTILE}")
    (tmp_path / f"bad{HOSTILE[:12]}.log").write_text("\n".join(lines) + "\n")
    assert main(["audit", str(tmp_path), *form]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out and "\x07" not in out
    for line in out.splitlines():
        if "laststep rerun" in line and "command" in line:
            assert "'" in line


def test_a_value_that_is_no_share_is_never_valid(tmp_path: Path) -> None:
    run = the_run(audited(write_logs(tmp_path, [Run(scores={0: 0.08, 20: 0.6, 29: 170.0})])), "E1a")
    assert "valid" not in words(run)
