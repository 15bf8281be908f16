"""The X-ray beam at the sample: what the ring gives, through slits, attenuator and safety shutter."""

import itertools
import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from intercalate_sims.ring import Ring

SAFETY_SHUTTER_S = 2.0
"""Cell time that the safety shutter takes to move; its state changes at the end."""

BEAM_SIGMA_MM = (0.60, 0.25)
"""Horizontal and vertical standard deviation of the beam in front of the slits."""

FOILS = (0.60, 0.36, 0.10, 0.01)
"""Transmission of each foil of the attenuator; any of them can be in the beam together."""

ENERGY_KEV = (20.0, 30.0)
SLIT_MM = (0.02, 5.0)

TRANSMISSIONS = tuple(
    sorted({math.prod(foils) for count in range(5) for foils in itertools.combinations(FOILS, count)})
)
"""What the attenuator can be set to."""


@dataclass(frozen=True)
class Optics:
    """What stands between ring and sample.

    Attributes
    ----------
    energy_kev
        As the monochromator's scale shows it.
    slit_h_mm, slit_v_mm
        Size of the beam that the slits let through.
    attenuator
        Transmission of the foils in the beam.
    safety_open, safety_since_s
        Where the safety shutter is or moves to, and the cell time at which it is there.
    """

    energy_kev: float
    slit_h_mm: float
    slit_v_mm: float
    attenuator: float = 1.0
    safety_open: bool = True
    safety_since_s: float = 0.0

    def safety_is_open(self, time_s: float) -> bool:
        """Whether the safety shutter lets the beam through; it does until it has closed."""
        return self.safety_open if time_s >= self.safety_since_s else not self.safety_open

    @property
    def share(self) -> float:
        """Of the whole beam that passes slits and attenuator."""
        passed = self.attenuator
        for size, sigma in zip((self.slit_h_mm, self.slit_v_mm), BEAM_SIGMA_MM):
            passed *= math.erf(size / (2 * math.sqrt(2) * sigma))
        return passed


class Beam:
    """Photons at the sample, at any cell time.

    Parameters
    ----------
    ring
        What is stored.
    flux_photons_s
        At the sample with the full ring and the optics as found.
    optics
        As found; `restore` replaces it.
    """

    def __init__(self, ring: Ring, flux_photons_s: float, optics: Optics):
        self.ring = ring
        self.optics = optics
        self._whole_photons_s = flux_photons_s / optics.share

    is_x_ray = True

    @property
    def energy_kev(self) -> float:
        """Of a photon, as the monochromator's scale shows it."""
        return self.optics.energy_kev

    @property
    def size_mm(self) -> tuple[float, float]:
        """At the sample, horizontally and vertically."""
        return self.optics.slit_h_mm, self.optics.slit_v_mm

    def set(self, time_s: float, changes: dict[str, Any]) -> None:
        """Change the optics at a cell time, or lose the beam for `dump_s`.

        Raises
        ------
        ValueError
            If a value is out of its range, or nothing of that name can be set.
        """
        for name, value in changes.items():
            match name:
                case "energy_kev":
                    self.optics = replace(self.optics, energy_kev=_within(name, value, *ENERGY_KEV))
                case "slit_h_mm" | "slit_v_mm":
                    self.optics = replace(self.optics, **{name: _within(name, value, *SLIT_MM)})
                case "attenuator":
                    wanted = math.log(_within(name, value, TRANSMISSIONS[0], 1.0))
                    nearest = min(TRANSMISSIONS, key=lambda given: abs(math.log(given) - wanted))
                    self.optics = replace(self.optics, attenuator=nearest)
                case "safety_open":
                    self._move_safety_shutter(time_s, bool(value))
                case "dump_s":
                    self.ring.dump(time_s, _within(name, value, 0.0, 1e6))
                case _:
                    raise ValueError(f"the beam has no {name!r}")

    def _move_safety_shutter(self, time_s: float, opens: bool) -> None:
        if opens == self.optics.safety_open:
            return
        # Called back on its way, it never left the state it was in.
        on_its_way = time_s < self.optics.safety_since_s
        there_s = time_s if on_its_way else time_s + SAFETY_SHUTTER_S
        self.optics = replace(self.optics, safety_open=opens, safety_since_s=there_s)

    def photons(self, start_s: float, end_s: float) -> float:
        """Photons at the sample between two cell times, with the optics as they are now."""
        edges = [start_s, end_s]
        if start_s < self.optics.safety_since_s < end_s:
            edges.insert(1, self.optics.safety_since_s)
        total = 0.0
        for low, high in itertools.pairwise(edges):
            if self.optics.safety_is_open(low):
                total += (high - low) * self.ring.mean(self.ring.brightness, low, high)
        return total * self.optics.share * self._whole_photons_s

    def full_photons_s(self) -> float:
        """Photons per second that the full, undisturbed ring would give with the optics as they are."""
        return self.optics.share * self._whole_photons_s

    def status(self, time_s: float) -> dict[str, Any]:
        """What monitors of the machine and of the optics show at a cell time."""
        return {
            "ring_current_ma": self.ring.current_ma(time_s),
            "ring_state": str(self.ring.state(time_s)),
            **asdict(self.optics),
            "safety_is_open": self.optics.safety_is_open(time_s),
        }

    def to_state(self) -> dict[str, Any]:
        """What `restore` needs, JSON-able."""
        return {"optics": asdict(self.optics), "dumps": self.ring.dumps}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on with optics and dumps as they were."""
        self.optics = Optics(**state["optics"])
        self.ring.dumps = [(start, duration) for start, duration in state["dumps"]]


def _within(name: str, value: Any, low: float, high: float) -> float:
    number = float(value)
    if not low <= number <= high:
        raise ValueError(f"{name} is {number:g}; it must be from {low:g} to {high:g}")
    return number


def steady_beam(flux_photons_s: float = 4e9, energy_kev: float = 25.0, slit_mm: float = 0.5) -> Beam:
    """Make a beam that never changes by itself."""
    return Beam(Ring(200.0, None), flux_photons_s, Optics(energy_kev, slit_mm, slit_mm))
