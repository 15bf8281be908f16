"""The electron microscope: what one scan leaves as an image, or as a spectrum of X-rays."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xraydb

from intercalate.materials.constants import ELEMENTARY_CHARGE_C
from intercalate.materials.eds import XrayDetector
from intercalate.materials.electron_range import IMAGED_MATERIALS
from intercalate_sims.cell import make_cell
from intercalate_sims.cell.interface import ElectrodeState, ProbeState
from intercalate_sims.milling import Cut
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.eds import EdsConditions, EdsProbe, HiddenDetector, XraySource
from intercalate_sims.probes.fiducials import METAL, on_mark
from intercalate_sims.probes.monitors import SpecimenCounts, count_specimen
from intercalate_sims.probes.sem_face import ROOM_C, Heating, HiddenFace, face_of
from intercalate_sims.probes.sem_garnet import GARNET, HiddenGarnet, phases_of
from intercalate_sims.probes.sem_image import (
    Exposed,
    HiddenMicroscope,
    ImageConditions,
    ImageDetector,
    SemProbe,
    burn,
)
from intercalate_sims.probes.sem_milled import HiddenInterior, Interior, cut_open, opened_isle, opened_place
from intercalate_sims.probes.sem_relief import relief
from intercalate_sims.probes.sem_sample import HiddenSection, SectionLaw, section_of
from intercalate_sims.probes.sem_section import CrossSection, calibration_grid, section_relief
from intercalate_sims.probes.sem_surface import Grid, Relief
from intercalate_sims.probes.sem_thinning import HiddenThinning, ThinnedFace, Thinning
from intercalate_sims.probes.shot import Shot

GRID_PITCH_UM = 10.0
MBAR_PA = 100.0
CUP = "Faraday cup"
PURE = {"Cu": 29, "Co": 27}
"""Metals on the stage, by what a holder holds."""
BONDS = {"lithium": "metal", "lithium carbide": "carbide", "LFP": "oxide", "passivated lithium": "carbonate"}


@dataclass(frozen=True)
class SectionedCell:
    """A cell of which a section is seen.

    Attributes
    ----------
    fresh
        As it was made.
    between_um, between
        Thickness of what is between its electrodes, and of what it is: key of `IMAGED_MATERIALS`.
    """

    fresh: ProbeState
    between_um: float
    between: str = "polymer electrolyte"


class Specimens:
    """What is on the stage, for all instruments of one column.

    Parameters
    ----------
    sections, faces
        Cells of which a section is seen, and electrodes that others turn to the column, by their names.
    films
        Of those others the ones whose lithium lies on a garnet, with its thickness as the model made it, um.
    interior
        What a needle is inside.
    """

    def __init__(
        self,
        sections: Mapping[str, SectionedCell],
        hidden: HiddenSection,
        law: SectionLaw,
        microscope: HiddenMicroscope,
        seed: int,
        faces: Mapping[str, str] | None = None,
        heating: Heating = Heating.REAL,
        films: Mapping[str, float] | None = None,
        thinning: Thinning = Thinning.REAL,
        interior: Interior = Interior.REAL,
    ):
        self.hidden_thinning, self.hidden_garnet = HiddenThinning.draw(seed), HiddenGarnet.draw(seed)
        self._films = {
            cell: ThinnedFace(fresh_um, self.hidden_thinning, thinning, _own_seed(seed, cell))
            for cell, fresh_um in (films or {}).items()
        }
        self.hidden_interior, self._interior = HiddenInterior.draw(seed), interior
        self._faces = dict(faces or {})
        self.cells = frozenset(sections) | self._faces.keys()
        self.heating = heating
        self.hidden_face = HiddenFace.draw(seed)
        self._sections = dict(sections)
        self._hidden = hidden
        self._law = law
        self._seed = seed
        self.probe = SemProbe(microscope, seed)

    def section(self, shot: Shot) -> CrossSection | None:
        """Of the cell in the beam, in the middle of the exposure; None where there is none."""
        known = self._sections.get(shot.in_beam.content or "")
        if known is None or not shot.states:
            return None
        _, state = shot.states[len(shot.states) // 2]
        return section_of(state, known.fresh, known.between_um, self._hidden, self._law, known.between)

    def _side(self, shot: Shot) -> str | None:
        """The electrode that is turned to the column."""
        return shot.face or self._faces.get(shot.in_beam.content or "")

    def shows_face(self, shot: Shot) -> bool:
        """Whether it is the face of an electrode that the column sees."""
        return self._side(shot) is not None

    def electrode(self, shot: Shot) -> ElectrodeState | None:
        """Whose face is seen, in the middle of the exposure; None where there is none."""
        side = self._side(shot)
        if side is None or not shot.states:
            return None
        _, state = shot.states[len(shot.states) // 2]
        return getattr(state, side)

    def relief(self, shot: Shot, grid: Grid) -> Relief:
        """Under the pixels of a scan, with the marks of the holder and with what ions have opened."""
        made = self._untouched(shot, grid)
        if shot.states:
            engraved = on_mark(grid.x_um[None, :] + grid.shift_um[:, None], grid.y_um[:, None])
            if engraved.any():
                made.material[engraved] = made.index(METAL)
        for cut in shot.milled:
            self._open(made, shot, cut, grid)
        return made

    def _open(self, made: Relief, shot: Shot, cut: Cut, grid: Grid) -> None:
        """The wall of a trench in place of what was there."""
        electrode, section = self.electrode(shot), self.section(shot)
        under = self._under(shot.in_beam.content or "")
        if electrode is not None:
            place = opened_place(electrode, self.hidden_interior, self._interior, under)
            moved_um = self.hidden_face.moved_um(cut.temperature_c)
        elif section is not None:
            place, moved_um = opened_isle(section), (0.0, 0.0)
        else:
            return
        at_um = 1000.0 * cut.x_mm - moved_um[0], 1000.0 * cut.y_mm - moved_um[1]
        seed = _own_seed(self._seed, f"{shot.in_beam.content} {cut.x_mm:.3f} {cut.y_mm:.3f}")
        cut_open(made, grid, cut, at_um, place, under, seed)

    def _under(self, cell: str) -> str:
        """What a body stands on, in the wall of a trench."""
        known = self._sections.get(cell)
        if known is not None:
            return known.between
        return GARNET if cell in self._films else "polymer electrolyte"

    def _untouched(self, shot: Shot, grid: Grid) -> Relief:
        electrode = self.electrode(shot)
        if electrode is not None:
            own = _own_seed(self._seed, shot.in_beam.content or "")
            molten = float(shot.settings.get("temperature_c", ROOM_C)) > self.heating.melts_c
            view = face_of(electrode, self.hidden_face, self.heating)
            film = self._films.get(shot.in_beam.content or "")
            if film is None:
                return relief(view, grid, own, molten)
            # Lithium leaves a film where it touches the garnet: the face above it stays as it is.
            return relief(replace(view, preference=film.preference(grid)), grid, own, molten)
        section = self.section(shot)
        if section is not None:
            return section_relief(section, grid, self._seed, self.hidden_garnet)
        if shot.in_beam.content == "grid":
            return calibration_grid(grid, GRID_PITCH_UM, self._seed)
        material = "copper" if shot.in_beam.content in PURE else "vacuum"
        made = Relief(np.zeros(grid.shape), np.zeros(grid.shape, dtype=np.int8), [material])
        return made

    def film_um(self, shot: Shot, grid: Grid) -> np.ndarray | None:
        """Thickness of the lithium on a garnet under the pixels of a scan; None where there is none."""
        electrode, film = self.electrode(shot), self._films.get(shot.in_beam.content or "")
        if electrode is None or film is None:
            return None
        return film.thickness_um(grid, electrode.thickness_um)

    def garnet(self, shot: Shot, grid: Grid) -> np.ndarray:
        """Phases of the garnet below a film; see `sem_garnet.phases_of`."""
        return phases_of(grid, _own_seed(self._seed, shot.in_beam.content or ""), self.hidden_garnet)


def _own_seed(seed: int, cell: str) -> int:
    """Each cell has places of its own."""
    return int(keyed_generator(seed, f"face of {cell}", 0).integers(2**31))


def conditions_of(shot: Shot, rows: int, columns: int) -> ImageConditions:
    """Of a scan over the field of view; the exposure is the time of the whole of it."""
    asked = shot.settings
    x_um, y_um = (1000.0 * at_mm for at_mm in shot.in_beam.place_mm)
    field_um = 1000.0 * shot.size_mm[0]
    return ImageConditions(
        kv=shot.energy_kev,
        current_na=shot.photons_s * ELEMENTARY_CHARGE_C * 1e9,
        dwell_us=shot.exposure_s / (1.1e-6 * rows * columns),
        pixel_um=field_um / columns,
        columns=columns,
        rows=rows,
        detector=ImageDetector(asked.get("detector", ImageDetector.BACKSCATTERED)),
        x_um=x_um,
        y_um=y_um,
        temperature_c=float(asked.get("temperature_c", 25.0)),
        pressure_pa=MBAR_PA * float(asked.get("pressure_mbar", 1e-8)),
    )


class ImagingStation:
    """Detectors of electrons, and the monitors of the column.

    Parameters
    ----------
    shape
        Rows and columns of an image.
    electrons_per_count
        Of I0.
    """

    def __init__(self, specimens: Specimens, shape: tuple[int, int], electrons_per_count: float, seed: int):
        self._specimens = specimens
        self._electrons_per_count = electrons_per_count
        self._seed = seed
        self._exposed: dict[tuple[str | None, float, float], Exposed] = {}
        self.shape = shape
        self.cells = specimens.cells

    def take(self, shot: Shot, stamp: int) -> tuple[np.ndarray, SpecimenCounts, dict[str, Any]]:
        """Image (uint32), counts of the monitors, and what was under it."""
        conditions = conditions_of(shot, *self.shape)
        if self._specimens.shows_face(shot):
            moved_um = self._specimens.hidden_face.moved_um(conditions.temperature_c)
            x_um, y_um = conditions.x_um - moved_um[0], conditions.y_um - moved_um[1]
            conditions = replace(conditions, x_um=x_um, y_um=y_um)
        probe = self._specimens.probe
        grid = probe.grid(conditions, shot.start_s)
        under = self._specimens.relief(shot, grid)
        before = self._before(shot, conditions)
        if self._specimens.shows_face(shot):
            burn(under, grid, self._seed, before.dose_c_cm2, conditions.temperature_c)
        image = probe.scan(under, grid, conditions, shot.start_s, before)
        section = self._specimens.section(shot)
        truth = {
            "content": shot.in_beam.content,
            "pixel_um": grid.pixel_um,
            "place_um": [1000.0 * at_mm for at_mm in shot.in_beam.place_mm],
            "layers_um": [] if section is None else [one.thickness_um for one in section.layers],
            "isles_per_mm": 0.0 if section is None or section.isles is None else section.isles.per_mm,
            "coverage": {str(habit): float(one.mean()) for habit, one in under.covered.items()},
        }
        return image.astype(np.uint32), self.count(shot), truth

    def count(self, shot: Shot) -> SpecimenCounts:
        """Counts of the aperture before the sample, and of the current that the sample takes up."""
        generator = keyed_generator(self._seed, "picoammeter", round(shot.start_s * 1000))
        kept = 1.0 if shot.in_beam.content == CUP else 0.7
        return count_specimen(shot.photons, kept, self._electrons_per_count, shot.exposure_s, generator)

    def _before(self, shot: Shot, conditions: ImageConditions) -> Exposed:
        """What this place had been through, which from now on has this scan too."""
        x_mm, y_mm = shot.in_beam.place_mm
        key = (shot.in_beam.content, round(x_mm, 2), round(y_mm, 2))
        before = self._exposed.get(key, Exposed())
        self._exposed[key] = replace(
            before,
            dose_c_cm2=before.dose_c_cm2 + conditions.dose_c_cm2,
            seconds=before.seconds + conditions.scan_s,
        )
        return before


class XraySpectrumStation:
    """A detector of X-rays on the column; a frame is the spectrum of all that the scan meets."""

    def __init__(
        self,
        specimens: Specimens,
        detector: XrayDetector,
        hidden: HiddenDetector,
        electrons_per_count: float,
        seed: int,
    ):
        self._specimens = specimens
        self._probe = EdsProbe(detector, hidden, seed)
        self._imaging = ImagingStation(specimens, (16, 16), electrons_per_count, seed)
        self._seed = seed
        self.shape = (1, detector.channels)
        self.cells = specimens.cells

    def take(self, shot: Shot, stamp: int) -> tuple[np.ndarray, SpecimenCounts, dict[str, Any]]:
        """Spectrum as a frame of one row (uint32), counts of the monitors, and what was under it."""
        shares = self._shares(shot)
        conditions = EdsConditions(
            shot.energy_kev, shot.photons_s * ELEMENTARY_CHARGE_C * 1e9, shot.exposure_s
        )
        rate = np.zeros(self.shape[1])
        for material, share in shares.items():
            per_s, live = self._probe.rate(source_of(material), conditions)
            rate = rate + share * live * per_s
        generator = keyed_generator(self._seed, "x-ray noise", round(shot.start_s * 1000))
        frame = generator.poisson(rate * shot.exposure_s).astype(np.uint32)[None, :]
        return frame, self.count(shot), {"content": shot.in_beam.content, "shares": shares}

    def count(self, shot: Shot) -> SpecimenCounts:
        """Counts of the monitors."""
        return self._imaging.count(shot)

    def _shares(self, shot: Shot) -> dict[str, float]:
        """Materials of what the scan meets, by their shares of its area."""
        if shot.in_beam.content in PURE:
            return {str(shot.in_beam.content): 1.0}
        conditions = conditions_of(shot, 64, 64)
        relief = self._specimens.relief(shot, self._specimens.probe.grid(conditions, shot.start_s))
        counts = np.bincount(relief.material.ravel(), minlength=len(relief.materials))
        return {
            name: float(count) / relief.material.size
            for name, count in zip(relief.materials, counts)
            if count and name != "vacuum"
        }


def source_of(material: str) -> XraySource:
    """A material under the beam; hydrogen gives no X-rays and is left out."""
    if material in PURE:
        return XraySource({material: 1.0}, float(xraydb.atomic_density(material)))
    known = IMAGED_MATERIALS[material]
    fractions = {xraydb.atomic_symbol(number): share for number, share in known.mass_fractions if number != 1}
    return XraySource(fractions, known.density_g_cm3, BONDS.get(material, "carbonate"))


def between_material(model: str) -> str:
    """What is between the electrodes of a cell, key of `IMAGED_MATERIALS`."""
    return GARNET if "-llzo-" in model else "polymer electrolyte"


def films_of(models: Mapping[str, str], faces: Mapping[str, str]) -> dict[str, float]:
    """Thickness in um, as it was made, of the lithium that cells on a garnet turn to the column."""
    films = {}
    for cell, side in faces.items():
        if cell in models and between_material(models[cell]) == GARNET:
            electrode = getattr(make_cell(models[cell]).probe_state(), side)
            if electrode.material == "Li":
                films[cell] = electrode.thickness_um
    return films
