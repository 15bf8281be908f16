"""The photoelectron spectrometer: what one exposure leaves on its detector and in its monitors."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.faces import HiddenFace, face_of
from intercalate_sims.probes.monitors import SteadyCounts, count_steady
from intercalate_sims.probes.shot import Shot
from intercalate_sims.probes.xps import Analyser, HiddenXps, Region, spectrum
from intercalate_sims.probes.xps_alloy import Alloy
from intercalate_sims.probes.xps_faces import Face, lithium_face
from intercalate_sims.probes.xps_samples import Layer, sputtered
from intercalate_sims.probes.xps_sei import SeiGrowth, SeiWorld

REFERENCES = {"Au": "Au", "Ag": "Ag"}
"""Clean metals on the stage, by what a holder holds."""

ALLOYS = (Face.IRREGULAR_ALLOY, Face.EVEN_ALLOY)
SEI_WORLDS = {
    Face.SEI_IN_STEPS: SeiWorld.STEPS,
    Face.SEI_AT_ONCE: SeiWorld.TOGETHER,
    Face.SEI_IN_ANOTHER_ORDER: SeiWorld.PERMUTED,
}
WATCHED_H = 20.0
"""In which a layer that grows in steps has begun with all of them."""
LITHIUM_FACES = (Face.LAYERED_LITHIUM, Face.BARE_LITHIUM)

REMOVAL_SIGMA = 0.15
"""Relative, of what argon ions remove over what tables say."""
PARTS = 3
"""Of an exposure in which a face changes: as many states of it are looked at."""


@dataclass(frozen=True)
class XpsOnPaper:
    """What users are told of the simulated spectrometer.

    Attributes
    ----------
    points
        Most energies of a spectrum.
    photons_s
        At the sample with the source as it is found, for which rates are given.
    photons_per_count
        Of I0.
    analyser
        At the source as it is found.
    """

    points: int
    photons_s: float
    photons_per_count: float
    analyser: Analyser


class XpsStation:
    """Analyser and monitors in the chamber.

    Parameters
    ----------
    faces
        Which electrode a cell turns to the analyser, by its name.
    seed
        Of noise, and of faces that are drawn.
    others
        Faces of cells that are not those of their models.
    """

    def __init__(
        self,
        paper: XpsOnPaper,
        hidden: HiddenXps,
        face: HiddenFace,
        faces: Mapping[str, str],
        seed: int,
        others: Mapping[str, Face] = MappingProxyType({}),
    ):
        self._paper = paper
        self._hidden = hidden
        self._face = face
        self._faces = dict(faces)
        self._seed = seed
        self._others = others
        self._first_s: dict[str, float] = {}
        off = float(keyed_generator(seed, "removal by argon", 0).standard_normal())
        self._removal = max(1.0 + REMOVAL_SIGMA * off, 0.5)
        self._alloys = {one: Alloy(seed, one is Face.EVEN_ALLOY) for one in ALLOYS}
        self.cells = frozenset(faces)
        self.shape = (1, paper.points)

    def take(self, shot: Shot, stamp: int) -> tuple[np.ndarray, SteadyCounts, dict[str, Any]]:
        """Spectrum of a region as a frame of one row (uint32), zero behind its end, I0, and what made them.

        Raises
        ------
        ValueError
            If such a region cannot be measured.
        """
        region, analyser = self._asked(shot)
        expected = np.zeros(region.binding_ev().size, dtype=np.uint32)
        seen = self._seen(shot)
        for number, (share, stack) in enumerate(seen):
            part = replace(region, dwell_s=region.dwell_s * share)
            # Each part of an exposure has noise of its own.
            key = 8 * round(shot.start_s * 1000) + number
            expected = expected + spectrum(stack, part, analyser, self._hidden, self._seed, key)
        frame = np.zeros(self.shape, dtype=np.uint32)
        frame[0, : expected.size] = expected
        truth = {
            "content": shot.in_beam.content,
            "region": region.name,
            "stack": [_told(layer) for layer in seen[-1][1]] if seen else [],
            "sputtered_1e16_cm2": fluence_at(shot),
        }
        if (alloy := self._alloy(shot)) is not None:
            truth |= self._told_of(alloy, shot)
        return frame, self.count(shot), truth

    def count(self, shot: Shot) -> SteadyCounts:
        """Counts of I0 in an exposure."""
        generator = keyed_generator(self._seed, "mesh", round(shot.start_s * 1000))
        return count_steady(shot.photons, self._paper.photons_per_count, shot.exposure_s, generator)

    def _asked(self, shot: Shot) -> tuple[Region, Analyser]:
        asked = shot.settings
        region = Region(
            str(asked["region"]),
            asked["start_ev"],
            asked["stop_ev"],
            asked["step_ev"],
            asked["pass_energy_ev"],
            dwell_s=1.0,
            sweeps=1,
        )
        points = region.binding_ev().size
        if points > self._paper.points:
            raise ValueError(
                f"the region {region.name} has {points} energies; the detector keeps {self._paper.points}"
            )
        lit = shot.photons_s / self._paper.photons_s
        analyser = replace(
            self._paper.analyser,
            rate_ev_per_s=self._paper.analyser.rate_ev_per_s * lit,
            flood_gun=asked["flood_gun"],
        )
        return replace(region, dwell_s=shot.exposure_s / points), analyser

    def _alloy(self, shot: Shot) -> Alloy | None:
        """What is in the beam, if it is an alloy."""
        face = self._others.get(shot.in_beam.content or "")
        return None if face is None else self._alloys.get(face)

    def _grown(self, content: str, face: Face, elapsed_s: float) -> list[Layer]:
        """The layer on lithium beside sulfur, which grows from when it is first looked at."""
        since_s = elapsed_s - self._first_s.setdefault(content, elapsed_s)
        return SeiGrowth.draw(self._seed, SEI_WORLDS[face], WATCHED_H).stack(since_s / 3600.0)

    def _told_of(self, alloy: Alloy, shot: Shot) -> dict[str, Any]:
        x_um, y_um, spot_um = _spot_um(shot)
        share = alloy.share(x_um, y_um, spot_um)
        return {"place_um": [x_um, y_um], "share": share, "lacking": alloy.lacking}

    def _seen(self, shot: Shot) -> list[tuple[float, list[Layer]]]:
        """Shares of the exposure, with the layers that the photons met, as argon ions have left them."""
        seen, fluence = self._grown_there(shot), fluence_at(shot)
        if fluence == 0:
            return seen
        return [(share, list(sputtered(stack, self._removal * fluence))) for share, stack in seen]

    def _grown_there(self, shot: Shot) -> list[tuple[float, list[Layer]]]:
        """The same without what ions have done."""
        content = shot.in_beam.content or ""
        if content in REFERENCES:
            return [(1.0, [Layer(REFERENCES[content])])]
        side = shot.face or self._faces.get(content)
        if side is None or not shot.states:
            return []
        if (alloy := self._alloy(shot)) is not None:
            x_um, y_um, spot_um = _spot_um(shot)
            share, seen = alloy.share(x_um, y_um, spot_um), alloy.brightness(x_um, y_um)
            parts = ((1.0 - share, alloy.usual), (share, alloy.other))
            return [(seen * part, list(stack)) for part, stack in parts if part > 0]
        if self._others.get(content) in SEI_WORLDS:
            return [(1.0, self._grown(content, self._others[content], shot.elapsed_s))]
        if self._others.get(content) in LITHIUM_FACES:
            return [(1.0, lithium_face(self._seed, self._others[content], self._face.hydrocarbon_nm))]
        states = [state for _, state in shot.states]
        chosen = states[:: max(1, len(states) // PARTS)]
        met = shot.air_mbar_s
        return [(1.0 / len(chosen), face_of(getattr(one, side), self._face, met)) for one in chosen]


def fluence_at(shot: Shot) -> float:
    """Argon ions that the spot has received, in 1e16 per cm2."""
    x_mm, y_mm = shot.in_beam.place_mm
    return sum(
        one.reached
        for one in shot.sputtered
        if abs(one.x_mm - x_mm) < 0.0005 * one.width_um and abs(one.y_mm - y_mm) < 0.0005 * one.height_um
    )


def _spot_um(shot: Shot) -> tuple[float, float, float]:
    """Where the beam is on the sample, and how wide."""
    x_mm, y_mm = shot.in_beam.place_mm
    return 1000.0 * x_mm, 1000.0 * y_mm, 1000.0 * shot.size_mm[0]


def _told(layer: Layer) -> dict[str, Any]:
    """A layer as JSON has it; a substrate has no thickness."""
    thickness_nm = None if np.isinf(layer.thickness_nm) else layer.thickness_nm
    return {"shares": dict(layer.shares), "thickness_nm": thickness_nm}
