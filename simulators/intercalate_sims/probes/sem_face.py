"""What an electron microscope meets on the face of an electrode, and what heat does to it."""

import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

import numpy as np

from intercalate.materials.electron_range import ALLOY_MELTS_C
from intercalate_sims.cell.interface import ElectrodeState
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.sem_sample import IMAGED
from intercalate_sims.probes.sem_surface import Deposit, Habit, SurfaceView

ALLOY = "Li10Mg"
"""Key of the electrode's material."""
METALS = ("Li", ALLOY)
"""Materials of electrodes that give diffraction patterns of their own, cubic and body-centred."""

ROOM_C = 25.0

HABITS = {"needles": Habit.NEEDLE, "moss": Habit.MOSSY, "globules": Habit.GLOBULAR}
"""By the names of the cell model."""
NEEDLE_ASPECT, MOSS_LUMPS = 17.0, 5.5
"""Length of a needle and width of a patch of moss, in widths of a needle and of a lump, as
`sem_relief` draws them, where both scatter around this."""


class Heating(StrEnum):
    """What heat does to lithium and its alloy in the chamber; nobody is told."""

    REAL = "real"
    """The bulk melts below a passivation layer that stays, and freezes as other grains."""
    UNMELTED = "unmelted"
    """Nothing melts."""
    SAME_GRAINS = "same_grains"
    """It melts, and freezes as the grains that were there."""
    COLLAPSED = "collapsed"
    """It melts, and the passivation layer goes with it."""

    @property
    def melts_c(self) -> float:
        """Where the bulk melts."""
        return math.inf if self is Heating.UNMELTED else ALLOY_MELTS_C

    def generation(self, freezes: int) -> int:
        """Of grains, after the stage has come back so often from where lithium melts."""
        return freezes if self in (Heating.REAL, Heating.COLLAPSED) else 0


@dataclass(frozen=True)
class HiddenFace:
    """How a face of the chamber's sample differs from a typical one, and how its stage moves it.

    Attributes
    ----------
    crust_share
        Of the face of the alloy, on which its passivation layer stands in lumps.
    crust_um
        Diameter of one.
    creep_um_k
        Along x and y, by which a place moves for each kelvin of the stage.
    """

    crust_share: float = 0.25
    crust_um: float = 9.0
    creep_um_k: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def draw(cls, seed: int) -> Self:
        """Of a seed."""
        n = keyed_generator(seed, "heated face", 0).standard_normal(4)
        return cls(
            float(np.clip(0.25 + 0.05 * n[0], 0.12, 0.4)),
            9.0 * float(np.exp(0.15 * n[1])),
            (0.005 * float(n[2]), 0.005 * float(n[3])),
        )

    def as_json(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)

    def moved_um(self, temperature_c: float) -> tuple[float, float]:
        """By how much a place has moved since the stage was at room temperature."""
        x_um, y_um = (one * (temperature_c - ROOM_C) for one in self.creep_um_k)
        return x_um, y_um


def _deposit(habit: str, share: float, width_um: float, height_um: float) -> Deposit:
    """What the cell model says of a habit, as it is drawn."""
    times = {"needles": NEEDLE_ASPECT, "moss": MOSS_LUMPS}.get(habit, 1.0)
    if habit == "needles":
        # Drawn as rods that lie there: no more of them than the lithium in them is enough for.
        share *= min(height_um / (0.25 * math.pi * width_um), 1.0)
    return Deposit(HABITS[habit], share, times * width_um, height_um)


def face_of(electrode: ElectrodeState, hidden: HiddenFace, heating: Heating) -> SurfaceView:
    """The face that an electrode turns to the column; nothing where the microscope knows no such material."""
    if electrode.material == "Li":
        # The film on it is thin: what stands on it is what is seen.
        return SurfaceView([_deposit(*one) for one in electrode.deposits], material="passivated lithium")
    if electrode.material != ALLOY:
        return SurfaceView(material=IMAGED.get(electrode.material, "vacuum"))
    crust = Deposit(Habit.MOSSY, hidden.crust_share, hidden.crust_um, 0.25 * hidden.crust_um)
    return SurfaceView([crust], material="passivated lithium", passivated=heating is not Heating.COLLAPSED)
