"""The effect of the beam, from frames of the real detector: found where there is one, and only there."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from benchmarks.bench_chain import EXPOSURE_S, FLUX, Instrument, calibrated, monitor, phases
from benchmarks.bench_reduction import cell_state
from intercalate.analysis import Exposure, reduce_and_fit
from intercalate.beam_effect import Comparison, compare
from intercalate.dose import dose_gy, energy_fluence_j_cm2
from intercalate_sims.cell.interface import ProbeState
from intercalate_sims.irradiation import BeamEffect, Inactive, Irradiated, Spot
from intercalate_sims.probes.diffraction import truth_of

EVERY_S = 1200.0
FRAMES = 12
CONTROLS = ((100.0, (0.9, 0.9)), (6700.0, (-0.9, 0.9)), (12_700.0, (0.9, -0.9)))
"""Test time and fresh spot of each control frame."""

FLUENCE_J_CM2 = energy_fluence_j_cm2(FLUX * EXPOSURE_S, 25.0, 0.25)
FRAME_GY = dose_gy(FLUENCE_J_CM2, "LiNi0.8Mn0.1Co0.1O2", 25.0)
EFFECT = BeamEffect(inactive_share=0.4, fluence_j_cm2=5 * FLUENCE_J_CM2)

pytestmark = pytest.mark.timeout(240)


def charging(time_s: float) -> ProbeState:
    """State of a cell that is charged, and does not know of the beam."""
    x = 0.15 + 0.30 * time_s / 13_200.0
    return cell_state(0.97 - 0.72 * x, x)


def spot(place_mm: tuple[float, float]) -> Spot:
    return Spot(*place_mm, 0.5, 0.5)


@pytest.fixture(scope="module")
def bench() -> SimpleNamespace:
    instrument = Instrument(31)
    return SimpleNamespace(instrument=instrument, known=calibrated(instrument))


def measured(
    bench: SimpleNamespace, irradiated: Irradiated, moments: list[tuple[float, tuple[float, float]]]
) -> tuple[xr.Dataset, list[list[Inactive]]]:
    """Expose a spot at each moment and reduce the frames; what had stopped there is told beside."""
    frames, exposures, stopped, spent = [], [], [], dict[Spot, int]()
    for time_s, place_mm in moments:
        here, state = spot(place_mm), charging(time_s)
        stopped.append(irradiated.inactive("A1", here))
        frame, counts = bench.instrument.take(
            "A1", EXPOSURE_S, [(1.0, state)], place_mm=place_mm, inactive=stopped[-1]
        )
        irradiated.expose("A1", here, FLUENCE_J_CM2, state)
        frames.append(frame)
        exposures.append(Exposure(monitor(counts, EXPOSURE_S)))
        spent[here] = spent.get(here, 0) + 1
    fitted = reduce_and_fit(frames, exposures, bench.known.chain, phases(), options=bench.known.options)
    times = np.array([time_s for time_s, _ in moments])
    numbers = np.arange(1, len(moments) + 1) if len(spent) == 1 else np.ones(len(moments))
    return fitted.assign(
        dose_spot_gy=("frame", FRAME_GY * numbers), dose_exposure_gy=("frame", np.full(len(times), FRAME_GY))
    ).assign_coords(test_time_second=("frame", times)), stopped


def experiment(
    bench: SimpleNamespace, folder: Path, effect: BeamEffect | None
) -> tuple[Comparison, list[list[Inactive]]]:
    irradiated = Irradiated(effect, folder / "spots")
    exposed, stopped = measured(
        bench, irradiated, [(EVERY_S * number, (0.0, 0.0)) for number in range(FRAMES)]
    )
    control, fresh = measured(bench, irradiated, list(CONTROLS))
    assert not any(fresh)
    return compare(exposed, control), stopped


def test_an_effect_is_found_and_is_not_made_larger_than_it_is(bench: SimpleNamespace, tmp_path: Path) -> None:
    found, stopped = experiment(bench, tmp_path, EFFECT)
    assert found.found
    shares = [sum(one.share for one in groups) for groups in stopped]
    assert shares[0] == 0
    assert shares[-1] > 0.3
    for name in ("NMC811.a", "NMC811.c"):
        start, _, end = (one for one in found.differences if one.quantity == name)
        assert abs(start.significance) < 3
        assert abs(end.significance) > found.threshold
        assert end.dose_gy > start.dose_gy
        # A line follows the larger population: it moves by a part of what the mean does, which is known here.
        last = charging(EVERY_S * (FRAMES - 1))
        weighted = [(one.share, one.beside(last)) for one in stopped[-1]]
        truth = truth_of([(1.0 - shares[-1], last), *weighted])["positive"]
        alive = truth_of([(1.0, last)])["positive"]
        key = {"NMC811.a": "a_angstrom", "NMC811.c": "c_angstrom"}[name]
        assert 0.2 < end.value / (truth[key] - alive[key]) < 1.0
        assert start.misfit_ratio == pytest.approx(1.0, abs=0.15)
        assert end.misfit_ratio > 5
    assert "the means over the material differ by more" in found.sentence()


def test_no_effect_is_found_where_there_is_none_and_its_limit_is_small(
    bench: SimpleNamespace, tmp_path: Path
) -> None:
    found, stopped = experiment(bench, tmp_path, None)
    assert not any(stopped)
    assert not found.skipped
    assert not found.found, "\n".join(found.table())
    assert max(abs(one.significance) for one in found.differences) < 3
    assert max(one.misfit_ratio for one in found.differences) < 1.3
    limits = {one.quantity: one.upper_limit for one in found.differences}
    assert limits["NMC811.c"] < 2e-3
    assert found.sentence().startswith("No effect of the beam was found up to 0.0")
