"""The airtight vessel in which a cell is carried from the glovebox to another instrument."""

from collections.abc import Callable
from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, EpicsSignalRO, Kind
from ophyd.areadetector import EpicsSignalWithRBV
from ophyd.status import Status

from intercalate.contract import VesselLocation

HANDLING_S = 1800.0
"""Cell seconds within which the vessel is loaded, sealed or opened: at a beamline a person does it."""

MARGIN_S = 5.0
"""Wall seconds that a readback may come late."""


class TransferVessel(Device):
    """Vessel and glovebox: has a cell put into it, sealed and carried.

    At a beamline a person does all of this: `location`, `holder`, `seal` and `opened` ask for it, and their
    readbacks are what that person confirms.

    Parameters
    ----------
    rate
        Gives cell seconds per wall second, by which a timeout is reckoned; 1 at a beamline.

    Attributes
    ----------
    holder
        Place of the sample changer whose holder, with the cell in it, is in the vessel; empty for none.
    opened
        Of the cell in the vessel: `whole`, or the electrode whose face shows since it was taken apart.
    pressure_mbar
        In the vessel.
    glovebox_o2_ppm, glovebox_h2o_ppm, glovebox_dew_point_c
        Of the glovebox in which the vessel is loaded; by volume.
    """

    location = Cpt(EpicsSignalWithRBV, "Location", string=True, kind=Kind.normal)
    holder = Cpt(EpicsSignalWithRBV, "Holder", string=True, kind=Kind.normal)
    seal = Cpt(EpicsSignalWithRBV, "Seal", string=True, kind=Kind.normal)
    opened = Cpt(EpicsSignalWithRBV, "Opened", string=True, kind=Kind.normal)
    pressure_mbar = Cpt(EpicsSignalRO, "Pressure", kind=Kind.hinted)
    glovebox_o2_ppm = Cpt(EpicsSignalRO, "GloveboxO2", kind=Kind.normal)
    glovebox_h2o_ppm = Cpt(EpicsSignalRO, "GloveboxH2O", kind=Kind.normal)
    glovebox_dew_point_c = Cpt(EpicsSignalRO, "GloveboxDewPoint", kind=Kind.normal)
    unix_time_s = Cpt(EpicsSignalRO, "UnixTime", kind=Kind.omitted)
    heartbeat = Cpt(EpicsSignalRO, "Heartbeat", kind=Kind.omitted)

    def __init__(self, prefix: str, *, name: str, rate: Callable[[], float] = lambda: 1.0, **kwargs: Any):
        super().__init__(prefix, name=name, **kwargs)
        self._rate = rate

    def carry(self, where: str, within_s: float) -> Status:
        """Have the vessel carried to a place; done when it is there, by its readback.

        Parameters
        ----------
        within_s
            Cell seconds after which the status fails.

        Raises
        ------
        ValueError
            If nobody can carry it there.
        """
        places = [str(one) for one in VesselLocation if one is not VesselLocation.IN_TRANSIT]
        if where not in places:
            raise ValueError(f"{self.name} can be carried to {', '.join(places)}, not to {where!r}")
        return self._ask(self.location, where, within_s)

    def load(self, holder: str) -> Status:
        """Have a holder put into the vessel, or with an empty name the one in it put back."""
        return self._ask(self.holder, holder, HANDLING_S)

    def take_apart(self, electrode: str) -> Status:
        """Have the cell in the vessel taken apart, rinsed and dried, so that an electrode shows; for good."""
        return self._ask(self.opened, electrode, HANDLING_S)

    def close(self, seal: str) -> Status:
        """Have the vessel `sealed`, or `open`."""
        return self._ask(self.seal, seal, HANDLING_S)

    def _ask(self, signal: Any, value: str, within_s: float) -> Status:
        return signal.set(value, timeout=within_s / self._rate() + MARGIN_S)
