"""Settings: every key has a default, a wrong key is named with the nearest right one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from monitor import settings


def test_every_setting_has_a_default_in_the_shipped_yaml() -> None:
    loaded = settings.load(Path("/nonexistent/monitor.yaml"))
    assert loaded.tick_seconds == 1.0
    assert loaded.first_snapshot_seconds == 3.0
    assert loaded.theme == "auto"


def test_own_values_override_only_the_keys_they_name(tmp_path: Path) -> None:
    own = tmp_path / "monitor.yaml"
    own.write_text("tick_seconds: 2\n")
    loaded = settings.load(own)
    assert loaded.tick_seconds == 2.0
    assert loaded.ray_seconds == settings.load(tmp_path / "absent.yaml").ray_seconds


def test_an_unknown_key_is_refused_with_file_line_and_nearest_right_word(tmp_path: Path) -> None:
    own = tmp_path / "monitor.yaml"
    own.write_text("gpu_seconds: 3\ntick_secnods: 2\n")
    with pytest.raises(settings.UnknownKey) as caught:
        settings.load(own)
    assert "tick_secnods" in str(caught.value)
    assert "line 2" in str(caught.value)
    assert "tick_seconds" in caught.value.HELP_TEXT


@pytest.mark.parametrize(
    "text", ["tick_seconds: [", "- a\n- b\n", "tick_seconds: fast\n", "tick_seconds: true\n", "theme: 3\n"]
)
def test_a_file_that_is_not_settings_is_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    own = tmp_path / "monitor.yaml"
    own.write_text(text)
    with pytest.raises(settings.BadConfig) as caught:
        settings.load(own)
    assert "\n" not in str(caught.value)
    assert caught.value.HELP_TEXT


def test_yaml_that_would_run_code_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "monitor.yaml"
    own.write_text("tick_seconds: !!python/object/apply:os.getpid []\n")
    with pytest.raises(settings.BadConfig):
        settings.load(own)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(settings.Settings)])
def test_every_setting_reaches_some_code(name: str) -> None:
    sources = Path(settings.__file__).parent.rglob("*.py")
    assert any(f"settings.{name}" in source.read_text() for source in sources), f"{name} is documented and read by none"


@pytest.mark.parametrize("name", ["-oProxyCommand=x", "a b/c", "x;y", "$(id)"])
def test_a_host_that_ssh_or_a_shell_would_take_for_more_is_refused_with_its_place(tmp_path: Path, name: str) -> None:
    own = tmp_path / "monitor.yaml"
    own.write_text(f"hosts: 'gpu-a {name}'\n")
    with pytest.raises(settings.BadConfig, match=r"monitor\.yaml, line 1: hosts: .* is no name of a machine"):
        settings.load(own)


def test_hosts_are_taken_as_ssh_takes_them(tmp_path: Path) -> None:
    own = tmp_path / "monitor.yaml"
    own.write_text("hosts: 'gpu-b ada@gpu-c 10.0.0.7'\n")
    assert settings.load(own).hosts == "gpu-b ada@gpu-c 10.0.0.7"
