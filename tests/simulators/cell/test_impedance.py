"""The impedance of the reduced cell, against its own time steps under a slow sine, and physics."""

import json

import numpy as np
import pytest

from intercalate.contract import ControlMode
from intercalate_sims.cell import make_cell, restore_cell
from intercalate_sims.cell.interface import HasImpedance
from intercalate_sims.cell.parameters import NMC811_GRAPHITE

FREQUENCY_HZ = np.geomspace(1e5, 1e-4, 55)
AMPLITUDE_A = 5e-5


@pytest.fixture(scope="module", params=["nmc811-graphite", "graphite-li"])
def rested(request):
    """A formed cell, half charged and at rest for hours."""
    cell = make_cell(request.param, initial_soc=0.5, dt_s=2.0)
    for _ in range(3000):
        cell.advance(ControlMode.REST, 0.0)
    assert isinstance(cell, HasImpedance)
    return cell


def by_time(cell, period_s: float) -> complex:
    """Voltage over current of the time steps, from the second period of a sine on."""
    twin = restore_cell(json.loads(json.dumps(cell.to_state())))
    omega, steps = 2 * np.pi / period_s, round(period_s / 2)
    time_s = 2.0 * np.arange(1, 3 * steps + 1)
    voltage = [twin.advance(ControlMode.CURRENT, AMPLITUDE_A * np.sin(omega * t)).voltage_v for t in time_s]
    late = slice(steps, None)
    at = time_s[late]
    design = np.column_stack([np.sin(omega * at), np.cos(omega * at), np.ones_like(at), at, at**2])
    sine, cosine, *_ = np.linalg.lstsq(design, np.array(voltage)[late], rcond=None)[0]
    return complex(sine, cosine) / AMPLITUDE_A


@pytest.mark.parametrize("period_s", [1000.0, 2000.0])
def test_time_steps_and_frequencies_agree(rested, period_s):
    expected = rested.impedance(np.array([1 / period_s]))[0]
    # Backward Euler delays by half a step: omega dt / 2 of the phase of what is slow.
    assert abs(by_time(rested, period_s) / expected - 1) < 0.008


def test_the_spectrum_is_that_of_a_passive_capacitive_cell(rested):
    found = rested.impedance(FREQUENCY_HZ)
    assert np.all(found.imag < 0)
    assert np.all(found.real > 0)
    assert np.all(np.diff(found.real) > 0)
    # The slowest is a capacitor: the whole electrode.
    assert -found.imag[-1] > -found.imag[-10]


def test_measuring_changes_nothing(rested):
    before = rested.to_state()
    rested.impedance(FREQUENCY_HZ)
    assert rested.to_state() == before


def test_impedance_is_inverse_to_the_area_and_falls_with_temperature():
    small, large, cold = (
        make_cell("nmc811-graphite", initial_soc=0.5, area_cm2=area, temperature_c=temperature)
        for area, temperature in ((1.0, 25.0), (2.0, 25.0), (1.0, 0.0))
    )
    f = np.array([1000.0, 1.0])
    assert small.impedance(f) == pytest.approx(2 * large.impedance(f))
    # Charge transfer of graphite, 35 kJ/mol, leads at 1 Hz.
    assert 2.0 < cold.impedance(f)[1].real / small.impedance(f)[1].real < 4.5


def test_a_fresh_cell_has_no_arc_of_an_sei():
    fresh, formed = (make_cell("nmc811-graphite", initial_soc=soc) for soc in (None, 0.0))
    side = NMC811_GRAPHITE.negative.side_reactions
    graphite = NMC811_GRAPHITE.negative
    particle_area = 3 * graphite.active_fraction / graphite.particle_radius_m * graphite.thickness_m
    film_ohm = side.sei_resistance_ohm_m2 / particle_area / 1.539e-4
    # Between the charge transfer of graphite, still short-circuited by its double layer, and the film's own.
    f = np.array([300.0])
    assert formed.impedance(f)[0].real - fresh.impedance(f)[0].real == pytest.approx(film_ohm, rel=0.25)
