"""The account of spots survives everything, and nothing is counted twice or not at all."""

import multiprocessing
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.dose_ledger import DoseLedger, DoseLedgerError, Occupant, Spot, most_overlapping

HERE = Spot(0.0, 0.0, 0.5, 0.5)


@pytest.fixture
def ledger(tmp_path: Path) -> DoseLedger:
    return DoseLedger(tmp_path / "storage" / "dose.sqlite")


def reserve(
    ledger: DoseLedger, amount: float = 1.0, spot: Spot = HERE, cell: str = "A", **more: float
) -> int:
    return ledger.reserve(cell, "xrd", "J/cm2", spot, more.get("energy_kev", 25.0), amount, 1.8e9)


def amount(ledger: DoseLedger, spot: Spot | None = None, cell: str = "A") -> float:
    return sum(one.amount for one in ledger.totals(cell, "xrd", spot))


def test_what_was_reserved_counts_until_it_is_known(ledger: DoseLedger) -> None:
    number = reserve(ledger, 2.0)
    assert amount(ledger) == 2.0
    ledger.commit(number, 1.5)
    assert amount(ledger) == 1.5
    assert ledger.totals("A", "xrd")[0].exposures == 1
    with pytest.raises(DoseLedgerError, match="is not reserved"):
        ledger.commit(number, 1.5)
    with pytest.raises(DoseLedgerError, match="is not reserved"):
        ledger.commit(999, 1.0)
    assert amount(ledger) == 1.5


def test_spots_cells_techniques_and_energies_are_kept_apart(ledger: DoseLedger) -> None:
    reserve(ledger, 1.0)
    reserve(ledger, 2.0, Spot(0.5, 0.0, 0.5, 0.5))
    reserve(ledger, 4.0, cell="B")
    reserve(ledger, 8.0, energy_kev=20.0)
    ledger.reserve("A", "raman", "J/cm2", HERE, 0.002, 16.0, 1.8e9)
    assert {(one.energy_kev, one.amount) for one in ledger.totals("A", "xrd", HERE)} == {
        (25.0, 1.0),
        (20.0, 8.0),
    }
    # Beside each other, and a beam between the two, which meets both.
    assert amount(ledger, Spot(0.25, 0.0, 0.5, 0.5)) == 11.0
    assert amount(ledger, Spot(0.0, 0.6, 0.5, 0.5)) == 0.0


def test_jitter_of_the_encoders_is_the_same_spot(ledger: DoseLedger) -> None:
    for x_mm in (0.0, 0.002, -0.003):
        reserve(ledger, 1.0, Spot(x_mm, 0.0, 0.501, 0.499))
    assert len(ledger.totals("A", "xrd")) == 1


def test_a_cell_takes_over_what_was_exposed_unnamed_in_its_place(ledger: DoseLedger) -> None:
    unnamed = ledger.occupant("H1")
    assert unnamed.formula == ""
    reserve(ledger, 1.0, cell=unnamed.cell)
    reserve(ledger, 2.0, cell="A")
    ledger.put("H1", "A", "C6")
    assert ledger.occupant("H1") == Occupant("A", "C6")
    assert amount(ledger) == 3.0
    assert amount(ledger, cell=unnamed.cell) == 0.0
    ledger.put("H1", "B", "C6")
    assert amount(ledger) == 3.0


@settings(max_examples=30, deadline=None)
@given(
    exposures=st.lists(
        st.tuples(st.sampled_from("AB"), st.integers(-3, 3), st.floats(0, 10), st.none() | st.floats(0, 10)),
        max_size=12,
    )
)
def test_the_totals_are_the_sum_of_all_exposures(exposures, tmp_path_factory) -> None:
    ledger = DoseLedger(tmp_path_factory.mktemp("ledger") / "dose.sqlite")
    expected: dict[tuple[str, int], float] = {}
    for cell, x, reserved, committed in exposures:
        number = reserve(ledger, reserved, Spot(float(x), 0.0, 0.5, 0.5), cell)
        if committed is not None:
            ledger.commit(number, committed)
        key = (cell, x)
        expected[key] = expected.get(key, 0.0) + (reserved if committed is None else committed)
    for (cell, x), total in expected.items():
        assert amount(ledger, Spot(float(x), 0.0, 0.5, 0.5), cell) == pytest.approx(total, abs=1e-9)


def _die_after_reserving(path: Path) -> None:
    reserve(DoseLedger(path), 7.0)
    os._exit(9)


def test_a_process_that_dies_leaves_its_exposure_spent(ledger: DoseLedger) -> None:
    dying = multiprocessing.get_context("spawn").Process(target=_die_after_reserving, args=(ledger.path,))
    dying.start()
    dying.join(60)
    assert dying.exitcode == 9
    assert amount(ledger) == 7.0


def test_a_ledger_that_cannot_be_kept_says_so(tmp_path: Path) -> None:
    (tmp_path / "dose.sqlite").write_text("no database at all, but something else of some length" * 40)
    with pytest.raises(DoseLedgerError, match="see its disk and permissions"):
        reserve(DoseLedger(tmp_path / "dose.sqlite"))


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_the_most_of_a_cell_is_that_of_its_spot_that_got_most(data: st.DataObject) -> None:
    numbers = st.integers(-4, 4).map(lambda n: n * 0.3)
    spots = data.draw(
        st.lists(
            st.builds(Spot, numbers, numbers, st.sampled_from([0.2, 0.5, 0.9]), st.sampled_from([0.2, 0.5])),
            min_size=1,
            max_size=12,
            unique=True,
        )
    )
    amounts = np.array([data.draw(st.floats(0.1, 5.0)) for _ in spots])
    with TemporaryDirectory() as folder:
        ledger = DoseLedger(Path(folder) / "dose.sqlite")
        for spot, amount in zip(spots, amounts):
            number = ledger.reserve("A", "xrd", "J/cm2", spot, 25.0, amount, 0.0)
            ledger.commit(number, amount)
        by_spot = [sum(one.amount for one in ledger.totals("A", "xrd", spot)) for spot in spots]
    assert most_overlapping(spots, amounts) == pytest.approx(max(by_spot))


def test_a_point_of_a_map_has_an_account_of_its_own(tmp_path: Path) -> None:
    ledger = DoseLedger(tmp_path / "dose.sqlite")
    spots = [Spot(0.003 * i, 0.003 * j, 0.002, 0.002) for i in range(12) for j in range(12)]
    for spot in spots:
        ledger.commit(ledger.reserve("A", "raman", "J/cm2", spot, 0.0023, 1.0, 0.0), 2.0)
    (one,) = ledger.totals("A", "raman", spots[17])
    assert (one.amount, one.spot.key()) == (2.0, spots[17].key())
    assert most_overlapping(spots, np.full(len(spots), 2.0)) == 2.0
