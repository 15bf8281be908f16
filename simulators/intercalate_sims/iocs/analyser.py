"""Electron energy analyser: which energies it scans, and how."""

# caproto's handlers carry the name of the PV they belong to, and its types are narrower than its use.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

from typing import Any

from caproto import ChannelType
from caproto.server import PVGroup, pvproperty

from intercalate_sims.iocs.sources import SWITCHED

BINDING_EV = (-20.0, 1500.0)
PASS_EV = (5.0, 200.0)


def _energy(name: str, value: float, limits: tuple[float, float]) -> Any:
    return pvproperty(
        name=name,
        value=value,
        units="eV",
        precision=4,
        lower_ctrl_limit=limits[0],
        upper_ctrl_limit=limits[1],
    )


class AnalyserPVs(PVGroup):
    """A region of binding energies, from its low to its high end."""

    region = pvproperty(name="Region", value="survey", dtype=ChannelType.STRING)
    start = _energy("Start", 0.0, BINDING_EV)
    stop = _energy("Stop", 1100.0, BINDING_EV)
    step = _energy("Step", 1.1, (0.01, 10.0))
    pass_energy = _energy("PassEnergy", 100.0, PASS_EV)
    flood_gun = pvproperty(name="FloodGun", value=0, dtype=ChannelType.ENUM, enum_strings=SWITCHED)

    @property
    def settings(self) -> dict[str, Any]:
        """What a probe must know of it."""
        return {
            "region": str(self.region.value),
            "start_ev": float(self.start.value),
            "stop_ev": float(self.stop.value),
            "step_ev": float(self.step.value),
            "pass_energy_ev": float(self.pass_energy.value),
            "flood_gun": self.flood_gun.value in (1, "on"),
        }
