"""Films of known compounds as references of electron losses: scanned, checked, kept, and read again."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from intercalate.calibrations import Calibration, Kind
from intercalate.instrument_sections import LossSpectrometerSection
from intercalate.reduction.eels import Prepared, Reference, SpectrumImage, prepare, thickness
from intercalate.reduction.eels.film_check import check_film
from intercalate.spectrum_frames import unpacked
from intercalate.tem_results import DARK_BELOW_EV, spectrometer_of

COBALT_VALENCE = {"CoO": 2.0, "Co3O4": 8.0 / 3.0, "LiCoO2": 3.0, "Li0.5CoO2": 3.5}
"""By charge balance."""


def prepared_scan(frame: np.ndarray, paper: LossSpectrometerSection) -> Prepared:
    """A spectrum image as `spectrum_frames` packs it, made ready.

    The dark level is read off before the zero loss, where there are no electrons.

    Raises
    ------
    EelsError, SpectrumFrameError
        If it cannot be used.
    """
    low, core = unpacked(frame, paper.points)
    before = max(int((DARK_BELOW_EV - paper.low_first_ev) / paper.dispersion_ev), 1)
    dark = np.full(paper.channels, float(low[..., :before].mean()))
    return prepare(low, core, dark, spectrometer_of(paper))


def film_of(
    frame: np.ndarray,
    compound: str,
    dose_e_per_a2: float,
    temperature_c: float,
    paper: LossSpectrometerSection,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Values and arrays of a reference, of a scan of a film.

    Parameters
    ----------
    dose_e_per_a2
        That the film had by the end of the scan.
    temperature_c
        Of the stage.

    Raises
    ------
    EelsError, SpectrumFrameError
        If the scan cannot be used, or is of no such film.
    """
    film = prepared_scan(frame, paper).columns(paper.points[1])
    found = check_film(film, compound, dose_e_per_a2, temperature_c)
    told = paper.films[compound]
    arrays, values = dict[str, np.ndarray](), dict[str, Any]()
    for name, image in (("low", film.low), ("core", film.core)):
        arrays[f"{name}_energy_ev"], arrays[f"{name}_electrons"] = image.energy_ev, image.electrons[0, 0]
        values[f"{name}_variance"] = float(np.mean(image.background_variance))
        values[f"{name}_noise_factor"] = float(image.noise_factor[0, 0])
        values[f"{name}_read_factor"] = float(image.read_factor[0, 0])
    values |= {
        "compound": compound,
        "thickness_nm": told.thickness_nm,
        "thickness_sigma": told.thickness_sigma,
        "zero_loss_ev": float(film.zero_ev[0, 0]),
        "core_incident": float(film.core_incident[0, 0]),
        "t_over_lambda": found.t_over_lambda,
        "edge_jumps": dict(found.jumps),
        "dose_e_per_a2": dose_e_per_a2,
        "lost": found.lost,
        "temperature_c": temperature_c,
    }
    return values, arrays


def references_of(known: Mapping[str, Calibration]) -> tuple[dict[str, Reference], dict[str, Calibration]]:
    """References by compound, of calibrations by name, and those that they are of.

    Raises
    ------
    CalibrationError
        If one was changed since it was kept.
    """
    used = {name: one for name, one in known.items() if one.kind is Kind.COMPOUND}
    return {one.key: _reference(one) for one in used.values()}, used


def _reference(kept: Calibration) -> Reference:
    values = kept.values

    def image(name: str) -> SpectrumImage:
        one = np.ones((1, 1))
        return SpectrumImage(
            kept.array(f"{name}_energy_ev"),
            kept.array(f"{name}_electrons")[None, None],
            values[f"{name}_variance"],
            values[f"{name}_noise_factor"] * one,
            values[f"{name}_read_factor"] * one,
        )

    low = image("low")
    prepared = Prepared(
        low,
        image("core"),
        np.full((1, 1), values["zero_loss_ev"]),
        thickness(low),
        np.full((1, 1), values["core_incident"]),
    )
    return Reference(
        kept.key,
        prepared,
        values["thickness_nm"],
        values["thickness_sigma"],
        COBALT_VALENCE.get(kept.key),
    )
