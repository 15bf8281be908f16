"""Maps of X-rays: the spectra of a grid of places, of sections and of films that electrons pass."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import ndimage

from intercalate.materials.constants import ELEMENTARY_CHARGE_C
from intercalate.materials.eds import XrayDetector
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.eds import EdsConditions, EdsProbe, HiddenDetector
from intercalate_sims.probes.eds_film import film_rate
from intercalate_sims.probes.monitors import SpecimenCounts
from intercalate_sims.probes.sem_garnet import GARNET, PHASES
from intercalate_sims.probes.sem_station import PURE, ImagingStation, Specimens, conditions_of, source_of
from intercalate_sims.probes.sem_surface import Grid
from intercalate_sims.probes.shot import Shot

FINER = 3
"""Parts of a place in each direction that are looked at by themselves."""
QUICK_S = 20.0
"""Of one scan: a map is the sum of many, each laid upon the first, so that a sample may drift meanwhile."""
SPREAD_PER_UM = 0.2
"""Standard deviation by which electrons spread in a film, per thickness; an illustration."""
_LEVEL_UM = 1.5
"""Between thicknesses of a film for which spectra are reckoned; between them they are interpolated."""


class XrayMapStation:
    """A detector of X-rays on the column; a frame has the spectrum of one place of a scan in each row.

    Parameters
    ----------
    points
        Rows and columns of a map.
    """

    def __init__(
        self,
        specimens: Specimens,
        detector: XrayDetector,
        hidden: HiddenDetector,
        electrons_per_count: float,
        seed: int,
        points: tuple[int, int],
    ):
        self._specimens, self._points, self._seed = specimens, points, seed
        self._paper = detector, hidden, seed
        self._probe = EdsProbe(*self._paper)
        self._imaging = ImagingStation(specimens, (16, 16), electrons_per_count, seed)
        self.shape = (points[0] * points[1], detector.channels)
        self.cells = specimens.cells

    def take(self, shot: Shot, stamp: int) -> tuple[np.ndarray, SpecimenCounts, dict[str, Any]]:
        """Spectra, one a row (uint32), counts of the monitors, and what was under the scan."""
        rows, columns = self._points
        grid = self._grid(shot)
        current_na = shot.photons_s * ELEMENTARY_CHARGE_C * 1e9
        conditions = EdsConditions(shot.energy_kev, current_na, shot.exposure_s / (rows * columns))
        film_um = self._specimens.film_um(shot, grid)
        truth: dict[str, Any] = {"content": shot.in_beam.content}
        if film_um is None:
            rates = self._of_materials(shot, grid, conditions)
        else:
            spread_px = SPREAD_PER_UM * float(film_um.mean()) / grid.pixel_um
            phases = self._specimens.garnet(shot, grid)
            rates = self._through(film_um, phases, spread_px, conditions)
            truth["film_um"] = float(film_um.mean())
            truth["film_spread_um"] = float(_blocks(film_um).std())
        generator = keyed_generator(self._seed, "x-ray map", round(shot.start_s * 1000))
        frame = generator.poisson(rates * conditions.real_s).astype(np.uint32)
        return frame.reshape(self.shape), self.count(shot), truth

    def count(self, shot: Shot) -> SpecimenCounts:
        """Counts of the monitors."""
        return self._imaging.count(shot)

    def film_um(self, shot: Shot) -> np.ndarray | None:
        """Thickness of a film at the places of a scan, shape (rows, columns), for benchmarks alone."""
        found = self._specimens.film_um(shot, self._grid(shot))
        return None if found is None else _blocks(found)

    def _grid(self, shot: Shot) -> Grid:
        rows, columns = (FINER * one for one in self._points)
        quick = replace(shot, exposure_s=min(shot.exposure_s, QUICK_S))
        return self._specimens.probe.grid(conditions_of(quick, rows, columns), shot.start_s)

    def _of_materials(self, shot: Shot, grid: Grid, conditions: EdsConditions) -> np.ndarray:
        """Counts per second and channel where one material lies beside the other."""
        if shot.in_beam.content in PURE:
            rate, live = self._probe.rate(source_of(str(shot.in_beam.content)), conditions)
            return np.broadcast_to(live * rate, (*self._points, rate.size))
        relief = self._specimens.relief(shot, grid)
        shares = [
            _blocks((relief.material == number).astype(float)) for number in range(len(relief.materials))
        ]
        rates = np.zeros((len(shares), self.shape[1]))
        for number, name in enumerate(relief.materials):
            if name != "vacuum":
                rate, live = self._probe.rate(source_of(name), conditions)
                rates[number] = live * rate
        return np.stack(shares, axis=-1) @ rates

    def _through(
        self, film_um: np.ndarray, phases: np.ndarray, spread_px: float, conditions: EdsConditions
    ) -> np.ndarray:
        """Counts per second and channel of a garnet and its other phases below a film."""
        at = film_um / _LEVEL_UM
        weights, rates = [], []
        for phase, name in enumerate((GARNET, *PHASES)):
            here = phases == phase
            for level in range(int(at.max()) + 2):
                weight = np.where(here, np.maximum(1.0 - abs(at - level), 0.0), 0.0)
                if weight.any():
                    weights.append(_blocks(ndimage.gaussian_filter(weight, spread_px, mode="nearest")))
                    rates.append(_film_rate(self._paper, name, level * _LEVEL_UM, conditions))
        return np.stack(weights, axis=-1) @ np.array(rates)


@lru_cache(maxsize=256)
def _film_rate(
    paper: tuple[XrayDetector, HiddenDetector, int],
    below: str,
    thickness_um: float,
    conditions: EdsConditions,
) -> np.ndarray:
    """Counts per second and channel of lithium on something, dead time taken off."""
    film = source_of("lithium")
    rate, live = film_rate(EdsProbe(*paper), film, thickness_um, source_of(below), conditions)
    return rate * live


def _blocks(values: np.ndarray) -> np.ndarray:
    """Means over places of what was looked at in parts."""
    rows, columns = (size // FINER for size in values.shape)
    return values.reshape(rows, FINER, columns, FINER).mean(axis=(1, 3))
