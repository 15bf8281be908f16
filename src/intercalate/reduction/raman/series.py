"""Series of Raman spectra: what each says by itself, as one dataset."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from intercalate.materials.raman_oxides import RedoxOxide
from intercalate.materials.raman_sulfur import SPECIES, RamanElectrolyte
from intercalate.reduction.bands import BandFit, Spectrum, SpectrumError
from intercalate.reduction.raman.axis import ShiftAxis
from intercalate.reduction.raman.carbide import NAME as CARBIDE_BAND
from intercalate.reduction.raman.counts import CountingDetector, CountsError, reduced
from intercalate.reduction.raman.graphite import GraphiteState, Regime, graphite_states
from intercalate.reduction.raman.overtone import NAME as OVERTONE_BAND
from intercalate.reduction.raman.oxides import OxideState, oxide_states
from intercalate.reduction.raman.sulfur import DETECTION_SIGMA, SulfurSpectrum, Where, sulfur_spectra
from intercalate.reduction.results import UNDETERMINED, Estimate

BANDS = ("E2g2(i)", "E2g2(b)", "E2g2(1)")
"""Of the carbon layers: without lithium beside them, with it on one side, and of stage 1."""

_BLOCK = 1024
"""Spectra that are fitted together; progress is told after each block."""

_PARTS = ("centre", "width", "intensity")

State = TypeVar("State", GraphiteState, OxideState, SulfurSpectrum)


def spectra_of_graphite(
    frames: Iterable[np.ndarray | str],
    dark: tuple[np.ndarray, np.ndarray],
    detector: CountingDetector,
    axis: ShiftAxis,
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> xr.Dataset:
    """Reduce spectra to the lithium content of graphite.

    Parameters
    ----------
    frames
        Counts, shape (pixels,) each; or in words why one cannot be used.
    dark
        Mean dark counts of the exposure, and their standard error, shape (pixels,).
    axis
        As set by silicon.
    progress
        Called with the number of spectra done.

    Returns
    -------
    xarray.Dataset
        Along `frame`: `graphite.x`, x in LixC6 where the laser was, with `_sigma_stat` and `_sigma_sys`;
        `graphite.regime`, from which bands it was taken; of each band, 2D too, centre, width and intensity,
        NaN where it was not found, and so of `Li2C2`, which the laser has made; `reduced_chi2`, `converged`,
        `note`; and `intensity` (frame, shift) in counts without dark counts and cosmic rays, NaN where a
        pixel cannot be used.
    """
    states, common = _read(
        frames, dark, detector, axis, lambda spectra: graphite_states(spectra, axis), progress
    )
    variables: dict[str, Any] = {
        **_estimates("graphite.x", [UNDETERMINED if one is None else one.li_content for one in states], ""),
        "graphite.regime": (
            "frame",
            np.array([str(Regime.UNDETERMINED if one is None else one.regime) for one in states]),
        ),
        **common,
        **_bands(BANDS, [None if one is None else one.fit for one in states]),
        **_bands([OVERTONE_BAND], [None if one is None else one.overtone for one in states]),
        **_bands([CARBIDE_BAND], [None if one is None else one.carbide for one in states]),
    }
    return xr.Dataset(variables, {"shift": ("shift", axis.shift_per_cm, {"units": "1/cm"})})


def spectra_of_oxide(
    frames: Iterable[np.ndarray | str],
    dark: tuple[np.ndarray, np.ndarray],
    detector: CountingDetector,
    axis: ShiftAxis,
    oxide: RedoxOxide,
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> xr.Dataset:
    """Reduce spectra to the oxidation states of the metal of an oxide, and its lithium content.

    Parameters
    ----------
    frames, dark, detector, axis, progress
        As of `spectra_of_graphite`.

    Returns
    -------
    xarray.Dataset
        Along `frame`, each with `_sigma_stat` and `_sigma_sys`: `oxide.x`, the lithium content where the
        laser was, whose attribute `material` says of what; `oxide.oxidation_number`, the mean of the metal;
        `share.ION`, of its atoms in each oxidation state, as `share.Ni4+`; and of bands and spectra what
        `spectra_of_graphite` gives.
    """
    states, common = _read(
        frames, dark, detector, axis, lambda spectra: oxide_states(spectra, axis, oxide), progress
    )

    def of_all(name: str, one_of: Callable[[OxideState], Estimate]) -> dict[str, Any]:
        return _estimates(name, [UNDETERMINED if one is None else one_of(one) for one in states], "")

    variables = {
        **of_all("oxide.x", lambda state: state.li_content),
        **of_all("oxide.oxidation_number", lambda state: state.oxidation_number),
        **common,
        **_bands([band.key for band in oxide.bands], [None if one is None else one.fit for one in states]),
    }
    for ion in oxide.ions:
        variables |= of_all(f"share.{ion}", lambda state, ion=ion: state.shares[ion])
    data = xr.Dataset(variables, {"shift": ("shift", axis.shift_per_cm, {"units": "1/cm"})})
    data["oxide.x"].attrs["material"] = oxide.key
    return data


def spectra_of_sulfur(
    frames: Iterable[np.ndarray | str],
    dark: tuple[np.ndarray, np.ndarray],
    detector: CountingDetector,
    axis: ShiftAxis,
    electrolyte: RamanElectrolyte,
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> xr.Dataset:
    """Reduce spectra to the amounts of sulfur and polysulfides on a cathode or in the electrolyte.

    Parameters
    ----------
    frames, dark, detector, axis, progress
        As of `spectra_of_graphite`.

    Returns
    -------
    xarray.Dataset
        Along `frame`: `where`, what light met; of each species `cathode.NAME`, atoms of sulfur for an atom of
        carbon, and `electrolyte.NAME`, mol of sulfur per litre, NaN where the light met the other, each with
        `_sigma_stat`, `_sigma_sys` and `_sigma_shared`, the part of `_sigma_stat` that is the same in all
        spectra; `limit.NAME`, the upper limit by three standard errors where the species is not found, in the
        same unit, NaN where it is; and of spectra what `spectra_of_graphite` gives.
    """
    states, common = _read(
        frames, dark, detector, axis, lambda spectra: sulfur_spectra(spectra, axis, electrolyte), progress
    )
    variables: dict[str, Any] = {
        "where": (
            "frame",
            np.array([str(Where.UNDETERMINED if one is None else one.where) for one in states]),
        ),
        **common,
    }
    for name in SPECIES:
        for where, units in ((Where.CATHODE, "mol of S per mol of C"), (Where.ELECTROLYTE, "mol of S per L")):
            there = [one if one is not None and one.where is where else None for one in states]
            found = [UNDETERMINED if one is None else one.amounts[name] for one in there]
            shared = np.array([np.nan if one is None else one.shared[name] for one in there])
            variables |= _estimates(f"{where}.{name}", found, units)
            variables[f"{where}.{name}_sigma_shared"] = ("frame", shared, {"units": units})
        amounts = [UNDETERMINED if one is None else one.amounts[name] for one in states]
        limits = [
            np.nan
            if one.value > DETECTION_SIGMA * one.sigma
            else max(one.value, 0.0) + DETECTION_SIGMA * one.sigma
            for one in amounts
        ]
        variables[f"limit.{name}"] = ("frame", np.array(limits))
    return xr.Dataset(variables, {"shift": ("shift", axis.shift_per_cm, {"units": "1/cm"})})


def _read(
    frames: Iterable[np.ndarray | str],
    dark: tuple[np.ndarray, np.ndarray],
    detector: CountingDetector,
    axis: ShiftAxis,
    states_of: Callable[[Sequence[Spectrum]], Sequence[State | SpectrumError]],
    progress: Callable[[int], None],
) -> tuple[list[State | None], dict[str, Any]]:
    """What each spectrum says, and the columns that are there whatever it is of."""
    states: list[State | None] = []
    notes: list[str] = []
    rows: list[np.ndarray] = []
    for block in _batched(frames, _BLOCK):
        for row, state, note in _some(block, dark, detector, axis, states_of):
            rows.append(row)
            states.append(state)
            notes.append(note)
            progress(len(states))
    return states, {
        "reduced_chi2": (
            "frame",
            np.array([np.nan if one is None else one.fit.reduced_chi2 for one in states]),
        ),
        "converged": ("frame", np.array([one is not None and one.fit.converged for one in states])),
        "note": ("frame", np.array(notes)),
        "intensity": (("frame", "shift"), np.array(rows, np.float32), {"units": "counts"}),
    }


def _bands(bands: Sequence[str], fits: Sequence[BandFit | None]) -> dict[str, Any]:
    """Centre, width and intensity of each band, as columns."""
    variables: dict[str, Any] = {}
    for band in bands:
        for part in _PARTS:
            found = [UNDETERMINED if one is None else getattr(one, part).get(band) for one in fits]
            units = "counts/cm" if part == "intensity" else "1/cm"
            variables |= _estimates(f"{band}.{part}", [one or UNDETERMINED for one in found], units)
    return variables


def _batched(frames: Iterable[np.ndarray | str], size: int) -> Iterator[list[np.ndarray | str]]:
    """Lists of so many, the last of what is left."""
    waiting = iter(frames)
    while block := list(islice(waiting, size)):
        yield block


def _some(
    frames: Sequence[np.ndarray | str],
    dark: tuple[np.ndarray, np.ndarray],
    detector: CountingDetector,
    axis: ShiftAxis,
    states_of: Callable[[Sequence[Spectrum]], Sequence[State | SpectrumError]],
) -> list[tuple[np.ndarray, State | None, str]]:
    """Of each frame its intensity, what it says, and a note."""
    empty = np.full(axis.shift_per_cm.size, np.nan)
    found: list[tuple[np.ndarray, State | None, str]] = []
    spectra: dict[int, Spectrum] = {}
    for number, frame in enumerate(frames):
        note = frame if isinstance(frame, str) else ""
        if not isinstance(frame, str):
            try:
                spectra[number] = Spectrum(axis.shift_per_cm, *reduced(frame, *dark, detector))
            except (CountsError, SpectrumError) as error:
                note = str(error)
        found.append((empty, None, note))
    for number, state in zip(spectra, states_of(list(spectra.values()))):
        if isinstance(state, SpectrumError):
            found[number] = (empty, None, str(state))
            continue
        spectrum = spectra[number]
        note = "" if state.fit.converged else state.fit.message
        found[number] = (np.where(spectrum.used, spectrum.intensity, np.nan), state, note)
    return found


def _estimates(name: str, found: list[Estimate], units: str) -> dict[str, Any]:
    """Values and both uncertainties, as columns."""
    attributes = {"units": units}
    return {
        name: ("frame", np.array([one.value for one in found]), attributes),
        f"{name}_sigma_stat": ("frame", np.array([one.sigma_stat for one in found]), attributes),
        f"{name}_sigma_sys": ("frame", np.array([one.sigma_sys for one in found]), attributes),
    }
