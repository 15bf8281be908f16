"""The judge of all errors: honest ones pass, others do not, refusals are seen, mistakes end the run."""

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.honesty.__main__ import Numbers, main, measurement_table
from benchmarks.honesty.ensembles import REFUSED, Outcome, confusion, given_class, judge
from intercalate.reduction.micrographs import MicrographError
from intercalate.reduction.results import Estimate


class Drawn:
    """A quantity that scatters by 1 between worlds and by 0.5 with the noise; refused in some of them."""

    title = "a quantity"

    def __init__(self, claimed=1.0, refused=0.0, bias=0.0):
        self.claimed, self.refused, self.bias = claimed, refused, bias

    def measure(self, world, noise):
        if np.random.default_rng((world, 7)).random() < self.refused:
            raise MicrographError(f"faces wander by {world}: magnify more")
        off = np.random.default_rng((world, 1)).standard_normal() + self.bias
        off += 0.5 * np.random.default_rng((world, 2, noise)).standard_normal()
        return {"x": Outcome(3.0, Estimate(3.0 + off, 0.5 * self.claimed, self.claimed))}


class Uneven(Drawn):
    """Claims half of its noise in every fourth world, and all of it in the others."""

    def measure(self, world, noise):
        self.claimed = 0.5 if world % 4 == 0 else 1.0
        return super().measure(world, noise)


class Sorted(Drawn):
    """Two kinds in turn: one of them is well known, of the other less is claimed than is known."""

    kinds = 2

    def measure(self, world, noise):
        self.claimed = 1.0 if world % 2 else 0.3
        return {f"x of kind {world % 2}": super().measure(world, noise)["x"]}


class Mistaken(Drawn):
    """A benchmark with a mistake in it."""

    def measure(self, world, noise):
        raise ValueError("no such column")


def test_honest_errors_meet_all_goals():
    found = judge(Drawn(), 400, 10).quantities["x"]
    assert found.is_honest
    assert found.spread == pytest.approx(1.0, abs=0.1)
    assert found.coverage == pytest.approx(0.683, abs=0.06)
    assert found.determined == 1.0


@pytest.mark.parametrize("dishonest", [Drawn(claimed=0.5), Drawn(claimed=2.0), Drawn(bias=1.5)])
def test_errors_that_are_too_small_too_large_or_hide_a_bias_do_not(dishonest):
    assert not judge(dishonest, 400, 10).quantities["x"].is_honest


def test_spread_is_that_of_the_population_of_worlds():
    found = judge(Uneven(), 20, 10).quantities["x"]
    # In every fourth world a square is 4 in the mean, in the others 1.
    assert found.spread == pytest.approx(np.sqrt(1.75), abs=0.15)
    # Three repeats leave two degrees of freedom: the mean of a world takes one with it.
    assert judge(Drawn(), 20, 3).quantities["x"].spread == pytest.approx(1.0, abs=0.15)


def test_kinds_of_samples_are_judged_apart_and_each_has_all_worlds():
    found = judge(Sorted(), 200, 10).quantities
    assert [found[f"x of kind {kind}"].is_honest for kind in (0, 1)] == [False, True]
    assert found["x of kind 1"].determined == 0.5
    text = measurement_table(Sorted(), Numbers(200, 10))
    assert "400 worlds of 2 kinds in turn; spread within 80 worlds" in text
    assert "seldom determined" not in text


def test_refusals_count_as_not_determined_and_are_told():
    found = judge(Drawn(refused=0.7), 200, 20)
    assert found.quantities["x"].determined == pytest.approx(0.3, abs=0.1)
    assert list(found.refusals) == ["faces wander by #"]
    text = measurement_table(Drawn(refused=0.7), Numbers(200, 20))
    assert "seldom determined" in text
    assert "faces wander by #." in text


def test_what_is_never_determined_is_still_told():
    text = measurement_table(Drawn(refused=1.1), Numbers(20, 5))
    assert "Refused in 220 of 220 measurements" in text


def test_a_spread_that_is_not_known_is_not_honest():
    found = judge(Drawn(), 400, 1).quantities["x"]
    assert np.isnan(found.spread)
    assert not found.is_honest


def test_a_mistake_ends_the_run():
    with pytest.raises(ValueError, match="no such column"):
        judge(Mistaken(), 5, 5)


def test_other_worlds_are_other_numbers():
    one, other = (judge(Drawn(), 50, 10, first).quantities["x"] for first in (0, 10_000))
    assert one.coverage != other.coverage or one.spread != other.spread


class Coin:
    """Two classes, every fifth sample refused."""

    title = "a class"
    classes: Sequence[str] = ("heads", "tails")

    def sort(self, number):
        def find():
            if number % 5 == 0:
                raise MicrographError("too dark")
            return self.classes[number % 2]

        return self.classes[number % 2], given_class(find)


def test_a_refused_sample_has_a_column_of_its_own():
    counts, columns = confusion(Coin(), 20)
    assert columns == ["heads", "tails", REFUSED]
    assert counts.tolist() == [[8, 0, 2], [0, 8, 2]]


def test_a_short_run_is_printed_and_not_kept(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("benchmarks.honesty.__main__.DOCUMENT", tmp_path / "honesty.md")
    main(["xps", "--only", "growth of a layer, from amounts", "--images", "4", "--processes", "1"])
    assert "4 drawn" in capsys.readouterr().out
    assert not (tmp_path / "honesty.md").exists()
