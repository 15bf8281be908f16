"""Ion beams, focused to mill and wide to sputter: what they have done to all on the stage, for good.

The world owns it, because what is gone stays gone: it is kept with the state of the world after every step of
time.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from intercalate.contract import IonBeamState, MillingEnd
from intercalate.materials.constants import ELEMENTARY_CHARGE_C
from intercalate.materials.ion_milling import um3_per_s
from intercalate_sims.sources import SteadyBeam

ION_KV = (2.0, 30.0)
ION_NA = (0.001, 50.0)
ARGON_KV = (0.1, 5.0)
ARGON_NA = (1.0, 20_000.0)
FLUENCE_CM2 = 1e16
"""Unit of ions per area."""
SAME_MM = 5e-4
"""Within which two cuts are at the same place: the second goes on where the first ended."""


@dataclass
class Cut:
    """One rectangle that was milled.

    Attributes
    ----------
    x_mm, y_mm
        Its middle, from the centre of the window of what was milled.
    asked, reached
        Of a focused beam the depth in um; of a wide one 1e16 ions per cm2.
    voltage_kv, current_na, temperature_c
        Of the ions and the stage, the last time that it was milled.
    um3_per_nc
        Of the material; of no account for a wide beam.
    """

    x_mm: float
    y_mm: float
    width_um: float
    height_um: float
    asked: float
    temperature_c: float
    um3_per_nc: float = 0.0
    voltage_kv: float = 30.0
    current_na: float = 0.1
    reached: float = 0.0

    def is_at(self, other: "Cut") -> bool:
        """Whether both are the same rectangle."""
        apart = max(abs(self.x_mm - other.x_mm), abs(self.y_mm - other.y_mm))
        sizes = self.width_um == other.width_um and self.height_um == other.height_um
        return sizes and apart < SAME_MM


class IonGun(SteadyBeam):
    """The ion column, and all cuts that it has made.

    Parameters
    ----------
    current_share
        Of the current that its scale shows, times the true over the tabulated removal; nobody is told.
    """

    ranges = MappingProxyType({"voltage_kv": ION_KV, "current_na": ION_NA})

    def __init__(self, voltage_kv: float, current_na: float, current_share: float = 1.0):
        super().__init__({"voltage_kv": voltage_kv, "current_na": current_na})
        self._current_share = current_share
        self._cuts: dict[str, list[Cut]] = {}
        self._last: Cut | None = None
        self._is_milling = False
        self._number = 0
        self._ended = MillingEnd.NONE

    @property
    def energy_kev(self) -> float:
        """Of an ion."""
        return self.value("voltage_kv")

    @property
    def size_mm(self) -> tuple[float, float]:
        """Of the cut."""
        one = self._last
        return (0.0, 0.0) if one is None else (one.width_um / 1000.0, one.height_um / 1000.0)

    def full_photons_s(self) -> float:
        """Ions per second, not blanked."""
        return 1e-9 * self.value("current_na") / ELEMENTARY_CHARGE_C

    def cuts(self, content: str) -> list[dict[str, Any]]:
        """What was removed of a content, JSON-able."""
        return [asdict(one) for one in self._cuts.get(content, ()) if one.reached > 0]

    def _more(self, cut: Cut, passed_s: float) -> float:
        """What is added to what a cut has reached."""
        rate = um3_per_s(cut.um3_per_nc, self.value("voltage_kv"), self.value("current_na"))
        return self._current_share * rate * passed_s / (cut.width_um * cut.height_um)

    @property
    def _may_mill(self) -> bool:
        return bool(self._settings["emission"] and self._settings["interlock"])

    def set(self, time_s: float, changes: dict[str, Any]) -> None:
        """Change what can be set; `mill` begins a cut, `blank` ends it for a reason of `MillingEnd`.

        Raises
        ------
        ValueError
            As of every source, and if a cut cannot begin.
        """
        own = {name: changes[name] for name in ("mill", "blank") if name in changes}
        super().set(time_s, {name: value for name, value in changes.items() if name not in own})
        if "blank" in own:
            self.blank(MillingEnd(own["blank"]))
        if not self._may_mill:
            self.blank(MillingEnd.INTERLOCK)
        if "mill" in own:
            self._begin(own["mill"])

    def blank(self, why: MillingEnd) -> None:
        """Let no more ions through; what was milled stays milled."""
        if self._is_milling:
            self._is_milling, self._ended = False, why

    def _begin(self, asked: Mapping[str, Any]) -> None:
        """Begin a cut, or go on with one at the same place."""
        if self._is_milling:
            raise ValueError("another cut is being milled; blank the beam first")
        # What ended the one before says nothing of this one, which may not begin.
        self._ended = MillingEnd.NONE
        if not self._may_mill:
            self._ended = MillingEnd.INTERLOCK
            raise ValueError("the ion beam is off: its interlock is open, or it is switched off")
        content = asked["content"]
        cut = Cut(**{name: value for name, value in asked.items() if name != "content"})
        if not min(cut.width_um, cut.height_um, cut.asked) > 0:
            raise ValueError(f"a cut of {cut.width_um:g} x {cut.height_um:g} x {cut.asked:g} um")
        made = self._cuts.setdefault(content or "", [])
        for before in made:
            if before.is_at(cut):
                before.asked, before.temperature_c = cut.asked, cut.temperature_c
                cut = before
                break
        else:
            made.append(cut)
        cut.voltage_kv, cut.current_na = self.value("voltage_kv"), self.value("current_na")
        self._last, self._is_milling = cut, True
        self._number += 1

    def live(self, passed_s: float) -> None:
        """Let cell time pass."""
        cut = self._last
        if not self._is_milling or cut is None:
            return
        cut.reached = max(cut.reached, min(cut.reached + self._more(cut, passed_s), cut.asked))
        if cut.reached >= cut.asked:
            self._is_milling, self._ended = False, MillingEnd.DONE

    def status(self, time_s: float) -> dict[str, Any]:
        """What the column shows."""
        return {
            **super().status(time_s),
            "state": str(IonBeamState.MILLING if self._is_milling else IonBeamState.BLANKED),
            "ended": str(self._ended),
            "number": self._number,
            "reached": 0.0 if self._last is None else self._last.reached,
        }

    def to_state(self) -> dict[str, Any]:
        """What `restore` needs, JSON-able."""
        cuts = {content: [asdict(one) for one in cuts] for content, cuts in self._cuts.items()}
        return {"settings": super().to_state(), "cuts": cuts, "number": self._number}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on with what was removed, blanked."""
        super().restore(state["settings"])
        self._number = state["number"]
        self._cuts = {content: [Cut(**one) for one in cuts] for content, cuts in state["cuts"].items()}


class ArgonGun(IonGun):
    """A wide beam of argon ions, scanned over a rectangle; it is told and kept by ions per area."""

    ranges = MappingProxyType({"voltage_kv": ARGON_KV, "current_na": ARGON_NA})

    def _more(self, cut: Cut, passed_s: float) -> float:
        area_cm2 = cut.width_um * cut.height_um * 1e-8
        ions = self._current_share * self.full_photons_s() * passed_s
        return ions / area_cm2 / FLUENCE_CM2
