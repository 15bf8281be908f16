"""Graphite against lithium: what published operando studies report, from records and frames alone.

Plateaus and stages: Inaba et al., J. Electrochem. Soc. 142 (1995) 20; Dahn, Phys. Rev. B 44 (1991) 9170.
Volume: Schweidler et al., J. Phys. Chem. C 122 (2018) 8829.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from intercalate.calibrations import CalibrationError, CalibrationStore
from intercalate.catalog.client import find_run
from intercalate.catalog.client import records as records_of
from intercalate.catalog_services import catalog_services, open_configured_catalog, start_catalog
from intercalate.config import Config
from intercalate.report import EXPOSING, beam_time, report_of
from intercalate.results import ReductionWarning, reduce_run
from intercalate.services import module_command
from intercalate_plans.studies import load_study, one_cell

pytestmark = [pytest.mark.long, pytest.mark.service, pytest.mark.timeout(300)]

STUDY_S = 240.0
EVERY_S, FULL_S = 1000.0, 36_000.0
"""Between frames, and of a whole lithiation at C/10."""
VOLTAGE_STEP_V = 0.002
LITHIATION_STEP = 2
PLATEAUS_V = (0.2, 0.11, 0.08)
PLATEAU_V = 0.008
"""Half the height of a plateau."""
OVERPOTENTIAL_V = 0.02
"""At C/10 the plateaus of a lithiation lie at most so far below those of equilibrium."""


@dataclass(frozen=True)
class Measured:
    """Records, and frames reduced, aligned with them and fitted, as read from the catalog of a study."""

    records: xr.Dataset
    frames: xr.Dataset
    run: Any
    config: Config
    result: dict[str, Any]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measured]:
    """After a whole study by its command, which has calibrated the beamline and formed the cell."""
    parent = tmp_path_factory.mktemp("half_cell")
    command = module_command("intercalate.cli", "study", "S26", "--json", "--folder", "study")
    done = subprocess.run(command, capture_output=True, text=True, cwd=parent, timeout=STUDY_S, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    config = Config.from_file(parent / "study" / "simulated.toml")
    try:
        start_catalog(config)
        catalog = open_configured_catalog(config)
        run = find_run(catalog, result["runs"][0])
        yield Measured(records_of(run), reduce_run(run, config), run, config, result)
        catalog.context.close()
    finally:
        catalog_services(config).stop()


@pytest.fixture(scope="module")
def records(measured: Measured) -> xr.Dataset:
    return measured.records


@pytest.fixture(scope="module")
def frames(measured: Measured) -> xr.Dataset:
    """Frames that lie within the records, by lithium content."""
    return measured.frames.isel(frame=~measured.frames["in_gap"].to_numpy())


def test_the_study_says_what_it_found(measured: Measured) -> None:
    result, start = measured.result, measured.run.metadata["start"]
    assert (result["recovered"], result["simulated"], result["world"]) == (True, True, "effect")
    assert (start["study"], start["simulated"]) == ("S26", True)
    assert Path(result["figure"]).stat().st_size > 10_000
    again = load_study("S26").analyse(one_cell(measured.records, measured.frames))
    assert {one["name"]: one["value"] for one in result["quantities"]} == pytest.approx(
        {one.name: one.value for one in again.quantities}
    )


def test_the_stages_belong_to_the_plateaus(measured: Measured) -> None:
    finding = load_study("S20").analyse(one_cell(measured.records, measured.frames))
    assert finding.recovered, finding


def plateaus_v(records: xr.Dataset) -> list[float]:
    """Voltages at which -dQ/dV of the lithiation peaks, from high to low."""
    step = records.isel(record=(records["step_id"] == LITHIATION_STEP).to_numpy())
    grid = np.arange(0.02, 0.4, VOLTAGE_STEP_V)
    voltage_v, charge_ah = (step[name].to_numpy()[::-1] for name in ("voltage_volt", "net_capacity_ah"))
    slope = gaussian_filter1d(np.gradient(np.interp(grid, voltage_v, -charge_ah), grid), 2)
    peaks, _ = find_peaks(-slope, prominence=0.02 * np.ptp(slope))
    return [float(grid[peak]) for peak in peaks[::-1]]


def on_plateau(frames: xr.Dataset, voltage_v: float) -> xr.Dataset:
    return frames.isel(frame=(abs(frames["voltage_volt"] - voltage_v) < PLATEAU_V).to_numpy())


def before_plateau(frames: xr.Dataset, voltage_v: float) -> xr.Dataset:
    """The last frame before it; the first on it may come any time after its beginning."""
    return frames.isel(frame=(frames["voltage_volt"] > voltage_v + PLATEAU_V).to_numpy()).isel(frame=-1)


def volume(frames: xr.Dataset) -> np.ndarray:
    """Volume per C6 up to a constant factor; of both stages by their shares where both are there."""
    poor = frames["graphite.d"] * frames["graphite.a"] ** 2
    rich = frames["LiC6.d"] * frames["LiC6.a"] ** 2
    share = frames["stage_1_fraction"]
    return ((1 - share) * poor.where(share < 1, 0) + share * rich.where(share > 0, 0)).to_numpy()


def test_every_frame_is_fitted(frames: xr.Dataset) -> None:
    assert 30 <= frames.sizes["frame"] <= 60
    assert frames["converged"].all()
    x = frames["x_positive"].to_numpy()
    assert (np.diff(x) > 0).all()
    # The first is of the beginning: it may be late, but not by as much as the second.
    assert x[0] < EVERY_S / FULL_S
    assert x[-1] > 0.95


def test_the_voltage_has_the_three_plateaus_of_staging(records: xr.Dataset) -> None:
    found = plateaus_v(records)
    assert len(found) == 3
    for measured_v, equilibrium_v in zip(found, PLATEAUS_V):
        assert equilibrium_v - OVERPOTENTIAL_V <= measured_v <= equilibrium_v


def test_each_plateau_is_the_change_of_one_stage(records: xr.Dataset, frames: xr.Dataset) -> None:
    at_v = plateaus_v(records)
    first, second, third = (on_plateau(frames, voltage_v) for voltage_v in at_v)
    # Dilute stage 1 to stage 4, and from stage 2L on to stage 2: the mean spacing moves all the way.
    assert before_plateau(frames, at_v[0])["graphite.d"] < 3.38
    assert first["graphite.d"][-1] > 3.41
    assert before_plateau(frames, at_v[1])["graphite.d"] < 3.48
    assert second["graphite.d"][-1] == pytest.approx(3.52, abs=0.01)
    for one in (first, second):
        assert (np.diff(one["graphite.d"]) > 0).all()
        assert (one["stage_1_fraction"] == 0).all()
    # Stage 2 to stage 1: two phases, neither of which changes.
    assert third.sizes["frame"] >= 5
    assert third["present_graphite"].all()
    for phase, spacing_angstrom in (("graphite.d", 3.52), ("LiC6.d", 3.70)):
        seen = third[phase].dropna("frame")
        assert seen.sizes["frame"] >= third.sizes["frame"] - 1
        assert float(seen.mean()) == pytest.approx(spacing_angstrom, abs=0.01)
        assert float(np.ptp(seen.to_numpy())) < 0.001


def test_stage_1_grows_in_proportion_to_the_charge(frames: xr.Dataset) -> None:
    two_phase = frames.isel(frame=(frames["present_LiC6"] & frames["present_graphite"]).to_numpy())
    x, share = two_phase["x_positive"].to_numpy(), two_phase["stage_1_fraction"].to_numpy()
    assert len(x) >= 10
    slope, offset = np.polyfit(x, share, 1)
    # Lever rule between LiC12 and LiC6: share = 2x - 1.
    assert slope == pytest.approx(2.0, abs=0.15)
    assert -offset / slope == pytest.approx(0.5, abs=0.02)
    assert np.std(share - np.polyval((slope, offset), x)) < 0.01
    assert not frames["present_LiC6"].to_numpy()[frames["x_positive"] < 0.48].any()


def test_the_lattice_grows_well_before_intercalation_is_complete(frames: xr.Dataset) -> None:
    x, size = frames["x_positive"].to_numpy(), volume(frames)
    growth = size / size[0] - 1
    at_half, at_third = np.interp(0.5, x, growth), np.interp(0.3, x, growth)
    # Reported: 5 to 6 %. Spacings of LiC12 in the literature, 3.51 to 3.53 A, are 0.6 % apart.
    assert 0.05 - 0.003 <= at_half <= 0.06 + 0.003
    assert at_third / at_half > 0.7
    assert 0.12 <= growth[-1] <= 0.135


def test_the_reduction_says_what_it_did_and_with_what(measured: Measured) -> None:
    done = json.loads(measured.frames.attrs["reduction"])
    assert [step["step"] for step in done["steps"]] == [
        "dark",
        "lag",
        "saturated pixels left out",
        "flat field",
        "mask",
        "solid angle and polarisation",
        "azimuthal integration",
        "background",
    ]
    named = {
        name: one["sha256"] for name, one in dict(measured.run.metadata["start"]["calibrations"]).items()
    }
    assert done["calibrations"].items() <= named.items()
    assert set(done["calibrations"]) == {"geometry", "flat", "dark:60s", "background"}
    assert "monitor counts" in measured.frames["intensity"].attrs["units"]


def with_store(config: Config, folder: Path) -> Config:
    calibration = config.calibration.model_copy(update={"folder": folder})
    return config.model_copy(update={"calibration": calibration})


def test_a_run_without_calibrations_is_not_reduced(measured: Measured, tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r"no calibration geometry .*calibrate_geometry"):
        reduce_run(measured.run, with_store(measured.config, tmp_path))


def test_calibrations_that_the_run_does_not_name_are_used_with_a_warning(
    measured: Measured, tmp_path: Path
) -> None:
    others = CalibrationStore(tmp_path)
    for one in CalibrationStore(measured.config.stored(measured.config.calibration.folder)):
        if one.kind == "background":
            continue
        arrays = {name[:-4]: np.load(one.folder / name) for name in one.files if name.endswith(".npy")}
        texts = {name: (one.folder / name).read_text() for name in one.files if name.endswith(".poni")}
        others.keep(one.kind, "another", one.values, key=one.key, arrays=arrays, texts=texts)
    with pytest.warns(ReductionWarning) as told:
        reduce_run(measured.run, with_store(measured.config, tmp_path))
    words = " ".join(str(one.message) for one in told)
    assert "geometry is not the one named by the run" in words
    assert "no background was measured" in words


def test_the_report_accounts_for_the_frames_and_the_time(measured: Measured) -> None:
    report = report_of([measured.run])
    count = measured.frames.sizes["frame"]
    one = report.measurements["xrd"]
    assert sum(one.frames.values()) == count
    assert report.time_s[EXPOSING] == pytest.approx(60.0 * count, rel=0.1)
    assert sum(report.time_s.values()) == pytest.approx(report.duration_s)
    assert one.occasions == one.measured + sum(one.missed.values())
    assert one.measured == count
    assert report.duration_s == pytest.approx(float(measured.records["test_time_second"][-1]), abs=1.0)
    assert one.revisit_s == pytest.approx(EVERY_S, rel=0.2)
    assert f"{count} valid" in report.describe()
    assert f"beam time {report.duration_s / 3600:.2f} h" in beam_time([report])
