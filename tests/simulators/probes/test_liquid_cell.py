"""Lithium on gold in a liquid cell: what grows at which overpotential, and what is left of it."""

from collections import Counter

import pytest

from intercalate_sims.probes.liquid_cell import HiddenLiquidCell, LiquidCell, LiquidCellLaw

PLACES = range(200)
SMALL_V, LARGE_V, DISSOLVES_V = -0.02, -0.4, 0.3


def seen(cell: LiquidCell) -> Counter[str]:
    """How many places show what."""
    kinds = []
    for place in PLACES:
        found = cell.deposit(place)
        kinds.append("nothing" if found is None else f"{'hollow ' * found.is_hollow}{found.habit}")
    return Counter(kinds)


def grown(law: LiquidCellLaw, *biases_v: float, seed: int = 3) -> Counter[str]:
    cell = LiquidCell(seed, law)
    for bias_v in biases_v:
        cell.bias(bias_v)
    return seen(cell)


def test_nothing_is_there_before_and_nothing_changes_at_rest() -> None:
    assert grown(LiquidCellLaw.REAL) == grown(LiquidCellLaw.REAL, 0.0, DISSOLVES_V) == {"nothing": 200}
    assert grown(LiquidCellLaw.REAL, LARGE_V, 0.0) == grown(LiquidCellLaw.REAL, LARGE_V)


@pytest.mark.parametrize("seed", range(5))
def test_habits_follow_the_overpotential_as_the_law_says(seed: int) -> None:
    real = [grown(LiquidCellLaw.REAL, bias_v, seed=seed) for bias_v in (SMALL_V, LARGE_V)]
    assert real[0]["cluster"] > 190
    assert real[1]["whisker"] > 190
    turned = [grown(LiquidCellLaw.REVERSED, bias_v, seed=seed) for bias_v in (SMALL_V, LARGE_V)]
    assert turned[0]["whisker"] > 190
    assert turned[1]["cluster"] > 190
    for bias_v in (SMALL_V, LARGE_V):
        assert 70 < grown(LiquidCellLaw.EVEN, bias_v, seed=seed)["whisker"] < 130


def test_dissolution_leaves_shells_of_whiskers_and_nothing_of_clusters() -> None:
    left = grown(LiquidCellLaw.REAL, LARGE_V, DISSOLVES_V)
    assert left["hollow whisker"] > 160
    assert grown(LiquidCellLaw.REAL, SMALL_V, DISSOLVES_V)["nothing"] > 190
    assert grown(LiquidCellLaw.EVEN, LARGE_V, DISSOLVES_V)["hollow whisker"] == 0


def test_what_has_grown_stays_until_it_is_dissolved_and_grows_elsewise_then() -> None:
    cell = LiquidCell(1)
    cell.bias(SMALL_V)
    first = [cell.deposit(place) for place in PLACES]
    cell.bias(LARGE_V)
    assert [cell.deposit(place) for place in PLACES] == first
    assert cell.grown == 1
    cell.bias(DISSOLVES_V)
    cell.bias(LARGE_V)
    assert cell.grown == 2
    assert seen(cell)["whisker"] > 190


def test_at_the_turnover_half_are_whiskers() -> None:
    hidden = HiddenLiquidCell.draw(7)
    assert hidden.whisker_chance(hidden.turnover_v, LiquidCellLaw.REAL) == pytest.approx(0.5)
