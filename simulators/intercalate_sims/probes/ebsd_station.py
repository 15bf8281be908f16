"""Electron backscatter diffraction: the orientation map that a scan over lithium leaves."""

from dataclasses import replace
from typing import Any

import numpy as np

from intercalate.orientation_frames import OrientationFrame, frame_shape, packed
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.ebsd import EbsdConditions, Grains, HiddenIndexing, orientation_map
from intercalate_sims.probes.monitors import SpecimenCounts
from intercalate_sims.probes.sem_face import METALS
from intercalate_sims.probes.sem_station import ImagingStation, Specimens, conditions_of
from intercalate_sims.probes.shot import Shot

METAL = "lithium"
PATTERN_ELECTRONS = 3e6
"""At a point, by which the share of patterns that are too weak falls to 1/e."""
GRAIN_UM = 10.0
"""Median diameter of the grains of rolled lithium."""


class OrientationStation:
    """A screen for diffraction patterns on the column; a frame is the map of all points.

    Grains are drawn for each cell and field, and anew each time that its lithium has frozen.

    Parameters
    ----------
    specimens
        What is on the stage.
    points
        Rows and columns of a map.
    electrons_per_count
        Of I0.
    """

    def __init__(
        self,
        specimens: Specimens,
        points: tuple[int, int],
        hidden: HiddenIndexing,
        electrons_per_count: float,
        seed: int,
    ):
        self._specimens = specimens
        self._points = points
        self._hidden = hidden
        self._imaging = ImagingStation(specimens, (16, 16), electrons_per_count, seed)
        self._seed = seed
        self.shape = frame_shape(*points)
        self.cells = specimens.cells

    def take(self, shot: Shot, stamp: int) -> tuple[np.ndarray, SpecimenCounts, dict[str, Any]]:
        """Map as a frame (uint32), counts of the monitors, and the grains that are there."""
        grains = self.grains(shot)
        step_um = float(shot.settings["step_um"])
        asked = EbsdConditions(
            step_um=step_um * self._specimens.probe.hidden.scale,
            rows=self._points[0],
            columns=self._points[1],
            tilt_deg=float(shot.settings["tilt_deg"]),
            temperature_c=float(shot.settings["temperature_c"]),
        )
        lit = 1.0 - np.exp(-shot.photons / (self._points[0] * self._points[1] * PATTERN_ELECTRONS))
        hidden = replace(self._hidden, lost=1.0 - (1.0 - self._hidden.lost) * float(lit))
        made = orientation_map(grains, asked, hidden, self._seed_of(shot), shot.start_s)
        metal = self._metal(shot, step_um)
        is_known = made.indexed & metal
        contrast = np.where(metal, lit * made.band_contrast, 0.0)
        frame = packed(OrientationFrame(made.euler_deg, contrast, is_known))
        truth = {
            "content": shot.in_beam.content,
            "generation": grains.generation,
            "grains": int(np.unique(made.grain[metal]).size),
            "metal_share": float(metal.mean()),
            "diameter_um": grains.diameter_um,
            "step_um": asked.step_um,
            "electrons": shot.photons,
        }
        return frame, self.count(shot), truth

    def count(self, shot: Shot) -> SpecimenCounts:
        """Counts of the monitors."""
        return self._imaging.count(shot)

    def grains(self, shot: Shot) -> Grains:
        """Of the lithium in the beam."""
        draw = keyed_generator(self._seed, f"grain size of {shot.in_beam.content}", 0).standard_normal()
        heating = self._specimens.heating
        generation = heating.generation(int(shot.settings.get("freezes", 0)))
        return Grains(GRAIN_UM * float(np.exp(0.2 * draw)), generation, melts_c=heating.melts_c)

    def _seed_of(self, shot: Shot) -> int:
        """Of the grains, and of the noise, of a cell's field."""
        x_mm, y_mm = shot.in_beam.place_mm
        field = f"grains of {shot.in_beam.content} at {x_mm:.2f} {y_mm:.2f}"
        return int(keyed_generator(self._seed, field, 0).integers(2**31))

    def _metal(self, shot: Shot, step_um: float) -> np.ndarray:
        """Where there is lithium within the field that the column scans."""
        rows, columns = self._points
        if self._specimens.shows_face(shot):
            face = self._specimens.electrode(shot)
            metal = np.full(self._points, face is not None and face.material in METALS)
        elif shot.in_beam.content in self._specimens.cells:
            conditions = replace(conditions_of(shot, rows, columns), pixel_um=step_um)
            grid = self._specimens.probe.grid(conditions, shot.start_s)
            relief = self._specimens.relief(shot, grid)
            metal = relief.material == relief.index(METAL)
        else:
            metal = np.zeros(self._points, dtype=bool)
        within = [
            np.abs(np.arange(count) - (count - 1) / 2) * step_um <= 500.0 * side_mm
            for count, side_mm in zip((rows, columns), reversed(shot.size_mm))
        ]
        return metal & within[0][:, None] & within[1][None, :]
