"""Where laststep keeps its files: private, and never on a file system where sqlite's write-ahead log fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitor import paths


def mount_table(folder: Path, *mounts: tuple[str, str]) -> Path:
    """A mountinfo as the kernel writes it, with these (point, type) pairs. The fake stands at the edge: /proc."""
    table = folder / "mountinfo"
    lines = [
        f"{number} 1 0:{number} / {point} rw,relatime shared:1 - {kind} source rw"
        for number, (point, kind) in enumerate(mounts, 30)
    ]
    table.write_text("\n".join(lines) + "\n")
    return table


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "lustre"])
def test_a_state_directory_on_a_shared_file_system_moves_to_a_local_path_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    table = mount_table(tmp_path, ("/", "ext4"), (str(home), kind))
    location = paths.state_location(table)
    assert not str(location.directory).startswith(str(home))
    assert kind in location.moved_because
    assert str(location.directory) in location.moved_because


def test_a_local_state_directory_stays_where_it_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    table = mount_table(tmp_path, ("/", "nfs4"), (str(tmp_path), "xfs"))
    assert paths.state_location(table) == paths.StateLocation(tmp_path / "laststep")


def test_a_mount_point_with_a_blank_in_its_name_is_recognised(tmp_path: Path) -> None:
    table = mount_table(tmp_path, ("/", "ext4"), ("/my\\040home", "lustre"))
    assert paths.file_system_type(Path("/my home/x"), table) == "lustre"


def test_an_unreadable_mount_table_means_not_known_and_not_shared(tmp_path: Path) -> None:
    assert paths.file_system_type(tmp_path, tmp_path / "absent") == ""


def test_private_folders_are_made_for_the_owner_alone(tmp_path: Path) -> None:
    made = paths.private_directory(tmp_path / "a" / "b")
    assert made.stat().st_mode & 0o777 == 0o700


def test_an_open_folder_of_ours_is_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    assert paths.private_directory(folder).stat().st_mode & 0o077 == 0


def test_a_folder_that_others_write_to_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    with pytest.raises(paths.UnsafeDirectory):
        paths.private_directory(folder)
    assert folder.stat().st_mode & 0o7777 == 0o1777


def test_a_symbolic_link_in_place_of_our_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(paths.UnsafeDirectory):
        paths.private_directory(tmp_path / "link")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 12345, -1)
    with pytest.raises(paths.UnsafeDirectory) as caught:
        paths.private_directory(folder)
    assert "12345" in str(caught.value)


def test_a_state_directory_that_cannot_be_made_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    with pytest.raises(paths.UnwritableState) as caught:
        paths.state_directory()
    assert "XDG_STATE_HOME" in caught.value.HELP_TEXT
