"""From photons to grays, against published coefficients and by hand."""

import math

import pytest

from intercalate.cell import Cell
from intercalate.config import EXAMPLES
from intercalate.dose import (
    dose_gy,
    energy_absorption_cm2_g,
    energy_fluence_j_cm2,
    formula_of,
    recoil_share,
)


@pytest.mark.parametrize(
    ("formula", "energy_kev", "published_cm2_g"),
    [("C", 20.0, 0.2246), ("C", 30.0, 0.06614), ("Al", 20.0, 3.094), ("Al", 30.0, 0.8778)],
)
def test_absorption_agrees_with_the_tables_of_nist(
    formula: str, energy_kev: float, published_cm2_g: float
) -> None:
    """Hubbell and Seltzer, NISTIR 5632: they treat fluorescence and binding, which is less than 1 % here."""
    assert energy_absorption_cm2_g(formula, energy_kev) == pytest.approx(published_cm2_g, rel=0.01)


def test_a_compound_absorbs_as_its_elements_by_mass() -> None:
    lithium, carbon = 6.94, 12.011
    expected = (
        lithium * energy_absorption_cm2_g("Li", 25.0) + 6 * carbon * energy_absorption_cm2_g("C", 25.0)
    ) / (lithium + 6 * carbon)
    assert energy_absorption_cm2_g("LiC6", 25.0) == pytest.approx(expected, rel=1e-3)


def test_the_recoil_share_is_that_of_klein_and_nishina() -> None:
    # To first order the energy over the electron's rest energy; 13.8 keV of 100 (Evans, The Atomic Nucleus).
    assert recoil_share(0.1) == pytest.approx(0.1 / 510.999, rel=1e-3)
    assert recoil_share(100.0) == pytest.approx(0.138, abs=0.001)


def test_a_frame_by_hand() -> None:
    # 2.4e11 photons of 25 keV are 0.961 mJ; on a quarter of a square millimetre 0.3845 J/cm2.
    fluence = energy_fluence_j_cm2(2.4e11, 25.0, 0.25)
    assert fluence == pytest.approx(0.3845, rel=1e-3)
    nmc = "LiNi0.8Mn0.1Co0.1O2"
    assert dose_gy(fluence, nmc, 25.0) == pytest.approx(1000 * fluence * energy_absorption_cm2_g(nmc, 25.0))


@pytest.mark.parametrize("area_mm2", [0.0, -1.0, math.nan])
def test_a_beam_without_area_has_no_dose(area_mm2: float) -> None:
    with pytest.raises(ValueError, match="open the slits"):
        energy_fluence_j_cm2(1e9, 25.0, area_mm2)


@pytest.mark.parametrize("formula", ["LixNi0.8", "", "Nmc", "Li(", "25"])
def test_what_is_no_formula_is_refused(formula: str) -> None:
    with pytest.raises(ValueError, match="no chemical formula"):
        energy_absorption_cm2_g(formula, 25.0)


def test_the_material_is_the_working_electrodes() -> None:
    cell = Cell.from_file(EXAMPLES / "cells" / "nmc811_graphite_operando.toml")
    assert formula_of(cell) == "LiNi0.8Mn0.1Co0.1O2"
    unsaid = cell.positive.model_copy(update={"formula": None})
    assert formula_of(cell.model_copy(update={"positive": unsaid})) == "LiNi0.8Mn0.1Co0.1O2"
    unknown = unsaid.model_copy(update={"material": "something new"})
    assert formula_of(cell.model_copy(update={"positive": unknown})) == ""
