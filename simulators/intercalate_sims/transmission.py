"""The transmission electron microscope with chamber and stage of its own, made from the settings."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intercalate_sims.chamber_maker import ChamberMaker
from intercalate_sims.chamber_settings import EELS, TEM, EelsServer, TransmissionServer
from intercalate_sims.settings import SimulationSettings

if TYPE_CHECKING:
    from intercalate_sims.probes.tem_station import ThinSpecimens
    from intercalate_sims.sources import SteadyBeam

CURRENT_SIGMA = 0.05
"""Relative, of the scale of the beam current."""


def make_transmission_sources(settings: SimulationSettings) -> "dict[str, SteadyBeam]":
    """The column, if there is one, by the name of its instrument."""
    from intercalate_sims.noise import keyed_generator
    from intercalate_sims.sources import TransmissionGun

    found = settings.tem
    if found is None:
        return {}
    share = 1.0 + CURRENT_SIGMA * float(keyed_generator(settings.seed, "tem gun", 0).standard_normal())
    return {TEM: TransmissionGun(found.voltage_kv, found.current_na, found.field_of_view_um, share)}


def make_transmission(settings: SimulationSettings, folder: Path) -> list[Any]:
    """Chamber, stage, camera and spectrometer: groups of PVs with their tasks."""
    found = settings.tem
    assert found is not None
    maker = _Maker(settings, found.chamber_prefix, found.holders, TEM, folder)
    maker.tem(found)
    return maker.parts


class _Maker(ChamberMaker):
    """Makes what is in the transmission microscope."""

    def tem(self, found: TransmissionServer) -> None:
        """The camera and the column, and what else is on it."""
        from intercalate_sims.iocs.monitors import SpecimenMonitorPVs
        from intercalate_sims.iocs.scan import TransmissionScanPVs
        from intercalate_sims.iocs.sources import TransmissionGunPVs
        from intercalate_sims.probes.tem import HiddenTem, TemMicroscope, TemProbe
        from intercalate_sims.probes.tem_station import CameraStation, ThinSpecimens

        seed = self._settings.seed
        hidden = HiddenTem.draw(seed)
        specimens = ThinSpecimens(found.electrons_per_count, seed, found.nanobattery, found.liquid_cell)
        liquid = {"law": str(found.liquid_cell), **specimens.liquid_cell.hidden.as_json()}
        self._keep_hidden(TEM, {**asdict(hidden), "liquid_cell": liquid})
        station = CameraStation(TemProbe(TemMicroscope(), hidden, seed), specimens)
        asked = TransmissionScanPVs(prefix=found.prefix)
        instrument = self._add(TEM, TEM, found, station, SpecimenMonitorPVs, asked)
        self._add_source(TransmissionGunPVs(prefix=found.column_prefix, link=instrument.link))
        if found.eels is not None:
            self._eels(found.eels, specimens)

    def _eels(self, found: EelsServer, specimens: "ThinSpecimens") -> None:
        from intercalate_sims.iocs.monitors import SpecimenMonitorPVs
        from intercalate_sims.iocs.scan import LossScanPVs
        from intercalate_sims.probes.eels import EelsProbe
        from intercalate_sims.probes.eels_instrument import EelsSpectrometer, HiddenEels
        from intercalate_sims.probes.tem_station import LossStation

        seed = self._settings.seed
        hidden = HiddenEels.draw(seed)
        self._keep_hidden(EELS, asdict(hidden))
        station = LossStation(EelsProbe(EelsSpectrometer(), hidden, seed), specimens, found.points)
        self._add(EELS, TEM, found, station, SpecimenMonitorPVs, LossScanPVs(prefix=found.prefix))
