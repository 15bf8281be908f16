"""Profiles across a thin battery, of scans of a run that also holds scans of films of known compounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from intercalate.frame_use import why_useless
from intercalate.instrument_sections import EelsSection
from intercalate.reduction.eels import CobaltValence, EelsError, Prepared, Reference, prepare, profile_of
from intercalate.reduction.eels.nanobattery import Amounts, NanobatteryProfile
from intercalate.reduction.eels.profile import Interface
from intercalate.reduction.results import UNDETERMINED, Estimate
from intercalate.spectrum_frames import SpectrumFrameError, unpacked
from intercalate.tem_results import DARK_BELOW_EV, spectrometer_of

NANOBATTERY = "nanobattery"
"""Content of the place at which the battery is; others are named by their compound."""

COBALT_VALENCE = {"CoO": 2.0, "Co3O4": 8.0 / 3.0, "LiCoO2": 3.0, "Li0.5CoO2": 3.5}
"""By charge balance."""

VALENCE_COLUMNS = 3
"""Summed for one valence."""


@dataclass(frozen=True)
class Films:
    """What is known of films of single compounds: thickness, and its standard error, relative."""

    thickness_nm: float
    thickness_sigma: float


def reduce_nanobattery(
    images: Any, aligned: xr.Dataset, contents: Sequence[str], films: Films, section: EelsSection
) -> xr.Dataset:
    """Find amounts of compounds and cobalt's valence across the battery in every scan of it.

    Parameters
    ----------
    images
        Frames as `spectrum_frames` packs them.
    aligned
        Along `frame`, with `scan_step_nm`, and the quality of the beam where it is known.
    contents
        Of the place of each frame: a compound, or `nanobattery`.

    Returns
    -------
    xarray.Dataset
        Along `frame` and `x`: `x_nm` and `amount_nm.X` of each component X with `_sigma_stat`, `_sigma_sys`
        and `_sigma_by_edge`, the latter along `edge` too: references, which err by themselves. Along `frame`
        and `wide_x`: `valence_x_nm` and `cobalt_valence`, with errors. Along `frame`: `content`,
        `cathode_end_nm`, with errors, and `profile_note`. NaN in frames of films.

    Raises
    ------
    ValueError
        If there are not as many contents as frames.
    """
    if len(contents) != len(images):
        raise ValueError(f"the run names what was in {len(contents)} frames, and has {len(images)}")
    notes, prepared = [""] * len(images), dict[int, Prepared]()
    for number in range(len(images)):
        notes[number] = why_useless(aligned, number)
        if not notes[number]:
            try:
                prepared[number] = _prepared(np.asarray(images[number]), section)
            except (EelsError, SpectrumFrameError) as error:
                notes[number] = str(error)
    references = {
        content: Reference(
            content,
            prepared[number].columns(section.detector.points[1]),
            films.thickness_nm,
            films.thickness_sigma,
            COBALT_VALENCE.get(content),
        )
        for number, content in enumerate(contents)
        if content != NANOBATTERY and number in prepared
    }
    profiles = dict[int, NanobatteryProfile]()
    columns = section.detector.points[1]
    for number, content in enumerate(contents):
        if content == NANOBATTERY and number in prepared:
            x_nm = float(aligned["scan_step_nm"].values[number]) * np.arange(columns)
            try:
                profiles[number] = profile_of(prepared[number], references, x_nm, VALENCE_COLUMNS)
            except EelsError as error:
                notes[number] = str(error)
    data = _dataset(profiles, len(images), columns)
    return data.assign(content=("frame", np.array(contents)), profile_note=("frame", np.array(notes)))


def _prepared(frame: np.ndarray, section: EelsSection) -> Prepared:
    """The dark level is read off before the zero loss, where there are no electrons."""
    paper = section.detector
    low, core = unpacked(frame, paper.points)
    before = max(int((DARK_BELOW_EV - paper.low_first_ev) / paper.dispersion_ev), 1)
    dark = np.full(paper.channels, float(low[..., :before].mean()))
    return prepare(low, core, dark, spectrometer_of(paper))


def _dataset(profiles: dict[int, NanobatteryProfile], count: int, columns: int) -> xr.Dataset:
    found: dict[str, Any] = {}

    def put(name: str, number: int, values: Any, width: int | None, units: str, edges: int = 0) -> None:
        across = () if width is None else ("x" if width == columns else "wide_x",)
        dims = ("frame", *(("edge",) if edges else ()), *across)
        shape = (count, *((edges,) if edges else ()), *(() if width is None else (width,)))
        found.setdefault(name, (dims, np.full(shape, np.nan), {"units": units}))[1][number] = values

    for number, one in profiles.items():
        put("x_nm", number, one.x_nm, columns, "nm")
        for name, amount in one.maps.amount.items():
            put(f"amount_nm.{name}", number, amount[0], columns, "nm")
            put(f"amount_nm.{name}_sigma_stat", number, one.maps.sigma_stat[name][0], columns, "nm")
            put(f"amount_nm.{name}_sigma_sys", number, one.maps.sigma_sys[name][0], columns, "nm")
            by_edge = one.maps.sigma_by_edge[name][:, 0]
            put(f"amount_nm.{name}_sigma_by_edge", number, by_edge, columns, "nm", by_edge.shape[0])
        wide = one.valence_x_nm.size
        put("valence_x_nm", number, one.valence_x_nm, wide, "nm")
        for key, suffix in (("value", ""), ("sigma_stat", "_sigma_stat"), ("sigma_sys", "_sigma_sys")):
            valences = [getattr(each, key) for each in one.valence.combined]
            put(f"cobalt_valence{suffix}", number, valences, wide, "")
            put(f"cathode_end_nm{suffix}", number, getattr(one.cathode_end.position_nm, key), None, "nm")
    return xr.Dataset(found)


def profile_in(data: xr.Dataset, number: int) -> NanobatteryProfile:
    """The profile of one frame, as far as findings need it.

    Raises
    ------
    EelsError
        If the frame has none.
    """
    one = data.isel(frame=number)
    if "x_nm" not in one or not np.isfinite(one["x_nm"]).all():
        raise EelsError(f"frame {number}: {one['profile_note'].item() or 'no scan of the battery'}")
    names = [
        str(name).removeprefix("amount_nm.")
        for name in one.data_vars
        if str(name).startswith("amount_nm.") and "_sigma_" not in str(name)
    ]

    def rows(suffix: str) -> dict[str, np.ndarray]:
        return {name: np.asarray(one[f"amount_nm.{name}{suffix}"])[..., None, :] for name in names}

    suffixes = ("", "_sigma_stat", "_sigma_sys")
    valences = np.array([one[f"cobalt_valence{suffix}"].values for suffix in suffixes]).T
    end = Estimate(*(float(one[f"cathode_end_nm{suffix}"]) for suffix in suffixes))
    return NanobatteryProfile(
        np.asarray(one["x_nm"]),
        Amounts(*(rows(suffix) for suffix in (*suffixes, "_sigma_by_edge"))),
        np.asarray(one["valence_x_nm"]),
        CobaltValence(
            {}, [Estimate(*map(float, row)) if np.isfinite(row).all() else UNDETERMINED for row in valences]
        ),
        Interface(end, UNDETERMINED, float("nan"), bool(np.isfinite(end.value))),
    )
