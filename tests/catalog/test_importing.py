"""A run measured without its cycler, and the cycler's file afterwards: as if both had been connected."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import bluesky.preprocessors as bpp
import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner, Result

from catalog.conftest import Laboratory
from catalog.making import PairedClocks, declare, record, take
from intercalate.catalog.alignment import align
from intercalate.catalog.chain import runs_of_experiment
from intercalate.catalog.client import CatalogError, find_run, open_catalog, records
from intercalate.catalog.clock import ClockModel
from intercalate.catalog.cycler_clock import ClockCheck, clock_of_checks, clock_of_offset
from intercalate.catalog.cycling_import import Imported, ImportRefusedError, enter_cell, import_cycling
from intercalate.catalog.journal import journals, read_documents
from intercalate.catalog.linked import CELL_OF, CYCLING_OF, linked_runs
from intercalate.cell import Cell
from intercalate.cli import main
from intercalate.config import EXAMPLES
from intercalate.cycling_files import read_cycling_files
from unit.cycling_files.samples import write_mpt

pytestmark = pytest.mark.service

PARIS = ZoneInfo("Europe/Paris")
T0 = datetime(2027, 1, 15, 10, 0, 0, tzinfo=PARIS).timestamp()
LENGTH_S = 7200
PC_AHEAD_S, PC_DRIFT = 37.3, 60e-6
"""Of the cycler's PC against the beamline."""

CURRENT_A = 1e-3
FRAMES_S = 200.0 + 233.0 * np.arange(25)
EXPOSURE_S = 40.0


def voltage_v(time_s: np.ndarray) -> np.ndarray:
    return 3.6 + 0.3 * np.sin(time_s / 1500.0)


def current_a(time_s: np.ndarray) -> np.ndarray:
    return np.where(time_s < LENGTH_S / 2, CURRENT_A, -CURRENT_A)


def charge_ah(time_s: np.ndarray) -> np.ndarray:
    half = LENGTH_S / 2
    return CURRENT_A / 3600 * np.where(time_s < half, time_s, 2 * half - time_s)


def course(time_s: np.ndarray) -> dict[str, np.ndarray]:
    step = np.where(time_s < LENGTH_S / 2, 1.0, 2.0)
    return {
        "voltage_volt": voltage_v(time_s),
        "current_ampere": current_a(time_s),
        "net_capacity_ah": charge_ah(time_s),
        "step_count": step,
        "step_id": step,
    }


def pc_time(unix_s: np.ndarray) -> np.ndarray:
    """What the cycler's PC shows when the beamline's clock shows this."""
    return unix_s + PC_AHEAD_S + PC_DRIFT * (unix_s - T0)


def file_of(folder: Path, begin_s: float, end_s: float, name: str = "cell.mpt", **options: Any) -> Path:
    """What the cycler wrote meanwhile, every 30 s by its own clock."""
    times = np.arange(begin_s, end_s, 30.0)
    began = float(pc_time(np.array([T0 + begin_s]))[0])
    columns = {
        "mode": np.ones_like(times),
        "Ns": np.where(times < LENGTH_S / 2, 0, 1),
        "time/s": pc_time(T0 + times) - began,
        "Ewe/V": voltage_v(times),
        "(Q-Qo)/mA.h": 1e3 * (charge_ah(times) - charge_ah(times[:1])),
        "<I>/mA": 1e3 * current_a(times),
    }
    local = datetime.fromtimestamp(began, PARIS)
    started = options.pop("started", f"{local:%m/%d/%Y %H:%M:%S.%f}")
    return write_mpt(folder / name, columns, started=started, **options)


def checks(seed: int = 3) -> ClockModel:
    """A person read both clocks at the beginning and at the end, each to a second."""
    noise = np.random.default_rng(seed).uniform(-1, 1, 4)
    times = T0 + np.array([-600.0, 1000.0, 5000.0, 8000.0])
    return clock_of_checks(
        [ClockCheck(pc + off, at, 1.0) for at, pc, off in zip(times, pc_time(times), noise, strict=True)]
    )


def frames(laboratory: Laboratory, *beside: Any) -> Iterator[Any]:
    """Frames at known times by the beamline's clock."""
    detector = laboratory.detector
    times = iter(T0 + FRAMES_S)
    last = [T0]

    def now() -> float:
        last[0] = float(next(times))
        return last[0]

    detector.now, detector.exposure_s = now, EXPOSURE_S
    yield from bpp.stage_wrapper(take(detector, len(FRAMES_S), *beside), [detector])


def measured(laboratory: Laboratory, catalog: Any, **metadata: Any) -> Any:
    """A run without a cycler."""
    md = {"sample": "LNO", "experiment_uid": "e1", **metadata}
    uid = laboratory.run(bpp.run_wrapper(frames(laboratory), md=md))
    laboratory.forward()
    return find_run(catalog, uid)


def connected(laboratory: Laboratory, catalog: Any) -> Any:
    """The same with the cycler in the run, one record a second."""
    recorder = laboratory.recorder
    recorder.t0_unix_s, recorder.course = T0, course

    def plan() -> Iterator[Any]:
        yield from declare(recorder)
        yield from record(recorder, LENGTH_S)
        yield from frames(laboratory, PairedClocks(lambda: T0 + LENGTH_S / 2, 0.01))

    uid = laboratory.run(bpp.run_wrapper(plan(), md={"sample": "LNO"}))
    laboratory.forward()
    return find_run(catalog, uid)


def imported(laboratory: Laboratory, run: Any, *paths: Path, **options: Any) -> Imported:
    options = {"clock": checks(), "journals": laboratory.journal.folder, "who": "Ada"} | options
    clock = options.pop("clock")
    made = import_cycling(run, read_cycling_files(paths, zone=PARIS), clock, **options)
    laboratory.forward()
    return made


def test_an_imported_file_gives_what_a_connected_cycler_gives(
    laboratory: Laboratory, catalog: Any, tmp_path: Path
) -> None:
    truth = align(connected(laboratory, catalog))
    run = measured(laboratory, catalog)
    with pytest.raises(CatalogError, match="import-cycling"):
        align(run)
    path = file_of(tmp_path, -300, LENGTH_S + 300)
    imported(laboratory, run, path, clock=clock_of_offset(0.0, 0.1))
    expected_v = voltage_v(FRAMES_S + EXPOSURE_S / 2)
    assert np.abs(align(run)["voltage_volt"].values - expected_v).max() > 5e-3
    made = imported(laboratory, run, path, reason="clocks were compared")
    assert (made.version, made.frames, made.covered) == (2, 25, 25)
    found = align(run)
    assert np.abs(found["voltage_volt"].values - expected_v).max() < 5e-4
    assert not found["in_gap"].any()
    assert found["crosses_step"].values.tolist() == truth["crosses_step"].values.tolist()
    for column in ("voltage_volt", "current_ampere", "net_capacity_ah"):
        # The file began 300 s before, at the same current.
        begun = CURRENT_A * 300 / 3600 if column == "net_capacity_ah" else 0.0
        error = np.abs(found[column].values - begun - truth[column].values)
        sigma = np.hypot(found[f"{column}_sigma"].values, truth[f"{column}_sigma"].values)
        assert (error <= 3 * sigma + 1e-12).all(), column
        assert np.mean(error <= sigma + 1e-12) >= 0.5, column
    # The errors are those of a clock read to a second, not more.
    assert float(found["voltage_volt_sigma"].max()) < 1.5 * 0.3 / 1500 + 1e-4
    assert "Ada" in found.attrs["cycling"]
    assert_it_tells_where_it_comes_from(catalog, run, made)


def assert_it_tells_where_it_comes_from(catalog: Any, run: Any, made: Imported) -> None:
    uid, linked = run.metadata["start"]["uid"], find_run(catalog, made.uid)
    start = linked.metadata["start"]
    assert (start[CYCLING_OF], start["experiment_uid"], start["imported_by"]) == (uid, "e1", "Ada")
    assert len(start["files"][0]["sha256"]) == 64
    assert ClockModel.from_dict(start["clock"]).pairs == 4
    assert records(linked).sizes["record"] == (LENGTH_S + 600) // 30
    others = [one.metadata["start"]["uid"] for one in runs_of_experiment(catalog, run)]
    assert made.uid not in others
    assert uid in others


def test_the_same_file_twice_is_refused_or_another_version(
    laboratory: Laboratory, catalog: Any, tmp_path: Path
) -> None:
    run = measured(laboratory, catalog)
    path = file_of(tmp_path, 0, LENGTH_S)
    series = read_cycling_files([path], zone=PARIS)
    # Before the forwarder has brought the first one to the catalog, too.
    options: dict[str, Any] = {"journals": laboratory.journal.folder, "who": "Ada"}
    first = import_cycling(run, series, clock_of_offset(0.0, 1.0), **options)
    with pytest.raises(ImportRefusedError, match=f"was imported to this run by Ada \\(run {first.uid[:8]}"):
        import_cycling(run, series, clock_of_offset(0.0, 1.0), **options)
    other = read_cycling_files([file_of(tmp_path, 0, LENGTH_S - 60, "b.mpt")], zone=PARIS)
    with pytest.raises(ImportRefusedError, match="give all files of the run at once"):
        import_cycling(run, other, clock_of_offset(0.0, 1.0), **options)
    second = import_cycling(run, other, checks(), reason="the whole file", **options)
    laboratory.forward()
    assert (second.version, second.replaces) == (2, first.uid)
    kept = [one.metadata["start"]["uid"] for one in linked_runs(run, CYCLING_OF)]
    assert kept == [first.uid, second.uid]
    assert "b.mpt" in align(run).attrs["cycling"]


def test_an_import_that_was_killed_counts_for_nothing(
    laboratory: Laboratory, catalog: Any, tmp_path: Path
) -> None:
    run = measured(laboratory, catalog)
    path = file_of(tmp_path, 0, LENGTH_S)
    made = import_cycling(
        run, read_cycling_files([path], zone=PARIS), checks(), journals=laboratory.journal.folder
    )
    (journal,) = [one for one in journals(laboratory.journal.folder) if made.uid in one.name]
    offsets = [offset for _, _, offset in read_documents(journal)]
    journal.write_bytes(journal.read_bytes()[: offsets[-2] + 7])
    again = imported(laboratory, run, path)
    assert again.version == 1
    assert again.uid in align(run).attrs["cycling"]


def test_frames_in_a_hole_and_across_a_restart_have_no_value(
    laboratory: Laboratory, catalog: Any, tmp_path: Path
) -> None:
    run = measured(laboratory, catalog)
    middle = FRAMES_S[10] + EXPOSURE_S / 2
    first = file_of(tmp_path, 0, middle - 10, "a.mpt")
    second = file_of(tmp_path, middle + 20, LENGTH_S, "b.mpt")
    lines = first.read_bytes().split(b"\r\n")
    del lines[-70:-50]
    first.write_bytes(b"\r\n".join(lines))
    made = imported(laboratory, run, first, second)
    assert any("taken to have rested" in one for one in made.warnings)
    found = align(run)
    times = np.array([FRAMES_S, FRAMES_S + EXPOSURE_S])
    read = read_cycling_files([first, second], zone=PARIS)
    holes = [n for n, width in enumerate(np.diff(read.clock_s)) if width > 90]
    assert len(holes) == 1
    hole = checks().to_cycler(T0 + times)
    inside = (hole[1] > read.clock_s[holes[0]]) & (hole[0] < read.clock_s[holes[0] + 1])
    inside |= np.arange(25) == 10
    assert inside.sum() >= 3
    assert found["in_gap"].values.tolist() == inside.tolist()
    assert np.isnan(found["voltage_volt"].values[10])
    after = found["net_capacity_ah_sigma"].values[11:]
    assert (after > CURRENT_A * 30 / 3600 / np.sqrt(3) * 0.9).all()


def test_a_file_without_absolute_time_needs_an_offset(
    laboratory: Laboratory, catalog: Any, tmp_path: Path
) -> None:
    run = measured(laboratory, catalog)
    path = file_of(tmp_path, 0, LENGTH_S, started=None)
    options: dict[str, Any] = {"journals": laboratory.journal.folder}
    with pytest.raises(ImportRefusedError, match="the file does not say when it was"):
        import_cycling(run, read_cycling_files([path]), ClockModel.unknown("nothing"), **options)
    imported(laboratory, run, path, clock=clock_of_offset(T0, 2.0))
    error = align(run)["voltage_volt"].values - voltage_v(FRAMES_S + EXPOSURE_S / 2)
    assert np.abs(error).max() < 1e-3


def cell(mass_mg: float) -> Cell:
    return Cell.from_dict(
        {
            "name": "LNO",
            "format": "coin",
            "working": "positive",
            "positive": {
                "material": "NMC811",
                "active_mass_mg": mass_mg,
                "lithium_content_assembled": 0.93,
            },
            "negative": {"material": "Li"},
        }
    )


def lithium(aligned: xr.Dataset) -> tuple[float, str]:
    return float(aligned["x_positive"][12]), aligned["x_positive"].attrs["note"]


def test_a_cell_entered_later_gives_the_lithium_content_with_its_history(
    laboratory: Laboratory, catalog: Any, tmp_path: Path
) -> None:
    run = measured(laboratory, catalog)
    header = ("Mass of active material : 7000,000 mg", "Comments : Li-ion 18650 1.35 A.h")
    made = imported(laboratory, run, file_of(tmp_path, 0, LENGTH_S, header=header))
    assert sum("not used: " in one for one in made.warnings) == 2
    x, note = lithium(align(run))
    assert np.isnan(x)
    assert "carries no cell" in note
    folder = laboratory.journal.folder
    with pytest.raises(ImportRefusedError, match=r"positive.active_mass_mg = 7000.0.*weigh the electrode"):
        enter_cell(run, cell(7000.0), "from the header", journals=folder)
    with pytest.raises(ImportRefusedError, match="must be said"):
        enter_cell(run, cell(9.0), " ", journals=folder)
    enter_cell(run, cell(9.0), "guessed", journals=folder, who="Ada")
    laboratory.forward()
    guessed, _ = lithium(align(run))
    uid, version = enter_cell(run, cell(10.0), "weighed", journals=folder, who="Bo")
    laboratory.forward()
    assert version == 2
    weighed, note = lithium(align(run))
    assert (0.93 - guessed) / (0.93 - weighed) == pytest.approx(10 / 9)
    assert "by Bo (weighed), version 2" in note
    assert "nothing is taken to have been charged before" in note
    history = [one.metadata["start"] for one in linked_runs(run, CELL_OF)]
    assert [one["entered_by"] for one in history] == ["Ada", "Bo"]
    assert history[1]["uid"] == uid
    assert "cell" not in run.metadata["start"]
    with pytest.raises(ImportRefusedError, match="entered by Bo already"):
        enter_cell(run, cell(10.0), "weighed", journals=folder)
    path = file_of(tmp_path, 0, LENGTH_S)
    imported(laboratory, run, path, reason="it was charged before", charged_before_mah=0.5)
    charged, note = lithium(align(run))
    passed_mah = 1e3 * float(charge_ah(FRAMES_S + EXPOSURE_S / 2)[12])
    assert (0.93 - charged) / (0.93 - weighed) == pytest.approx((passed_mah + 0.5) / passed_mah, rel=1e-3)
    assert "nothing is taken" not in note


def test_the_commands_do_the_same(
    laboratory: Laboratory, catalog: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = measured(laboratory, catalog)
    uid = run.metadata["start"]["uid"]
    # Each command has a client of its own, and closes it.
    own = "intercalate.catalog_services.open_configured_catalog"
    monkeypatch.setattr(own, lambda config: open_catalog(laboratory.uri))
    text = (EXAMPLES / "config" / "simulated.toml").read_text()
    text = text.replace('folder = ".intercalate"', f'folder = "{tmp_path}"')
    (tmp_path / "simulated.toml").write_text(text)
    command = ["-c", str(tmp_path / "simulated.toml")]
    path = str(file_of(tmp_path, -300, LENGTH_S + 300))
    (tmp_path / "cell.json").write_text(cell(9.0).model_dump_json(exclude_none=True))

    def say(*words: str) -> Result:
        return CliRunner().invoke(main, [*command, *words])

    refused = say("import-cycling", uid, path, "--timezone", "Europe/Lutetia")
    assert (refused.exit_code, "such as Europe/Paris" in refused.output) == (1, True)
    refused = say("import-cycling", uid, path, "--timezone", "Asia/Tokyo")
    assert (refused.exit_code, "8 h later" in refused.output) == (1, True)
    begin = datetime.fromtimestamp(T0, PARIS)
    pair = f"{datetime.fromtimestamp(float(pc_time(np.array([T0]))[0]), PARIS):%Y-%m-%d %H:%M:%S.%f} = "
    pair += f"{begin:%Y-%m-%d %H:%M:%S}"
    marker = f"stop 1 = {begin:%Y-%m-%d %H:%M:%S}"
    refused = say("import-cycling", uid, path, "--timezone", "Europe/Paris", "--marker", marker)
    assert "the file has 0 of these" in refused.output
    done = say("import-cycling", uid, path, "--timezone", "Europe/Paris", "--clock-check", pair)
    assert done.exit_code == 0, done.output
    assert "25 of 25 exposures lie within" in done.output
    refused = say("enter-cell", uid, str(tmp_path / "sell.json"), "--reason", "weighed")
    assert (refused.exit_code, "did you mean cell.json?" in refused.output) == (1, True)
    done = say("enter-cell", uid, str(tmp_path / "cell.json"), "--reason", "weighed")
    assert done.exit_code == 0, done.output
    assert len(journals(tmp_path / "journals")) == 3
    laboratory.forward()
    shown = say("show", uid).output
    assert f"version 1 of cycler files {Path(path).name} by " in shown
    assert "version 1 of cell " in shown
    assert "(weighed), run " in shown
    aligned = align(run)
    assert np.isfinite(aligned["x_positive"].values).all()
    assert aligned.attrs["clock_offset_s"] == pytest.approx(PC_AHEAD_S, abs=1e-3)


def test_runs_that_have_records_or_are_none_take_no_file(
    laboratory: Laboratory, catalog: Any, tmp_path: Path
) -> None:
    path = file_of(tmp_path, 0, LENGTH_S)
    with pytest.raises(ImportRefusedError, match="has records of its own"):
        imported(laboratory, connected(laboratory, catalog), path)
    made = imported(laboratory, measured(laboratory, catalog), path)
    with pytest.raises(ImportRefusedError, match="only says something of run"):
        imported(laboratory, find_run(catalog, made.uid), path)
