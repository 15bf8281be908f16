"""What is written for other programs, and the folder that opens without a server."""

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.stories import T0_UNIX_S, course, told
from intercalate.catalog.alignment import align
from intercalate.catalog.bdf_export import to_bdf
from intercalate.catalog.chain import experiment
from intercalate.catalog.client import CatalogError, find_run, frames, open_catalog, records
from intercalate.catalog.export import ExportError, to_csv, to_netcdf, whole_file, whole_folder
from intercalate.catalog.exported import ExportedCatalog, ExportedRun, open_exported
from intercalate.catalog.journal import Journal, journals, read_documents
from intercalate.catalog.linked import CELL_OF, write_linked_run
from intercalate.catalog.take_home import changed_files, take_home
from intercalate.cycling_files import read_cycling_file

VOLTAGES = (3.0, 3.3, 3.6, 3.9)
COUNTS = np.arange(3 * 4 * 5, dtype="<u4").reshape(3, 4, 5)


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """A run of records and frames, simulated, read from its journal."""
    detector = {"xrd": ("diffractometer", COUNTS)}
    kept = tmp_path / "frames"
    told(
        tmp_path / "journals",
        records=course(VOLTAGES),
        frames=detector,
        frames_folder=kept,
        sample="nmc",
        simulated=True,
    )
    files = {str(path): path for path in kept.iterdir()}
    catalog = ExportedCatalog(tmp_path)
    catalog.extend(ExportedRun(path, files, catalog) for path in journals(tmp_path / "journals"))
    return catalog[-1]


def test_a_run_taken_home_is_the_same_run(run: Any, tmp_path: Path) -> None:
    made = take_home([run], tmp_path / "journals", tmp_path / "home")
    shutil.rmtree(tmp_path / "journals")
    shutil.rmtree(tmp_path / "frames")
    # Wherever it is carried.
    moved = (tmp_path / "home").rename(tmp_path / "elsewhere")
    home = find_run(open_catalog(moved), -1)
    assert home.metadata["start"] == run.metadata["start"]
    assert home.metadata["stop"]["num_events"] == {"cycling": 4, "xrd": 3}
    assert records(home)["voltage_volt"].values.tolist() == list(VOLTAGES)
    images = frames(home, "xrd")
    assert images.is_local
    assert (images[:] == COUNTS).all()
    images.close()
    assert align(home, "xrd")["voltage_volt"].values[0] == pytest.approx(3.15)
    assert made.runs == (run.metadata["start"]["uid"],)
    assert changed_files(moved) == []


def test_the_readme_of_a_folder_opens_it(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = take_home([run], tmp_path / "journals", tmp_path / "home").folder
    text = (home / "README.md").read_text()
    assert "**Simulated data: no cell was measured.**" in text
    assert json.loads((home / "manifest.json").read_text())["simulated"] is True
    monkeypatch.chdir(home)
    plain, with_package = (block.partition("```")[0] for block in text.split("```python\n")[1:])
    assert len([line for line in plain.splitlines() if line]) <= 10
    names: dict[str, Any] = {}
    exec(plain, names)
    assert names["records"]["cycler_voltage_volt"].tolist() == list(VOLTAGES)
    assert names["same"]["cycler_voltage_volt"].values.tolist() == list(VOLTAGES)
    assert names["same"].attrs["simulated"] == 1
    assert (names["records"]["simulated"] == 1).all()
    names["same"].close()
    assert (names["first"] == 77).all()
    assert [Path(one).name for one in names["frames"].values()] == [
        path.name for path in (home / "frames").iterdir()
    ]
    exec(with_package, {})


def test_what_was_said_afterwards_goes_home_too(run: Any, tmp_path: Path) -> None:
    start = run.metadata["start"]
    assert [cell.name for cell in experiment(run.parent, start["uid"])] == ["nmc"]
    uid = write_linked_run(tmp_path / "journals", CELL_OF, start, {"cell": {"name": "weighed"}, "version": 1})
    catalog = ExportedCatalog(tmp_path)
    catalog.extend(ExportedRun(path, run._files, catalog) for path in journals(tmp_path / "journals"))
    made = take_home([catalog[start["uid"]]], tmp_path / "journals", tmp_path / "home")
    assert set(made.runs) == {start["uid"], uid}
    assert len(open_exported(made.folder)) == 2


def test_a_folder_that_is_not_whole_is_refused(run: Any, tmp_path: Path) -> None:
    home = take_home([run], tmp_path / "journals", tmp_path / "home").folder
    (file,) = (home / "frames").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"!")
    assert changed_files(home) == [f"frames/{file.name}"]
    file.write_bytes(whole[:-10])
    with pytest.raises(CatalogError, match=r"has \d+ bytes, not \d+: the folder was not copied whole"):
        open_exported(home)
    file.unlink()
    with pytest.raises(CatalogError, match="is missing"):
        open_exported(home)
    (home / "manifest.json").write_text('{"format": "another 2"}')
    with pytest.raises(CatalogError, match="is of the format 'another 2'"):
        open_exported(home)
    with pytest.raises(CatalogError, match="is no exported folder"):
        open_exported(tmp_path)


def test_nothing_half_written_stays(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = tmp_path / "out"
    where.mkdir()
    journal = tmp_path / "journals"
    take_home([run], journal, where / "there")
    with pytest.raises(ExportError, match=r"there exists already; name another folder"):
        take_home([run], journal, where / "there")
    usage = shutil.disk_usage(where)._replace(free=1000)
    with monkeypatch.context() as full:
        full.setattr("intercalate.catalog.export.shutil.disk_usage", lambda path: usage)
        with pytest.raises(ExportError, match=r"needs about .* MB are free there: make room"):
            take_home([run], journal, where / "full")
    with monkeypatch.context() as full:
        full.setattr("intercalate.catalog.take_home.shutil.copyfile", out_of_room)
        with pytest.raises(
            ExportError, match=r"No space left on device; \d+ MB free.*nothing was left there"
        ):
            take_home([run], journal, where / "full")
    with monkeypatch.context() as full:
        full.setattr(
            pd.DataFrame, "to_csv", lambda frame, path, index: (path.write_text("half"), out_of_room())
        )
        with pytest.raises(ExportError, match="No space left"):
            to_csv(records(run), where / "records.csv")
    assert [path.name for path in where.iterdir()] == ["there"]
    full_disk = RuntimeError("Can't decrement id ref count (unable to extend file, errno = 28)")
    with pytest.raises(ExportError, match="errno = 28"), whole_file(where / "full.nxs"):
        raise full_disk
    with pytest.raises(ZeroDivisionError), whole_folder(where / "broken") as draft:
        (draft / str((draft / "one").write_text("half") // 0)).touch()
    with pytest.raises(ZeroDivisionError), whole_file(where / "broken") as draft:
        draft.write_text(str(draft.write_text("half") // 0))
    assert [path.name for path in where.iterdir()] == ["there"]


def out_of_room(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_an_old_file_stays_until_the_new_one_is_whole(run: Any, tmp_path: Path, monkeypatch) -> None:
    path = to_netcdf(records(run), tmp_path / "records.nc")
    before = path.read_bytes()
    monkeypatch.setattr(xr.Dataset, "to_netcdf", lambda *_, **__: out_of_room())
    with pytest.raises(ExportError):
        to_netcdf(records(run), path)
    assert path.read_bytes() == before


def test_a_run_under_way_and_one_of_elsewhere_are_refused(run: Any, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="export it on the machine that recorded it"):
        take_home([run], tmp_path / "nowhere", tmp_path / "home")
    journal = Journal(tmp_path / "open")
    name, start, _ = next(read_documents(run.journal))
    journal(name, start)
    with pytest.raises(ExportError, match="is under way: export it when it has ended"):
        take_home([run], tmp_path / "open", tmp_path / "home")
    journal.close()
    shutil.rmtree(tmp_path / "frames")
    with pytest.raises(ExportError, match="1 files that the run refers to are not on this machine"):
        take_home([run], tmp_path / "journals", tmp_path / "home")
    assert not (tmp_path / "home").exists()


def rows(draw: Callable[..., Any]) -> dict[str, np.ndarray]:
    """Records of a charge with what a cycler may have in them."""
    count = draw(st.integers(2, 12))
    number = st.floats(0.0, 1e5, allow_nan=False)
    steps_s = draw(st.lists(number, min_size=count, max_size=count))
    rises_v = draw(st.lists(st.floats(0.0, 0.1), min_size=count, max_size=count))
    table = course(3.0 + np.cumsum(rises_v))
    table["test_time_second"] = np.cumsum(steps_s)
    table["unix_time_second"] = T0_UNIX_S + table["test_time_second"]
    table["current_ampere"] = np.array(draw(st.lists(st.floats(0.0, 20.0), min_size=count, max_size=count)))
    table["net_capacity_ah"] = np.cumsum(draw(st.lists(number, min_size=count, max_size=count)))
    hole = st.one_of(st.just(float("nan")), st.floats(-60.0, 90.0))
    table["surface_temperature_celsius"] = np.array(draw(st.lists(hole, min_size=count, max_size=count)))
    table["step_count"] = np.cumsum(draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))) + 1.0
    # Rows that repeat the one before to the last bit are left out by a reader.
    table["cycle_count"] = np.arange(count, dtype=float)
    return table


@settings(max_examples=60, deadline=None)
@given(data=st.data(), ending=st.sampled_from(["csv", "parquet"]), simulated=st.booleans())
def test_the_battery_data_format_is_read_back_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, data: Any, ending: str, simulated: bool
) -> None:
    table = rows(data.draw)
    dataset = xr.Dataset({name: ("record", values) for name, values in table.items()})
    path = tmp_path_factory.mktemp("bdf") / f"run.bdf.{ending}"
    read = read_cycling_file(to_bdf(dataset, path, simulated=simulated)).columns
    for name in ("test_time_second", "unix_time_second", "voltage_volt", "current_ampere", "step_count"):
        assert np.array_equal(read[name], table[name]), name
    for name in ("cycle_count", "step_id"):
        assert np.array_equal(read[name], table[name]), name
    capacity = table["net_capacity_ah"]
    assert np.array_equal(read["net_capacity_ah"], capacity - capacity[0])
    temperature = table["surface_temperature_celsius"]
    if np.isfinite(temperature).any():
        assert np.array_equal(read["surface_temperature_celsius"], temperature, equal_nan=True)
    else:
        assert "surface_temperature_celsius" not in read
    frame = pd.read_csv(path) if ending == "csv" else pd.read_parquet(path)
    assert ("simulated" in frame) == simulated
    assert (not simulated) or (frame["simulated"] == 1).all()


def test_records_that_are_none_are_refused(tmp_path: Path) -> None:
    def dataset(columns: dict[str, np.ndarray]) -> xr.Dataset:
        return xr.Dataset({name: ("record", values) for name, values in columns.items()})

    table = course(VOLTAGES)
    with pytest.raises(ExportError, match="two records or more; the run has 1"):
        to_bdf(
            dataset({name: values[:1] for name, values in table.items()}), tmp_path / "a.csv", simulated=False
        )
    holed = dict(table, voltage_volt=np.array([3.0, np.nan, 3.2, 3.3]))
    with pytest.raises(ExportError, match=r"record 2 has no finite voltage_volt \(nan\)"):
        to_bdf(dataset(holed), tmp_path / "a.csv", simulated=False)
    del table["current_ampere"]
    with pytest.raises(ExportError, match="the records have no current_ampere"):
        to_bdf(dataset(table), tmp_path / "a.csv", simulated=False)
    with pytest.raises(ExportError, match=r"as \.csv or \.parquet, not '\.xlsx'"):
        to_bdf(dataset(course(VOLTAGES)), tmp_path / "a.xlsx", simulated=False)
    assert not list(tmp_path.iterdir())
