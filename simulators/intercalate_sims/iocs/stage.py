"""Two-axis sample stage as motor records that move on the cell's clock."""

# caproto's handlers carry the name of the PV they belong to.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

import asyncio
import math
from typing import Any

from caproto.server import PVGroup, SubGroup, pvproperty

TRAVEL_MM = 25.0
VELOCITY_MM_S = 2.0
STEP_S = 0.05
"""Wall seconds between two readbacks of a moving motor."""


class MotorPVs(PVGroup):
    """One motor record."""

    motor = pvproperty(value=0.0, name="", record="motor", precision=4, units="mm")

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.rate = 1.0
        self._wanted = asyncio.Event()

    @property
    def position_mm(self) -> float:
        """Where the axis is."""
        return self.motor.field_inst.user_readback_value.value

    @motor.startup
    async def motor(self, instance: Any, async_lib: Any) -> None:
        fields = instance.field_inst

        async def moved(record: Any, value: Any) -> None:
            self._wanted.set()

        await fields.velocity.write(VELOCITY_MM_S)
        await fields.engineering_units.write("mm")
        await fields.user_low_limit.write(-TRAVEL_MM)
        await fields.user_high_limit.write(TRAVEL_MM)
        # ophyd checks the control limits of VAL, which the record's own limit fields do not set.
        await instance.write_metadata(lower_ctrl_limit=-TRAVEL_MM, upper_ctrl_limit=TRAVEL_MM)
        fields.value_write_hook = moved
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self._move(instance, fields)

    async def _move(self, instance: Any, fields: Any) -> None:
        await fields.done_moving_to_value.write(0)
        await fields.motor_is_moving.write(1)
        start = self.position_mm
        duration_s = abs(instance.value - start) / fields.velocity.value / self.rate
        steps = max(1, math.ceil(duration_s / STEP_S))
        for step in range(1, steps + 1):
            await asyncio.sleep(duration_s / steps)
            position = start + (instance.value - start) * step / steps
            await fields.user_readback_value.write(position)
            await fields.dial_readback_value.write(position)
            if fields.stop.value:
                await fields.stop.write(0)
                await instance.write(position)
                break
        await fields.motor_is_moving.write(0)
        await fields.done_moving_to_value.write(1)


class StagePVs(PVGroup):
    """Horizontal and vertical axis across the beam; zero is the centre of the cell's window."""

    x = SubGroup(MotorPVs, prefix="StageX")
    y = SubGroup(MotorPVs, prefix="StageY")

    def set_rate(self, rate: float) -> None:
        """Cell seconds per wall second."""
        self.x.rate = self.y.rate = rate

    def distance_mm(self) -> float:
        """Of the beam from the centre of the window."""
        return math.hypot(self.x.position_mm, self.y.position_mm)
