"""Circuits and the Kramers-Kronig test, against arcs that are summed over their times."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.reduction.electrochemistry import circuit_impedance, fit_circuit, kramers_kronig

from .forward import arc, ladder

FREQUENCY_HZ = np.geomspace(1e5, 1e-2, 57)
OMEGA = 2 * np.pi * FREQUENCY_HZ
CIRCUIT = ("R", "ZARC", "ZARC", "WO")
TRUTH = {
    "R_0.resistance_ohm": 5.0,
    "ZARC_1.resistance_ohm": 8.0,
    "ZARC_1.time_s": 2e-4,
    "ZARC_1.exponent": 0.9,
    "ZARC_2.resistance_ohm": 20.0,
    "ZARC_2.time_s": 0.02,
    "ZARC_2.exponent": 0.8,
    "WO_3.resistance_ohm": 12.0,
    "WO_3.time_s": 50.0,
}
ERROR = 2e-3


@pytest.fixture(scope="module")
def clean():
    return 5.0 + arc(OMEGA, 8.0, 2e-4, 0.9) + arc(OMEGA, 20.0, 0.02, 0.8) + ladder(OMEGA, 12.0, 50.0)


def noisy(impedance, seed):
    draw = np.random.default_rng(seed).standard_normal((2, impedance.size))
    return impedance + ERROR * np.abs(impedance) * (draw[0] + 1j * draw[1])


def test_two_ways_to_the_same_impedance(clean):
    assert circuit_impedance(CIRCUIT, TRUTH, FREQUENCY_HZ) == pytest.approx(clean, rel=5e-4)


def test_uncertainties_cover_the_truth(clean):
    scores = {name: [] for name in TRUTH}
    for seed in range(40):
        found = fit_circuit(FREQUENCY_HZ, noisy(clean, seed), CIRCUIT, relative_error=ERROR, starts=6)
        assert found.converged
        for name, true in TRUTH.items():
            scores[name].append((found.parameters[name].value - true) / found.parameters[name].sigma)
    every = np.array(list(scores.values()))
    assert 0.6 <= np.mean(np.abs(every) < 1) <= 0.76
    assert all(np.mean(np.abs(one) < 1) > 0.45 for one in every)


def test_what_is_not_there_has_no_value():
    flat = noisy(np.full(FREQUENCY_HZ.size, 7.0 + 0j), 3)
    found = fit_circuit(FREQUENCY_HZ, flat, ("R", "L"), relative_error=ERROR)
    assert found.parameters["R_0.resistance_ohm"].value == pytest.approx(7.0, rel=1e-3)
    inductance = found.parameters["L_1.inductance_henry"]
    assert not inductance.value > 3 * inductance.sigma


def test_a_steady_spectrum_passes_and_a_drifting_one_does_not(clean):
    assert kramers_kronig(FREQUENCY_HZ, noisy(clean, 1), tolerance=2 * ERROR).passed
    # The cell changes while the low frequencies are measured.
    drift = clean * (1 + 0.3 * np.linspace(0, 1, clean.size) ** 4)
    found = kramers_kronig(FREQUENCY_HZ, noisy(drift, 1), tolerance=2 * ERROR)
    assert not found.passed
    assert found.residual.shape == clean.shape


@pytest.mark.parametrize(
    ("frequency", "impedance", "words"),
    [
        (np.array([1.0, -1.0]), np.ones(2, complex), "above 0"),
        (np.ones(3), np.ones(2, complex), "alike"),
        (np.ones(2), np.zeros(2, complex), "relative error"),
        (np.ones(2), np.ones(2, complex), "do not determine"),
    ],
)
def test_spectra_that_cannot_be_used_are_refused(frequency, impedance, words):
    with pytest.raises(ValueError, match=words):
        fit_circuit(frequency, impedance, CIRCUIT, relative_error=ERROR)


def test_unknown_elements_are_refused():
    with pytest.raises(ValueError, match="ZARC"):
        circuit_impedance(("R", "Q"), {}, FREQUENCY_HZ)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(1e-2, 1e5), st.floats(0.1, 100), st.floats(-100, 100)), min_size=4, max_size=12
    )
)
def test_any_spectrum_is_tested_and_fitted(points):
    frequency, real, imaginary = np.array(points).T
    impedance = real + 1j * imaginary
    tested = kramers_kronig(frequency, impedance, tolerance=0.01)
    assert np.isfinite(tested.root_mean_square)
    fitted = fit_circuit(frequency, impedance, ("R", "L"), relative_error=0.01, starts=1)
    assert np.isfinite(fitted.relative_residual)


@pytest.mark.realdata
def test_a_measured_spectrum_of_a_cell(real_data: Path):
    """Frequencies at which the leads are inductive are described by an inductance, the rest by two arcs."""
    table = np.loadtxt(real_data / "eis" / "impedancepy_exampleData.csv", delimiter=",")
    frequency, impedance = table[:, 0], table[:, 1] + 1j * table[:, 2]
    assert kramers_kronig(frequency, impedance, tolerance=0.005).passed
    capacitive = impedance.imag < 0
    found = fit_circuit(
        frequency[capacitive], impedance[capacitive], ("R", "ZARC", "ZARC", "W"), relative_error=2e-3
    )
    assert found.converged
    assert found.relative_residual < 0.015
    values = {name: one.value for name, one in found.parameters.items()}
    # By eye: the real axis is met at 16 mOhm, and the arcs end at 31 mOhm where the tail begins.
    crossing = impedance.real[np.argmin(np.abs(impedance.imag))]
    assert values["R_0.resistance_ohm"] == pytest.approx(crossing, rel=0.1)
    arcs = values["ZARC_1.resistance_ohm"] + values["ZARC_2.resistance_ohm"]
    assert values["R_0.resistance_ohm"] + arcs == pytest.approx(0.031, rel=0.05)
    assert values["ZARC_1.time_s"] < values["ZARC_2.time_s"]
