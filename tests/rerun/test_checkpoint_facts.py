"""What is being written is seen, by an open file or by a change between two looks; JSON manifests read as ours."""

from __future__ import annotations

from pathlib import Path

from monitor.rerun.checkpoint_facts import as_manifest, changed, open_for_writing


def test_a_file_held_open_for_writing_names_the_process(tmp_path: Path) -> None:
    with (tmp_path / "model.pt").open("wb"):
        (found,) = open_for_writing(tmp_path)
    assert "model.pt open for writing" in found


def test_a_file_held_open_for_reading_is_no_writer(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"1")
    with (tmp_path / "model.pt").open("rb"):
        assert open_for_writing(tmp_path) == ()


def test_a_neighbour_folder_of_a_longer_name_is_not_the_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "global_step_2").mkdir()
    (tmp_path / "global_step_29").mkdir()
    with (tmp_path / "global_step_29" / "model.pt").open("wb"):
        assert open_for_writing(tmp_path / "global_step_2") == ()


def test_growth_arrival_and_loss_between_two_looks_are_changes() -> None:
    before = {"grown": (1, 1), "gone": (1, 1), "same": (1, 1)}
    after = {"grown": (2, 2), "new": (1, 1), "same": (1, 1)}
    assert [phrase.split()[0] for phrase in changed(before, after)] == ["gone", "grown", "new"]


def test_a_manifest_of_json_lists_equals_one_of_tuples() -> None:
    assert as_manifest({"a": [3, "ff"], "b": [4, None], "c": [5, ""]}) == {
        "a": (3, "ff"),
        "b": (4, None),
        "c": (5, None),
    }
