"""A shutter in front of the sample."""

from ophyd import Component as Cpt
from ophyd import Device, Kind
from ophyd.areadetector import EpicsSignalWithRBV
from ophyd.status import Status

MOVE_S = 20.0
"""Wall seconds within which it must have moved."""


class Shutter(Device):
    """Two-state shutter: `set("open")`, `set("closed")`."""

    state = Cpt(EpicsSignalWithRBV, "Shutter", string=True, kind=Kind.hinted)

    def set(self, value: str) -> Status:
        """Move the shutter.

        Raises
        ------
        ValueError
            If `value` is neither `open` nor `closed`.
        """
        if value not in ("open", "closed"):
            raise ValueError(f"{self.name} can be 'open' or 'closed', not {value!r}")
        return self.state.set(value, timeout=MOVE_S)
