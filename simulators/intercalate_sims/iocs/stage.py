"""Motor records that move on the cell's clock, and the two-axis sample stage."""

# caproto's handlers carry the name of the PV they belong to.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from caproto.server import PVGroup, SubGroup, pvproperty

log = logging.getLogger(__name__)

STEP_S = 0.05
"""Wall seconds between two readbacks of a moving motor."""

SHORTEST_S = 0.02
"""Wall seconds of a move at least: a server with much to say may leave out that a motor moved at all, and its
client then waits for the end of a move for ever."""


class MotorPVs(PVGroup):
    """One motor record.

    Attributes
    ----------
    low, high, velocity, units
        Travel, speed per second of cell time, and in which both are.
    found
        Where it is in the beginning.
    moved
        Told every new position; one that cannot be told is logged.
    """

    low, high = -50.0, 50.0
    velocity = 2.0
    units = "mm"
    found = 0.0

    motor = pvproperty(value=0.0, name="", record="motor", precision=4)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        # caproto sets units of a property for all instances alike, or while it serves.
        self.motor._data["units"] = self.units
        self.rate = 1.0
        self.moved: Callable[[float], Awaitable[None]] | None = None
        self._wanted = asyncio.Event()

    @property
    def position(self) -> float:
        """Where the axis is."""
        return self.motor.field_inst.user_readback_value.value

    async def place(self, position: float) -> None:
        """Be at a position, without a move."""
        fields = self.motor.field_inst
        await self.motor.write(position, verify_value=False)
        self._wanted.clear()
        await fields.user_readback_value.write(position)
        await fields.dial_readback_value.write(position)

    @motor.startup
    async def motor(self, instance: Any, async_lib: Any) -> None:
        fields = instance.field_inst

        async def wanted(record: Any, value: Any) -> None:
            # A stop that came while nothing moved does not hold back the next move.
            if fields.done_moving_to_value.value and fields.stop.value:
                await fields.stop.write(0)
            self._wanted.set()

        await fields.velocity.write(self.velocity)
        await fields.engineering_units.write(self.units)
        await fields.user_low_limit.write(self.low)
        await fields.user_high_limit.write(self.high)
        # ophyd checks the control limits of VAL, which the record's own limit fields do not set.
        await instance.write_metadata(lower_ctrl_limit=self.low, upper_ctrl_limit=self.high)
        if self.found:
            await self.place(self.found)
        fields.value_write_hook = wanted
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self._move(instance, fields)

    async def _move(self, instance: Any, fields: Any) -> None:
        await fields.done_moving_to_value.write(0)
        await fields.motor_is_moving.write(1)
        start = self.position
        duration_s = max(abs(instance.value - start) / fields.velocity.value / self.rate, SHORTEST_S)
        steps = max(1, math.ceil(duration_s / STEP_S))
        for step in range(1, steps + 1):
            await asyncio.sleep(duration_s / steps)
            position = float(start + (instance.value - start) * step / steps)
            await fields.user_readback_value.write(position)
            await fields.dial_readback_value.write(position)
            await self._tell(position)
            if fields.stop.value:
                await fields.stop.write(0)
                await instance.write(position)
                break
        await fields.motor_is_moving.write(0)
        await fields.done_moving_to_value.write(1)

    async def _tell(self, position: float) -> None:
        if self.moved is None:
            return
        try:
            await self.moved(position)
        except (ConnectionError, RuntimeError) as error:
            log.error("a move to %g %s has no effect: %s", position, self.units, error)


class StagePVs(PVGroup):
    """Horizontal and vertical axis of the sample changer across the beam."""

    x = SubGroup(MotorPVs, prefix="StageX")
    y = SubGroup(MotorPVs, prefix="StageY")

    def set_rate(self, rate: float) -> None:
        """Cell seconds per wall second."""
        self.x.rate = self.y.rate = rate

    def tasks(self) -> list[Coroutine[Any, Any, None]]:
        """What must run beside the PVs."""
        return []

    @property
    def position_mm(self) -> tuple[float, float]:
        """Where the axes are."""
        return self.x.position, self.y.position
