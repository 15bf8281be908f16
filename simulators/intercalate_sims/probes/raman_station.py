"""The Raman spectrometer: what one exposure leaves on its detector and in its monitors."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np

from intercalate.materials.constants import KEV_J
from intercalate.materials.raman_oxides import OXIDES
from intercalate_sims.cell.hosts import Host
from intercalate_sims.cell.interface import ElectrodeState, ProbeState
from intercalate_sims.cell.sulfur_speciation import SulfurState
from intercalate_sims.noise import keyed_generator
from intercalate_sims.photolysis import carbide_share
from intercalate_sims.probes.fiducials import REFLECTIVITY as MARK_REFLECTIVITY
from intercalate_sims.probes.fiducials import on_mark
from intercalate_sims.probes.monitors import LaserCounts, count_laser
from intercalate_sims.probes.raman import HiddenSpectrograph, RamanProbe, Spectrograph
from intercalate_sims.probes.raman_oxides import HiddenOxide, ions_of, oxide_lines
from intercalate_sims.probes.raman_sulfur import in_electrolyte, is_in_hole, on_cathode, sulfur_lines
from intercalate_sims.probes.shot import Shot

DEPTH_UM = 6.0
"""Full width at half maximum of the confocal response to a plane."""

GRAPHITE, SILICON, METER, CATHODE = "graphite", "Si", "power meter", "S"

REFLECTIVITY = {GRAPHITE: 0.30, SILICON: 0.37, CATHODE: 0.08, **dict.fromkeys(OXIDES, 0.15)}
"""Of a face at normal incidence."""

POWER_SIGMA = 0.05
METER_SIGMA = 0.03
BESIDE_SIGMA_MM = 0.03
SURFACE_SIGMA_UM = 20.0
DRIFT_UM = (1.5, 0.8)
DRIFT_PERIODS_S = (39_000.0, 10_300.0)


@dataclass(frozen=True)
class HiddenRaman:
    """By how much a spectrometer differs from its description.

    Attributes
    ----------
    power_share
        Of the power that the laser's scale shows.
    meter_share
        Of the power, that the power meter shows.
    beside_mm
        Of the spot, added to where it should be.
    surface_um
        Of each holder: where the focus must be for the face of what is in it.
    drift_phase
        Of the thermal drift of the focus.
    """

    spectrograph: HiddenSpectrograph = field(default_factory=HiddenSpectrograph)
    power_share: float = 1.0
    beside_mm: tuple[float, float] = (0.0, 0.0)
    surface_um: Mapping[str, float] = field(default_factory=dict)
    drift_phase: tuple[float, float] = (0.0, 0.0)
    meter_share: float = 1.0

    @classmethod
    def draw(cls, seed: int, holders: Collection[str]) -> Self:
        """A spectrometer of this seed."""
        generator = keyed_generator(seed, "raman", 0)
        normal = generator.standard_normal(3)
        phase = generator.uniform(0.0, 2 * np.pi, 2)
        surfaces = {
            name: SURFACE_SIGMA_UM * float(keyed_generator(seed, f"face {name}", 0).standard_normal())
            for name in holders
        }
        return cls(
            HiddenSpectrograph.draw(seed),
            1.0 + POWER_SIGMA * float(normal[0]),
            (BESIDE_SIGMA_MM * float(normal[1]), BESIDE_SIGMA_MM * float(normal[2])),
            surfaces,
            (float(phase[0]), float(phase[1])),
            1.0 + METER_SIGMA * float(keyed_generator(seed, "power meter", 0).standard_normal()),
        )

    def surface_at_um(self, holder: str, elapsed_s: float) -> float:
        """Where the focus must be for the face in a holder, at a cell time."""
        drift = sum(
            size * np.sin(2 * np.pi * elapsed_s / period + phase)
            for size, period, phase in zip(DRIFT_UM, DRIFT_PERIODS_S, self.drift_phase)
        )
        return self.surface_um.get(holder, 0.0) + float(drift)

    def as_json(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


@dataclass(frozen=True)
class Met:
    """What light meets.

    Attributes
    ----------
    material
        Silicon, graphite, the cathode of sulfur, or the key of an oxide.
    li_content
        Of the particle.
    ions
        Of an oxide: shares of its metal in each oxidation state.
    host, carbide
        Of graphite, and of what on it can become Li2C2 the share that has.
    sulfur, place_mm
        Of a cell of sulfur, and where the laser is.
    """

    material: str
    li_content: float = 0.0
    ions: Mapping[str, float] = field(default_factory=dict)
    host: str = Host.STAGED
    carbide: float = 0.0
    sulfur: SulfurState | None = None
    place_mm: tuple[float, float] = (0.0, 0.0)


class RamanStation:
    """Spectrometer and photodiodes at the place where a laser meets the sample.

    Parameters
    ----------
    nominal
        As the users are told.
    cells
        Names of the contents whose states an exposure needs.
    seed
        Of noise and of the places of an electrode.
    """

    def __init__(self, nominal: Spectrograph, hidden: HiddenRaman, cells: Collection[str], seed: int):
        self._probe = RamanProbe(nominal, hidden.spectrograph, seed)
        self._hidden = hidden
        self._oxides = {key: HiddenOxide.draw(seed, one) for key, one in OXIDES.items()}
        self._seed = seed
        self.cells = frozenset(cells)
        self.shape = (1, nominal.pixels)

    def take(self, shot: Shot, stamp: int) -> tuple[np.ndarray, LaserCounts, dict[str, Any]]:
        """Spectrum as a frame of one row (uint32), counts of the photodiodes, and what made them."""
        focus, truth = self._focus(shot), self._truth(shot)
        electrons = np.zeros(self.shape[1])
        power_mw = self._power_mw(shot)
        for weight, met in self._seen(shot):
            electrons = electrons + weight * self._expected(met, power_mw, shot.exposure_s)
        frame = self._probe.count(focus * electrons, shot.exposure_s, shot.start_s)[None, :]
        return frame, self.count(shot), {**truth, "focus": focus, "power_mw": power_mw}

    def _expected(self, met: Met, power_mw: float, exposure_s: float) -> np.ndarray:
        """Electrons from what light meets."""
        if met.material == SILICON:
            return self._probe.silicon(power_mw, exposure_s)
        if met.material == GRAPHITE:
            return self._probe.graphite(met.li_content, power_mw, exposure_s, met.host, met.carbide)
        if met.sulfur is not None:
            lines = sulfur_lines(self._seed, met.sulfur, met.place_mm)
            return self._probe.oxide(lines, power_mw, exposure_s)
        oxide = OXIDES[met.material]
        lines = oxide_lines(oxide, met.ions, met.li_content, self._oxides[met.material])
        return self._probe.oxide(lines, power_mw, exposure_s)

    def count(self, shot: Shot) -> LaserCounts:
        """Counts of the photodiodes in an exposure."""
        material = self._material(shot)
        reflects = MARK_REFLECTIVITY if _is_on_mark(shot) else REFLECTIVITY.get(material or "", 0.0)
        returned = reflects * self._focus(shot) ** 2
        generator = keyed_generator(self._seed, "photodiodes", round(shot.start_s * 1000))
        metered = self._hidden.meter_share if shot.in_beam.content == METER else 0.0
        return count_laser(self._joules(shot), returned, shot.exposure_s, generator, metered)

    def _joules(self, shot: Shot) -> float:
        return shot.photons * shot.energy_kev * KEV_J

    def _power_mw(self, shot: Shot) -> float:
        return 1e3 * self._joules(shot) / shot.exposure_s

    def _focus(self, shot: Shot) -> float:
        """Share of the light of a face that passes the pinhole."""
        holder = shot.in_beam.holder
        if holder is None:
            return 0.0
        away = shot.focus_um - self._hidden.surface_at_um(holder.name, shot.elapsed_s)
        return float(np.exp(-4 * np.log(2) * (away / DEPTH_UM) ** 2))

    def _material(self, shot: Shot) -> str | None:
        """What scatters; None where nothing has bands."""
        content = shot.in_beam.content
        if _is_on_mark(shot):
            return None
        if content == SILICON:
            return content
        electrode = electrode_behind_window(shot.states[0][1]) if shot.states else None
        return electrode.material if content in self.cells and electrode is not None else None

    def _seen(self, shot: Shot) -> list[tuple[float, Met]]:
        """Shares of the light, with what each met."""
        material = self._material(shot)
        if material == SILICON:
            return [(1.0, Met(material))]
        if material is None:
            return []
        if material == CATHODE:
            place_mm = shot.in_beam.place_mm
            return [
                (weight, Met(CATHODE, sulfur=state.sulfur, place_mm=place_mm)) for weight, state in shot.seen
            ]
        return [
            (weight, self._met(electrode, shot))
            for weight, state in shot.seen
            if (electrode := electrode_behind_window(state)) is not None
        ]

    def _met(self, electrode: ElectrodeState, shot: Shot) -> Met:
        """A particle of an electrode."""
        x_um, y_um = (1000.0 * at_mm for at_mm in shot.in_beam.place_mm)
        content = self._probe.li_content(electrode, x_um, y_um)
        if electrode.material == GRAPHITE:
            return Met(GRAPHITE, content, host=electrode.host, carbide=carbide_share(shot.burnt_j_cm2))
        oxide = OXIDES[electrode.material]
        ions = ions_of(electrode, oxide, content, self._oxides[oxide.key])
        return Met(oxide.key, content, ions)

    def _truth(self, shot: Shot) -> dict[str, Any]:
        holder = shot.in_beam.holder
        truth: dict[str, Any] = {
            "holder": holder.name if holder else None,
            "content": shot.in_beam.content,
            "place_um": [1000.0 * at_mm for at_mm in shot.in_beam.place_mm],
        }
        seen = [(weight, met) for weight, met in self._seen(shot) if met.material != SILICON]
        if seen and seen[0][1].material == CATHODE:
            is_electrolyte = is_in_hole(shot.in_beam.place_mm)
            amounts_of = in_electrolyte if is_electrolyte else on_cathode
            mean: dict[str, float] = {}
            for weight, met in seen:
                assert met.sulfur is not None
                for name, amount in amounts_of(met.sulfur).items():
                    mean[name] = mean.get(name, 0.0) + weight * amount
            return {**truth, "where": "electrolyte" if is_electrolyte else "cathode", "sulfur": mean}
        if seen:
            truth["li_content"] = sum(weight * met.li_content for weight, met in seen)
            truth["carbide"] = seen[0][1].carbide
        for ion in seen[0][1].ions if seen else ():
            truth.setdefault("ions", {})[ion] = sum(weight * met.ions[ion] for weight, met in seen)
        return truth


def _is_on_mark(shot: Shot) -> bool:
    """Whether the light meets a mark of the holder of a cell."""
    x_mm, y_mm = shot.in_beam.place_mm
    return bool(shot.states) and bool(on_mark(np.array(1000.0 * x_mm), np.array(1000.0 * y_mm)))


def electrode_behind_window(state: ProbeState) -> ElectrodeState | None:
    """The electrode of graphite, or else of an oxide with known bands, or of sulfur; None without any."""
    for is_seen in (
        lambda material: material == GRAPHITE,
        lambda material: material in OXIDES,
        lambda material: material == CATHODE,
    ):
        for electrode in (state.negative, state.positive):
            if is_seen(electrode.material):
                return electrode
    return None
