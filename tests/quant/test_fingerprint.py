"""Fingerprints: equal for equal weights wherever they lie, different for any other; damage is told in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from quant import fingerprint as module
from quant.checkpoint import read_weights
from quant.errors import WeightsError
from quant.fingerprint import fingerprint, fingerprint_checkpoint, sums, total
from quant.layers import apply_recipe
from quant.recipe import Recipe
from tests.quant.tiny import TinyModel

pytestmark = pytest.mark.torch


@pytest.fixture
def weights() -> dict[str, Any]:
    return {name: value.clone() for name, value in TinyModel(seed=1).state_dict().items()}


def test_the_order_of_the_entries_does_not_matter(weights: dict[str, Any]) -> None:
    assert fingerprint(dict(reversed(weights.items()))) == fingerprint(weights)


def test_equal_weights_in_other_memory_are_equal(weights: dict[str, Any]) -> None:
    strided = {name: value.t().contiguous().t() if value.dim() == 2 else value for name, value in weights.items()}
    assert fingerprint(strided) == fingerprint(weights)
    assert fingerprint(TinyModel(seed=1).state_dict()) == fingerprint(weights)


def test_a_recipe_changes_nothing_of_it() -> None:
    model = TinyModel(seed=1)
    before = fingerprint(model.state_dict())
    apply_recipe(model, Recipe("test"))
    assert fingerprint(model.state_dict()) == before


def test_the_lowest_bit_of_any_entry_changes_it(weights: dict[str, Any]) -> None:
    before = fingerprint(weights)
    for name, value in weights.items():
        value.view(torch.int32).view(-1)[-1] ^= 1
        assert fingerprint(weights) != before, name
        value.view(torch.int32).view(-1)[-1] ^= 1
    assert fingerprint(weights) == before


def test_moved_values_names_shapes_types_and_signs_of_zero_change_it() -> None:
    base = {"a": torch.arange(6.0), "b": torch.zeros(2)}
    others = [
        {"a": torch.arange(6.0).flip(0), "b": torch.zeros(2)},
        {"b": torch.arange(6.0), "a": torch.zeros(2)},
        {"a": torch.arange(6.0).reshape(2, 3), "b": torch.zeros(2)},
        {"a": torch.arange(6.0).half(), "b": torch.zeros(2)},
        {"a": torch.arange(6.0), "b": -torch.zeros(2)},
        {"a": torch.arange(6.0)},
        {"a": torch.arange(6.0), "b": torch.zeros(2), "c": torch.zeros(0)},
    ]
    assert len({fingerprint(each) for each in [base, *others]}) == len(others) + 1


def test_entries_that_are_no_tensors_do_not_count(weights: dict[str, Any]) -> None:
    assert fingerprint({**weights, "extra": "text"}) == fingerprint(weights)


def test_in_another_type_it_is_that_of_the_weights_loaded_so(weights: dict[str, Any]) -> None:
    loaded = TinyModel(seed=1).bfloat16().state_dict()
    assert fingerprint(weights, dtype="bfloat16") == fingerprint(loaded) != fingerprint(weights)
    assert fingerprint(weights, dtype="float32") == fingerprint(weights)


def test_integers_keep_their_type() -> None:
    counts = {"steps": torch.arange(3)}
    assert fingerprint(counts, dtype="bfloat16") == fingerprint(counts)


def test_an_unknown_type_is_refused(weights: dict[str, Any]) -> None:
    with pytest.raises(WeightsError, match="unknown type `float5`"):
        fingerprint(weights, dtype="float5")


def test_hashing_in_threads_gives_the_same(weights: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    alone = fingerprint(weights)
    monkeypatch.setattr(module, "PARALLEL_BYTES", 0)
    assert fingerprint(weights) == alone


@pytest.mark.parametrize("place", ["actor/model_world_size_1_rank_0.pt", "model_world_size_1_rank_0.pt", "model.pt"])
def test_a_checkpoint_has_the_fingerprint_of_its_weights(place: str, weights: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / place
    file.parent.mkdir(exist_ok=True)
    torch.save(weights, file)
    assert fingerprint_checkpoint(tmp_path) == fingerprint_checkpoint(str(file)) == fingerprint(weights)
    assert fingerprint_checkpoint(tmp_path, dtype="bfloat16") == fingerprint(weights, dtype="bfloat16")


def refused(path: Path) -> str:
    """The sentence."""
    with pytest.raises(WeightsError) as caught:
        read_weights(path)
    assert caught.value.HELP_TEXT
    return str(caught.value)


def test_missing_weights_are_told(tmp_path: Path) -> None:
    assert "no checkpoint at" in refused(tmp_path / "none")
    assert "holds no weights that can be read" in refused(tmp_path)
    (tmp_path / "actor").mkdir()
    torch.save({}, tmp_path / "actor" / "optim_world_size_1_rank_0.pt")
    assert "holds no weights that can be read" in refused(tmp_path)


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.99])
def test_a_cut_file_is_told(kept: float, weights: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    torch.save(weights, file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(kept if kept == int(kept) else kept * len(whole))])
    assert "model.pt is cut, or holds no weights" in refused(tmp_path)


def test_a_file_that_would_run_code_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"a": Evil()}, tmp_path / "model.pt")
    assert "holds no weights" in refused(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [{}, {"a": 1}, [1, 2]])
def test_a_file_without_weights_by_name_is_told(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "model.pt")
    assert "holds no weights by name" in refused(tmp_path)


def test_shards_without_those_of_other_ranks_have_no_fingerprint(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "model_world_size_4_rank_2.pt")
    assert "lacks model_world_size_4_rank_0.pt: 3 of 4 ranks have no shard" in refused(tmp_path)
    with pytest.raises(WeightsError, match="3 of 4 ranks have no shard"):
        fingerprint_checkpoint(tmp_path)


def test_parts_of_a_tensor_add_up_to_the_tensor() -> None:
    whole = torch.randn(6, 10, 24).bfloat16()
    shards = [
        [((0, 0, 0), whole[:2]), ((2, 0, 0), whole[2:])],
        [((0, 0, 0), whole[:, :3]), ((0, 3, 0), whole[:, 3:])],
        [((0, 0, 0), whole[..., :8]), ((0, 0, 8), whole[..., 8:])],
    ]
    for parts in shards:
        found = total(sums("a", part, shape=whole.shape, offsets=offsets) for offsets, part in parts)
        assert found == sums("a", whole)


@pytest.mark.parametrize("width", [1, 3, 4, 7, 70_000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64, torch.int8])
def test_rows_of_any_width_and_type_add_up(width: int, dtype: Any) -> None:
    whole = (torch.randn(5, width) * 50).to(dtype)
    parts = [sums("a", whole[row : row + 1], shape=whole.shape, offsets=(row, 0)) for row in range(5)]
    assert total(parts) == sums("a", whole)


def test_a_part_that_begins_amid_a_word_is_refused() -> None:
    with pytest.raises(WeightsError, match="begin amid a word"):
        sums("a", torch.zeros(2, 3).bfloat16(), shape=(2, 6), offsets=(0, 3))


def test_permuted_rows_swapped_tensors_and_negated_pairs_differ() -> None:
    weight = torch.randn(8, 64)
    negated = weight.clone()
    negated[0, 1::2] *= -1
    others = [weight, weight.roll(1, 0), weight.flip(1), weight[[1, 0, *range(2, 8)]], negated, -weight]
    assert len({fingerprint({"a": each, "b": weight}) for each in others}) == len(others)
    other = torch.randn(8, 64)
    assert fingerprint({"a": weight, "b": other}) != fingerprint({"a": other, "b": weight})


def test_a_head_that_is_the_embeddings_does_not_count_and_an_own_one_does() -> None:
    embeddings = {"model.embed_tokens.weight": torch.randn(6, 4)}
    tied = {**embeddings, "lm_head.weight": embeddings["model.embed_tokens.weight"].clone()}
    own = {**embeddings, "lm_head.weight": torch.randn(6, 4)}
    assert fingerprint(tied) == fingerprint(embeddings) != fingerprint(own)


def test_unaligned_views_have_the_fingerprint_of_their_copies() -> None:
    memory = torch.randn(101).bfloat16()
    assert fingerprint({"a": memory[1:]}) == fingerprint({"a": memory[1:].clone()})
