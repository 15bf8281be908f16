"""Names and contents of the files that a run is exported to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from intercalate.calibrations import CalibrationStore
from intercalate.catalog.alignment import align, frames_alone
from intercalate.catalog.bdf_export import to_bdf
from intercalate.catalog.client import CatalogError, image_streams, records
from intercalate.catalog.export import ExportError, require_new, to_csv, to_netcdf
from intercalate.catalog.linked import cycling_source, has_records
from intercalate.catalog.summaries import technique_of
from intercalate.catalog.take_home import take_home
from intercalate.config import Config
from intercalate.contract import XRD_NAMES
from intercalate.exporting.nexus import to_nexus
from intercalate.exporting.xye import to_xye
from intercalate.heat_map import heatmap
from intercalate.orchestration.metadata import calibrations_key
from intercalate.patterns import pattern_source


def name_of(run: Any) -> str:
    """Beginning of the names of a run's files."""
    start = run.metadata["start"]
    return f"run-{start['uid'][:8]}{'-simulated' if start.get('simulated') else ''}"


def folder(runs: Sequence[Any], config: Config, where: Path) -> list[str]:
    """Take runs home; raises as `take_home`."""
    target = where / name_of(runs[0])
    made = take_home(runs, config.journals_folder, target, calibrations=_calibrations(runs, config))
    size = f"{made.size_bytes / 1e6:.1f} MB"
    return [f"{made.folder}: {len(made.runs)} runs, {made.frame_files} files of frames, {size}"]


def _calibrations(runs: Sequence[Any], config: Config) -> dict[str, list[Path]]:
    """Folders of the calibrations that runs name, by instrument."""
    found = {}
    for instrument in config.instruments:
        store = CalibrationStore(config.stored(config.instrument(instrument).calibration.folder))
        named = {
            one["sha256"]
            for run in runs
            for one in dict(run.metadata["start"].get(calibrations_key(instrument)) or {}).values()
        }
        found[instrument] = [one.folder for one in store if one.sha256 in named]
    return found


def nexus(
    runs: Sequence[Any],
    config: Config,
    where: Path,
    *,
    with_frames: bool,
    progress: Callable[[int], None] = lambda done: None,
) -> Path:
    """Write one NeXus file of all; raises as `to_nexus`."""
    path = where / f"{name_of(runs[0])}.nxs"
    return to_nexus(runs, path, config, with_frames=with_frames, progress=progress)


def _bdf(run: Any, config: Config, where: Path, stream: str | None) -> Iterator[Path]:
    _require_records(run)
    table = records(cycling_source(run).run)
    simulated = bool(run.metadata["start"].get("simulated", False))
    for ending in ("csv", "parquet"):
        path = where / f"{name_of(run)}.bdf.{ending}"
        require_new(path)
        yield to_bdf(table, path, simulated=simulated)


def _xye(run: Any, config: Config, where: Path, stream: str | None) -> Iterator[Path]:
    found = {name: technique_of(key) for name, key in image_streams(run).items()}
    wanted = [name for name in _streams(run, stream) if found[name] in XRD_NAMES]
    if not wanted:
        raise ExportError(
            f"patterns are of frames of a diffractometer; of {name_of(run)} there are none in "
            f"{stream or ', '.join(found) or 'any stream'}"
        )
    for name in wanted:
        path = where / f"{name_of(run)}-{name}-xye"
        to_xye(pattern_source(run, config, name, str(found[name])), path)
        yield path


def _netcdf(run: Any, config: Config, where: Path, stream: str | None) -> Iterator[Path]:
    for name, table in _tables(run, config, stream, spectra=True):
        path = where / f"{name_of(run)}-{name}.nc"
        require_new(path)
        yield to_netcdf(table, path)


def _csv(run: Any, config: Config, where: Path, stream: str | None) -> Iterator[Path]:
    for name, table in _tables(run, config, stream, spectra=False):
        path = where / f"{name_of(run)}-{name}.csv"
        require_new(path)
        if table.attrs["simulated"]:
            table = table.assign(
                simulated=(next(iter(table.dims)), np.ones(next(iter(table.sizes.values())), int))
            )
        yield to_csv(table, path)


def _tables(
    run: Any, config: Config, stream: str | None, *, spectra: bool
) -> Iterator[tuple[str, xr.Dataset]]:
    """Records of the cycler, and frames of each stream, aligned, with what they show where that is known."""
    start = run.metadata["start"]
    origin = {
        "run": start["uid"],
        "sample": str(start.get("sample", "")),
        "simulated": int(bool(start.get("simulated", False))),
    }
    wanted = _streams(run, stream)
    if stream is None and has_records(run):
        yield "cycling", records(cycling_source(run).run).assign_attrs(origin)
    elif not wanted:
        raise ExportError(f"{name_of(run)} has neither frames nor records of a cycler; export it as `folder`")
    for name in wanted:
        table = align(run, name) if has_records(run) else frames_alone(run, name)
        if spectra:
            try:
                shown = heatmap(run, name, config=config, against="frame")
                table = table.assign(
                    intensity=shown.drop_vars([one for one in shown.coords if one in table.coords])
                )
            except (CatalogError, ValueError) as error:
                table = table.assign_attrs(no_intensity=str(error))
        yield name, table.assign_attrs(origin)


def _streams(run: Any, stream: str | None) -> list[str]:
    there = [name for name, key in image_streams(run).items() if key in run[name].base]
    if stream is not None and stream not in there:
        raise ExportError(f"the run has no frames in {stream!r}; it has {', '.join(there) or 'none'}")
    return there if stream is None else [stream]


def _require_records(run: Any) -> None:
    if not has_records(run):
        raise ExportError(
            f"{name_of(run)} has no records of a cycler; the Battery Data Format holds nothing else"
        )


Writer = Callable[[Any, Config, Path, str | None], Iterator[Path]]

WRITERS: Mapping[str, Writer] = {"bdf": _bdf, "xye": _xye, "netcdf": _netcdf, "csv": _csv}
"""Of the formats that are written run by run: they give the paths of what is written."""
