"""Ion beams at the stage of the vacuum chamber: what they are asked for, and how far they are by now."""

# caproto's handlers carry the name of the PV they belong to, and its types are narrower than its use.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from caproto import ChannelType
from caproto.server import pvproperty as caproto_property

from intercalate.contract import IonBeamState, MillingEnd
from intercalate_sims.changer import Changer
from intercalate_sims.iocs.beam import REFRESH_S, shown_pv
from intercalate_sims.iocs.sources import SWITCHED, SteadySourcePVs, limited
from intercalate_sims.iocs.stage import StagePVs
from intercalate_sims.milling import ARGON_KV, ARGON_NA, ION_KV, ION_NA, SAME_MM

# caproto's annotations know no putters of a subclass.
pvproperty: Any = caproto_property

ON_GLASS = 0.27
"""Cubic micrometres per nanocoulomb of whatever is beside the samples."""


async def _as_put(group: Any, instance: Any, value: Any) -> Any:
    """Of a number of the next cut, which is what was put."""
    return value


def _micrometres(name: str, value: float, most: float = 1000.0) -> Any:
    return pvproperty(
        name=name,
        value=value,
        put=_as_put,
        units="um",
        precision=3,
        lower_ctrl_limit=0.01,
        upper_ctrl_limit=most,
    )


class IonColumnPVs(SteadySourcePVs):
    """What can be set of a focused ion column, and what it shows.

    Parameters
    ----------
    changer, stage
        What is on the stage, and where that is.
    temperature_c
        Gives that of the stage.
    um3_per_nc
        Of what is at each holder, by its content.
    """

    voltage = pvproperty(
        name="Voltage",
        value=30.0,
        units="kV",
        precision=2,
        lower_ctrl_limit=ION_KV[0],
        upper_ctrl_limit=ION_KV[1],
    )
    voltage_readback = shown_pv("Voltage_RBV", "voltage_kv", value=30.0, units="kV", precision=2)
    current = pvproperty(
        name="Current",
        value=0.1,
        units="nA",
        precision=4,
        lower_ctrl_limit=ION_NA[0],
        upper_ctrl_limit=ION_NA[1],
    )
    current_readback = shown_pv("Current_RBV", "current_na", value=0.1, units="nA", precision=4)
    width = _micrometres("Width", 10.0)
    height = _micrometres("Height", 10.0)
    depth = _micrometres("Depth", 1.0)
    mill = pvproperty(name="Mill", value=0, dtype=ChannelType.ENUM, enum_strings=SWITCHED)
    state = shown_pv(
        "State", "state", value=0, dtype=ChannelType.ENUM, enum_strings=[str(one) for one in IonBeamState]
    )
    ended = shown_pv(
        "Ended", "ended", value=0, dtype=ChannelType.ENUM, enum_strings=[str(one) for one in MillingEnd]
    )
    milled = shown_pv("Milled", "reached", value=0.0, units="um", precision=4)
    number = shown_pv("Number", "number", value=0)
    lease = pvproperty(
        name="Lease", value=0.0, units="s", precision=1, lower_ctrl_limit=0.0, upper_ctrl_limit=3600.0
    )

    settable = (("voltage", "voltage_kv"), ("current", "current_na"))
    shown_pvs = (
        ("voltage_readback", "voltage_kv"),
        ("current_readback", "current_na"),
        ("state", "state"),
        ("ended", "ended"),
        ("milled", "reached"),
        ("number", "number"),
        *SteadySourcePVs.shown_pvs,
    )

    def __init__(
        self,
        *args: Any,
        changer: Changer,
        stage: StagePVs,
        temperature_c: Callable[[], float],
        um3_per_nc: Mapping[str, float] | None = None,
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        self._changer, self._stage = changer, stage
        self._temperature_c = temperature_c
        self._um3_per_nc = dict(um3_per_nc or {})
        self._lease_ends_s = math.inf
        self._began_mm: tuple[float, float] | None = None

    @voltage.putter
    async def voltage(self, instance: Any, value: Any) -> Any:
        await self.change(voltage_kv=float(value))
        return value

    @current.putter
    async def current(self, instance: Any, value: Any) -> Any:
        await self.change(current_na=float(value))
        return value

    @lease.putter
    async def lease(self, instance: Any, value: Any) -> Any:
        """Of a client that lets ions through; 0 of somebody at the panel."""
        self._lease_ends_s = time.monotonic() + float(value) if value > 0 else math.inf
        return value

    @mill.putter
    async def mill(self, instance: Any, value: Any) -> Any:
        if value in (1, "on"):
            await self._begin()
        else:
            await self.change(blank=str(MillingEnd.STOPPED))
        return value

    @property
    def goal(self) -> float:
        """What is asked for."""
        return float(self.depth.value)

    async def _begin(self) -> None:
        self._began_mm = at_mm = self._stage.position_mm
        content = self._changer.content_near(*at_mm)
        x_mm, y_mm = self._changer.place_near(*at_mm)
        await self.change(
            mill={
                "content": content,
                "x_mm": x_mm,
                "y_mm": y_mm,
                "width_um": float(self.width.value),
                "height_um": float(self.height.value),
                "asked": self.goal,
                "temperature_c": self._temperature_c(),
                "um3_per_nc": self._um3_per_nc.get(content or "", ON_GLASS),
            }
        )

    def tasks(self) -> list[Coroutine[Any, Any, None]]:
        """What must run beside the PVs."""
        return [self.link.run(), self._follow(), self._watch()]

    async def _watch(self) -> None:
        """Blank the beam for a client that is gone, and where the stage does not stand still."""
        while True:
            if self.state.value == IonBeamState.MILLING:
                with contextlib.suppress(ConnectionError, RuntimeError):
                    if time.monotonic() > self._lease_ends_s:
                        await self.change(blank=str(MillingEnd.LEASE))
                    elif self._has_moved():
                        await self.change(blank=str(MillingEnd.STAGE))
            await asyncio.sleep(REFRESH_S)

    def _has_moved(self) -> bool:
        began, now = self._began_mm, self._stage.position_mm
        return began is not None and max(abs(a - b) for a, b in zip(began, now)) > SAME_MM


class SputterGunPVs(IonColumnPVs):
    """What can be set of a gun of argon ions, and what it shows."""

    voltage = limited(IonColumnPVs.voltage, 0.5, ARGON_KV)
    current = limited(IonColumnPVs.current, 1000.0, ARGON_NA)
    width = _micrometres("Width", 2000.0, 20_000.0)
    height = _micrometres("Height", 2000.0, 20_000.0)
    depth = pvproperty(
        name="Fluence", value=1.0, put=_as_put, precision=4, lower_ctrl_limit=1e-4, upper_ctrl_limit=1e4
    )
    milled = shown_pv("Sputtered", "reached", value=0.0, precision=4)
