"""Fault knobs of a simulated cycler channel: PVs that a real cycler does not have."""

# caproto's handlers carry the name of the PV they belong to, and its types are narrower than its use.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

from collections.abc import Mapping, Sequence
from typing import Any

from caproto import AccessRights, ChannelType
from caproto.server import PVGroup
from caproto.server import pvproperty as caproto_property

from intercalate_sims.channel import SimulatedChannel

# caproto's annotations know no putters of a subclass.
pvproperty: Any = caproto_property

_SWITCH = {"value": 0, "dtype": ChannelType.ENUM, "enum_strings": ["off", "on"]}


KNOB = "Knob:"
"""In the names of all PVs by which something is made to go wrong."""


def only_for(users: Sequence[str], pvdb: Mapping[str, Any]) -> None:
    """Let these users alone turn the knobs among some PVs, everybody where nobody is named.

    Users are those that a client says it is, as in the access security of EPICS: this keeps apart who teaches
    and who learns, and keeps nobody out who wants to come in.
    """
    if not users:
        return

    def access(hostname: str, username: str) -> AccessRights:
        return AccessRights.READ | AccessRights.WRITE if username in users else AccessRights.READ

    for name, pv in pvdb.items():
        if KNOB in name:
            pv.check_access = access


def _switch(name: str, knob: str) -> Any:
    async def put(group: "KnobPVs", instance: Any, value: Any) -> Any:
        group.channel.turn(**{knob: value in (1, "on")})
        return value

    return pvproperty(name=name, put=put, **_SWITCH)


def _number(name: str, knob: str, units: str) -> Any:
    async def put(group: "KnobPVs", instance: Any, value: Any) -> Any:
        group.channel.turn(**{knob: float(value)})
        return value

    return pvproperty(name=name, put=put, value=0.0, units=units)


class KnobPVs(PVGroup):
    """See `intercalate_sims.channel.Knobs`."""

    contact_loss = _switch("ContactLoss", "contact_loss")
    stuck_reading = _switch("StuckReading", "stuck_reading")
    sensor_nan = _switch("SensorNaN", "sensor_nan")
    lost_reply = _switch("LostReply", "lost_reply")
    over_temperature = _number("OverTemperature", "over_temperature_c", "degC")
    late_completion = _number("LateCompletion", "late_completion_s", "s")

    def __init__(self, *args: Any, channel: SimulatedChannel, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.channel = channel
