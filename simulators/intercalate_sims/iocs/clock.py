"""An instrument's clock, its sign of life, and the word that it is simulated."""

# caproto's handlers carry the name of the PV they belong to, and its types are narrower than its use.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

import json
from collections.abc import Awaitable, Callable
from typing import Any

from caproto import ChannelType
from caproto.server import PVGroup, pvproperty

from intercalate.cycler_server.text_pv import text_keywords, to_wire

METADATA_BYTES = 16384
LIVE_S = 0.5
"""Wall seconds between two signs of life."""


class ClockPVs(PVGroup):
    """The instrument's own clock and its sign of life.

    Parameters
    ----------
    now
        Asked for the instrument's time at every reading, unix seconds.
    """

    unix_time = pvproperty(name="UnixTime", value=0.0, units="s", precision=3, read_only=True)
    heartbeat = pvproperty(name="Heartbeat", value=0, dtype=ChannelType.LONG, read_only=True)
    simulated = pvproperty(name="Simulated", **text_keywords(METADATA_BYTES), read_only=True)

    def __init__(self, *args: Any, now: Callable[[], Awaitable[float]], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._now = now

    @unix_time.getter
    async def unix_time(self, instance: Any) -> float:
        return await self._now()

    async def describe(self, description: dict[str, Any]) -> None:
        """Say what is simulated, JSON-able."""
        await self.simulated.write(to_wire(json.dumps(description), METADATA_BYTES), verify_value=False)

    async def beat(self) -> None:
        """Give one sign of life."""
        await self.heartbeat.write((self.heartbeat.value + 1) % 2**31)
