"""A laser, the objective that moves its spot over the sample, and the monitors beside it."""

# caproto's handlers carry the name of the PV they belong to, and its types are narrower than its use.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

import asyncio
from collections.abc import Coroutine
from typing import Any

from caproto import ChannelType
from caproto.server import PVGroup, SubGroup
from caproto.server import pvproperty as caproto_property

from intercalate_sims.iocs.beam import REFRESH_S, SourcePVs, shown_pv
from intercalate_sims.iocs.monitors import CounterPVs
from intercalate_sims.iocs.stage import MotorPVs
from intercalate_sims.laser import MOST_MW
from intercalate_sims.probes.monitors import LaserCounts

# caproto's annotations know no putters of a subclass.
pvproperty: Any = caproto_property

SWITCHED = ["off", "on"]
INTERLOCK = ["open", "closed"]


class LaserPVs(SourcePVs):
    """What can be set of a laser, and what it shows."""

    power = pvproperty(
        name="Power", value=1.0, units="mW", precision=4, lower_ctrl_limit=0.0, upper_ctrl_limit=MOST_MW
    )
    power_readback = shown_pv("Power_RBV", "power_mw", value=1.0, units="mW", precision=4)
    wavelength = shown_pv("Wavelength", "wavelength_nm", value=532.0, units="nm", precision=3)
    emission = pvproperty(name="Emission", value=1, dtype=ChannelType.ENUM, enum_strings=SWITCHED)
    emission_readback = shown_pv(
        "Emission_RBV", "emission", value=1, dtype=ChannelType.ENUM, enum_strings=SWITCHED
    )
    interlock = shown_pv("Interlock", "interlock", value=1, dtype=ChannelType.ENUM, enum_strings=INTERLOCK)
    open_interlock = pvproperty(
        name="Knob:OpenInterlock", value=0, dtype=ChannelType.ENUM, enum_strings=SWITCHED
    )

    shown_pvs = (
        ("power_readback", "power_mw"),
        ("wavelength", "wavelength_nm"),
        ("emission_readback", "emission"),
        ("interlock", "interlock"),
    )

    @staticmethod
    def shown(key: str, value: Any) -> Any:
        """Status entry as its PV holds it."""
        words = {"emission": SWITCHED, "interlock": INTERLOCK}.get(key)
        return value if words is None else words[int(value)]

    @power.putter
    async def power(self, instance: Any, value: Any) -> Any:
        await self.change(power_mw=float(value))
        return value

    @emission.putter
    async def emission(self, instance: Any, value: Any) -> Any:
        await self.change(emission=value in (1, "on"))
        return value

    @open_interlock.putter
    async def open_interlock(self, instance: Any, value: Any) -> Any:
        await self.change(interlock=value not in (1, "on"))
        return value

    def tasks(self) -> list[Coroutine[Any, Any, None]]:
        """What must run beside the PVs."""
        return [self._follow()]

    async def _follow(self) -> None:
        """Show the laser as it is; after a restart of either side, take over what the world holds."""
        is_known = False
        while True:
            try:
                status = await self.link.beam()
                if not is_known:
                    await self.power.write(status["power_mw"], verify_value=False)
                    await self.emission.write(SWITCHED[int(status["emission"])], verify_value=False)
                    is_known = True
                await self.refresh(status)
            except ConnectionError:
                is_known = False
            await asyncio.sleep(REFRESH_S)


class _AxisPVs(MotorPVs):
    """Piezo axis across the sample."""

    low, high = -100.0, 100.0
    velocity = 50.0
    units = "um"


class _FocusPVs(MotorPVs):
    """Drive of the focus."""

    low, high = -500.0, 500.0
    velocity = 50.0
    units = "um"


class ObjectivePVs(PVGroup):
    """Three axes of an objective.

    Parameters
    ----------
    beside_mm
        Where the spot really is with all axes at 0, from where the stage's beam is.
    """

    x = SubGroup(_AxisPVs, prefix="ObjectiveX")
    y = SubGroup(_AxisPVs, prefix="ObjectiveY")
    z = SubGroup(_FocusPVs, prefix="Focus")

    def __init__(self, *args: Any, beside_mm: tuple[float, float], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._beside_mm = beside_mm

    def set_rate(self, rate: float) -> None:
        """Cell seconds per wall second."""
        for axis in (self.x, self.y, self.z):
            axis.rate = rate

    @property
    def offset_mm(self) -> tuple[float, float]:
        """Where the spot is, from where the stage's beam is."""
        return (
            self._beside_mm[0] + self.x.position / 1000.0,
            self._beside_mm[1] + self.y.position / 1000.0,
        )

    @property
    def focus_um(self) -> float:
        """Of the focus, + into the sample."""
        return self.z.position


class LaserMonitorPVs(CounterPVs):
    """I0 of the laser, and its light that comes back through the pinhole."""

    reflected = pvproperty(
        name="Reflected", value=0, dtype=ChannelType.DOUBLE, units="counts", read_only=True
    )

    async def publish(self, counts: LaserCounts) -> None:
        """Show the counts."""
        await self.i0.write(counts.i0, verify_value=False)
        await self.reflected.write(counts.reflected, verify_value=False)
