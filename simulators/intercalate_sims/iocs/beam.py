"""Simulated beams: machine and monochromator, or a tube; slits, attenuator and safety shutter."""

# caproto's handlers carry the name of the PV they belong to, and its types are narrower than its use.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from caproto import ChannelType
from caproto.server import PVGroup, SubGroup
from caproto.server import pvproperty as caproto_property

from intercalate_sims.beam import ENERGY_KEV, SLIT_MM, TRANSMISSIONS
from intercalate_sims.iocs.clock import LIVE_S, ClockPVs
from intercalate_sims.iocs.shutter import POSITIONS, SWITCH
from intercalate_sims.iocs.stage import MotorPVs
from intercalate_sims.link import InstrumentLink
from intercalate_sims.ring import RingState

log = logging.getLogger(__name__)

# caproto's annotations know no putters of a subclass.
pvproperty: Any = caproto_property

REFRESH_S = 0.1
"""Wall seconds between two looks at the world; a reading asks it anew."""


class SlitPVs(MotorPVs):
    """Motor record of the size of the beam along one axis."""

    low, high = SLIT_MM
    velocity = 1.0


def shown_pv(name: str, key: str, **keywords: Any) -> Any:
    """Read-only PV that shows one entry of the status of the group's source of light."""

    async def get(group: Any, instance: Any) -> Any:
        return group.shown(key, (await group.link.beam())[key])

    return pvproperty(name=name, get=get, read_only=True, **keywords)


class SourcePVs(PVGroup):
    """What can be set of a source that the world owns, and what it shows.

    Parameters
    ----------
    link
        To the world.
    """

    shown_pvs: tuple[tuple[str, str], ...] = ()
    """Attributes that follow the source, with their entries in its status."""

    def __init__(self, *args: Any, link: InstrumentLink, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.link = link

    @staticmethod
    def shown(key: str, value: Any) -> Any:
        """Status entry as its PV holds it."""
        return value

    async def change(self, **changes: Any) -> None:
        """Change the source and publish how it is."""
        await self.refresh(await self.link.beam(**changes))

    async def refresh(self, status: dict[str, Any]) -> None:
        """Publish what has changed."""
        for name, key in self.shown_pvs:
            pv, value = getattr(self, name), self.shown(key, status[key])
            if pv.value != value:
                await pv.write(value, verify_value=False)


class OpticsPVs(SourcePVs):
    """What can be set between a source of X-rays and the sample, and what it shows."""

    shown_pvs = (
        ("energy_readback", "energy_kev"),
        ("attenuator_readback", "attenuator"),
        ("safety_shutter_readback", "safety_is_open"),
    )
    """Attributes that follow the beam, with their entries in its status."""

    energy_readback = shown_pv("Energy_RBV", "energy_kev", value=25.0, units="keV", precision=4)
    attenuator = pvproperty(
        name="Attenuator",
        value=1.0,
        precision=6,
        lower_ctrl_limit=TRANSMISSIONS[0],
        upper_ctrl_limit=1.0,
    )
    attenuator_readback = shown_pv("Attenuator_RBV", "attenuator", value=1.0, precision=6)
    safety_shutter = pvproperty(name="SafetyShutter", value=0, dtype=ChannelType.ENUM, enum_strings=POSITIONS)
    safety_shutter_readback = shown_pv(
        "SafetyShutter_RBV", "safety_is_open", value=0, dtype=ChannelType.ENUM, enum_strings=POSITIONS
    )
    stuck = pvproperty(name="Knob:ShutterStuck", **SWITCH)
    slit_h = SubGroup(SlitPVs, prefix="SlitH")
    slit_v = SubGroup(SlitPVs, prefix="SlitV")

    @staticmethod
    def shown(key: str, value: Any) -> Any:
        """Status entry as its PV holds it."""
        return POSITIONS[int(value)] if key == "safety_is_open" else value

    @attenuator.putter
    async def attenuator(self, instance: Any, value: Any) -> Any:
        await self.change(attenuator=float(value))
        return value

    @safety_shutter.putter
    async def safety_shutter(self, instance: Any, value: Any) -> Any:
        if self.stuck.value not in (1, "on"):
            await self.change(safety_open=value in (1, "open"))
        return value

    async def take_over(self, status: dict[str, Any]) -> None:
        """Show the settings that the world holds as those that were put last."""
        await self.attenuator.write(status["attenuator"], verify_value=False)
        await self.safety_shutter.write(POSITIONS[int(status["safety_open"])], verify_value=False)
        await self.slit_h.place(status["slit_h_mm"])
        await self.slit_v.place(status["slit_v_mm"])


class BeamPVs(OpticsPVs):
    """The machine and its monochromator, before the optics."""

    shown_pvs = (
        ("ring_current", "ring_current_ma"),
        ("ring_state", "ring_state"),
        *OpticsPVs.shown_pvs,
    )

    ring_current = shown_pv("RingCurrent", "ring_current_ma", value=0.0, units="mA", precision=3)
    ring_state = shown_pv(
        "RingState", "ring_state", value=0, dtype=ChannelType.ENUM, enum_strings=[str(s) for s in RingState]
    )
    energy = pvproperty(
        name="Energy",
        value=25.0,
        units="keV",
        precision=4,
        lower_ctrl_limit=ENERGY_KEV[0],
        upper_ctrl_limit=ENERGY_KEV[1],
    )
    dump = pvproperty(name="Knob:Dump", value=0.0, units="s", lower_ctrl_limit=0.0, upper_ctrl_limit=1e6)

    @energy.putter
    async def energy(self, instance: Any, value: Any) -> Any:
        await self.change(energy_kev=float(value))
        return value

    @dump.putter
    async def dump(self, instance: Any, value: Any) -> Any:
        await self.change(dump_s=float(value))
        return value

    async def take_over(self, status: dict[str, Any]) -> None:
        """Show the settings that the world holds as those that were put last."""
        await self.energy.write(status["energy_kev"], verify_value=False)
        await super().take_over(status)


class TubePVs(OpticsPVs):
    """A sealed X-ray tube, before the optics; its line is what it is."""

    shown_pvs = (("tube_current", "ring_current_ma"), *OpticsPVs.shown_pvs)

    tube_current = shown_pv("TubeCurrent", "ring_current_ma", value=0.0, units="mA", precision=2)


class SimulatedBeam:
    """The PVs of a beam, and what must run beside them.

    Parameters
    ----------
    kind
        Which source.
    """

    def __init__(
        self,
        prefix: str,
        link: InstrumentLink,
        description: dict[str, Any],
        kind: type[OpticsPVs] = BeamPVs,
    ):
        self.link = link
        self._description = description
        self.pvs = kind(prefix=prefix, link=link)
        self.clock = ClockPVs(prefix=prefix, now=self._time)
        self.pvs.slit_h.moved = self._sizes("slit_h_mm")
        self.pvs.slit_v.moved = self._sizes("slit_v_mm")

    @property
    def pvdb(self) -> dict[str, Any]:
        """Every PV by its full name."""
        return {**self.pvs.pvdb, **self.clock.pvdb}

    def tasks(self) -> list[Coroutine[Any, Any, None]]:
        """What must run beside the PVs."""
        return [self.link.run(), self._live(), self._follow()]

    async def _time(self) -> float:
        return (await self.link.status())["unix_s"]

    def _sizes(self, name: str) -> Callable[[float], Coroutine[Any, Any, None]]:
        async def moved(position_mm: float) -> None:
            await self.link.beam(**{name: position_mm})

        return moved

    async def _live(self) -> None:
        await self.clock.describe(self._description)
        while True:
            await self.clock.beat()
            await asyncio.sleep(LIVE_S)

    async def _follow(self) -> None:
        """Show the beam as it is; after a restart of either side, take over what the world holds."""
        is_known = False
        while True:
            try:
                status = await self.link.beam()
                if not is_known:
                    rate = (await self.link.status())["rate"]
                    self.pvs.slit_h.rate = self.pvs.slit_v.rate = rate
                    await self.pvs.take_over(status)
                    is_known = True
                await self.pvs.refresh(status)
            except ConnectionError:
                is_known = False
            await asyncio.sleep(REFRESH_S)
