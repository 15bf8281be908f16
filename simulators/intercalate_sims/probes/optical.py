"""What a colour camera behind the objective of a Raman microscope sees in white light."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from scipy import ndimage

from intercalate.colour_frames import frame_shape, packed
from intercalate.materials.constants import KEV_J
from intercalate.materials.optical import GRAPHITE_COLOURS, SILICON_REFLECTANCE
from intercalate_sims.cell.interface import ElectrodeState
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.fiducials import on_mark
from intercalate_sims.probes.monitors import SteadyCounts, count_steady
from intercalate_sims.probes.raman import li_contents
from intercalate_sims.probes.raman_station import (
    GRAPHITE,
    REFLECTIVITY,
    SILICON,
    HiddenRaman,
    electrode_behind_window,
)
from intercalate_sims.probes.shot import Shot

MARK_REFLECTANCE = (0.90, 0.62, 0.50)
"""Of copper."""
NOTHING = 0.02
"""Of what is no face."""
BLUR_UM, BLUR_PER_UM = 0.4, 0.12
"""Standard width of a point in focus, and how it grows with the distance from it."""
ELECTRONS_PER_J = 2.0e9
"""Of a pixel, for each joule of white light on the field, from a white face."""
COUNTS_PER_ELECTRON, READ_ELECTRONS, DARK_COUNTS, FULL_WELL_COUNTS = 0.5, 6.0, 100.0, 65_535.0


@dataclass(frozen=True)
class HiddenCamera:
    """By how much a camera differs from what is on paper.

    Attributes
    ----------
    scale
        True over stated size of a pixel.
    balance
        Of red, green and blue: lamp, optics and camera together.
    vignette
        By what the corners are darker.
    """

    scale: float = 1.0
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    vignette: float = 0.0

    @classmethod
    def draw(cls, seed: int) -> Self:
        """A camera of this seed."""
        normal = keyed_generator(seed, "optical camera", 0).standard_normal(5)
        red, green, blue = np.exp(np.array([0.0, 0.1, -0.15]) + 0.1 * normal[1:4])
        return cls(
            1.0 + 0.01 * float(normal[0]),
            (float(red), float(green), float(blue)),
            0.15 * float(np.exp(0.3 * normal[4])),
        )


class OpticalStation:
    """The camera, whose middle is where the laser of the spectrometer meets the sample.

    Parameters
    ----------
    shape
        Rows and columns.
    pixel_um
        As its users are told.
    raman
        What is hidden of the microscope: where the faces are.
    cells
        Names of the contents whose states an exposure needs.
    particles_per_count
        Of the lamp's monitor.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        pixel_um: float,
        hidden: HiddenCamera,
        raman: HiddenRaman,
        cells: Collection[str],
        particles_per_count: float,
        seed: int,
    ):
        self.shape = frame_shape(*shape)
        self.cells = frozenset(cells)
        self._pixels = shape
        self._pixel_um = pixel_um * hidden.scale
        self._hidden, self._raman = hidden, raman
        self._per_count = particles_per_count
        self._seed = seed

    def take(self, shot: Shot, stamp: int) -> tuple[np.ndarray, SteadyCounts, dict[str, Any]]:
        """Image as a frame (uint32), counts of the lamp's monitor, and what was in view."""
        reflectance, truth = self._reflectance(shot)
        away_um = self._away_um(shot)
        blur_px = (BLUR_UM + BLUR_PER_UM * abs(away_um)) / self._pixel_um
        seen = ndimage.gaussian_filter(reflectance, (blur_px, blur_px, 0.0), mode="nearest")
        row, column = (np.linspace(-1.0, 1.0, count) for count in self._pixels)
        even = 1.0 - self._hidden.vignette * (row[:, None] ** 2 + column[None, :] ** 2) / 2.0
        joules = shot.photons * shot.energy_kev * KEV_J
        expected = ELECTRONS_PER_J * joules * even[..., None] * np.array(self._hidden.balance) * seen
        generator = keyed_generator(self._seed, "optical camera", round(shot.start_s * 1000))
        electrons = generator.poisson(expected) + READ_ELECTRONS * generator.standard_normal(expected.shape)
        counts = np.clip(np.round(DARK_COUNTS + COUNTS_PER_ELECTRON * electrons), 0.0, FULL_WELL_COUNTS)
        return packed(counts), self.count(shot), {**truth, "away_um": away_um, "blur_px": blur_px}

    def count(self, shot: Shot) -> SteadyCounts:
        """Counts of the lamp's monitor."""
        generator = keyed_generator(self._seed, "lamp monitor", round(shot.start_s * 1000))
        return count_steady(shot.photons, self._per_count, shot.exposure_s, generator)

    def as_json(self) -> dict[str, Any]:
        """What is hidden, JSON-able."""
        return asdict(self._hidden)

    def _away_um(self, shot: Shot) -> float:
        """Distance of the focus from the face."""
        holder = shot.in_beam.holder
        if holder is None:
            return 0.0
        return shot.focus_um - self._raman.surface_at_um(holder.name, shot.elapsed_s)

    def _reflectance(self, shot: Shot) -> tuple[np.ndarray, dict[str, Any]]:
        """Of every pixel, shape (rows, columns, 3), and what is there."""
        x_um, y_um = self._places_um(shot)
        found = np.full((*self._pixels, 3), NOTHING)
        content = shot.in_beam.content
        truth: dict[str, Any] = {"content": content, "holder": getattr(shot.in_beam.holder, "name", None)}
        truth["place_um"] = [1000.0 * at_mm for at_mm in shot.in_beam.place_mm]
        if content == SILICON:
            found[:] = SILICON_REFLECTANCE
        elif content in self.cells and shot.states:
            contents = np.zeros(self._pixels)
            found[:] = 0.0
            for weight, state in shot.seen:
                electrode = electrode_behind_window(state)
                reflected, li_content = self._face(electrode, x_um, y_um)
                found += weight * reflected
                contents += weight * li_content
            truth["li_content"] = float(contents.mean())
        if shot.states:
            found[on_mark(x_um, y_um)] = MARK_REFLECTANCE
        return found, truth

    def _places_um(self, shot: Shot) -> tuple[np.ndarray, np.ndarray]:
        """Of every pixel on the sample; + right and down."""
        x_mm, y_mm = shot.in_beam.place_mm
        rows, columns = self._pixels
        x_um = 1000.0 * x_mm + self._pixel_um * (np.arange(columns) - (columns - 1) / 2)
        y_um = 1000.0 * y_mm + self._pixel_um * (np.arange(rows) - (rows - 1) / 2)
        return np.broadcast_to(x_um, self._pixels), np.broadcast_to(y_um[:, None], self._pixels)

    def _face(
        self, electrode: ElectrodeState | None, x_um: np.ndarray, y_um: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What an electrode reflects, and its lithium content."""
        if electrode is None:
            return np.full((*self._pixels, 3), NOTHING), np.zeros(self._pixels)
        content = li_contents(self._seed, electrode, x_um, y_um)
        if electrode.material != GRAPHITE:
            return np.full((*self._pixels, 3), REFLECTIVITY.get(electrode.material, NOTHING)), content
        return graphite_reflectance(content), content


def graphite_reflectance(li_content: np.ndarray) -> np.ndarray:
    """Of LixC6, shape (..., 3): between two stages both lie side by side, finer than can be seen."""
    stages = list(GRAPHITE_COLOURS.values())
    at = [one.li_content for one in stages]
    planes = [np.interp(li_content, at, [one.reflectance[k] for one in stages]) for k in range(3)]
    return np.stack(planes, axis=-1)
