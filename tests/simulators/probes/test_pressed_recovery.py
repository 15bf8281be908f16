"""From frames to an equation of state, on an instrument that nobody was told of."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.bench_chain import Calibrated, Instrument, calibrated
from benchmarks.pressed_in_process import pressed
from intercalate_plans.studies import World, load_study, merged

S29 = load_study("S29")
SEED = 3


@pytest.fixture(scope="module")
def known() -> tuple[Instrument, Calibrated]:
    instrument = Instrument(SEED)
    return instrument, calibrated(instrument)


def test_pressure_lattice_and_modulus_are_found_within_their_errors(known, tmp_path: Path) -> None:
    measured = pressed(*known, S29, S29.told(World.EFFECT), SEED, tmp_path)
    (frames,) = next(iter(measured.cells.values())).frames.values()
    (true,) = next(iter(measured.true_cells.values())).frames.values()
    off = np.asarray(frames["pressure_gpa"] - true["pressure_gpa"], float)
    sigma = np.hypot(frames["pressure_gpa_sigma_stat"], frames["pressure_gpa_sigma_sys"])
    assert np.abs(off / sigma).max() < 3
    # The table of the membrane is wrong by more than the marker is.
    membrane = np.array(S29.content["pressures_gpa"])
    assert np.abs(np.asarray(true["pressure_gpa"], float) - membrane).max() > 3 * np.abs(off).max()
    for axis in "abc":
        relative = np.asarray(frames[f"LFP.{axis}"] / true[f"LFP.{axis}"] - 1, float)
        assert np.abs(relative).max() < 6e-4
        assert np.ptp(relative) < 3e-4
    finding, truth = S29.analyse(measured.cells), S29.analyse(measured.true_cells)
    assert finding.recovered, [str(one) for one in finding.claims]
    modulus = finding.quantity("bulk_modulus_gpa")
    assert abs(modulus.value - truth.quantity("bulk_modulus_gpa").value) < 3 * modulus.sigma


def test_a_transition_is_seen_as_one(known, tmp_path: Path) -> None:
    told = merged(S29.told(World.EFFECT), {"pressure_cell": {"compression": "transition"}})
    finding = S29.analyse(pressed(*known, S29, told, SEED, tmp_path).cells)
    assert not finding.recovered
    assert any("no step" in one.text and not one.holds for one in finding.claims)
    assert finding.quantity("volume_step").value == pytest.approx(3.0, abs=0.2)
