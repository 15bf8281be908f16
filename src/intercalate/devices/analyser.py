"""An electron energy analyser: which binding energies the next spectrum has."""

from collections.abc import Mapping
from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, EpicsSignal, Kind
from ophyd.status import AndStatus, Status

from intercalate.instrument_sections import RegionSection

SET_S = 10.0
"""Wall seconds within which a setting must be taken."""


class RegionError(ValueError):
    """There is no such region."""


class Analyser(Device):
    """`set("C 1s")` makes the next spectra those of a region.

    Parameters
    ----------
    regions
        By name.

    Attributes
    ----------
    flood_gun
        `on` while slow electrons keep an insulator from charging; they shift all of a sample alike.
    settable
        What a measurement may ask to be set.
    """

    settable = ("flood_gun",)

    region = Cpt(EpicsSignal, "Region", string=True, kind=Kind.normal)
    start_ev = Cpt(EpicsSignal, "Start", kind=Kind.normal)
    stop_ev = Cpt(EpicsSignal, "Stop", kind=Kind.normal)
    step_ev = Cpt(EpicsSignal, "Step", kind=Kind.normal)
    pass_energy_ev = Cpt(EpicsSignal, "PassEnergy", kind=Kind.normal)
    flood_gun = Cpt(EpicsSignal, "FloodGun", string=True, kind=Kind.normal)

    def __init__(self, prefix: str, *, name: str, regions: Mapping[str, RegionSection], **kwargs: Any):
        super().__init__(prefix, name=name, **kwargs)
        self.regions = dict(regions)

    @property
    def of_region(self) -> tuple[EpicsSignal, ...]:
        """What `set` sets."""
        return self.region, self.start_ev, self.stop_ev, self.step_ev, self.pass_energy_ev

    def check_value(self, region: str) -> None:
        """Refuse what is no region.

        Raises
        ------
        RegionError
            Naming those that there are.
        """
        if region not in self.regions:
            raise RegionError(f"there is no region {region!r}; there are {', '.join(self.regions)}")

    def set(self, region: str) -> Status | AndStatus:
        """Scan this region from now on; raises as `check_value`."""
        self.check_value(region)
        wanted = self.regions[region]
        name, *signals = self.of_region
        values = (wanted.start_ev, wanted.stop_ev, wanted.step_ev, wanted.pass_energy_ev)
        done = name.set(region, timeout=SET_S)
        for signal, value in zip(signals, values):
            done = done & signal.set(value, timeout=SET_S)
        return done
