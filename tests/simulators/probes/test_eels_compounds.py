"""What the simulated compounds scatter, against photoionisation and against itself."""

from dataclasses import replace

import numpy as np
import pytest
import xraylib

from intercalate.materials.eels import COMPOUNDS
from intercalate_sims.probes.eels import EelsProbe, Layer, Scan, ThinSample
from intercalate_sims.probes.eels_compounds import COLLECTION_MRAD, collected, core_losses
from intercalate_sims.probes.eels_instrument import COLLECTIONS_MRAD, EelsSpectrometer, HiddenEels

SHELLS = {"K": ((xraylib.K_SHELL, 2),), "L": ((xraylib.L2_SHELL, 2), (xraylib.L3_SHELL, 4))}
"""With their electrons: xraylib gives what each of them does."""


def per_atom_nm2(element: str, shell: str, energy_ev: float) -> float:
    """The dipole formula, 200 kV, 25 mrad."""
    number = xraylib.SymbolToAtomicNumber(element)
    barn = [n * xraylib.CSb_Photo_Partial(number, one, energy_ev / 1e3) for one, n in SHELLS[shell]]
    area_nm2 = 4 * np.pi * (0.0529177 * 13.6057) ** 2 / (123.6e3 * energy_ev)
    return float(area_nm2 * 1e-6 * sum(barn) / 109.76 * np.log1p((0.025 / (energy_ev / 343.7e3)) ** 2))


@pytest.mark.parametrize(
    ("compound", "shells", "energies_ev"),
    [
        ("C", ("C K",), (380.0, 700.0)),
        ("Li", ("Li K",), (85.0, 150.0)),
        ("Li2O", ("Li K", "O K"), (700.0, 1000.0)),
        ("LiF", ("Li K", "F K"), (850.0, 1200.0)),
        ("Si", ("Si L",), (150.0, 260.0)),
        ("LiPON", ("Li K", "P L"), (200.0, 300.0)),
        ("LiPON", ("Li K", "P L", "N K"), (470.0,)),
        ("CoO", ("O K", "Co L"), (850.0, 1100.0)),
    ],
)
def test_shells_scatter_as_photoionisation_has_it(compound, shells, energies_ev):
    """Behind near-edge structure, as well as powers of the loss can do it; without the M shells of cobalt."""
    for energy_ev in energies_ev:
        expected = sum(
            COMPOUNDS[compound].atoms_per_nm3(element) * per_atom_nm2(element, shell, energy_ev)
            for element, shell in (one.split() for one in shells)
        )
        found = core_losses(compound, np.array([energy_ev]), None)
        without_m = sum(losses[0] for shell, losses in found.items() if shell != "Co M")
        assert without_m == pytest.approx(expected, rel=0.3)


def test_a_wider_collection_takes_in_more_of_larger_losses():
    energy = np.array([60.0, 290.0, 540.0, 800.0])
    np.testing.assert_allclose(collected(energy, COLLECTION_MRAD), 1.0)
    wide, narrow = collected(energy, 50.0), collected(energy, 10.0)
    assert np.all(np.diff(wide) > 0)
    assert np.all(np.diff(narrow) < 0)
    # The beam converges by more than that.
    np.testing.assert_allclose(narrow, collected(energy, 15.0))


def test_instruments_differ_in_what_they_take_in_and_how_far_light_goes():
    drawn = [HiddenEels.draw(seed) for seed in range(200)]
    mrad = np.array([one.collection_mrad for one in drawn])
    assert np.all((mrad > COLLECTIONS_MRAD[0]) & (mrad < COLLECTIONS_MRAD[1]))
    assert np.median(mrad) == pytest.approx(np.sqrt(np.prod(COLLECTIONS_MRAD)), rel=0.15)
    assert np.median([one.camera_tail for one in drawn]) == pytest.approx(0.012, rel=0.15)


@pytest.mark.parametrize("compound", ["LiCoO2", "C", "Si"])
def test_what_is_left_of_the_zero_loss_is_the_true_thickness(compound):
    """By counts alone: all that are scattered are missed, whether a window holds them or not.

    The sampled zero loss rings by 3e-4; of carbon, a percent is scattered to beyond both windows.
    """
    nominal = replace(EelsSpectrometer(), read_noise_electrons=0.0, full_well_counts=1e15)
    probe = EelsProbe(nominal, HiddenEels(glare=0.0, drift_ev=0.0), 3)
    scan = Scan(2, 2, beam_na=1.0, dwell_s=1.0, is_cold=True)
    sample = ThinSample((Layer(compound, 10.0, {compound: 1.0}),), 80.0, wedge=0.0)
    taken = probe.take(sample, scan, 1)
    axis = nominal.low_first_ev + nominal.dispersion_ev * np.arange(nominal.channels)
    counts = taken.low[..., np.abs(axis) < 3.0].sum(axis=-1) - nominal.dark_counts * np.sum(
        np.abs(axis) < 3.0
    )
    left = counts / nominal.counts_per_electron / (scan.electrons * nominal.low_share)
    np.testing.assert_allclose(-np.log(left), taken.truth["t_over_lambda"], atol=6e-4)


def test_a_film_and_its_reference_are_of_one_material():
    hidden = replace(HiddenEels.draw(5), fine_structure=0.0, drift_ev=0.0)
    probe = EelsProbe(EelsSpectrometer(), hidden, 5)
    scan = Scan(4, 4, beam_na=0.5, dwell_s=0.01, is_cold=True)
    film = ThinSample((Layer("LiCoO2", 10.0, {"LiCoO2": 1.0}),), 50.0, wedge=0.0)
    ratio = film.thickness_nm / 50.0
    taken, reference = probe.take(film, scan, 1), probe.reference("LiCoO2", 50.0, 2)
    edge, known = (
        (one.core.astype(float) - 200.0).mean(axis=(0, 1))[950:1000].sum() / electrons
        for one, electrons in ((taken, scan.electrons), (reference, 6e10))
    )
    assert edge == pytest.approx(ratio * known, rel=0.03)
