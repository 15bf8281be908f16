"""Frames on the axis of the cycler: time, voltage, capacity, state of charge and lithium content of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from intercalate.beam_quality import BeamQuality
from intercalate.catalog.client import CatalogError, image_streams, records, stream_of
from intercalate.catalog.clock import ClockModel, fit_clock
from intercalate.catalog.kept import kept
from intercalate.catalog.linked import CyclingSource, current_cell, cycling_source
from intercalate.catalog.lithium import lithium_content
from intercalate.cell import Cell
from intercalate.contract import RECORD_UNITS
from intercalate.cycling_files import CyclingSeries, Restart
from intercalate.streams import VISITS

GAP_PERIODS = 3.0
"""Recording periods without a record from which on nothing is interpolated."""

CONTINUOUS = {
    "voltage_volt": "V",
    "current_ampere": "A",
    "net_capacity_ah": "Ah",
    "soc": "",
    "surface_temperature_celsius": "degC",
}
"""Columns that are interpolated, where the records have them."""

DOSES = {
    "dose_exposure_gy": "Gy",
    "dose_spot_gy": "Gy",
    "dose_fluence_j_cm2": "J/cm2",
    "dose_spot_j_cm2": "J/cm2",
    "dose_exposure_e_a2": "1/A2",
    "dose_spot_e_a2": "1/A2",
    "dose_milled_um": "um",
    "dose_cut_um": "um",
    "dose_sputtered_1e16_cm2": "1e16/cm2",
}
"""Of an exposure, and of its spot with all that it had got by then; with units."""

SETTINGS = {
    "objective_x_um": "um",
    "objective_y_um": "um",
    "objective_z_um": "um",
    "source_power_w": "W",
    "source_spot_um": "um",
    "analyser_region": "",
    "analyser_start_ev": "eV",
    "analyser_stop_ev": "eV",
    "analyser_step_ev": "eV",
    "analyser_pass_energy_ev": "eV",
    "analyser_flood_gun": "",
    "scan_image_detector": "",
    "scan_step_um": "um",
    "scan_tilt_deg": "deg",
    "scan_mode": "",
    "scan_step_nm": "nm",
    "scan_row_step_nm": "nm",
    "scan_bias_v": "V",
}
"""How and where a frame was taken, by device and signal, with units."""

COLUMN = {"column_voltage_kv": "kV", "column_current_na": "nA", "column_field_of_view_um": "um"}
"""Of an electron column, which several instruments have in common."""

SURROUNDINGS = {
    "chamber_temperature_c": "degC",
    "goniometer_incidence_deg": "deg",
    "pressure_cell_pressure_gpa": "GPa",
}
"""Of what is around the sample, for several instruments."""

SHARING = ("", "tem_")
"""Before the names of devices that several instruments share."""

DETECTORS = ("diffractometer", "spectrometer", "detector")
"""Ends of the names of detectors, behind the prefix that the devices of an instrument have in common."""

DISCRETE = ("step_id", "step_count", "cycle_count")
"""Columns of which the last record before counts."""


@dataclass(frozen=True)
class FrameTimes:
    """When frames were exposed, by the instrument's clock; arrays of shape (n,).

    Attributes
    ----------
    index
        Number of each frame in its file.
    start_unix_s, exposure_s
        Start and length of each exposure.
    """

    index: np.ndarray
    start_unix_s: np.ndarray
    exposure_s: np.ndarray


class _Course:
    """Records in the order of the cycler's clock, with the intervals between them."""

    def __init__(self, table: xr.Dataset, period_s: float | None, restarts: Sequence[Restart] = ()):
        unix = np.asarray(table["unix_time_second"], float)
        if len(unix) < 2:
            raise CatalogError(f"alignment needs two records at least; there are {len(unix)}")
        order = np.argsort(unix, kind="stable")
        # Of two records of one instant (end of a step, start of the next) the later one stands.
        order = order[np.append(np.diff(unix[order]) > 0, True)]
        self.table = table.isel(record=order)
        self.unix = unix[order]
        self.width = np.diff(self.unix)
        self.period_s = float(period_s or np.percentile(self.width, 95))
        self.gap = self.width > GAP_PERIODS * self.period_s
        for one in restarts:
            self.gap |= (self.unix[:-1] < one.start_s) & (self.unix[1:] > one.end_s)
        steps = np.asarray(self.table["step_count" if "step_count" in table else "step_id"])
        self.step_change = np.diff(steps) != 0

    def interval(self, times: np.ndarray) -> np.ndarray:
        """Number of the interval each time is in, the first or last for those outside."""
        return np.clip(np.searchsorted(self.unix, times, side="right") - 1, 0, len(self.width) - 1)

    def outside(self, times: np.ndarray) -> np.ndarray:
        """Whether nothing can be said of these times: in a gap, before the first or after the last record."""
        number = self.interval(times)
        within = (times > self.unix[number]) & (times < self.unix[number + 1])
        return (self.gap[number] & within) | (times < self.unix[0]) | (times > self.unix[-1])

    def touches(self, marked: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Whether the span from `start` to `end` overlaps a marked interval."""
        counted = np.concatenate([[0], np.cumsum(marked)])
        first = np.searchsorted(self.unix[1:], start, side="right")
        last = np.searchsorted(self.unix[:-1], end, side="left")
        first, last = np.clip(first, 0, len(marked)), np.clip(last, 0, len(marked))
        return counted[np.maximum(last, first)] - counted[first] > 0

    def test_time(self, times: np.ndarray) -> np.ndarray:
        """Test time of cycler times; NaN in a gap during which the test's clock did not go on evenly."""
        test = np.asarray(self.table["test_time_second"], float)
        ahead = self.unix - test
        number = self.interval(times)
        uneven = self.gap & (np.abs(np.diff(ahead)) > self.period_s)
        lost = uneven[number] & (times > self.unix[number]) & (times < self.unix[number + 1])
        return np.where(lost, np.nan, times - np.interp(times, self.unix, ahead))

    def value(self, column: str, times: np.ndarray) -> np.ndarray:
        """Linear interpolation; NaN where nothing can be said."""
        values = np.asarray(self.table[column], float)
        return np.where(self.outside(times), np.nan, np.interp(times, self.unix, values))

    def last(self, column: str, times: np.ndarray) -> np.ndarray:
        """Value of the last record before; NaN where nothing can be said."""
        number = np.clip(np.searchsorted(self.unix, times, side="right") - 1, 0, len(self.unix) - 1)
        values = np.asarray(self.table[column], float)[number]
        return np.where(self.outside(times), np.nan, values)

    def sigma(self, column: str, times: np.ndarray, sigma_s: np.ndarray) -> np.ndarray:
        """Standard error of `value`: error of the time, and curvature between two records.

        The slope is taken over the width that the time's error spans, or half the interval. The
        interpolation errs by at most |q''| h²/8, with q'' from the slopes of the intervals beside; where
        a step changes, by half the difference.
        """
        values = np.asarray(self.table[column], float)
        number = self.interval(times)
        half = np.fmax(sigma_s, self.width[number] / 2)
        rise = np.interp(times + half, self.unix, values) - np.interp(times - half, self.unix, values)
        from_time = np.abs(rise) / (2 * half) * sigma_s
        return np.where(self.outside(times), np.nan, np.hypot(from_time, self._curvature(values)[number]))

    def _curvature(self, values: np.ndarray) -> np.ndarray:
        slope = np.diff(values) / self.width
        bent = np.zeros_like(slope)
        if len(slope) > 1:
            # A slope beyond a step change or gap says nothing of the curvature before it.
            usable = ~(self.gap | self.step_change)
            change = np.abs(np.diff(slope)) * (usable[1:] & usable[:-1])
            bent[1:] = change
            bent[:-1] = np.maximum(bent[:-1], change)
        bent *= self.width / 8
        return np.where(self.step_change, np.abs(np.diff(values)) / 2, bent)


def records_of(series: CyclingSeries) -> xr.Dataset:
    """Records of a cycler's files as those of a run; `unix_time_second` is their `clock_s`."""
    columns = {**series.columns, "unix_time_second": series.clock_s}
    return xr.Dataset(
        {name: ("record", values, {"units": RECORD_UNITS[name]}) for name, values in columns.items()}
    )


def align_frames(
    table: xr.Dataset,
    frames: FrameTimes,
    clock: ClockModel,
    *,
    cell: Cell | None = None,
    period_s: float | None = None,
    charged_before_ah: float = 0.0,
    restarts: Sequence[Restart] = (),
) -> xr.Dataset:
    """Put frames on the cycler's axis.

    Parameters
    ----------
    table
        Cycler records along `record`; needs `unix_time_second`, `test_time_second` and `step_id` or
        `step_count`.
    frames
        Exposures by the instrument's clock.
    clock
        Brings that clock to the cycler's.
    cell
        For the lithium contents.
    period_s
        Longest time between two records that is normal; None to take the 95th percentile.
    charged_before_ah
        See `lithium_content`.
    restarts
        Times between two files, by the cycler's clock, which are gaps however short. What may have passed
        in them is an error of the capacity after.

    Returns
    -------
    xarray.Dataset
        Along `frame`. At the middle of each exposure, `test_time_second` and the records' columns,
        linearly interpolated, with `*_sigma` (clock, sampling), and as `*_change` by how much they differ
        between end and start of the exposure. `x_positive` and `x_negative` by coulometry.
        `crosses_step`: the exposure overlaps the time between the last record of a step and the first
        of the next. `in_gap`: it overlaps a time without records, or lies before the first or after
        the last; nothing is interpolated there.

    Raises
    ------
    CatalogError
        If there are fewer than two records.
    """
    course = _Course(table, period_s, restarts)
    start = clock.to_cycler(frames.start_unix_s)
    end = clock.to_cycler(np.asarray(frames.start_unix_s) + frames.exposure_s)
    mid = (start + end) / 2
    sigma_s = clock.sigma_s(np.asarray(frames.start_unix_s) + np.asarray(frames.exposure_s) / 2)
    beside = (start < course.unix[0]) | (end > course.unix[-1])
    coordinates: dict[str, Any] = {
        "frame": np.arange(len(mid)),
        "frame_index": ("frame", np.asarray(frames.index)),
        "test_time_second": ("frame", course.test_time(mid), {"units": "s"}),
        "exposure_start_second": ("frame", course.test_time(start), {"units": "s"}),
        "exposure_end_second": ("frame", course.test_time(end), {"units": "s"}),
    }
    variables: dict[str, Any] = {
        "test_time_second_sigma": ("frame", sigma_s, {"units": "s"}),
        "crosses_step": ("frame", course.touches(course.step_change, start, end)),
        "in_gap": ("frame", course.touches(course.gap, start, end) | beside),
    }
    for column, units in CONTINUOUS.items():
        if column not in table:
            continue
        attributes = {"units": units}
        if not np.isfinite(np.asarray(table[column], float)).any():
            attributes["note"] = f"unknown: the records hold no {column}"
        change = course.value(column, end) - course.value(column, start)
        coordinates[column] = ("frame", course.value(column, mid), attributes)
        variables[f"{column}_sigma"] = ("frame", course.sigma(column, mid, sigma_s), {"units": units})
        variables[f"{column}_change"] = ("frame", change, {"units": units})
    for column in DISCRETE:
        if column in table:
            coordinates[column] = ("frame", course.last(column, mid))
    if "net_capacity_ah" in table:
        # Within its limit what passed is taken as uniform.
        lost_ah = np.zeros_like(mid)
        for one in restarts:
            lost_ah += one.charge_ah / np.sqrt(3.0) * (mid > one.end_s)
        sigma_ah = np.hypot(np.asarray(variables["net_capacity_ah_sigma"][1]), lost_ah)
        variables["net_capacity_ah_sigma"] = ("frame", sigma_ah, {"units": CONTINUOUS["net_capacity_ah"]})
    charge = np.asarray(coordinates["net_capacity_ah"][1] if "net_capacity_ah" in table else mid * np.nan)
    charge_sigma = np.asarray(variables["net_capacity_ah_sigma"][1] if "net_capacity_ah" in table else charge)
    volts = np.asarray(table["voltage_volt"], float) if "voltage_volt" in table else np.zeros(1)
    for side in ("positive", "negative"):
        content = lithium_content(
            side,
            cell,
            charge,
            charge_sigma,
            charged_before_ah=charged_before_ah,
            voltage_span_v=float(np.nanmax(volts) - np.nanmin(volts)),
        )
        coordinates[f"x_{side}"] = ("frame", content.x, {"note": content.note})
        variables[f"x_{side}_sigma"] = ("frame", content.sigma)
    attributes = {
        "clock_note": clock.note,
        "clock_offset_s": clock.offset_s,
        "clock_drift_ppm": clock.drift * 1e6,
        "clock_systematic_s": clock.systematic_s,
        "recording_period_s": course.period_s,
    }
    return xr.Dataset(variables, coordinates, attributes)


def align(run: Any, stream: str | None = None) -> xr.Dataset:
    """Put the frames of a run on its cycler's axis; see `align_frames`.

    Row i belongs to image i of the run's frames.

    Parameters
    ----------
    run
        A run of the catalog, live or finished.
    stream
        Stream with the frames; None if there is only one.

    Raises
    ------
    CatalogError
        If the run has no records, no frames, or several streams with images.
    """
    run = kept(run)
    table, detector = _events(run, stream)
    frames = _times(table, detector)
    source, (cell, entered) = cycling_source(run), current_cell(run)
    start = dict(run.metadata["start"])
    initial_soc, capacity_ah = start.get("initial_soc"), start.get("capacity_ah")
    period = dict(dict(start.get("protocol") or {}).get("record") or {}).get("time_s")
    charged_before_ah = float(initial_soc or 0.0) * float(capacity_ah or 0.0)
    aligned = align_frames(
        records(source.run),
        frames,
        source.clock or _clock(table, detector),
        cell=cell,
        period_s=period,
        charged_before_ah=charged_before_ah if source.charged_before_ah is None else source.charged_before_ah,
        restarts=source.restarts,
    ).assign(exposure_s=("frame", frames.exposure_s, {"units": "s"}), **_monitors(table, detector))
    visit, spots_mm = _visits(run, stream, aligned.sizes["frame"])
    aligned = aligned.assign(
        visit=("frame", visit),
        spot_x_mm=("frame", spots_mm[0], {"units": "mm"}),
        spot_y_mm=("frame", spots_mm[1], {"units": "mm"}),
    )
    return _with_origin(aligned, source, entered)


def _with_origin(aligned: xr.Dataset, source: CyclingSource, entered: str) -> xr.Dataset:
    """Say of an aligned run what came to it afterwards."""
    notes = [entered] if entered else []
    if source.is_imported:
        start = source.run.metadata["start"]
        names = ", ".join(one["name"] for one in start["files"])
        aligned.attrs["cycling"] = (
            f"{names}, imported by {start['imported_by']} as run {start['uid']}, version {start['version']}"
        )
        if source.charged_before_ah is None:
            notes.append("nothing is taken to have been charged before the file")
    for name in ("x_positive", "x_negative"):
        aligned[name].attrs["note"] = "; ".join([aligned[name].attrs["note"], *notes])
    return aligned


def exposures_of(run: Any, stream: str | None = None) -> tuple[FrameTimes, Any, str]:
    """Exposures of a stream with images, its events in order, and the name of the detector.

    Raises
    ------
    CatalogError
        If there is no such stream, several and none is named, or its events do not say when they were.
    """
    table, detector = _events(run, stream)
    return _times(table, detector), table, detector


def frames_alone(run: Any, stream: str | None = None) -> xr.Dataset:
    """Frames of a run without cycler, by the instrument's clock; parameters and errors as of `align`.

    Returns
    -------
    xarray.Dataset
        Along `frame`: `frame_index`, `start_unix_s`, `exposure_s`, and monitor counts where there are any.
    """
    table, detector = _events(kept(run), stream)
    times = _times(table, detector)
    return xr.Dataset(
        {
            "start_unix_s": ("frame", times.start_unix_s, {"units": "s"}),
            "exposure_s": ("frame", times.exposure_s, {"units": "s"}),
            **_monitors(table, detector),
        },
        {"frame": np.arange(len(times.index)), "frame_index": ("frame", times.index)},
    )


def _events(run: Any, stream: str | None) -> tuple[Any, str]:
    """Table of the events with frames, in the order of the images, and the detector's name."""
    found = image_streams(run)
    if stream is None and len(found) != 1:
        raise CatalogError(f"name the stream of the frames; the run has {', '.join(found) or 'none'}")
    name = stream or next(iter(found))
    detector = found[name].removesuffix("_image")
    # The order of rows in a table is up to the database; that of images is that of events.
    table = stream_of(run, name).base["internal"].read().sort_values("seq_num", kind="stable")
    missing = {f"{detector}_hdf_frame_start_unix_s", f"{detector}_cam_acquire_time"} - set(table)
    if missing:
        raise CatalogError(f"events of {name!r} lack {', '.join(sorted(missing))}: when were the exposures?")
    return table, detector


def _visits(run: Any, stream: str | None, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Number of the visit at which each frame was taken, and its spot, shape (2, frames).

    Those of a visit that was not noted come last, at a spot that is not known.
    """
    name = stream or next(iter(image_streams(run)))
    if VISITS not in run:
        return np.arange(frames), np.full((2, frames), np.nan)
    table = stream_of(run, VISITS).base["internal"].read().sort_values("seq_num", kind="stable")
    table = table[table["visit_measurement"].to_numpy(str) == name]
    taken = table["visit_frames"].to_numpy(int)
    numbers = np.repeat(np.arange(taken.size), taken)[:frames]
    spots_mm = np.full((2, frames), np.nan)
    for row, axis in enumerate(("x", "y")):
        if f"visit_spot_{axis}_mm" in table:
            known = table[f"visit_spot_{axis}_mm"].to_numpy(float)[numbers]
            spots_mm[row, : known.size] = known
    return np.append(numbers, np.full(frames - numbers.size, taken.size)), spots_mm


def _times(table: Any, detector: str) -> FrameTimes:
    index = table.get(f"{detector}_hdf_frame_index", np.arange(len(table)))
    return FrameTimes(
        np.asarray(index, dtype=int),
        table[f"{detector}_hdf_frame_start_unix_s"].to_numpy(float),
        table[f"{detector}_cam_acquire_time"].to_numpy(float),
    )


def _beside(detector: str, device: str) -> str:
    """Name of a device of the same instrument: `laboratory_clocks` beside `laboratory_diffractometer`."""
    for kind in DETECTORS:
        if detector.endswith(kind):
            return detector.removesuffix(kind) + device
    return device


def _monitors(table: Any, detector: str) -> dict[str, Any]:
    """Number of each exposure, its dose, and its monitor counts; NaN where they are another exposure's."""
    monitors = _beside(detector, "monitors")
    counted = ("i0_counts", "it_counts", "reflected_counts", "live_time_s")
    columns = {f"{monitors}_{name}": name for name in counted if f"{monitors}_{name}" in table}
    unique = f"{detector}_hdf_unique_id"
    doses = {_beside(detector, name): (name, units) for name, units in DOSES.items()}
    found: dict[str, Any] = {
        name: ("frame", table[column].to_numpy(float), {"units": units})
        for column, (name, units) in doses.items()
        if column in table
    }
    for name, units in SETTINGS.items():
        column = _beside(detector, name)
        if column in table:
            found[name] = ("frame", table[column].to_numpy(float if units else str), {"units": units})
    for name, units in (COLUMN | SURROUNDINGS).items():
        for shared in (f"{one}{name}" for one in SHARING if f"{one}{name}" in table):
            found[name] = ("frame", table[shared].to_numpy(float), {"units": units})
    if unique in table:
        found["frame_id"] = ("frame", table[unique].to_numpy(int))
    if not columns:
        return found
    other = np.zeros(len(table), dtype=bool)
    if {f"{monitors}_frame_id", unique} <= set(table):
        other = table[f"{monitors}_frame_id"].to_numpy() != table[unique].to_numpy()
    for column, name in columns.items():
        found[name] = ("frame", np.where(other, np.nan, table[column].to_numpy(float)))
    if f"{monitors}_quality" in table:
        quality = table[f"{monitors}_quality"].to_numpy(str)
        found["beam_quality"] = ("frame", np.where(other, str(BeamQuality.UNKNOWN), quality))
    return found


def _clock(table: Any, detector: str) -> ClockModel:
    clocks = _beside(detector, "clocks")
    columns = [f"{clocks}_{name}" for name in ("cycler_unix_s", "instrument_unix_s", "half_width_s")]
    if not set(columns) <= set(table):
        return ClockModel.unknown("the run has no paired clock readings; the clocks are taken as equal")
    return fit_clock(*(table[column].to_numpy(float) for column in columns))
