"""Reductions of electron losses against exspy, which is under the GPL: `make oracles` installs it."""

from typing import Any

import numpy as np
import pytest

from intercalate.materials.eels import EDGES
from intercalate.reduction.eels import SpectrumImage
from intercalate.reduction.eels.background import power_law
from intercalate.reduction.eels.inner_shells import inner_share
from intercalate.reduction.eels.low_loss import thickness
from intercalate_sims.noise import keyed_generator

exspy = pytest.importorskip("exspy")
pytestmark = pytest.mark.filterwarnings("ignore:::hyperspy", "ignore:::exspy", "ignore::DeprecationWarning")

SUBSHELLS = {"M2,3": "M3", "L2,3": "L3"}
"""exspy has them apart."""


def image_of(energy_ev: np.ndarray, electrons: np.ndarray) -> SpectrumImage:
    """Counted electrons, nothing else."""
    ones = np.ones(electrons.shape[:2])
    return SpectrumImage(energy_ev, electrons, 0.0, ones, ones)


def theirs(energy_ev: np.ndarray, electrons: np.ndarray) -> Any:
    signal = exspy.signals.EELSSpectrum(electrons)
    axis = signal.axes_manager[-1]
    axis.scale, axis.offset, axis.units = energy_ev[1] - energy_ev[0], energy_ev[0], "eV"
    signal.set_microscope_parameters(beam_energy=300, collection_angle=20, convergence_angle=10)
    return signal


def test_edges_begin_where_exspy_has_them() -> None:
    for edge in EDGES.values():
        known = exspy.material.elements[edge.element].Atomic_properties.Binding_energies
        shell = SUBSHELLS.get(edge.shell, edge.shell)
        if shell not in known:
            continue
        assert edge.onset_ev == pytest.approx(known[shell]["onset_energy (eV)"], abs=4.0), edge.key


@pytest.mark.parametrize("t_over_lambda", [0.3, 0.8, 1.5])
def test_a_thickness_is_the_same(t_over_lambda: float) -> None:
    """Poisson series of one plasmon at 20 eV, each loss as wide again."""
    energy_ev = np.arange(-20.0, 300.0, 0.5)
    spectrum = np.zeros(energy_ev.size)
    probability = np.exp(-t_over_lambda)
    for number in range(12):
        width_ev = np.sqrt(0.5**2 + number * 2.0**2)
        line = np.exp(-0.5 * ((energy_ev - 20.0 * number) / width_ev) ** 2)
        spectrum += probability * line / line.sum()
        probability *= t_over_lambda / (number + 1)
    electrons = keyed_generator(3, "low losses", 0).poisson(1e6 * spectrum, (2, 3, energy_ev.size))
    # These losses are of no inner shell, whose share beyond the window is added for all others.
    share, _ = inner_share(None, float(energy_ev[-1]))
    ours = thickness(image_of(energy_ev, electrons.astype(float))).t_over_lambda / (1.0 + share)
    other = theirs(energy_ev, electrons.astype(float)).estimate_thickness(threshold=5.0).data
    np.testing.assert_allclose(ours, other, atol=0.01)
    np.testing.assert_allclose(ours, t_over_lambda, atol=0.01)


def test_a_background_is_the_same_within_its_error() -> None:
    energy_ev = np.arange(300.0, 700.0, 1.0)
    expected = 4000.0 * (energy_ev / 400.0) ** -2.7
    electrons = keyed_generator(4, "core losses", 0).poisson(expected, (4, 5, energy_ev.size)).astype(float)
    ours = power_law(image_of(energy_ev, electrons), (420.0, 520.0))
    signal = theirs(energy_ev, electrons)
    left = signal.remove_background(
        signal_range=(420.0, 520.0), background_type="PowerLaw", fast=False, show_progressbar=False
    )
    far = energy_ev > 600.0
    difference = (electrons - left.data - ours.background)[..., far]
    # The same counts: both differ by how they weigh them, not by their noise.
    assert np.abs(difference / ours.sigma_stat[..., far]).max() < 1.0
    true = (ours.background - expected)[..., far]
    assert np.sqrt(np.mean((true / ours.sigma_stat[..., far]) ** 2)) == pytest.approx(1.0, abs=0.5)
