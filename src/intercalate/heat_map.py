"""Patterns or spectra of a run as one array with real axes: when, or at which voltage, and at which angle."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from intercalate.calibrations import Calibration, Kind
from intercalate.catalog.alignment import align, frames_alone
from intercalate.catalog.client import CatalogError, frames, image_streams, stream_of
from intercalate.catalog.kept import kept
from intercalate.catalog.linked import has_records
from intercalate.catalog.summaries import technique_of
from intercalate.config import Config
from intercalate.contract import XRD_NAMES
from intercalate.patterns import pattern_source
from intercalate.reduction import Pattern
from intercalate.reduction.chain import MONITOR_UNIT
from intercalate.results import calibrations_of

Progress = Callable[[int], None]

AGAINST = ("test_time_second", "voltage_volt", "net_capacity_ah", "soc", "frame")
"""What the first axis may be; of a run without a cycler, the time of its instrument or the frame."""

TIMES = ("test_time_second", "start_unix_s")


@dataclass(frozen=True)
class _Axis:
    """Second axis of a technique.

    Attributes
    ----------
    name, units, label
        Of the coordinate, and as written at a figure.
    variable, coordinate
        Names in a reduction's results.
    """

    name: str
    units: str
    label: str
    variable: str
    coordinate: str


_AXES = {
    **{name: _Axis("two_theta", "deg", "2θ", "intensity", "two_theta") for name in XRD_NAMES},
    "raman": _Axis("raman_shift", "1/cm", "Raman shift", "intensity", "shift"),
    "xps": _Axis("binding_energy", "eV", "Binding energy", "counts", "binding_ev"),
    "eds": _Axis("photon_energy", "eV", "Photon energy", "counts", "energy_ev"),
}
_CHANNEL = _Axis("channel", "", "Channel", "counts", "channel")


def heatmap(
    run: Any,
    stream: str | None = None,
    *,
    config: Config | None = None,
    results: xr.Dataset | Path | None = None,
    against: str = "test_time_second",
    region: str | None = None,
    progress: Progress = lambda done: None,
) -> xr.DataArray:
    """Intensity of a stream's patterns or spectra.

    Parameters
    ----------
    run
        Of a catalog, or of an exported folder.
    stream
        None if the run has one with frames only.
    config
        Says where calibrations are. Without it there is no axis but the channel, and frames of a
        diffractometer cannot be reduced.
    results
        What `reduce_run` gave, or the NetCDF file it was written to: then nothing is reduced again.
    against
        First axis, one of `AGAINST`. Rows keep the order in which they were measured.
    region
        Of photoelectron spectra; None if there is one only.

    Returns
    -------
    xarray.DataArray
        Shape (frames, points), NaN where there is nothing. Along the first dimension, named as `against`,
        also the other columns that the frames are aligned with. The attribute `origin` says what the numbers
        are.

    Raises
    ------
    CatalogError
        If there are no such frames, they are images, or `against` or `region` is not there.
    CalibrationError
        If frames of a diffractometer lack geometry, flat field or dark frames.
    """
    run = kept(run)
    name, technique = _stream(run, stream)
    aligned = align(run, name) if has_records(run) else frames_alone(run, name)
    if results is not None:
        values, points, axis, origin, units = _of_results(run, name, technique, results, aligned, region)
    elif technique in XRD_NAMES:
        values, points, axis, origin, units = _patterns(run, name, technique, config, progress)
    else:
        values, points, axis, origin, units = _spectra(run, name, technique, config, aligned, region)
    start = run.metadata["start"]
    along = {
        one: ("frame", np.asarray(aligned[one]), aligned[one].attrs)
        for one in (*AGAINST[:-1], "start_unix_s", "x_positive", "x_negative", "frame_index")
        if one in aligned or one in aligned.coords
    }
    made = xr.DataArray(
        values,
        {"frame": np.arange(len(values)), axis.name: (axis.name, points, _attributes(axis)), **along},
        ("frame", axis.name),
        name="intensity",
        attrs={
            "origin": origin,
            "units": units,
            "run": start["uid"],
            "stream": name,
            "technique": technique,
            "sample": str(start.get("sample", start.get("place", ""))),
            "simulated": int(bool(start.get("simulated", False))),
        },
    )
    wanted = TIMES[1] if against == TIMES[0] and TIMES[0] not in along else against
    if wanted != "frame" and wanted not in along:
        there = ", ".join((*(one for one in along if one != "frame_index"), "frame"))
        raise CatalogError(f"the frames of {name} have no {against!r}; they have {there}")
    if region is not None or axis.name == "binding_energy":
        made = made.isel(frame=np.isfinite(values).any(axis=1))
    return made if wanted == "frame" else made.swap_dims(frame=wanted)


def _attributes(axis: _Axis) -> dict[str, str]:
    return {"units": axis.units, "long_name": axis.label}


def _stream(run: Any, stream: str | None) -> tuple[str, str]:
    """Name of a stream with patterns or spectra, and its technique."""
    found = image_streams(run)
    if stream is None and len(found) != 1:
        raise CatalogError(f"name the stream of the frames; the run has {', '.join(found) or 'none'}")
    name = stream or next(iter(found))
    stream_of(run, name)
    if name not in found:
        raise CatalogError(f"stream {name!r} of the run has no frames; there are some in {', '.join(found)}")
    technique = technique_of(found[name]) or ""
    rows = stream_of(run, name).metadata["data_keys"][found[name]]["shape"][0]
    if technique not in XRD_NAMES and rows != 1:
        raise CatalogError(
            f"{name} has images; a heat map is made of patterns or spectra, `intercalate video` shows images"
        )
    return name, technique


Found = tuple[np.ndarray, np.ndarray, _Axis, str, str]
"""Intensity (frames, points), points, their axis, what the intensity is, and its units."""


def _of_results(
    run: Any, stream: str, technique: str, results: Any, aligned: xr.Dataset, region: str | None
) -> Found:
    """From what a reduction gave."""
    axis = _AXES.get(technique, _CHANNEL)
    where = "results" if isinstance(results, xr.Dataset) else str(results)
    with xr.open_dataset(results, engine="h5netcdf") if isinstance(results, Path) else results.copy() as data:
        if data.attrs.get("run") != run.metadata["start"]["uid"]:
            raise CatalogError(f"{where} is of run {data.attrs.get('run')}, not of this one")
        if axis.variable not in data or data[axis.variable].sizes["frame"] != aligned.sizes["frame"]:
            raise CatalogError(
                f"{where} does not hold the {axis.label} of the frames of {stream}; reduce them anew"
            )
        values = np.asarray(data[axis.variable], np.float32)
        points = np.asarray(data[axis.coordinate], float)
        units = data[axis.variable].attrs.get("units", "")
    if points.ndim == 2:
        values, points = _one_region(values, points, _regions(aligned), region)
    return values, points, axis, f"reduced before ({where})", units


def _patterns(run: Any, stream: str, technique: str, config: Config | None, progress: Progress) -> Found:
    """Frames of a diffractometer, integrated now."""
    if config is None:
        raise CatalogError(
            f"frames of {stream} are reduced with calibrations: give the configuration, or results"
        )
    source = pattern_source(run, config, stream, technique)
    found = list(source.patterns(progress))
    good = [one for one in found if isinstance(one, Pattern)]
    if not good:
        raise CatalogError(f"no frame of {stream} gives a pattern: {found[0] if found else 'there is none'}")
    two_theta = good[0].two_theta_deg
    values = np.full((len(found), two_theta.size), np.nan, np.float32)
    for row, one in zip(values, found, strict=True):
        if isinstance(one, Pattern):
            row[:] = np.interp(two_theta, one.two_theta_deg, one.intensity)
    units = f"counts per pixel{f' and {MONITOR_UNIT:g} monitor counts' if source.is_normalised else ''}"
    return values, two_theta, _AXES[technique], "reduced now", units


def _spectra(
    run: Any, stream: str, technique: str, config: Config | None, aligned: xr.Dataset, region: str | None
) -> Found:
    """Spectra as they were counted."""
    images = frames(run, stream)
    values = np.asarray(images[:], np.float32)[:, 0, :]
    images.close()
    known: Mapping[str, Calibration] = {}
    if config is not None and technique in config.instruments:
        known, _ = calibrations_of(run.metadata["start"], technique, config)
    if technique == "xps":
        start, stop, step = (
            np.asarray(aligned[f"analyser_{one}_ev"], float) for one in ("start", "stop", "step")
        )
        number = np.arange(values.shape[1])
        points = start[:, None] + step[:, None] * number
        beyond = points > stop[:, None] + step[:, None] / 2
        scale = known.get(str(Kind.ENERGY))
        said = "raw counts, energies as the analyser has them"
        if scale is not None:
            offset_ev, gain, middle_ev = (scale.values[one] for one in ("offset_ev", "gain", "middle_ev"))
            points, said = points - offset_ev - gain * (points - middle_ev), "raw counts, energies calibrated"
        values, points = np.where(beyond, np.nan, values), np.where(beyond, np.nan, points)
        values, points = _one_region(values, points, _regions(aligned), region)
        return values, points, _AXES[technique], said, "counts"
    kind, array = {"raman": (Kind.SHIFT, "shift_per_cm"), "eds": (Kind.ENERGY, "energy_ev")}.get(
        technique, ("", "")
    )
    if str(kind) not in known:
        return (
            values,
            np.arange(values.shape[1], dtype=float),
            _CHANNEL,
            "raw counts, no calibrated axis",
            "counts",
        )
    return values, known[str(kind)].array(array), _AXES[technique], "raw counts, calibrated axis", "counts"


def _regions(aligned: xr.Dataset) -> np.ndarray:
    return np.asarray(aligned["analyser_region"]).astype(str)


def _one_region(
    values: np.ndarray, points: np.ndarray, regions: np.ndarray, region: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Spectra of one region on the energies of its first; rows of others are NaN."""
    there = list(dict.fromkeys(regions))
    if region is None and len(there) == 1:
        (region,) = there
    if region not in there:
        raise CatalogError(
            f"name a region of energies: {', '.join(there)}"
            if region is None
            else f"no spectrum is of the region {region!r}; there are {', '.join(there)}"
        )
    rows = np.flatnonzero(regions == region)
    axis = points[rows[0]][np.isfinite(points[rows[0]])]
    found = np.full((len(values), axis.size), np.nan, np.float32)
    for row in rows:
        inside = np.isfinite(points[row])
        found[row] = np.interp(axis, points[row][inside], values[row][inside], left=np.nan, right=np.nan)
    return found, axis
