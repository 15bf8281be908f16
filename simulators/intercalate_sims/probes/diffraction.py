"""Diffraction frames of a cell: powder cones on a flat detector, and the truth behind them.

The instrument's profile is a beam spot of two unequal Gaussians, the box of a pixel and an
exponential glow in the plane of the detector, its centroid on the Bragg angle: asymmetric, and
constant in radius rather than in angle. Crystallites add Gaussians of several sizes. The reduction
fits something else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from intercalate_sims.cell.interface import ProbeState
from intercalate_sims.probes.detector import (
    DetectorGeometry,
    count_photons,
    keyed_generator,
    write_stamp,
)
from intercalate_sims.probes.lattice import crystallites, graphite_stages, oxide_lattice
from intercalate_sims.probes.powder import TRANSMISSION_OF_STACK, CellMakeup, all_lines

DEFAULT_FLUX_PHOTONS_S = 4e9
"""At the sample, 25 keV: a bending magnet with a monochromator, beam defined by slits."""

_GRID_STEP_MM = 0.01
_GRID_FACTOR = 1000
"""A length divisible by this transforms fast."""


@dataclass(frozen=True, slots=True)
class InstrumentProfile:
    """Point spread in the plane of the detector, in mm.

    Attributes
    ----------
    narrow_sigma, broad_sigma, broad_share
        The two Gaussians of the beam spot; they sit on either side of the centroid.
    offset
        Distance between the centres of the two Gaussians.
    glow_length, glow_share
        Two-sided exponential of the detector's own spread.
    """

    narrow_sigma: float = 0.085
    broad_sigma: float = 0.13
    broad_share: float = 0.3
    offset: float = 0.03
    glow_length: float = 0.35
    glow_share: float = 0.04


_CRYSTALLITE_SIGMA_MM = {"NMC811": 0.045, "graphite": 0.09, "Al": 0.03, "Cu": 0.04, "Li": 0.02, "PE": 0.45}
_SIZE_CLASSES = ((0.6, 0.3), (1.0, 0.45), (1.6, 0.25))

_HALOS = (
    ("electrolyte", 6.9, 1.9, 4.2e-4),
    ("electrolyte", 12.5, 3.0, 1.3e-4),
    ("window", 5.7, 1.3, 3.0e-4),
    ("window", 3.0, 1.5, 4.0e-4),
    ("air", 0.0, 7.0, 1.6e-3),
)
"""Part, centre and standard deviation in degrees of 2theta, scattered fraction per sr at the centre.

The air of the flight path, about 40 mg/cm2, weighs as much as all polymers of the cell together.
"""

_COMPTON_PER_SR = 1.6e-3


class DiffractionProbe:
    """An area detector behind a cell.

    Parameters
    ----------
    geometry, makeup
        Where the detector stands, and what is in the beam besides the two electrodes.
    seed
        Of the counting noise; frames depend on seed, instrument and key alone.
    instrument
        Name that keeps the noise of two detectors apart.
    """

    def __init__(
        self,
        geometry: DetectorGeometry | None = None,
        makeup: CellMakeup | None = None,
        seed: int = 0,
        *,
        instrument: str = "xrd",
        profile: InstrumentProfile | None = None,
    ) -> None:
        self.geometry = geometry or DetectorGeometry()
        self.makeup = makeup or CellMakeup()
        self.seed = seed
        self.instrument = instrument
        self.profile = profile or InstrumentProfile()
        largest = float(self.geometry.radius_mm.max())
        length = -(-(int(largest / _GRID_STEP_MM) + 200) // _GRID_FACTOR) * _GRID_FACTOR
        self._grid_mm = np.arange(length) * _GRID_STEP_MM
        self._pixel_index = np.rint(self.geometry.radius_mm / _GRID_STEP_MM).astype(np.int32)
        self._frequency = np.fft.rfftfreq(self._grid_mm.size, _GRID_STEP_MM)
        self._instrument_transform = self._transform_of_instrument()
        self._halo_per_pixel = self._halos()

    @property
    def mask(self) -> np.ndarray:
        """True where a pixel must not be used, shape of a frame."""
        return self.geometry.mask

    def geometry_poni(self) -> str:
        """Geometry as the text of a PONI file."""
        return self.geometry.poni()

    def frame(
        self,
        states: Sequence[tuple[float, ProbeState]],
        exposure_s: float,
        start_time_s: float,
        flux_photons_s: float = DEFAULT_FLUX_PHOTONS_S,
        *,
        stamp: int | None = None,
    ) -> np.ndarray:
        """Count one exposure.

        Parameters
        ----------
        states
            Weights and states of the cell that cover the exposure; the weights are relative.
        start_time_s
            Cell time at the start, which together with the seed determines the noise.
        stamp
            A counter to hide in four masked pixels, found again by `detector.read_stamp`.

        Returns
        -------
        numpy.ndarray
            uint32, shape of the detector.

        Raises
        ------
        ValueError
            If exposure or flux is negative or not finite, or the states have no weight.
        """
        expected = self.expectation(states, exposure_s, flux_photons_s)
        generator = keyed_generator(self.seed, self.instrument, round(start_time_s * 1000))
        counts = count_photons(expected, generator)
        if stamp is not None:
            write_stamp(counts, stamp)
        return counts

    def expectation(
        self,
        states: Sequence[tuple[float, ProbeState]],
        exposure_s: float,
        flux_photons_s: float = DEFAULT_FLUX_PHOTONS_S,
    ) -> np.ndarray:
        """Expected counts of each pixel, float32; zero behind the beamstop."""
        _check(states, exposure_s, flux_photons_s)
        profile = self._per_pixel(states) + self._halo_per_pixel
        profile *= exposure_s * flux_photons_s * TRANSMISSION_OF_STACK
        profile[self._grid_mm < self.geometry.beamstop_radius_mm - self.geometry.pixel_mm] = 0.0
        expected = profile.astype(np.float32)[self._pixel_index]
        expected *= self.geometry.polarisation_factor
        return expected

    def truth(self, states: Sequence[tuple[float, ProbeState]]) -> dict[str, Any]:
        """Averages over material and exposure of what the frame was made from, JSON-able.

        `mean` is always taken over the material (moles of host), not over intensity.
        """
        _check(states, 0.0, 0.0)
        found: dict[str, Any] = {}
        for side in ("positive", "negative"):
            weighted = [(weight, getattr(state, side)) for weight, state in states]
            material = weighted[0][1].material
            entry: dict[str, Any] = {"material": material}
            if material in ("NMC811", "graphite"):
                sample = crystallites(weighted)
                entry["li_content"] = float(np.dot(sample.weight, sample.li_content))
                if material == "NMC811":
                    a, c = oxide_lattice(sample.li_content)
                    entry["a_angstrom"] = float(np.dot(sample.weight, a))
                    entry["c_angstrom"] = float(np.dot(sample.weight, c))
                else:
                    entry.update(_graphite_truth(sample.li_content, sample.weight))
            found[side] = entry
        return found

    def _per_pixel(self, states: Sequence[tuple[float, ProbeState]]) -> np.ndarray:
        """Bragg photons per incident photon and pixel, polarisation aside, on the grid of radii."""
        total = np.zeros(self._frequency.size, dtype=complex)
        by_phase: dict[str, np.ndarray] = {}
        size = self._grid_mm.size
        for lines in all_lines(states, self.makeup, self.geometry.wavelength_angstrom):
            two_theta = 2 * np.arcsin(self.geometry.wavelength_angstrom * lines.inverse_d / 2)
            downstream_mm = (lines.depth_um + self.makeup.displacement_um) * 1e-3
            position = (self.geometry.distance_mm - downstream_mm) * np.tan(two_theta) / _GRID_STEP_MM
            inside = position < size - 2
            below = position[inside].astype(np.intp)
            share = position[inside] - below
            density = lines.fraction[inside] / _GRID_STEP_MM
            deposit = by_phase.setdefault(lines.phase, np.zeros(size))
            deposit += np.bincount(below, density * (1 - share), size)
            deposit += np.bincount(below + 1, density * share, size)
        for phase, deposit in by_phase.items():
            total += np.fft.rfft(deposit) * self._transform_of_crystallites(phase)
        per_radius = np.fft.irfft(total * self._instrument_transform, size)
        circumference = 2 * np.pi * np.maximum(self._grid_mm, self.geometry.pixel_mm)
        return np.maximum(per_radius, 0.0) / circumference * self.geometry.pixel_mm**2

    def _transform_of_instrument(self) -> np.ndarray:
        p, f = self.profile, self._frequency
        narrow = _gaussian_transform(f, p.narrow_sigma, -p.offset * p.broad_share)
        broad = _gaussian_transform(f, p.broad_sigma, p.offset * (1 - p.broad_share))
        spot = (1 - p.broad_share) * narrow + p.broad_share * broad
        glow = 1 - p.glow_share + p.glow_share / (1 + (2 * np.pi * f * p.glow_length) ** 2)
        return spot * glow * np.sinc(f * self.geometry.pixel_mm)

    def _transform_of_crystallites(self, phase: str) -> np.ndarray:
        sigma = _CRYSTALLITE_SIGMA_MM[phase]
        transform = np.zeros(self._frequency.size, dtype=complex)
        for scale, share in _SIZE_CLASSES:
            transform += share * _gaussian_transform(self._frequency, sigma * scale, 0.0)
        return transform

    def _halos(self) -> np.ndarray:
        two_theta_deg = np.degrees(np.arctan(self._grid_mm / self.geometry.distance_mm))
        per_sr = np.full(two_theta_deg.shape, _COMPTON_PER_SR)
        scale = {
            "electrolyte": self.makeup.electrolyte_um / 60,
            "window": self.makeup.window_um / 125,
            "air": self.geometry.distance_mm / 300,
        }
        for part, centre, sigma, strength in _HALOS:
            per_sr += scale[part] * strength * np.exp(-(((two_theta_deg - centre) / sigma) ** 2) / 2)
        solid_angle = (self.geometry.pixel_mm / self.geometry.distance_mm) ** 2
        return per_sr * solid_angle * np.cos(np.radians(two_theta_deg)) ** 3


def _gaussian_transform(frequency: np.ndarray, sigma: float, centre: float) -> np.ndarray:
    return np.exp(-2 * (np.pi * frequency * sigma) ** 2 - 2j * np.pi * frequency * centre)


def _graphite_truth(li_content: np.ndarray, weight: np.ndarray) -> dict[str, Any]:
    stages: dict[str, dict[str, float]] = {}
    poor = np.zeros(3)
    for share in graphite_stages(li_content):
        held = weight * share.fraction
        fraction = float(held.sum())
        if fraction <= 0:
            continue
        spacing = float(np.dot(held, share.layer_spacing_angstrom))
        in_plane = float(np.dot(held, share.in_plane_a_angstrom))
        stages[share.stage] = {
            "fraction": fraction,
            "layer_spacing_angstrom": spacing / fraction,
            "in_plane_a_angstrom": in_plane / fraction,
        }
        if share.stage != "1":
            poor += (fraction, spacing, in_plane)
    found: dict[str, Any] = {"stages": stages, "stage_1_fraction": 1.0 - float(poor[0])}
    if poor[0] > 0:
        found["poor_layer_spacing_angstrom"] = float(poor[1] / poor[0])
        found["poor_in_plane_a_angstrom"] = float(poor[2] / poor[0])
    return found


def _check(states: Sequence[tuple[float, ProbeState]], exposure_s: float, flux_photons_s: float) -> None:
    for name, value in (("exposure_s", exposure_s), ("flux_photons_s", flux_photons_s)):
        if not (np.isfinite(value) and value >= 0):
            raise ValueError(f"{name} is {value!r}; it must be finite and not negative")
    if not states or not sum(weight for weight, _ in states) > 0:
        raise ValueError("an exposure needs at least one state of the cell with a positive weight")
