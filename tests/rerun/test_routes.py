"""The route of a plan: laststep's own where it can, verl itself only in a version whose weight sync was proved."""

from __future__ import annotations

import pytest

from monitor.rerun.routes import choose, weight_sync
from tests.rerun.verl_plans import PROVED, VERSION, evaluation

IMPOSSIBLE = evaluation(problems=("the rollout has several turns",))


def chosen(*given: object) -> list[str]:
    return [route.name for route in choose(*given) if route.chosen]  # type: ignore[arg-type]


def test_laststeps_own_evaluation_goes_first_wherever_it_can() -> None:
    assert chosen(evaluation(), {"verl": VERSION}, {}) == ["laststep"]
    assert chosen(evaluation(), {"verl": VERSION}, PROVED) == ["laststep"]


def test_verl_evaluates_what_only_it_can_repeat_in_a_proved_version() -> None:
    assert chosen(IMPOSSIBLE, {"verl": VERSION}, PROVED) == ["verl"]


@pytest.mark.parametrize("versions", [None, {}, {"verl": ""}, {"verl": "0.9.2"}, {"verl": "0.9.1.dev0"}])
def test_any_other_version_of_verl_is_never_chosen(versions: dict[str, str] | None) -> None:
    assert chosen(IMPOSSIBLE, versions, PROVED) == []


def test_both_routes_are_named_with_a_reason() -> None:
    for verl in (evaluation(), IMPOSSIBLE):
        routes = choose(verl, {"verl": VERSION}, {})
        assert {route.name for route in routes} == {"laststep", "verl"}
        assert all(route.why for route in routes)


def test_another_trainers_run_has_one_route() -> None:
    assert [(route.name, route.chosen) for route in choose(None, None, {})] == [("laststep", True)]


def test_the_table_that_ships_holds_only_versions_with_their_proof() -> None:
    assert all(version and proof for version, proof in weight_sync("verl").items())


def test_what_ships_trusts_the_version_that_was_shown_and_no_other() -> None:
    proved = weight_sync("verl")
    assert chosen(IMPOSSIBLE, {"verl": "0.9.1"}, proved) == ["verl"]
    assert chosen(IMPOSSIBLE, {"verl": "0.8.0"}, proved) == []


@pytest.mark.parametrize("trainer", ["verl_v1", "verl_dapo", None])
def test_what_one_trainer_showed_is_not_trusted_of_another_of_the_same_version(trainer: str | None) -> None:
    assert chosen(IMPOSSIBLE, {"verl": "0.9.1"}, weight_sync(trainer)) == []
