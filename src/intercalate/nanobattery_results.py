"""Profiles across a thin battery, by references of known compounds that were measured on its instrument."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from intercalate.frame_use import why_useless
from intercalate.instrument_sections import EelsSection
from intercalate.loss_references import prepared_scan
from intercalate.reduction.eels import CobaltValence, EelsError, Reference, profile_of
from intercalate.reduction.eels.nanobattery import Amounts, NanobatteryProfile
from intercalate.reduction.eels.profile import Interface
from intercalate.reduction.results import UNDETERMINED, Estimate
from intercalate.spectrum_frames import SpectrumFrameError

NANOBATTERY = "nanobattery"
"""Content of the place at which the battery is."""

VALENCE_COLUMNS = 3
"""Summed for one valence."""


def reduce_nanobattery(
    images: Any,
    aligned: xr.Dataset,
    contents: Sequence[str],
    references: Mapping[str, Reference],
    section: EelsSection,
) -> xr.Dataset:
    """Find amounts of compounds and cobalt's valence across the battery in every scan of it.

    Parameters
    ----------
    images
        Frames as `spectrum_frames` packs them.
    aligned
        Along `frame`, with `scan_step_nm`, and the quality of the beam where it is known.
    contents
        Of the place of each frame.
    references
        By compound.

    Returns
    -------
    xarray.Dataset
        Along `frame` and `x`: `x_nm` and `amount_nm.X` of each component X with `_sigma_stat`, `_sigma_sys`
        and `_sigma_by_edge`, the latter along `edge` too: references, which err by themselves. Along `frame`
        and `wide_x`: `valence_x_nm` and `cobalt_valence`, with errors. Along `frame`: `content`,
        `cathode_end_nm`, with errors, and `profile_note`. NaN in frames of anything else.

    Raises
    ------
    ValueError
        If there are not as many contents as frames.
    """
    if len(contents) != len(images):
        raise ValueError(f"the run names what was in {len(contents)} frames, and has {len(images)}")
    notes, profiles = [""] * len(images), dict[int, NanobatteryProfile]()
    columns = section.detector.points[1]
    for number in (at for at, content in enumerate(contents) if content == NANOBATTERY):
        notes[number] = why_useless(aligned, number)
        if notes[number]:
            continue
        x_nm = float(aligned["scan_step_nm"].values[number]) * np.arange(columns)
        try:
            prepared = prepared_scan(np.asarray(images[number]), section.detector)
            profiles[number] = profile_of(prepared, references, x_nm, VALENCE_COLUMNS)
        except (EelsError, SpectrumFrameError) as error:
            notes[number] = str(error)
    data = _dataset(profiles, len(images), columns)
    return data.assign(content=("frame", np.array(contents)), profile_note=("frame", np.array(notes)))


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
