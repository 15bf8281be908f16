"""What moves the spot of a laser or a microprobe over the sample, and the monitors beside a laser."""

# caproto's handlers carry the name of the PV they belong to, and its types are narrower than its use.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

from typing import Any

from caproto import ChannelType
from caproto.server import PVGroup, SubGroup, pvproperty

from intercalate_sims.iocs.monitors import CounterPVs
from intercalate_sims.iocs.stage import MotorPVs
from intercalate_sims.probes.monitors import LaserCounts


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
    """I0 of the laser, its light that comes back through the pinhole, and the power meter's reading."""

    reflected = pvproperty(
        name="Reflected", value=0, dtype=ChannelType.DOUBLE, units="counts", read_only=True
    )

    power_meter = pvproperty(
        name="PowerMeter", value=0.0, dtype=ChannelType.DOUBLE, units="mW", precision=5, read_only=True
    )

    async def publish(self, counts: LaserCounts) -> None:
        """Show the counts."""
        await self.power_meter.write(counts.meter_mw, verify_value=False)
        await self.i0.write(counts.i0, verify_value=False)
        await self.reflected.write(counts.reflected, verify_value=False)
