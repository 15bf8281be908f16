"""Fault knobs of a simulated cycler channel: PVs that a real cycler does not have."""

# caproto's handlers carry the name of the PV they belong to, and its types are narrower than its use.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

from typing import Any

from caproto import ChannelType
from caproto.server import PVGroup
from caproto.server import pvproperty as caproto_property

from intercalate_sims.channel import SimulatedChannel

# caproto's annotations know no putters of a subclass.
pvproperty: Any = caproto_property

_SWITCH = {"value": 0, "dtype": ChannelType.ENUM, "enum_strings": ["off", "on"]}


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
