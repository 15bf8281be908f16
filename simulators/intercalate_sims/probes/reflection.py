"""Frames in reflection: what a cell scatters back through the window by which the beam came in.

The sample is tilted about a horizontal axis, so that the beam falls on it at a small angle. Rays scattered
upwards leave it; those below its plane stay in it. What lies deep is weakened on both ways, by how much
depends on the azimuth, so a frame is made sector by sector.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from intercalate.materials import electrode
from intercalate.materials.attenuation import COMPOUNDS, attenuation_per_um, part_per_um
from intercalate.materials.constants import HC_KEV_ANGSTROM
from intercalate_sims.cell.interface import ElectrodeState, ProbeState
from intercalate_sims.changer import WINDOW_RADIUS_MM
from intercalate_sims.probes.detector import DetectorGeometry
from intercalate_sims.probes.halos import Halos
from intercalate_sims.probes.powder import CellMakeup, Lines
from intercalate_sims.probes.projection import Projection
from intercalate_sims.probes.samples import Sample

SECTOR_DEG = 9.0
"""Of azimuth, in which the way out is that of its middle."""

LEAST_DEG, MOST_DEG = 0.2, 20.0
"""Angles of incidence that are simulated."""

TRANSMISSION_DEG = 80.0
"""From which on the beam passes through, as through a sample that is not tilted."""

SLICES_OF_BEAM = 5
"""Across the height of the beam, each of which meets the sample at another place along it."""

TOGETHER = 5e-5
"""Relative difference of 1/d within which lines from one depth are one: 5e-4 deg of 2theta."""


@dataclass(frozen=True)
class Incidence:
    """How the beam falls on a sample.

    Attributes
    ----------
    angle_deg
        Between beam and face.
    beam_mm
        Height of the beam.
    height_um
        Of the face from the axis of the tilt, + into the sample.
    """

    angle_deg: float
    beam_mm: float
    height_um: float = 0.0

    @property
    def on_window(self) -> float:
        """Share of the beam that falls on the window, and not on the frame around it."""
        return min(1.0, 2 * WINDOW_RADIUS_MM * np.sin(np.radians(self.angle_deg)) / self.beam_mm)


def check_incidence(angle_deg: float, makeup: CellMakeup, content: str) -> None:
    """Whether a cell can be simulated at this angle.

    Raises
    ------
    ValueError
        If it has no window for reflection, or the angle is none.
    """
    if not makeup.reflects:
        raise ValueError(f"{content} has no window for reflection: take it in transmission, at 90 deg")
    if not LEAST_DEG <= angle_deg <= MOST_DEG:
        raise ValueError(
            f"{content} at an incidence of {angle_deg:.3g} deg: there is a model from {LEAST_DEG:g} to "
            f"{MOST_DEG:g} deg"
        )


class Stack:
    """Optical depth below the face of a cell, normal to it.

    Parameters
    ----------
    state
        Of the cell, by whose electrodes it is as thick as it is.
    energy_kev
        True one.
    """

    def __init__(self, state: ProbeState, makeup: CellMakeup, energy_kev: float):
        near = getattr(state, makeup.reflects)
        far = state.negative if makeup.reflects == "positive" else state.positive
        sign = -1.0 if makeup.reflects == "positive" else 1.0
        collector: str = getattr(makeup, f"{makeup.reflects}_collector")
        collector_um: float = getattr(makeup, f"{makeup.reflects}_collector_um")
        separator = makeup.separator_solid_fraction * part_per_um("PE", energy_kev) + (
            1 - makeup.separator_solid_fraction
        ) * part_per_um("electrolyte", energy_kev)
        layers = [
            (collector_um, part_per_um(collector, energy_kev)),
            (near.thickness_um, coating_per_um(near, makeup, energy_kev)),
            (makeup.separator_um, separator),
            (max(far.thickness_um, makeup.lithium_um), part_per_um("Li", energy_kev)),
        ]
        thickness, per_um = np.array(layers).T
        window = makeup.window_um * part_per_um("Kapton", energy_kev)
        self._depth_um = np.concatenate([[0.0], np.cumsum(thickness)])
        self._optical = window + np.concatenate([[0.0], np.cumsum(thickness * per_um)])
        self._sign = sign
        self._face_um = sign * (makeup.separator_um / 2 + near.thickness_um + collector_um)

    def below_face_um(self, depth_um: np.ndarray) -> np.ndarray:
        """From where lines count depths, which is the middle of the separator."""
        return self._sign * (self._face_um - depth_um)

    def optical_depth(self, below_face_um: np.ndarray) -> np.ndarray:
        """Exponent of the loss on the way straight down to there."""
        return np.interp(below_face_um, self._depth_um, self._optical)


def coating_per_um(state: ElectrodeState, makeup: CellMakeup, energy_kev: float) -> float:
    """Linear attenuation coefficient of a coating: active material and what fills the rest."""
    table = electrode(state.material)
    density_g_cm3 = state.active_loading_mg_cm2 * 1e-3 / (state.thickness_um * 1e-4)
    found = attenuation_per_um(table.reference_formula, density_g_cm3, energy_kev)
    return found + sum(
        attenuation_per_um(COMPOUNDS[key].formula, density, energy_kev) for key, density in makeup.filling
    )


def sine_of_exit(two_theta: np.ndarray, azimuth: float, incidence: float) -> np.ndarray:
    """Sine of the angle at which a ray leaves the face; below 0 it stays in the sample. All in radians.

    Parameters
    ----------
    azimuth
        From straight up, around the beam.
    """
    return np.sin(two_theta) * np.cos(azimuth) * np.cos(incidence) - np.cos(two_theta) * np.sin(incidence)


def merged(lines: Sequence[Lines]) -> list[Lines]:
    """The same lines with those that nothing tells apart as one: an electrode has thousands in each frame."""
    found = []
    for one in lines:
        place, level = np.unique(one.depth_um, return_inverse=True)
        keys = np.rint(np.log(one.inverse_d) / TOGETHER).astype(np.int64) * place.size + level
        _, first, number = np.unique(keys, return_index=True, return_inverse=True)
        total = np.bincount(number, one.fraction)
        found.append(Lines(one.phase, one.inverse_d[first], total, one.depth_um[first]))
    return found


def lines_in_sector(
    lines: Sequence[Lines], stack: Stack, how: Incidence, azimuth: float, wavelength_angstrom: float
) -> list[Lines]:
    """Lines as they come out of the face towards an azimuth (radians), by their places along the beam.

    What is met at an angle is longer by 1 / sin(angle) on the way of the beam. A ray that meets the face
    higher up meets it further downstream, and so do those that go deeper.
    """
    angle = np.radians(how.angle_deg)
    heights_um = 1e3 * how.beam_mm * ((np.arange(SLICES_OF_BEAM) + 0.5) / SLICES_OF_BEAM - 0.5)
    found = []
    for one in lines:
        two_theta = 2 * np.arcsin(np.minimum(wavelength_angstrom * one.inverse_d / 2, 1.0))
        leaving = sine_of_exit(two_theta, azimuth, angle)
        out = leaving > 0
        if not out.any():
            continue
        below = stack.below_face_um(one.depth_um[out])
        ways = 1 / np.sin(angle) + 1 / leaving[out]
        kept = one.fraction[out] / np.sin(angle) * np.exp(-stack.optical_depth(below) * ways)
        along = (below + how.height_um) / np.sin(angle)
        # A point above the middle of the beam has its rings around a centre that is as high.
        by_height = 1 / np.tan(angle) - np.cos(azimuth) / np.tan(two_theta[out])
        places = along[:, None] + heights_um * by_height[:, None]
        spread = np.broadcast_to(kept[:, None] / SLICES_OF_BEAM, places.shape)
        inverse_d = np.broadcast_to(one.inverse_d[out, None], places.shape)
        found.append(Lines(one.phase, inverse_d.ravel(), spread.ravel(), places.ravel()))
    return found


@lru_cache(maxsize=4)
def sectors(geometry: DetectorGeometry) -> list[tuple[float, np.ndarray]]:
    """Azimuth of the middle of each sector from straight up, in radians, and the pixels in it that count."""
    azimuth = np.pi / 2 - geometry.azimuth_rad
    turned = (azimuth + np.pi) % (2 * np.pi) - np.pi
    sector = np.floor(np.degrees(turned) / SECTOR_DEG).astype(np.int16)
    used = ~geometry.mask
    return [
        (float(np.radians((number + 0.5) * SECTOR_DEG)), np.flatnonzero(used & (sector == number)))
        for number in np.unique(sector[used])
    ]


def reflected(
    projection: Projection,
    sample: Sample,
    states: Sequence[tuple[float, ProbeState]],
    makeup: CellMakeup,
    how: Incidence,
    wavelength_angstrom: float,
    photons: float,
) -> np.ndarray:
    """Photons expected in each pixel, float32.

    Halos of window and electrolyte are as strong as their paths are long, and end at the plane of the
    sample; air scatters everywhere. The crystallites in a beam that is drawn out over the sample are many:
    rings are even.
    """
    stack = Stack(states[0][1], makeup, HC_KEV_ANGSTROM / wavelength_angstrom)
    all_lines = merged(sample.lines)
    angle = np.radians(how.angle_deg)
    met = photons * how.on_window
    air = projection.halo(Halos(air_mm=projection.geometry.distance_mm))
    covered = replace(sample.halos, air_mm=0.0)
    longer = replace(
        covered,
        window_um=covered.window_um / np.sin(angle),
        electrolyte_um=_electrolyte_path_um(states[0][1], makeup, stack, angle),
    )
    halo = projection.halo(longer)
    frame = np.zeros(projection.geometry.shape, dtype=np.float32)
    two_theta = np.radians(projection.two_theta_deg)
    for middle, own in sectors(projection.geometry):
        profile = photons * air
        if np.cos(middle) > 0:
            lines = lines_in_sector(all_lines, stack, how, middle, wavelength_angstrom)
            rings = projection.rings(lines, wavelength_angstrom, 0.0)
            out = sine_of_exit(two_theta, middle, angle) > 0
            profile = profile + met * (sum(rings.values(), np.zeros(halo.shape)) + np.where(out, halo, 0.0))
        frame.flat[own] = projection.at(profile, own)
    return frame


def _electrolyte_path_um(state: ProbeState, makeup: CellMakeup, stack: Stack, angle: float) -> float:
    """Of the electrolyte that is seen: that in the pores down to where half of the beam is left, or all."""
    depth_um = np.linspace(0.0, getattr(state, makeup.reflects).thickness_um, 101)
    collector_um = getattr(makeup, f"{makeup.reflects}_collector_um")
    kept = np.exp(-2 * stack.optical_depth(collector_um + depth_um) / np.sin(angle))
    density = dict(makeup.filling)["electrolyte"] / COMPOUNDS["electrolyte"].density_g_cm3
    return float(density * np.trapezoid(kept, depth_um) / np.sin(angle))
