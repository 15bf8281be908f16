"""Aligned data as files that other programs read."""

from pathlib import Path

import numpy as np
import xarray as xr


def to_csv(dataset: xr.Dataset, path: str | Path) -> Path:
    """Write what has one value per row as comma-separated values; units stand in the header.

    Columns with more values per row, such as patterns, are left out: `to_netcdf` keeps them.
    """
    path = Path(path)
    one = [name for name, variable in dataset.variables.items() if variable.ndim == 1]
    dimensions = {dataset[name].dims[0] for name in one}
    if len(dimensions) > 1:
        longest = max(dimensions, key=lambda name: sum(dataset[one_name].dims[0] == name for one_name in one))
        one = [name for name in one if dataset[name].dims[0] == longest]
    frame = dataset[one].reset_coords().to_dataframe().reset_index()
    frame.columns = [_header(dataset, str(name)) for name in frame.columns]
    frame.to_csv(path, index=False)
    return path


def _header(dataset: xr.Dataset, name: str) -> str:
    units = dataset[name].attrs.get("units") if name in dataset.variables else None
    return f"{name} / {units}" if units else name


def to_netcdf(dataset: xr.Dataset, path: str | Path) -> Path:
    """Write everything as NetCDF 4."""
    path = Path(path)
    encoding = {
        name: {"zlib": True, "complevel": 4}
        for name, variable in dataset.data_vars.items()
        if variable.ndim > 1 and np.issubdtype(variable.dtype, np.number)
    }
    dataset.to_netcdf(path, engine="h5netcdf", encoding=encoding)
    return path
