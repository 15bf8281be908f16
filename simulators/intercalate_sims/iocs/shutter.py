"""Fast shutter in front of the sample."""

# caproto's handlers carry the name of the PV they belong to, and its types are narrower than its use.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

from collections.abc import Callable
from typing import Any

from caproto import ChannelType
from caproto.server import PVGroup
from caproto.server import pvproperty as caproto_property

# caproto's annotations know no putters of a subclass.
pvproperty: Any = caproto_property

POSITIONS = ["closed", "open"]
SWITCH = {"value": 0, "dtype": ChannelType.ENUM, "enum_strings": ["off", "on"]}
"""Of a fault knob."""


class ShutterPVs(PVGroup):
    """A shutter that moves at once, unless it is stuck; it does not open while another is open.

    Parameters
    ----------
    moved
        Told where the shutter is, when it has moved.

    Attributes
    ----------
    others
        Shutters of what must not shine at the same time.
    """

    command = pvproperty(name="Shutter", value=0, dtype=ChannelType.ENUM, enum_strings=POSITIONS)
    readback = pvproperty(
        name="Shutter_RBV", value=0, dtype=ChannelType.ENUM, enum_strings=POSITIONS, read_only=True
    )
    stuck = pvproperty(name="Knob:ShutterStuck", **SWITCH)

    def __init__(self, *args: Any, moved: Callable[[bool], None], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._moved = moved
        self.others: list[ShutterPVs] = []

    @property
    def is_open(self) -> bool:
        """Whether it is."""
        return self.readback.value in (1, "open")

    @command.putter
    async def command(self, instance: Any, value: Any) -> Any:
        opens = value in (1, "open")
        blocked = opens and any(one.is_open for one in self.others)
        if self.stuck.value not in (1, "on") and not blocked:
            await self.readback.write(value, verify_value=False)
            self._moved(opens)
        return value

    async def move(self, word: str) -> None:
        """As a camera does that opens the shutter for an exposure."""
        await self.command.write(word)
