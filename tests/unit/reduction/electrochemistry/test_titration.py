"""GITT and PITT against a particle that is solved shell by shell."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.contract import StepType
from intercalate.reduction.electrochemistry import Accuracy, gitt, pitt

from .forward import Sphere, make_records

RADIUS_M, DIFFUSION = 5e-6, 4e-15
"""R^2/D is 6250 s."""
SLOPE_V = -0.8
"""Of the open-circuit voltage by the content; its curvature is a tenth of it."""
OHM, CURRENT_A, CAPACITY_AS = 20.0, 2e-4, 20.0
NOISE_V = 2e-5


def ocv(x):
    return 3.9 + SLOPE_V * (x - 0.5) - 0.08 * (x - 0.5) ** 2


def titration(seed, pulse_s=300.0, rest_s=20_000.0, ohm=OHM):
    """A rest, a charging pulse, a rest, in records every 2 s of the pulse."""
    noise = np.random.default_rng(seed)
    particle = Sphere(RADIUS_M, DIFFUSION, 0.5)
    time, charge, rows = 0.0, 0.0, []

    def record(surface, current, kind, count):
        voltage = ocv(surface) + ohm * current + NOISE_V * noise.standard_normal()
        rows.append(
            {
                "test_time_second": time,
                "voltage_volt": voltage,
                "current_ampere": current,
                "net_capacity_ah": charge / 3600,
                "step_type": kind,
                "step_count": count,
            }
        )

    for moment in range(10):
        time = 60.0 * moment
        record(0.5, 0.0, StepType.REST, 1)
    for _ in range(round(pulse_s / 2)):
        for _ in range(4):
            surface = particle.give(-CURRENT_A / CAPACITY_AS, 0.5)
        time, charge = time + 2.0, charge + 2.0 * CURRENT_A
        record(surface, CURRENT_A, StepType.CONSTANT_CURRENT, 2)
    for _ in range(round(rest_s / 50)):
        surface = particle.give(0.0, 50.0)
        time += 50.0
        record(surface, 0.0, StepType.REST, 3)
    return make_records(rows)


def evaluate(records):
    return gitt(records, diffusion_length_m=RADIUS_M / 3, accuracy=Accuracy(voltage_noise_v=NOISE_V))


def test_a_pulse_gives_the_diffusion_coefficient_within_its_error():
    found = [evaluate(titration(seed))[0] for seed in range(60)]
    found = [one.diffusion_coefficient_m2_s for one in found]
    score = np.array([(one.value - DIFFUSION) / one.sigma for one in found])
    assert np.mean(np.abs(score) < 1) >= 0.6
    assert np.all(np.abs(score) < 4)
    assert np.median([one.sigma / DIFFUSION for one in found]) < 0.15


def test_overpotentials_cover_the_truth():
    found = [evaluate(titration(seed))[0] for seed in range(60)]
    ohmic = np.array(
        [
            (one.ohmic_overpotential_v.value - OHM * CURRENT_A) / one.ohmic_overpotential_v.sigma_stat
            for one in found
        ]
    )
    assert 0.5 <= np.mean(np.abs(ohmic) < 1) <= 0.85
    one = found[0]
    end = evaluate(titration(0, rest_s=200_000.0))[0]
    assert (
        abs(one.open_circuit_after_v.value - end.open_circuit_after_v.value)
        <= 2 * one.open_circuit_after_v.sigma
    )
    assert one.total_overpotential_v.value > one.ohmic_overpotential_v.value > 0
    assert one.charge_ah == pytest.approx(300 * CURRENT_A / 3600)


def test_a_short_rest_is_honest_about_what_is_left():
    short = evaluate(titration(1, rest_s=1000.0))[0]
    long = evaluate(titration(1, rest_s=200_000.0))[0]
    left = abs(short.open_circuit_after_v.value - long.open_circuit_after_v.value)
    assert 0.3 * left < short.open_circuit_after_v.sigma_sys < 10 * left


def test_a_pulse_that_is_not_linear_in_root_time_is_cut_short_or_gives_nothing():
    long = evaluate(titration(3, pulse_s=6000.0))[0]
    assert long.window_s < 3000
    assert long.diffusion_coefficient_m2_s.value == pytest.approx(
        DIFFUSION, abs=4 * long.diffusion_coefficient_m2_s.sigma
    )
    records = titration(3, pulse_s=6000.0)
    current = records[:, 4] > 0
    # Linear in time, as a capacitor charges: never in its root.
    records[current, 3] = 3.9 + 1e-4 * (records[current, 1] - records[current, 1][0])
    assert math.isnan(evaluate(records)[0].diffusion_coefficient_m2_s.value)


def decay(seed, conductance, duration_s=8000.0, noise=1e-3, curved=0.0):
    """A voltage step on a particle behind a resistance; records grow sparser as the current decays."""
    generator = np.random.default_rng(seed)
    particle = Sphere(RADIUS_M, DIFFUSION, 0.5, shells=200)
    rows = [{"test_time_second": 0.0, "step_count": 1, "step_type": StepType.REST}]
    time, next_record = 0.0, 2.0
    while time < duration_s:
        dt = 0.05 if time < 20 else 0.5 if time < 200 else 2.0
        rate = particle.pull(0.49, conductance * (1 + curved * (particle.x[-1] - 0.5)), dt)
        time += dt
        if time >= next_record - 1e-9:
            current = -rate * CAPACITY_AS * (1 + noise * generator.standard_normal())
            rows.append(
                {
                    "test_time_second": time,
                    "voltage_volt": 3.908,
                    "current_ampere": current,
                    "step_count": 2,
                    "step_type": StepType.CONSTANT_VOLTAGE,
                }
            )
            next_record = time * 1.03 + 2.0
    return make_records(rows)


@pytest.mark.parametrize("biot", [0.8, 4.0, 40.0])
def test_a_hold_gives_the_diffusion_time_within_its_error(biot):
    conductance = 3 * biot * DIFFUSION / RADIUS_M**2
    truth = RADIUS_M**2 / DIFFUSION
    found = [pitt(decay(seed, conductance), particle_radius_m=RADIUS_M)[0] for seed in range(12)]
    score = np.array([(one.diffusion_time_s.value - truth) / one.diffusion_time_s.sigma for one in found])
    assert np.mean(np.abs(score) < 1) >= 0.5
    assert np.all(np.abs(score) < 3.5)
    assert np.median([one.diffusion_time_s.sigma for one in found]) < 0.25 * truth
    assert found[0].diffusion_coefficient_m2_s.value == pytest.approx(DIFFUSION, rel=0.3)
    assert found[0].biot_number.value == pytest.approx(biot, rel=0.3)
    charge_ah = 0.01 * CAPACITY_AS / 3600
    assert found[0].charge_ah.value == pytest.approx(charge_ah, abs=4 * found[0].charge_ah.sigma)


def test_a_hold_that_was_ended_early_gives_nothing():
    records = decay(1, 1e-4, duration_s=20.0)
    assert math.isnan(pitt(records[:6], particle_radius_m=RADIUS_M)[0].diffusion_time_s.value)


@pytest.mark.parametrize("seed", range(4))
def test_an_error_as_large_as_its_value_is_no_result(seed):
    # The current of a capacitor behind a resistance, and noise: no sphere at all.
    records = decay(seed, 3 * 0.05 * DIFFUSION / RADIUS_M**2, duration_s=60_000.0, noise=0.2)
    (one,) = pitt(records, particle_radius_m=RADIUS_M)
    found = (one.diffusion_time_s, one.biot_number, one.diffusion_coefficient_m2_s)
    assert all(math.isnan(each.value) or each.sigma < each.value for each in found)
    assert any(math.isnan(each.value) for each in found)


def test_no_step_is_no_pulse():
    assert gitt(make_records([]), diffusion_length_m=1e-6) == []
    assert pitt(make_records([{}]), particle_radius_m=1e-6) == []
    records = titration(1)
    no_rest_before = records[records[:, 11] > 1]
    assert evaluate(no_rest_before) == []
    with pytest.raises(ValueError, match="above 0"):
        gitt(records, diffusion_length_m=0.0)
    with pytest.raises(ValueError, match="above 0"):
        pitt(records, particle_radius_m=-1.0)


KINDS = st.sampled_from([StepType.REST, StepType.CONSTANT_CURRENT, StepType.CONSTANT_VOLTAGE])


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(KINDS, st.integers(1, 12), st.floats(-1, 5), st.floats(-1, 1)), max_size=6))
def test_any_sequence_of_steps_is_evaluated(parts):
    rows, time = [], 0.0
    for count, (kind, length, voltage, current) in enumerate(parts, 1):
        for index in range(length):
            time += 1.0
            rows.append(
                {
                    "test_time_second": time,
                    "voltage_volt": voltage + 1e-3 * index,
                    "current_ampere": 0.0 if kind is StepType.REST else current / (1 + index),
                    "step_type": kind,
                    "step_count": count,
                }
            )
    records = make_records(rows)
    assert len(gitt(records, diffusion_length_m=1e-6)) <= len(parts)
    assert len(pitt(records, particle_radius_m=1e-6)) <= len(parts)
