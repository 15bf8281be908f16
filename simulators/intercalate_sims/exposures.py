"""What the world keeps of an exposure while it runs: states of the cell, and the photons of each part."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from intercalate.materials.constants import KEV_J
from intercalate_sims.irradiation import Inactive, Spot
from intercalate_sims.wire import JsonLines

EXPOSURE_SAMPLES = 4
"""Equal parts of an exposure; of each, one state of the cell and the number of photons are kept."""


class Light(Protocol):
    """What an instrument shines at the sample.

    Attributes
    ----------
    is_x_ray
        Whether it does to a cell what X-rays do.
    energy_kev
        Of a photon.
    size_mm
        At the sample, horizontally and vertically.
    """

    is_x_ray: bool

    @property
    def energy_kev(self) -> float: ...

    @property
    def size_mm(self) -> tuple[float, float]: ...

    def set(self, time_s: float, changes: dict[str, Any]) -> None:
        """Change it at a cell time."""
        ...

    def photons(self, start_s: float, end_s: float) -> float:
        """Photons at the sample between two cell times."""
        ...

    def full_photons_s(self) -> float:
        """Photons per second, undisturbed."""
        ...

    def status(self, time_s: float) -> dict[str, Any]:
        """What it shows."""
        ...

    def to_state(self) -> dict[str, Any]:
        """What `restore` needs, JSON-able."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go on as it was."""
        ...


@dataclass
class Exposure:
    """A running exposure of one instrument, on one cell or on none.

    Attributes
    ----------
    photons
        Through the instrument's shutter, in each equal part of the exposure.
    place_mm
        Of the beam on the cell, from the centre of its window.
    inactive
        Particles that had stopped there before; those that stop during an exposure are seen by the next.
    burnt_j_cm2
        Light that was too intense there before.
    milled, sputtered
        What focused and wide beams of ions had done anywhere on the cell before, as dicts.
    """

    client: JsonLines
    key: int
    slot: str | None
    start_s: float
    end_s: float
    parts: int
    energy_kev: float
    size_mm: tuple[float, float]
    beam: Light
    place_mm: tuple[float, float] = (0.0, 0.0)
    inactive: list[Inactive] = field(default_factory=list)
    burnt_j_cm2: float = 0.0
    milled: list[dict[str, Any]] = field(default_factory=list)
    sputtered: list[dict[str, Any]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    photons: list[float] = field(default_factory=list)
    full_photons: float = 0.0

    @classmethod
    def begin(
        cls, client: JsonLines, key: int, slot: str | None, start_s: float, exposure_s: float, *,
        dt_s: float, beam: Light, place_mm: tuple[float, float] = (0.0, 0.0),
    ) -> "Exposure":  # fmt: skip
        """Start now; exposures shorter than a few steps of cell time have fewer parts."""
        parts = max(1, min(EXPOSURE_SAMPLES, int(exposure_s / dt_s)))
        return cls(
            client=client,
            key=key,
            slot=slot,
            start_s=start_s,
            end_s=start_s + exposure_s,
            parts=parts,
            energy_kev=beam.energy_kev,
            size_mm=beam.size_mm,
            beam=beam,
            place_mm=place_mm,
            photons=[0.0] * parts,
        )

    @property
    def spot(self) -> Spot:
        """Where the beam is on the cell, to a micrometre."""
        x_mm, y_mm = self.place_mm
        return Spot(round(x_mm, 3), round(y_mm, 3), *self.size_mm)

    @property
    def fluence_j_cm2(self) -> float:
        """Energy per area so far."""
        return sum(self.photons) * self._j_cm2

    @property
    def intensity_w_cm2(self) -> float:
        """Power per area through open shutters."""
        return self.beam.full_photons_s() * self._j_cm2

    @property
    def _j_cm2(self) -> float:
        """Of one photon."""
        return self.energy_kev * KEV_J * 100.0 / (self.size_mm[0] * self.size_mm[1])

    def _part_s(self, number: float) -> float:
        return self.start_s + number * (self.end_s - self.start_s) / self.parts

    def live(
        self,
        start_s: float,
        end_s: float,
        is_open: bool,
        state: Callable[[], dict[str, Any]] | None,
    ) -> None:
        """Let one step of cell time pass, at whose end the cell has this state."""
        while state is not None and len(self.states) < self.parts:
            if self._part_s(len(self.states) + 0.5) > end_s:
                break
            self.states.append(state())
        beam = self.beam
        low, high = max(start_s, self.start_s), min(end_s, self.end_s)
        if not high > low:
            return
        self.full_photons += (high - low) * beam.full_photons_s()
        if not is_open:
            return
        for part in range(self.parts):
            begin, finish = max(low, self._part_s(part)), min(high, self._part_s(part + 1))
            if finish > begin:
                self.photons[part] += beam.photons(begin, finish)

    def answer(self, t0_unix_s: float) -> dict[str, Any]:
        """What the instrument is told at the end.

        `start_s` counts from the beginning of the world. `cell` is what was in the beam of the world's cells,
        if any. `weights` are the shares of the photons that met each of `states`; `full_photons_s` is what
        the full, undisturbed source would have given through open shutters.
        """
        exposure_s = self.end_s - self.start_s
        total = sum(self.photons)
        return {
            "op": "exposed",
            "key": self.key,
            "cell": self.slot,
            "start_s": self.start_s,
            "start_unix_s": t0_unix_s + self.start_s,
            "end_unix_s": t0_unix_s + self.end_s,
            "states": self.states,
            "inactive": [asdict(one) for one in self.inactive],
            "burnt_j_cm2": self.burnt_j_cm2,
            "milled": self.milled,
            "sputtered": self.sputtered,
            "weights": [part / total if total > 0 else 1 / self.parts for part in self.photons],
            "photons_s": total / exposure_s,
            "full_photons_s": self.full_photons / exposure_s,
            "energy_kev": self.energy_kev,
            "size_mm": self.size_mm,
        }
