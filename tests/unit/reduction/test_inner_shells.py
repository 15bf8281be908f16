"""Shares of inner shells by the sum rule against those by photoionisation, of xraylib."""

import numpy as np
import pytest
import xraylib

from intercalate.materials.eels import COMPOUNDS, mean_free_path_nm
from intercalate.reduction.eels.inner_shells import inner_share, last_clear_ev

SHELLS = ((xraylib.K_SHELL, 2), (xraylib.L1_SHELL, 2), (xraylib.L2_SHELL, 2), (xraylib.L3_SHELL, 4))
"""With their electrons: xraylib gives what each of them does."""
HALF_MV2_EV, GAMMA_MV2_EV = 123.6e3, 343.7e3
"""Of electrons of 200 kV."""


def scattered_per_nm(compound: str, energy_ev: np.ndarray, first_ev: float, reach_mrad: float) -> np.ndarray:
    """Losses to shells whose edges lie beyond a loss, per eV, by the dipole formula."""
    total = np.zeros(energy_ev.size)
    reach = np.minimum(1e-3 * reach_mrad, np.sqrt(energy_ev / 200e3))
    logarithm = np.log1p((reach / (energy_ev / GAMMA_MV2_EV)) ** 2)
    for element, _ in COMPOUNDS[compound].atoms:
        number = xraylib.SymbolToAtomicNumber(element)
        for shell, electrons in SHELLS:
            try:
                edge_ev = 1e3 * xraylib.EdgeEnergy(number, shell)
            except ValueError:
                continue
            if edge_ev < first_ev:
                continue
            megabarn = np.array(
                [
                    1e-6 * electrons * xraylib.CSb_Photo_Partial(number, shell, one / 1e3)
                    if one > edge_ev
                    else 0.0
                    for one in energy_ev
                ]
            )
            strength = megabarn / 109.76
            area_nm2 = 4 * np.pi * (0.0529177 * 13.6057) ** 2 / HALF_MV2_EV / energy_ev
            total += COMPOUNDS[compound].atoms_per_nm3(element) * area_nm2 * strength * logarithm
    return total


@pytest.mark.parametrize("compound", ["C", "Li2O", "Li2CO3", "LiF", "LiCoO2", "Co3O4", "LiPON"])
def test_shares_are_those_of_photoionisation(compound):
    energy = np.geomspace(280.0, 2e4, 800)
    path_nm = mean_free_path_nm(COMPOUNDS[compound].density_g_cm3, 200.0, 0.0, 22.0)
    expected = path_nm * np.trapezoid(scattered_per_nm(compound, energy, 250.0, 22.0), energy)
    share, sigma = inner_share(compound, 287.0)
    assert share == pytest.approx(expected, rel=0.2)
    assert sigma == pytest.approx(0.22 * share)


def test_a_window_that_ends_later_leaves_less_to_shells_and_any_compound_is_their_mean():
    shares = [inner_share("LiCoO2", end_ev)[0] for end_ev in (287.0, 800.0, 1200.0)]
    assert shares[0] > 1.5 * shares[1] > shares[2] == 0.0
    every = np.array([inner_share(one, 287.0)[0] for one in COMPOUNDS])
    mean, sigma = inner_share(None, 287.0)
    assert mean == pytest.approx(every.mean())
    assert every.std() < sigma < 1.2 * every.std()


def test_the_clear_part_of_a_window_ends_before_an_edge_of_the_compound():
    assert last_clear_ev("C", 287.0) == 276.0
    assert last_clear_ev("Li2CO3", 287.0) == 276.0
    assert last_clear_ev("C", 280.0) == 280.0
    assert last_clear_ev("Li2O", 287.0) == last_clear_ev(None, 287.0) == 287.0
