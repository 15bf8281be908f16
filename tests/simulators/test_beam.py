"""Ring and beam as functions of cell time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercalate_sims.beam import SAFETY_SHUTTER_S, TRANSMISSIONS, Beam, Optics, steady_beam
from intercalate_sims.ring import REFILL_S, TOP_UP_BRIGHTNESS, TOP_UP_PERIOD_S, TOP_UP_S, Ring, RingState

DUMPS = [(1000.0, 300.0), (1200.0, 50.0), (5000.0, 10.0)]


@pytest.fixture(scope="module")
def ring() -> Ring:
    return Ring(200.0, seed=3, dumps=DUMPS)


@given(start_s=st.floats(0, 6000), length_s=st.floats(0.1, 900))
def test_a_mean_is_that_of_many_moments(start_s: float, length_s: float) -> None:
    """Against the midpoint rule, whose error is bounded by the jumps it straddles."""
    ring = Ring(200.0, seed=3, dumps=DUMPS)
    count = 4000
    times = start_s + (np.arange(count) + 0.5) / count * length_s
    for quantity, full in ((ring.brightness, 1.0), (ring.current_ma, 200.0)):
        fine = np.mean([quantity(float(time)) for time in times])
        jumps = 3 + 2 * length_s / TOP_UP_PERIOD_S
        mean = ring.mean(quantity, start_s, start_s + length_s)
        assert mean == pytest.approx(fine, abs=full * 1.1 * jumps / count)


def test_a_mean_within_one_stretch_is_exact(ring: Ring) -> None:
    """No jump inside: the fine mean converges fast, and the agreement is far closer."""
    start_s = (
        next(t for t in np.arange(2000.0, 2400.0, 1.0) if ring.state(t) is RingState.INJECTION) + TOP_UP_S
    )
    times = start_s + (np.arange(20000) + 0.5) / 20000 * 170.0
    fine = np.mean([ring.brightness(float(time)) for time in times])
    assert ring.mean(ring.brightness, start_s, start_s + 170.0) == pytest.approx(fine, rel=1e-9)


def test_a_mean_over_no_time_is_refused(ring: Ring) -> None:
    with pytest.raises(ValueError, match="5 to 5 s"):
        ring.mean(ring.brightness, 5, 5)


def test_the_ring_is_topped_up_and_disturbed_while_it_is(ring: Ring) -> None:
    times = np.arange(2000.0, 4000.0, 0.5)
    injecting = np.array([ring.state(float(t)) is RingState.INJECTION for t in times])
    assert injecting.mean() == pytest.approx(TOP_UP_S / TOP_UP_PERIOD_S, rel=0.2)
    current = np.array([ring.current_ma(float(t)) for t in times])
    assert current.max() == pytest.approx(200.0, rel=1e-3)
    assert 0.990 < current.min() / 200.0 < 0.998
    rising = np.diff(current) > 0
    assert (injecting[:-1] == rising)[~(injecting[:-1] ^ injecting[1:])].all()
    brightness = np.array([ring.brightness(float(t)) for t in times])
    ratio = brightness[injecting].mean() / brightness[~injecting].mean()
    assert ratio == pytest.approx(TOP_UP_BRIGHTNESS, rel=0.01)


def test_the_brightness_drifts_by_about_a_percent(ring: Ring) -> None:
    times = [float(t) for t in range(6000, 90000, 31) if ring.state(float(t)) is RingState.STORED]
    brightness = np.array([ring.brightness(t) / ring.current_ma(t) * 200.0 for t in times])
    assert 0.005 < np.std(brightness) < 0.015
    assert np.abs(np.diff(brightness)).max() < 2e-3


def test_a_dump_takes_the_beam_and_gives_it_back_slowly(ring: Ring) -> None:
    """Of two dumps at once the longer one counts."""
    assert ring.state(999.0) is not RingState.NO_BEAM
    for time_s in (1000.0, 1100.0, 1270.0, 1300.0):
        assert ring.state(time_s) is RingState.NO_BEAM
        assert ring.current_ma(time_s) == ring.brightness(time_s) == 0.0
    half = ring.current_ma(1300.0 + REFILL_S / 2)
    assert half == pytest.approx(100.0, rel=0.01)
    assert ring.state(1300.0 + REFILL_S / 2) is RingState.INJECTION
    assert ring.current_ma(1300.0 + REFILL_S) > 198.0


def test_seeds_differ_and_none_is_steady() -> None:
    times = [float(t) for t in range(0, 5000, 7)]
    one, same, other = ([Ring(200.0, seed).brightness(t) for t in times] for seed in (1, 1, 2))
    assert one == same != other
    steady = Ring(200.0, None)
    assert {steady.brightness(t) for t in times} == {1.0}
    assert {steady.state(t) for t in times} == {RingState.STORED}


def test_photons_follow_slits_and_foils() -> None:
    beam = steady_beam(4e9)
    assert beam.photons(0.0, 60.0) == pytest.approx(60 * 4e9)
    beam.set(0.0, {"slit_h_mm": 0.25, "slit_v_mm": 5.0, "attenuator": 0.13})
    assert beam.optics.attenuator == 0.1
    narrower = math.erf(0.25 / (2 * math.sqrt(2) * 0.6)) / math.erf(0.5 / (2 * math.sqrt(2) * 0.6))
    taller = 1.0 / math.erf(0.5 / (2 * math.sqrt(2) * 0.25))
    assert beam.photons(0.0, 1.0) == pytest.approx(4e9 * 0.1 * narrower * taller, rel=1e-6)
    assert beam.full_photons_s() == pytest.approx(beam.photons(0.0, 1.0))


@given(wanted=st.floats(TRANSMISSIONS[0], 1.0))
def test_the_attenuator_takes_the_nearest_foils(wanted: float) -> None:
    beam = steady_beam()
    beam.set(0.0, {"attenuator": wanted})
    distance = [abs(math.log(given / wanted)) for given in TRANSMISSIONS]
    assert abs(math.log(beam.optics.attenuator / wanted)) == pytest.approx(min(distance))


def test_the_safety_shutter_takes_its_time_and_can_be_called_back() -> None:
    beam = steady_beam(1.0)
    beam.set(100.0, {"safety_open": False})
    assert beam.status(101.9)["safety_is_open"]
    assert not beam.status(102.0)["safety_is_open"]
    assert beam.photons(100.0, 110.0) == pytest.approx(SAFETY_SHUTTER_S)
    assert beam.photons(110.0, 120.0) == 0.0
    beam.set(200.0, {"safety_open": True})
    beam.set(201.0, {"safety_open": False})
    assert beam.photons(201.0, 300.0) == 0.0
    beam.set(300.0, {"safety_open": True})
    assert beam.photons(300.0, 310.0) == pytest.approx(8.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attenuator": 0.0}, "attenuator is 0"),
        ({"attenuator": float("nan")}, "attenuator is nan"),
        ({"energy_kev": 8.0}, "energy_kev is 8; it must be from 20 to 30"),
        ({"slit_h_mm": -1.0}, "slit_h_mm is -1"),
        ({"dump_s": -1.0}, "dump_s is -1"),
        ({"colour": 1.0}, "no 'colour'"),
    ],
)
def test_impossible_settings_are_refused_with_the_limit(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        steady_beam().set(0.0, changes)


def test_a_beam_goes_on_from_its_state() -> None:
    beam = Beam(Ring(200.0, 5), 4e9, Optics(25.0, 0.5, 0.5))
    beam.set(50.0, {"energy_kev": 24.5, "attenuator": 0.36, "safety_open": False, "dump_s": 400.0})
    again = Beam(Ring(200.0, 5), 4e9, Optics(25.0, 0.5, 0.5))
    again.restore(beam.to_state())
    for time_s in (51.0, 60.0, 449.0, 500.0, 700.0):
        assert again.status(time_s) == beam.status(time_s)
    assert again.photons(40.0, 60.0) == beam.photons(40.0, 60.0) > 0
