"""Steady sources: a laser, the X-ray tube of an electron spectrometer, an electron gun."""

# caproto's handlers carry the name of the PV they belong to, and its types are narrower than its use.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

import asyncio
from collections.abc import Coroutine
from typing import Any

from caproto import ChannelType
from caproto.server import pvproperty as caproto_property

from intercalate_sims.iocs.beam import REFRESH_S, SourcePVs, shown_pv
from intercalate_sims.sources import (
    FIELD_OF_VIEW_UM,
    GUN_KV,
    GUN_NA,
    ILLUMINATED_UM,
    MOST_LAMP_MW,
    MOST_MW,
    MOST_W,
    SPOT_UM,
    TRANSMISSION_KV,
    TRANSMISSION_NA,
)

# caproto's annotations know no putters of a subclass.
pvproperty: Any = caproto_property

SWITCHED = ["off", "on"]
INTERLOCK = ["open", "closed"]


class SteadySourcePVs(SourcePVs):
    """Switch and interlock of a source.

    Attributes
    ----------
    settable
        Attributes of the numbers that can be set, with their entries in the status of the source.
    """

    settable: tuple[tuple[str, str], ...] = ()

    emission = pvproperty(name="Emission", value=1, dtype=ChannelType.ENUM, enum_strings=SWITCHED)
    emission_readback = shown_pv(
        "Emission_RBV", "emission", value=1, dtype=ChannelType.ENUM, enum_strings=SWITCHED
    )
    interlock = shown_pv("Interlock", "interlock", value=1, dtype=ChannelType.ENUM, enum_strings=INTERLOCK)
    open_interlock = pvproperty(
        name="Knob:OpenInterlock", value=0, dtype=ChannelType.ENUM, enum_strings=SWITCHED
    )

    shown_pvs = (("emission_readback", "emission"), ("interlock", "interlock"))

    @staticmethod
    def shown(key: str, value: Any) -> Any:
        """Status entry as its PV holds it."""
        words = {"emission": SWITCHED, "interlock": INTERLOCK}.get(key)
        return value if words is None else words[int(value)]

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
        """Show the source as it is; after a restart of either side, take over what the world holds."""
        is_known = False
        while True:
            try:
                status = await self.link.beam()
                if not is_known:
                    for name, key in self.settable:
                        await getattr(self, name).write(status[key], verify_value=False)
                    await self.emission.write(SWITCHED[int(status["emission"])], verify_value=False)
                    is_known = True
                await self.refresh(status)
            except ConnectionError:
                is_known = False
            await asyncio.sleep(REFRESH_S)


class LaserPVs(SteadySourcePVs):
    """What can be set of a laser, and what it shows."""

    power = pvproperty(
        name="Power", value=1.0, units="mW", precision=4, lower_ctrl_limit=0.0, upper_ctrl_limit=MOST_MW
    )
    power_readback = shown_pv("Power_RBV", "power_mw", value=1.0, units="mW", precision=4)
    wavelength = shown_pv("Wavelength", "wavelength_nm", value=532.0, units="nm", precision=3)

    settable = (("power", "power_mw"),)
    shown_pvs = (
        ("power_readback", "power_mw"),
        ("wavelength", "wavelength_nm"),
        *SteadySourcePVs.shown_pvs,
    )

    @power.putter
    async def power(self, instance: Any, value: Any) -> Any:
        await self.change(power_mw=float(value))
        return value


class LampPVs(SteadySourcePVs):
    """What can be set of a lamp, and what it shows."""

    power = pvproperty(
        name="Power", value=1.0, units="mW", precision=4, lower_ctrl_limit=0.0, upper_ctrl_limit=MOST_LAMP_MW
    )
    power_readback = shown_pv("Power_RBV", "power_mw", value=1.0, units="mW", precision=4)

    settable = (("power", "power_mw"),)
    shown_pvs = (("power_readback", "power_mw"), *SteadySourcePVs.shown_pvs)

    @power.putter
    async def power(self, instance: Any, value: Any) -> Any:
        await self.change(power_mw=float(value))
        return value


class SoftXRayPVs(SteadySourcePVs):
    """What can be set of the X-ray tube of an electron spectrometer, and what it shows."""

    power = pvproperty(
        name="Power", value=1.0, units="W", precision=2, lower_ctrl_limit=0.0, upper_ctrl_limit=MOST_W
    )
    power_readback = shown_pv("Power_RBV", "power_w", value=1.0, units="W", precision=2)
    spot = pvproperty(
        name="Spot",
        value=200.0,
        units="um",
        precision=1,
        lower_ctrl_limit=SPOT_UM[0],
        upper_ctrl_limit=SPOT_UM[1],
    )
    spot_readback = shown_pv("Spot_RBV", "spot_um", value=200.0, units="um", precision=1)
    energy = shown_pv("Energy_RBV", "energy_kev", value=1.4866, units="keV", precision=5)

    settable = (("power", "power_w"), ("spot", "spot_um"))
    shown_pvs = (
        ("power_readback", "power_w"),
        ("spot_readback", "spot_um"),
        ("energy", "energy_kev"),
        *SteadySourcePVs.shown_pvs,
    )

    @power.putter
    async def power(self, instance: Any, value: Any) -> Any:
        await self.change(power_w=float(value))
        return value

    @spot.putter
    async def spot(self, instance: Any, value: Any) -> Any:
        await self.change(spot_um=float(value))
        return value


class ElectronGunPVs(SteadySourcePVs):
    """What can be set of an electron column, and what it shows."""

    voltage = pvproperty(
        name="Voltage",
        value=5.0,
        units="kV",
        precision=3,
        lower_ctrl_limit=GUN_KV[0],
        upper_ctrl_limit=GUN_KV[1],
    )
    voltage_readback = shown_pv("Voltage_RBV", "voltage_kv", value=5.0, units="kV", precision=3)
    current = pvproperty(
        name="Current",
        value=0.1,
        units="nA",
        precision=4,
        lower_ctrl_limit=GUN_NA[0],
        upper_ctrl_limit=GUN_NA[1],
    )
    current_readback = shown_pv("Current_RBV", "current_na", value=0.1, units="nA", precision=4)
    field_of_view = pvproperty(
        name="FieldOfView",
        value=50.0,
        units="um",
        precision=2,
        lower_ctrl_limit=FIELD_OF_VIEW_UM[0],
        upper_ctrl_limit=FIELD_OF_VIEW_UM[1],
    )
    field_of_view_readback = shown_pv(
        "FieldOfView_RBV", "field_of_view_um", value=50.0, units="um", precision=2
    )

    settable = (
        ("voltage", "voltage_kv"),
        ("current", "current_na"),
        ("field_of_view", "field_of_view_um"),
    )
    shown_pvs = (
        ("voltage_readback", "voltage_kv"),
        ("current_readback", "current_na"),
        ("field_of_view_readback", "field_of_view_um"),
        *SteadySourcePVs.shown_pvs,
    )

    @voltage.putter
    async def voltage(self, instance: Any, value: Any) -> Any:
        await self.change(voltage_kv=float(value))
        return value

    @current.putter
    async def current(self, instance: Any, value: Any) -> Any:
        await self.change(current_na=float(value))
        return value

    @field_of_view.putter
    async def field_of_view(self, instance: Any, value: Any) -> Any:
        await self.change(field_of_view_um=float(value))
        return value


def limited(like: Any, value: float, limits: tuple[float, float]) -> Any:
    """The same PV with other limits."""
    spec = like.pvspec
    kept = {name: one for name, one in spec.cls_kwargs.items() if not name.endswith("_ctrl_limit")}
    return pvproperty(
        name=spec.name,
        value=value,
        put=spec.put,
        lower_ctrl_limit=limits[0],
        upper_ctrl_limit=limits[1],
        **kept,
    )


class TransmissionGunPVs(ElectronGunPVs):
    """What can be set of the column of a transmission microscope."""

    voltage = limited(ElectronGunPVs.voltage, 200.0, TRANSMISSION_KV)
    current = limited(ElectronGunPVs.current, 0.05, TRANSMISSION_NA)
    field_of_view = limited(ElectronGunPVs.field_of_view, 1.3, ILLUMINATED_UM)
