"""Images, patterns and electron losses of a run: deposits and their crystals, and how thick a sample is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from intercalate.calibrations import Calibration, Kind
from intercalate.frame_use import why_useless
from intercalate.instrument_sections import CameraSection, EelsSection, LossSpectrometerSection, TemSection
from intercalate.reduction.eels import (
    EelsCamera,
    EelsError,
    aligned,
    electrons_of,
    full_width_ev,
    thickness,
    zero_loss_ev,
)
from intercalate.reduction.results import Estimate
from intercalate.reduction.tem import (
    DepositShape,
    PatternFinding,
    TemCamera,
    TemError,
    deposit_shape,
    pattern_finding,
)
from intercalate.sem_results import columns_of
from intercalate.spectrum_frames import SpectrumFrameError, unpacked

Progress = Callable[[int], None]

IMAGE = "image"
CAMERA_SIGMA = 0.05
"""Relative, of a camera length that nobody has measured: right within 10 %."""
DARK_BELOW_EV = -12.0
"""Of the axis on paper; below, there is neither zero loss nor the light that goes far from it."""


def reduce_transmission(
    images: Any,
    aligned_frames: xr.Dataset,
    known: Mapping[str, Calibration],
    section: TemSection,
    progress: Progress,
) -> tuple[xr.Dataset, dict[str, Calibration]]:
    """Find deposits in the images of a run, and crystals in its patterns.

    Parameters
    ----------
    images
        Counts, shape (n, rows, columns).
    aligned_frames
        Along `frame`, with `scan_mode`, `exposure_s`, and the quality of the beam where it is known.
    known
        Calibrations by name.

    Returns
    -------
    data
        Along `frame`: of images `length_nm`, `width_nm` and `direction_deg`, each with `_sigma_stat` and
        `_sigma_sys`, `habit`, `filling`, `kinks`, `density` and `dose_e_per_a2`; of patterns `order`, `spots`
        and, with errors, `halo_per_angstrom`; `note`; and `thumbnail` (frame, row, column).
    used
        The calibration of the camera length, if there is one.

    Raises
    ------
    ValueError
        If the events do not tell images from patterns.
    """
    if "scan_mode" not in aligned_frames:
        raise ValueError("the events do not say which frames are images and which are patterns")
    length = known.get(str(Kind.CAMERA_LENGTH))
    paper = section.detector.camera_px_angstrom
    constant = (
        Estimate(paper, 0.0, CAMERA_SIGMA * paper)
        if length is None
        else Estimate(*(length.values[key] for key in ("camera_px_angstrom", "sigma_stat", "sigma_sys")))
    )
    camera = camera_of(section.detector)
    lengths: list[dict[str, Estimate]] = []
    told: list[dict[str, Any]] = []
    thumbnails = []
    for number in range(len(images)):
        counts = np.asarray(images[number])
        is_image = str(aligned_frames["scan_mode"].values[number]) == IMAGE
        estimates, words = {}, {"note": why_useless(aligned_frames, number)}
        if not words["note"]:
            try:
                if is_image:
                    exposure_s = float(aligned_frames["exposure_s"].values[number])
                    estimates, words = _of_image(deposit_shape(counts, camera, exposure_s))
                else:
                    estimates, words = _of_pattern(pattern_finding(counts, constant))
            except TemError as error:
                words = {"note": str(error)}
        lengths.append(estimates)
        told.append(words)
        thumbnails.append(_thumbnail(counts, is_image))
        progress(number + 1)
    variables = {**columns_of(lengths, ""), **_told(told)}
    variables["thumbnail"] = (("frame", "row", "column"), np.array(thumbnails))
    return xr.Dataset(variables), {} if length is None else {length.name: length}


def camera_of(paper: CameraSection) -> TemCamera:
    """What a configuration says of the camera."""
    return TemCamera(
        paper.pixel_nm,
        paper.counts_per_electron,
        paper.read_noise_electrons,
        paper.dark_counts,
        paper.saturation_counts,
        paper.pixel_sigma,
    )


def _of_image(shape: DepositShape) -> tuple[dict[str, Estimate], dict[str, Any]]:
    estimates = {
        "length_nm": shape.length_nm,
        "width_nm": shape.width_nm,
        "direction_deg": shape.direction_deg,
    }
    words = {
        "habit": str(shape.habit),
        "filling": str(shape.filling),
        "kinks": len(shape.kinks),
        "density": shape.density,
        "dose_e_per_a2": shape.dose_e_per_a2,
    }
    return estimates, words


def _of_pattern(found: PatternFinding) -> tuple[dict[str, Estimate], dict[str, Any]]:
    return {"halo_per_angstrom": found.halo}, {"order": str(found.order), "spots": len(found.spots)}


_EMPTY = {"habit": "", "filling": "", "order": "", "note": "", "kinks": -1, "spots": -1}
"""Of what is not said of a frame; no number of kinks or spots is negative."""


def _told(rows: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: ("frame", np.array([row.get(name, empty) for row in rows])) for name, empty in _EMPTY.items()
    }
    found["density"] = ("frame", np.array([row.get("density", np.nan) for row in rows]))
    doses = np.array([row.get("dose_e_per_a2", np.nan) for row in rows])
    found["dose_e_per_a2"] = ("frame", doses, {"units": "1/A2"})
    return found


def _thumbnail(counts: np.ndarray, is_image: bool) -> np.ndarray:
    """Grey values; of a pattern those of its logarithm, beside whose direct beam nothing would be seen."""
    values = counts.astype(float) if is_image else np.log(np.maximum(counts.astype(float), 1.0))
    low, high = np.percentile(values, (0.5, 99.5))
    return np.rint(255 * np.clip((values - low) / max(high - low, 1e-9), 0, 1)).astype(np.uint8)


def reduce_losses(
    images: Any,
    aligned_frames: xr.Dataset,
    section: EelsSection,
    progress: Progress,
) -> xr.Dataset:
    """Find the zero loss of every spectrum of a run, and how thick the sample is.

    Parameters
    ----------
    images
        Frames as `spectrum_frames` packs them.
    aligned_frames
        Along `frame`, with `scan_step_nm`, and the quality of the beam where it is known.

    Returns
    -------
    xarray.Dataset
        Along `frame`: `t_over_lambda`, mean of the scan, with `_sigma_stat` and `_sigma_sys`;
        `zero_loss_ev` and `zero_loss_scatter_ev`, mean and scatter within a scan; `note`; along
        `frame` and `x` `t_over_lambda_profile`; and along `frame` and `channel` `low_counts`, mean per
        pixel on the axis `loss_ev` of the paper.

    Raises
    ------
    ValueError
        If the events do not tell the distance of pixels.
    """
    if "scan_step_nm" not in aligned_frames:
        raise ValueError("the events do not say how far apart the pixels of the scans were")
    paper = section.detector
    count, nan = len(images), float("nan")
    rows: list[dict[str, Estimate]] = []
    notes, zeros = [], np.full((count, 2), nan)
    profile, low_mean = np.full((count, paper.points[1]), nan), np.full((count, paper.channels), nan)
    for number in range(count):
        found, note = {}, why_useless(aligned_frames, number)
        if not note:
            try:
                low, _ = unpacked(np.asarray(images[number]), paper.points)
                thick = loss_thickness(low, paper)
                found = {"t_over_lambda": thick.mean}
                zeros[number] = thick.zero_ev.mean(), thick.zero_ev.std()
                profile[number] = thick.t_over_lambda.mean(axis=0)
                low_mean[number] = low.mean(axis=(0, 1))
            except (SpectrumFrameError, EelsError) as error:
                note = str(error)
        rows.append(found)
        notes.append(note)
        progress(number + 1)
    variables = columns_of(rows, "")
    variables["zero_loss_ev"] = ("frame", zeros[:, 0], {"units": "eV"})
    variables["zero_loss_scatter_ev"] = ("frame", zeros[:, 1], {"units": "eV"})
    variables["note"] = ("frame", np.array(notes))
    variables["t_over_lambda_profile"] = (("frame", "x"), profile)
    variables["low_counts"] = (("frame", "channel"), low_mean, {"units": "counts"})
    loss_ev = paper.low_first_ev + paper.dispersion_ev * np.arange(paper.channels)
    return xr.Dataset(variables, {"loss_ev": ("channel", loss_ev, {"units": "eV"})})


def spectrometer_of(paper: LossSpectrometerSection) -> EelsCamera:
    """What a configuration says of the spectrometer."""
    return EelsCamera(
        paper.dispersion_ev,
        paper.low_first_ev,
        paper.core_first_ev,
        paper.low_share,
        paper.counts_per_electron,
        paper.read_noise_electrons,
        paper.saturation_counts,
        paper.point_spread,
    )


@dataclass(frozen=True)
class LossThickness:
    """How thick a sample is by a scan, and what its zero loss is like.

    Attributes
    ----------
    zero_ev
        Of the zero loss on the axis of the paper, shape (rows, columns).
    t_over_lambda, sigma_stat, sigma_sys
        Shape (rows, columns).
    sigma_common
        Of counting too, but of what is the same for all pixels: the level of the dark camera, and how losses
        go on beyond the window. Shape (rows, columns).
    warning
        Empty, or in words what plural scattering does.
    zero_width_ev
        Full width at half maximum of the zero loss of all pixels, each at its own place.
    """

    zero_ev: np.ndarray
    t_over_lambda: np.ndarray
    sigma_stat: np.ndarray
    sigma_common: np.ndarray
    sigma_sys: np.ndarray
    warning: str
    zero_width_ev: float

    @property
    def mean(self) -> Estimate:
        """Of the scan; what is the same for all pixels does not become less by taking many."""
        own = float(np.sqrt(np.sum(self.sigma_stat**2))) / self.sigma_stat.size
        common, systematic = float(self.sigma_common.mean()), float(self.sigma_sys.mean())
        return Estimate(float(self.t_over_lambda.mean()), float(np.hypot(own, common)), systematic)


def loss_thickness(low: np.ndarray, paper: LossSpectrometerSection) -> LossThickness:
    """Judge the low losses of a scan, counts of shape (rows, columns, channels).

    What the camera shows without electrons is read off before the zero loss, where there are none.

    Raises
    ------
    EelsError
        If a pixel has no zero loss.
    """
    camera = spectrometer_of(paper)
    before = max(int((DARK_BELOW_EV - paper.low_first_ev) / paper.dispersion_ev), 1)
    dark = np.full(paper.channels, float(low[..., :before].mean()))
    electrons = electrons_of(low, dark, camera)
    zero_ev = zero_loss_ev(electrons, camera)
    image = aligned(electrons, zero_ev, paper.low_first_ev, camera)
    found = thickness(image)
    # A dark level that is wrong adds to every channel, hardly any of which is elastic.
    level = float(low[..., :before].std()) / np.sqrt(low[..., :before].size) / paper.counts_per_electron
    brighter = thickness(replace(image, electrons=image.electrons + level))
    moved = brighter.t_over_lambda - found.t_over_lambda
    width_ev = full_width_ev(image.energy_ev, image.electrons.sum(axis=(0, 1)))
    return LossThickness(
        zero_ev,
        found.t_over_lambda,
        found.sigma_stat,
        np.hypot(found.sigma_common, moved),
        found.sigma_sys,
        found.warning,
        width_ev,
    )
