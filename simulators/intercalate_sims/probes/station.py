"""The diffraction station: what one exposure leaves on the detector and in the monitors."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from intercalate.contract import DIAMOND_ANVIL_CELL
from intercalate.materials.constants import HC_KEV_ANGSTROM
from intercalate_sims.hidden import Hidden
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.detector import DetectorGeometry, count_photons, write_stamp
from intercalate_sims.probes.diffraction import truth_of
from intercalate_sims.probes.grains import Grains
from intercalate_sims.probes.halos import Halos
from intercalate_sims.probes.monitors import MonitorCounts, count_monitors
from intercalate_sims.probes.powder import CellMakeup
from intercalate_sims.probes.pressed import pressed_sample, transmission_of_diamonds, truth_of_pressed
from intercalate_sims.probes.projection import Modulation, Projection
from intercalate_sims.probes.reflection import TRANSMISSION_DEG, Incidence, check_incidence, reflected
from intercalate_sims.probes.response import PixelMaps, Response
from intercalate_sims.probes.samples import (
    Sample,
    cell_sample,
    standard_sample,
    transmission_of_cell,
    transmission_of_standard,
)
from intercalate_sims.probes.shot import Shot

INCIDENCE = "incidence_deg"
"""Setting of an exposure: between beam and face of the sample, by the axis."""

WEAK_BELOW = 0.5
NONE_BELOW = 0.01
"""Shares of the full beam below which an exposure is truly weak, or without beam."""


class DiffractionStation:
    """Detector and monitors around whatever is in the beam.

    Parameters
    ----------
    nominal
        Geometry that the users are told.
    hidden
        By how much the true one, and the true cells, differ.
    makeups
        What surrounds the electrodes of each cell; the first is that of the empty cell.
    seed
        Of the noise; it depends on the seed and the start of the exposure alone.
    is_perfect
        Rings are even, and the detector counts photons and nothing else.
    """

    def __init__(
        self,
        nominal: DetectorGeometry,
        hidden: Hidden,
        makeups: Mapping[str, CellMakeup],
        seed: int,
        *,
        is_perfect: bool = False,
    ):
        self.nominal = nominal
        self.geometry = replace(
            nominal,
            wavelength_angstrom=nominal.wavelength_angstrom / (1 + hidden.energy),
            distance_mm=nominal.distance_mm + hidden.distance_mm,
            beam_mm=(nominal.beam_mm[0] + hidden.beam_mm[0], nominal.beam_mm[1] + hidden.beam_mm[1]),
            rot1_rad=hidden.rot1_rad,
            rot2_rad=hidden.rot2_rad,
        )
        self._hidden = hidden
        self._makeups = makeups
        self._seed = seed
        self._projection = Projection(self.geometry)
        self._counting = threading.Lock()
        self._grains = None if is_perfect else Grains(self.geometry, seed)
        self._response = None if is_perfect else Response(PixelMaps.draw(self.shape, seed))

    @property
    def cells(self) -> Collection[str]:
        """Names of the contents whose states an exposure needs."""
        return self._makeups.keys()

    @property
    def shape(self) -> tuple[int, int]:
        """Of a frame."""
        return self.geometry.shape

    def take(self, shot: Shot, stamp: int) -> tuple[np.ndarray, MonitorCounts, dict[str, Any]]:
        """Frame (uint32, with the hidden stamp), monitor counts, and what they were made from."""
        sample = self._sample(shot)
        expected = self._expected(shot, sample)
        generator = keyed_generator(self._seed, "diffractometer", round(shot.start_s * 1000))
        if self._response is None:
            frame = count_photons(expected, generator)
        else:
            # An exposure that is given up may still be computed while the next one is.
            with self._counting:
                frame = self._response.count(expected, shot.exposure_s, generator)
        write_stamp(frame, stamp)
        counts = self.count(shot)
        return frame, counts, self._truth(shot, counts)

    def count(self, shot: Shot) -> MonitorCounts:
        """Monitor counts of an exposure."""
        generator = keyed_generator(self._seed, "monitors", round(shot.start_s * 1000))
        in_beam = shot.in_beam
        behind = in_beam.air + in_beam.window * self._transmission(shot)
        return count_monitors(shot.photons, behind, shot.exposure_s, generator)

    def _transmission(self, shot: Shot) -> float:
        """Of what is in the beam; of an electrode without a diffraction model as of any other."""
        content, wavelength = shot.in_beam.content, self.wavelength_angstrom(shot.energy_kev)
        if content is None:
            return 1.0
        if content == DIAMOND_ANVIL_CELL:
            return transmission_of_diamonds(wavelength)
        if content in self._makeups:
            # At a small angle the beam ends in the cell.
            return transmission_of_cell(wavelength) if self._incidence(shot) is None else 0.0
        return transmission_of_standard(content, wavelength)

    def wavelength_angstrom(self, energy_kev: float) -> float:
        """Truly in the beam, where the monochromator's scale shows this energy."""
        return HC_KEV_ANGSTROM / (energy_kev * (1 + self._hidden.energy))

    def _sample(self, shot: Shot) -> Sample:
        content, wavelength = shot.in_beam.content, self.wavelength_angstrom(shot.energy_kev)
        air_mm = self.geometry.distance_mm
        if content is None:
            return Sample(halos=Halos(air_mm=air_mm))
        if content == DIAMOND_ANVIL_CELL:
            return pressed_sample(self._hidden.pressed, shot.marker_gpa, wavelength, air_mm)
        if content in self._makeups:
            hidden = self._hidden.cell(content)
            return cell_sample(shot.seen, self._makeups[content], hidden, wavelength, air_mm)
        return standard_sample(content, next(iter(self._makeups.values())), wavelength, air_mm)

    def _expected(self, shot: Shot, sample: Sample) -> np.ndarray:
        """Photons expected in each pixel."""
        photons, in_beam = shot.photons, shot.in_beam
        wavelength = self.wavelength_angstrom(shot.energy_kev)
        parts = []
        how = self._incidence(shot)
        if photons * in_beam.window > 0 and how is not None:
            makeup, met = self._makeups[str(in_beam.content)], photons * in_beam.window
            parts.append(reflected(self._projection, sample, shot.seen, makeup, how, wavelength, met))
        elif photons * in_beam.window > 0:
            through = photons * in_beam.window
            parts.append(self._projection.expected(sample, wavelength, through, self._modulation(shot)))
        if photons * in_beam.air > 0:
            air = Sample(halos=Halos(air_mm=self.geometry.distance_mm))
            parts.append(self._projection.expected(air, wavelength, photons * in_beam.air))
        return sum(parts[1:], parts[0]) if parts else np.zeros(self.shape, dtype=np.float32)

    def _incidence(self, shot: Shot) -> Incidence | None:
        """How the beam falls on a cell that is tilted; None where it passes through.

        Standards scatter alike however they are turned.

        Raises
        ------
        ValueError
            If the cell cannot be taken at this angle.
        """
        content = shot.in_beam.content
        shown_deg = float(shot.settings.get(INCIDENCE, TRANSMISSION_DEG))
        if content is None or content not in self._makeups or shown_deg >= TRANSMISSION_DEG:
            return None
        angle_deg = shown_deg + self._hidden.incidence_deg
        check_incidence(angle_deg, self._makeups[content], content)
        return Incidence(angle_deg, shot.size_mm[1], self._hidden.cell(content).height_um)

    def _modulation(self, shot: Shot) -> Modulation | None:
        """How grains and texture of the place in the beam modulate the rings."""
        grains, holder = self._grains, shot.in_beam.holder
        if grains is None or holder is None:
            return None

        def modulate(frame: np.ndarray, rings: dict[str, np.ndarray], rest: np.ndarray) -> None:
            grains.modulate(frame, holder.name, shot.in_beam.place_mm, shot.size_mm, rings, rest)

        return modulate

    def _truth(self, shot: Shot, counts: MonitorCounts) -> dict[str, Any]:
        holder = shot.in_beam.holder
        share = shot.photons_s / shot.full_photons_s
        quality = "none" if share < NONE_BELOW else "weak" if share < WEAK_BELOW else "valid"
        truth: dict[str, Any] = {
            "holder": holder.name if holder else None,
            "content": shot.in_beam.content,
            "window_share": shot.in_beam.window,
            "photons_s": shot.photons_s,
            "quality": quality,
            "i0_expected": counts.i0_expected,
            "it_expected": counts.it_expected,
            "i0": counts.i0,
            "it": counts.it,
        }
        if (how := self._incidence(shot)) is not None:
            truth["incidence_deg"] = how.angle_deg
        if shot.in_beam.content == DIAMOND_ANVIL_CELL:
            truth.update(truth_of_pressed(self._hidden.pressed, shot.marker_gpa))
        if shot.states and shot.photons > 0 and shot.in_beam.content in self._makeups:
            truth.update(truth_of(shot.seen))
            if shot.inactive:
                truth["inactive_share"] = sum(one.share for one in shot.inactive)
                truth["rest_of_the_cell"] = truth_of(shot.states)
        return truth
