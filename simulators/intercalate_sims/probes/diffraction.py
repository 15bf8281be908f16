"""Diffraction frames of a cell on a perfect detector, and the truth behind them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from intercalate_sims.cell.interface import ElectrodeState, ProbeState
from intercalate_sims.hidden import HiddenCell
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.detector import DetectorGeometry, count_photons, write_stamp
from intercalate_sims.probes.lattice import (
    LITHIUM_RICH,
    crystallites,
    graphite_stages,
    lithium_rich_lattice,
    olivine_phases,
    one_by_one,
    oxide_lattice,
)
from intercalate_sims.probes.powder import SULFUR_CRYSTALS, CellMakeup
from intercalate_sims.probes.projection import InstrumentProfile, Projection
from intercalate_sims.probes.samples import cell_sample

DEFAULT_FLUX_PHOTONS_S = 4e9
"""At the sample, 25 keV: a bending magnet with a monochromator, beam defined by slits."""


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
        self._projection = Projection(self.geometry, profile)

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
        wavelength = self.geometry.wavelength_angstrom
        sample = cell_sample(states, self.makeup, HiddenCell(), wavelength, self.geometry.distance_mm)
        return self._projection.expected(sample, wavelength, exposure_s * flux_photons_s)

    def truth(self, states: Sequence[tuple[float, ProbeState]]) -> dict[str, Any]:
        """See `truth_of`."""
        return truth_of(states)


def truth_of(states: Sequence[tuple[float, ProbeState]]) -> dict[str, Any]:
    """Averages over material and exposure of what the frame was made from, JSON-able.

    `mean` is always taken over the material (moles of host), not over intensity.
    """
    _check(states, 0.0, 0.0)
    found: dict[str, Any] = {}
    for side in ("positive", "negative"):
        weighted = [(weight, getattr(state, side)) for weight, state in states]
        material = weighted[0][1].material
        entry: dict[str, Any] = {"material": material}
        if material in ("NMC811", LITHIUM_RICH, "graphite"):
            sample = crystallites(weighted)
            entry["li_content"] = float(np.dot(sample.weight, sample.li_content))
            if material != "graphite":
                a, c = (
                    oxide_lattice(sample.li_content)
                    if material == "NMC811"
                    else lithium_rich_lattice(sample.li_content, weighted[0][1].host)
                )
                entry["a_angstrom"] = float(np.dot(sample.weight, a))
                entry["c_angstrom"] = float(np.dot(sample.weight, c))
            else:
                entry.update(_graphite_truth(sample.li_content, sample.weight, weighted[0][1].host))
        elif material == "LFP":
            entry.update(_olivine_truth(weighted))
        elif material == "S":
            entry["solid"] = _solid_sulfur(states)
        found[side] = entry
    return found


def _solid_sulfur(states: Sequence[tuple[float, ProbeState]]) -> dict[str, float]:
    """Parts of all sulfur in the crystals of it."""
    total = sum(weight for weight, _ in states)
    return {
        phase: sum(
            weight / total * dict(state.sulfur.solid)[phase] for weight, state in states if state.sulfur
        )
        for phase in SULFUR_CRYSTALS
    }


def _olivine_truth(weighted: Sequence[tuple[float, ElectrodeState]]) -> dict[str, Any]:
    """Share of the sites and mean lattice of each phase."""
    sums: dict[str, np.ndarray] = {}
    content = 0.0
    for weight, state, sample in one_by_one(weighted):
        content += weight * float(sample.weight @ sample.li_content)
        for share in olivine_phases(sample.li_content, state.host, state.rate_per_h):
            held = weight * sample.weight * share.fraction
            own = np.array([held.sum(), held @ share.li_content, *(held @ share.lengths_angstrom)])
            sums[share.phase] = sums.get(share.phase, np.zeros(5)) + own
    phases = {
        key: {
            "fraction": float(one[0]),
            "li_content": float(one[1] / one[0]),
            "lengths_angstrom": [float(length) for length in one[2:] / one[0]],
        }
        for key, one in sums.items()
        if one[0] > 0
    }
    return {"li_content": content, "phases": phases}


def _graphite_truth(li_content: np.ndarray, weight: np.ndarray, host: str) -> dict[str, Any]:
    stages: dict[str, dict[str, float]] = {}
    poor = np.zeros(3)
    for share in graphite_stages(li_content, host):
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
