"""Patterns and spectra of a run as a heat map, as NeXus and as files for refinement programs."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from nexusformat.nexus import nxload
from nexusformat.nexus.validate import validate_file

from catalog.stories import course, told
from intercalate.calibrations import CalibrationError, CalibrationStore, Kind
from intercalate.catalog.client import CatalogError
from intercalate.catalog.export import ExportError
from intercalate.catalog.exported import ExportedCatalog, ExportedRun
from intercalate.catalog.journal import journals
from intercalate.cli import main
from intercalate.config import DEFAULT_CONFIG, Config
from intercalate.exporting import run_files
from intercalate.heat_map import heatmap
from intercalate.patterns import pattern_source
from intercalate.views.heat_map import heat_map_figure

PIXELS, PIXEL_MM, DISTANCE_MM = 64, 1.0, 200.0
WAVELENGTH_A, EXPOSURE_S = 0.4, 10.0
RING_MM = (20.0, 21.0, 22.0)
"""Radius of the ring in each frame."""

PONI = f"""poni_version: 2.1
Detector: Detector
Detector_config: {{"pixel1": {PIXEL_MM / 1e3}, "pixel2": {PIXEL_MM / 1e3}, "max_shape": [{PIXELS}, {PIXELS}]}}
Distance: {DISTANCE_MM / 1e3}
Poni1: {PIXELS / 2 * PIXEL_MM / 1e3}
Poni2: {PIXELS / 2 * PIXEL_MM / 1e3}
Rot1: 0.0
Rot2: 0.0
Rot3: 0.0
Wavelength: {WAVELENGTH_A * 1e-10}
"""
BLIND = (3, 5)


def ring(radius_mm: float) -> np.ndarray:
    """Counts of a ring around the beam."""
    at = (np.arange(PIXELS) + 0.5 - PIXELS / 2) * PIXEL_MM
    away = np.hypot(at[:, None], at[None, :]) - radius_mm
    return (100 + 5000 * np.exp(-((away / 1.5) ** 2))).astype("<u4")


def two_theta_deg(radius_mm: float) -> float:
    return float(np.degrees(np.arctan2(radius_mm, DISTANCE_MM)))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """With what a beamline has measured of its diffractometer."""
    config = Config.from_file(DEFAULT_CONFIG, folder=tmp_path)
    store = CalibrationStore(config.stored(config.calibration.folder))
    shape = (PIXELS, PIXELS)
    mask = np.zeros(shape, bool)
    mask[BLIND] = True
    none, dark = np.zeros(shape), {"exposure_s": EXPOSURE_S, "frames": 5, "it_dark_per_s": 8.0}
    arrays = {"mean": none, "variance": np.ones(shape), "blind": np.zeros(shape, bool)}
    store.keep(Kind.GEOMETRY, "one", {"energy_kev": 31.0}, texts={"geometry.poni": PONI})
    store.keep(Kind.DARK, "two", dark, key="10s", arrays=arrays)
    flat = {"efficiency": np.ones(shape), "mask": mask}
    store.keep(Kind.FLAT, "three", {"counts_per_photon": 1.0}, arrays=flat)
    raman = CalibrationStore(config.stored(config.instrument("raman").calibration.folder))
    shift = {"shift_per_cm": np.linspace(100.0, 2000.0, 16)}
    raman.keep(Kind.SHIFT, "four", {"offset_nm": 0.0}, arrays=shift)
    return config


def run_of(config: Config, frames: dict[str, Any], **more: Any) -> Any:
    """A run that was told, read from its journal."""
    told(config.journals_folder, frames=frames, frames_folder=config.stored("frames"), **more)
    files = {str(path): path for path in config.stored("frames").iterdir()}
    catalog = ExportedCatalog(config.storage.folder)
    catalog.extend(ExportedRun(path, files, catalog) for path in journals(config.journals_folder))
    return catalog[-1]


@pytest.fixture
def run(config: Config) -> Any:
    """Three patterns of a cell that is charged, and five Raman spectra."""
    lines = np.random.default_rng(1).integers(50, 60, (5, 1, 16)).astype("<u4")
    return run_of(
        config,
        {
            "xrd": ("diffractometer", np.array([ring(one) for one in RING_MM])),
            "raman": ("raman_spectrometer", lines),
        },
        records=course(np.linspace(3.0, 3.9, 10)),
        sample="nmc",
        simulated=True,
        cell=cell(),
    )


def cell() -> dict[str, Any]:
    from intercalate.cell import Cell
    from intercalate.config import EXAMPLES

    return Cell.from_file(EXAMPLES / "cells" / "nmc811_graphite_operando.toml").model_dump(
        mode="json", exclude_none=True
    )


pytestmark = pytest.mark.filterwarnings("ignore:no monitor counts belong to the frames")


def test_a_heat_map_has_the_axes_of_what_was_measured(run: Any, config: Config) -> None:
    found = heatmap(run, "xrd", config=config)
    assert found.dims == ("test_time_second", "two_theta")
    assert found["test_time_second"].values == pytest.approx([5.0, 25.0, 45.0], abs=0.1)
    assert found["voltage_volt"].values == pytest.approx([3.05, 3.25, 3.45], abs=0.01)
    peaks = found["two_theta"].values[np.argmax(found.values, axis=1)]
    assert peaks == pytest.approx([two_theta_deg(one) for one in RING_MM], abs=0.1)
    assert (found.attrs["simulated"], found.attrs["units"]) == (1, "counts per pixel")
    by_voltage = heatmap(run, "xrd", config=config, against="voltage_volt")
    assert by_voltage.dims == ("voltage_volt", "two_theta")
    assert np.array_equal(by_voltage.values, found.values)


def test_spectra_are_shown_as_counted_on_the_axis_that_is_known(run: Any, config: Config) -> None:
    found = heatmap(run, "raman", config=config)
    assert found.dims == ("test_time_second", "raman_shift")
    assert found["raman_shift"].values[[0, -1]].tolist() == [100.0, 2000.0]
    assert found.attrs["origin"] == "raw counts, calibrated axis"
    alone = heatmap(run, "raman")
    assert alone.dims[1] == "channel"
    assert alone.attrs["origin"] == "raw counts, no calibrated axis"
    assert np.array_equal(alone.values, found.values)
    assert (found.values >= 50).all()


def test_what_was_reduced_before_is_not_reduced_again(run: Any, tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    reduced = xr.Dataset(
        {"intensity": (("frame", "two_theta"), values, {"units": "counts"})},
        {"two_theta": [1.0, 2.0]},
        {"run": run.metadata["start"]["uid"]},
    )
    found = heatmap(run, "xrd", results=reduced)
    assert np.array_equal(found.values, values)
    path = tmp_path / "operando.nc"
    reduced.to_netcdf(path, engine="h5netcdf")
    assert np.array_equal(heatmap(run, "xrd", results=path).values, values)
    assert str(path) in heatmap(run, "xrd", results=path).attrs["origin"]
    with pytest.raises(CatalogError, match="is of run another, not of this one"):
        heatmap(run, "xrd", results=reduced.assign_attrs(run="another"))
    with pytest.raises(CatalogError, match="does not hold the 2θ of the frames of xrd"):
        heatmap(run, "xrd", results=reduced.isel(frame=slice(2)))


def test_regions_of_energies_are_told_apart(config: Config) -> None:
    counts = np.arange(4 * 8, dtype="<u4").reshape(4, 1, 8)
    columns = {
        "xps_analyser_region": ["C 1s", "O 1s", "C 1s", "O 1s"],
        "xps_analyser_start_ev": [280.0, 525.0] * 2,
        "xps_analyser_stop_ev": [285.0, 530.0] * 2,
        "xps_analyser_step_ev": [1.0] * 4,
    }
    frames = {"xps": ("xps_spectrometer", counts)}
    run = run_of(config, frames, columns=columns, records=course(np.linspace(3.0, 3.9, 10)))
    found = heatmap(run, "xps", config=config, region="O 1s")
    assert found.dims == ("test_time_second", "binding_energy")
    assert found["binding_energy"].values.tolist() == [525.0, 526.0, 527.0, 528.0, 529.0, 530.0]
    assert np.array_equal(found.values, counts[1::2, 0, :6])
    with pytest.raises(CatalogError, match="name a region of energies: C 1s, O 1s"):
        heatmap(run, "xps", config=config)
    with pytest.raises(CatalogError, match="no spectrum is of the region 'N 1s'"):
        heatmap(run, "xps", config=config, region="N 1s")


def test_what_cannot_be_a_heat_map_is_refused(run: Any, config: Config) -> None:
    with pytest.raises(CatalogError, match="name the stream of the frames; the run has xrd, raman"):
        heatmap(run)
    with pytest.raises(CatalogError, match="no stream 'sem'"):
        heatmap(run, "sem")
    with pytest.raises(CatalogError, match="stream 'cycling' of the run has no frames"):
        heatmap(run, "cycling")
    with pytest.raises(CatalogError, match="give the configuration, or results"):
        heatmap(run, "xrd")
    with pytest.raises(CatalogError, match="have no 'pressure'; they have test_time_second, voltage_volt"):
        heatmap(run, "raman", against="pressure")
    images = run_of(config, {"sem": ("sem_detector", np.zeros((2, 4, 4), "<u4"))}, began_unix_s=1.9e9)
    with pytest.raises(CatalogError, match="sem has images"):
        heatmap(images, "sem", config=config)
    with pytest.raises(CalibrationError, match="there is no calibration geometry"):
        heatmap(run, "xrd", config=Config.from_file(DEFAULT_CONFIG, folder=config.storage.folder / "none"))


@pytest.mark.parametrize("against", ["test_time_second", "voltage_volt", "frame"])
def test_the_figure_says_what_it_shows(run: Any, config: Config, against: str) -> None:
    figure = heat_map_figure(heatmap(run, "xrd", config=config, against=against), "nmc (simulated)")
    assert figure.axes[0].get_ylabel() == "2θ (°)"
    labels = " ".join(axis.get_xlabel() + axis.get_ylabel() for axis in figure.axes)
    assert {"test_time_second": "Test time (h)", "voltage_volt": "Voltage (V)", "frame": "Frame"}[
        against
    ] in labels
    assert "Counts per pixel" in labels


def test_patterns_for_refinement_have_angle_error_and_origin(
    run: Any, config: Config, tmp_path: Path
) -> None:
    (folder,) = run_files.WRITERS["xye"](run, config, tmp_path / "out", None)
    files = sorted(folder.glob("*.xye"))
    assert [path.name for path in files] == ["xrd_0.xye", "xrd_1.xye", "xrd_2.xye"]
    expected = list(pattern_source(run, config, "xrd", "xrd").patterns())
    for path, pattern, radius_mm in zip(files, expected, RING_MM, strict=True):
        angle, intensity, sigma = np.loadtxt(path, unpack=True)
        assert angle == pytest.approx(pattern.two_theta_deg, abs=1e-6)
        assert intensity == pytest.approx(pattern.intensity, rel=1e-6)
        assert sigma == pytest.approx(pattern.sigma, rel=1e-4)
        assert angle[np.argmax(intensity)] == pytest.approx(two_theta_deg(radius_mm), abs=0.1)
        header = [line for line in path.read_text().splitlines() if line.startswith("#")]
        assert f"# wavelength A: {WAVELENGTH_A:.8f}" in header
        assert "# simulated: yes" in header
    listed = json.loads((folder / "patterns.json").read_text())
    assert listed["simulated"] is True
    assert [one["voltage V"] for one in listed["patterns"]] == pytest.approx([3.05, 3.25, 3.45], abs=0.01)
    with pytest.raises(ExportError, match="exists already"):
        list(run_files.WRITERS["xye"](run, config, tmp_path / "out", None))
    with pytest.raises(ExportError, match=r"frames of a diffractometer; .* none in raman"):
        list(run_files.WRITERS["xye"](run, config, tmp_path / "other", "raman"))


def assert_valid(path: Path) -> None:
    """By the definitions of NeXus, as a library of others has them."""
    assert validate_file(str(path)) == (0, 0)


def test_a_nexus_file_opens_with_its_plot_and_is_valid(run: Any, config: Config, tmp_path: Path) -> None:
    path = run_files.nexus([run], config, tmp_path / "out", with_frames=True)
    assert_valid(path)
    root = nxload(str(path))
    entry = root[root.attrs["default"]]
    assert (entry.nxclass, entry.attrs["default"]) == ("NXentry", "xrd")
    plot = entry.plottable_data
    assert plot.nxname == "xrd"
    assert plot.nxsignal.shape == plot.nxerrors.shape
    assert [axis.nxname for axis in plot.nxaxes] == ["test_time", "two_theta"]
    peaks = plot.nxaxes[1].nxvalue[np.nanargmax(plot.nxsignal.nxvalue, axis=1)]
    assert peaks == pytest.approx([two_theta_deg(one) for one in RING_MM], abs=0.1)
    assert "SIMULATED" in str(entry["experiment_description"])
    assert "(simulated)" in str(entry["title"])
    detector = entry["instrument/detector_xrd"]
    assert np.array_equal(detector["data"].nxvalue, np.array([ring(one) for one in RING_MM]))
    assert np.argwhere(detector["pixel_mask"].nxvalue).tolist() == [list(BLIND)]
    assert float(detector["distance"]) == pytest.approx(DISTANCE_MM)
    assert float(detector["beam_center_x"]) == pytest.approx(PIXELS / 2 * PIXEL_MM)
    assert float(entry["instrument/beam_xrd/incident_wavelength"]) == pytest.approx(WAVELENGTH_A)
    assert str(entry["sample/name"]) == "nmc"
    assert str(entry["sample/chemical_formula"]) == "LiNi0.8Mn0.1Co0.1O2"
    assert entry["cycling"].nxsignal.nxvalue == pytest.approx(np.linspace(3.0, 3.9, 10))
    assert entry["raman"].nxaxes[1].nxname == "raman_shift"
    with h5py.File(path) as file:
        kept = file[f"{entry.nxname}/calibrations/geometry"]
        assert isinstance(kept, h5py.Group)
        geometry = CalibrationStore(config.stored(config.calibration.folder)).latest(Kind.GEOMETRY)
        assert geometry is not None
        assert kept["checksum"][()].decode() == geometry.sha256  # type: ignore[index]
        stop = file[f"{entry.nxname}/bluesky/stop/data"]
        assert isinstance(stop, h5py.Dataset)
        assert json.loads(stop[()].tobytes())["exit_status"] == "success"
    with pytest.raises(ExportError, match="exists already"):
        run_files.nexus([run], config, tmp_path / "out", with_frames=True)
    # The library does find what is wrong.
    with h5py.File(path, "r+") as file:
        file[f"{entry.nxname}/xrd"].attrs["signal"] = "nothing"
        file[f"{entry.nxname}/instrument/detector_xrd"]["colour"] = "blue"  # type: ignore[index]
    assert validate_file(str(path)) != (0, 0)


def test_a_file_of_two_runs_has_a_sample_for_each(run: Any, config: Config, tmp_path: Path) -> None:
    other = run_of(config, {}, records=course([3.0, 3.1]), sample="lfp", began_unix_s=1.9e9)
    path = run_files.nexus([run, other], config, tmp_path / "out", with_frames=False)
    assert_valid(path)
    root = nxload(str(path))
    first, second = (f"run_{one.metadata['start']['uid'][:8]}" for one in (run, other))
    assert {name: str(root[name]["sample/name"]) for name in root} == {first: "nmc", second: "lfp"}
    assert root.attrs["default"] == first
    assert root[second].attrs["default"] == "cycling"
    assert "data" not in root[root.attrs["default"]]["instrument/detector_xrd"]


def test_frames_that_nothing_can_reduce_are_shown_as_they_are(config: Config, tmp_path: Path) -> None:
    counts = np.arange(2 * 4 * 4, dtype="<u4").reshape(2, 4, 4)
    run = run_of(config, {"sem": ("sem_detector", counts)}, began_unix_s=1.9e9)
    path = run_files.nexus([run], config, tmp_path, with_frames=True)
    assert_valid(path)
    plot = nxload(str(path)).plottable_data
    assert np.array_equal(plot.nxsignal.nxvalue, counts)
    with pytest.raises(ExportError, match="has images alone, and frames were to be left out"):
        run_files.nexus([run], config, tmp_path / "other", with_frames=False)
    empty = run_of(config, {}, began_unix_s=1.95e9)
    with pytest.raises(ExportError, match="has neither frames nor records of a cycler"):
        run_files.nexus([empty], config, tmp_path / "other", with_frames=True)
    with pytest.raises(ExportError, match="has no records of a cycler"):
        list(run_files.WRITERS["bdf"](run, config, tmp_path / "other", None))
    assert not list((tmp_path / "other").iterdir())


def test_tables_say_that_they_are_simulated(run: Any, config: Config, tmp_path: Path) -> None:
    for kind in ("csv", "netcdf", "bdf"):
        for path in run_files.WRITERS[kind](run, config, tmp_path / "out", None):
            assert "simulated" in path.name
    (data,) = (xr.load_dataset(one, engine="h5netcdf") for one in (tmp_path / "out").glob("*-xrd.nc"))
    assert data.attrs["simulated"] == 1
    assert data["intensity"].dims == ("frame", "two_theta")
    (table,) = (tmp_path / "out").glob("*-cycling.csv")
    assert "simulated" in table.read_text().splitlines()[0].split(",")


def test_calibrations_that_a_run_names_go_home_with_it(config: Config, tmp_path: Path) -> None:
    store = CalibrationStore(config.stored(config.calibration.folder))
    named = {"geometry": store.summary()["geometry"]}
    told(config.journals_folder, records=course([3.0, 3.1]), sample="nmc", calibrations=named)
    catalog = ExportedCatalog(tmp_path)
    catalog.extend(ExportedRun(path, {}, catalog) for path in journals(config.journals_folder))
    run_files.folder([catalog[-1]], config, tmp_path / "out")
    (home,) = (tmp_path / "out").iterdir()
    kept = CalibrationStore(home / "calibrations" / "xrd")
    assert [one.sha256 for one in kept] == [named["geometry"]["sha256"]]
    assert kept.need(Kind.GEOMETRY).text("geometry.poni") == PONI
    assert not (home / "calibrations" / "raman").exists()


def test_export_knows_its_formats() -> None:
    answer = CliRunner().invoke(main, ["export", "-1", "--format", "cif"])
    assert answer.exit_code == 2
    assert "'cif' is not one of 'folder', 'nexus', 'bdf', 'xye', 'netcdf', 'csv'" in answer.output
