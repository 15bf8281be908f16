"""What an operando run leaves on disk: table, NetCDF and figure."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from intercalate.analysis import integrate_and_fit, phases_of
from intercalate.catalog.alignment import align
from intercalate.catalog.client import frames, records
from intercalate.catalog.export import to_csv, to_netcdf
from intercalate.cell import Cell
from intercalate.config import Config
from intercalate.views.operando import save_operando_figure

Progress = Callable[[int], None]


def reduce_run(run: Any, config: Config, *, progress: Progress = lambda done: None) -> xr.Dataset:
    """Align the frames of a run with its cycler records, integrate and fit them.

    Returns
    -------
    xarray.Dataset
        Along `frame`: what `align` and `integrate_and_fit` give.

    Raises
    ------
    ValueError
        If PONI or mask are missing, or the run has no frames.
    """
    poni, mask = (config.stored(path) for path in (config.diffractometer.poni, config.diffractometer.mask))
    for path, what in ((poni, "PONI file"), (mask, "mask")):
        if not path.exists():
            raise ValueError(f"no {what} at {path}; calibrate the detector, or mend [diffractometer]")
    aligned = align(run)
    cell = Cell.from_dict(dict(run.metadata["start"]["cell"]), source="the run's start document")
    fitted = integrate_and_fit(frames(run), poni, np.load(mask), phases_of(cell), progress=progress)
    merged = aligned.drop_vars("frame", errors="ignore").merge(fitted.drop_vars("frame", errors="ignore"))
    start = run.metadata["start"]
    return merged.assign_attrs(
        run=start["uid"], sample=start["sample"], simulated=int(bool(start.get("simulated", False)))
    )


def write_results(run: Any, data: xr.Dataset, folder: Path) -> dict[str, Path]:
    """Write `operando.csv`, `operando.nc` and `operando.png` into a folder.

    Returns
    -------
    dict of str to Path
        The files by kind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {kind: folder / f"operando.{kind}" for kind in ("csv", "nc", "png")}
    to_csv(data.drop_dims("two_theta"), paths["csv"])
    to_netcdf(data, paths["nc"])
    simulated = " (simulated)" if data.attrs["simulated"] else ""
    save_operando_figure(paths["png"], data, records(run), f"{data.attrs['sample']}{simulated}")
    return paths
