"""Devices and IOCs agree on every PV: existence, type, enum strings, units and writability.

Each side writes its PV suffixes as literals; this is the only place that compares them.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import epics
import pytest
from caproto import AccessRights, ChannelType
from ophyd import Device, EpicsSignal, FormattedComponent
from ophyd.areadetector import EpicsSignalWithRBV
from ophyd.signal import EpicsSignalBase

from beamline import start_beamline
from intercalate.config import EXAMPLES, Config
from intercalate.contract import (
    COMMAND_BYTES,
    CyclerState,
    EndReason,
    Fault,
    Opened,
    PressureState,
    StepType,
    VesselLocation,
    VesselSeal,
)
from intercalate.cycler_server.server import CyclerServer
from intercalate.devices.analyser import Analyser
from intercalate.devices.beam import Beam, BeamMonitors, Tube
from intercalate.devices.chamber import Chamber
from intercalate.devices.changer import SampleChanger
from intercalate.devices.cycler import Cycler
from intercalate.devices.frame_detector import FrameDetector
from intercalate.devices.goniometer import Goniometer
from intercalate.devices.ion_column import IonColumn, SputterGun
from intercalate.devices.objective import Objective
from intercalate.devices.pressure_cell import PressureCell
from intercalate.devices.scan import LossScan, OrientationScan, Scan, TransmissionScan
from intercalate.devices.shutter import Shutter
from intercalate.devices.sources import (
    ElectronGun,
    ElectronMonitors,
    Lamp,
    Laser,
    LaserMonitors,
    SoftXRays,
    SteadyMonitors,
)
from intercalate.devices.transfer_vessel import TransferVessel
from intercalate_sims.assembly import (
    make_beam_ioc,
    make_diffractometer,
    make_laboratory,
    make_pressure_ioc,
    make_raman,
    make_tube_ioc,
    make_vessel_ioc,
)
from intercalate_sims.chamber_settings import TransmissionServer
from intercalate_sims.channel import SimulatedRig
from intercalate_sims.settings import SimulationSettings
from intercalate_sims.transmission import make_transmission
from intercalate_sims.vacuum import make_vacuum
from polling import wait_for

CYCLER, XRD, BEAM = "PARITY:CYC:", "PARITY:XRD:", "PARITY:BEAM:"
LABORATORY, TUBE, VESSEL = "PARITY:LAB:", "PARITY:TUBE:", "PARITY:VESSEL:"
RAMAN, LASER = "PARITY:RAMAN:", "PARITY:LASER:"
DIAMONDS = "PARITY:DAC:"
OPTICAL, LAMP = "PARITY:OPTICAL:", "PARITY:LAMP:"
CHAMBER, XPS = "PARITY:UHV:", "PARITY:XPS:"
SEM, EDS, EBSD, COLUMN = "PARITY:SEM:", "PARITY:EDS:", "PARITY:EBSD:", "PARITY:COLUMN:"
FIB, ARGON = "PARITY:FIB:", "PARITY:ARGON:"
TEM, EELS, TEM_CHAMBER, TEM_COLUMN = "PARITY:TEM:", "PARITY:EELS:", "PARITY:TEMUHV:", "PARITY:TEMCOLUMN:"
SITE = Config.from_file(EXAMPLES / "config" / "simulated.toml").site

ENUMS = {
    "State": CyclerState,
    "Fault": Fault,
    "StepType": StepType,
    "EndReason": EndReason,
}
UNITS = {"_v": "V", "_a": "A", "_c": "degC", "_s": "s", "_ah": "Ah", "_mm": "mm", "_kev": "keV", "_ma": "mA"}
UNITS |= {"_mbar": "mbar", "_ppm": "ppm", "_mw": "mW", "_nm": "nm", "_um": "um", "_w": "W", "_ev": "eV"}
UNITS |= {"_kv": "kV", "_na": "nA", "_deg": "deg", "_gpa": "GPa", "_gpa_min": "GPa/min"}
"""Unit that the name of a component declares, by its ending."""

LONG_TEXTS = {"Command": COMMAND_BYTES, "Reply": COMMAND_BYTES, "Program": COMMAND_BYTES}
MOTOR_READ_ONLY = ".TDIR"
"""ophyd's motor class could write it, the motor record does not let anybody."""

NUMBERS = (ChannelType.DOUBLE, ChannelType.FLOAT, ChannelType.LONG, ChannelType.INT)
TEXTS = (ChannelType.STRING, ChannelType.CHAR, ChannelType.ENUM)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every PV that the simulated beamline serves, by its name."""
    folder = tmp_path_factory.mktemp("parity")

    async def make() -> dict[str, Any]:
        rig = SimulatedRig(folder / "world.json", {"CH1": "A1"})
        server = CyclerServer(rig.channels, folder / "cycler", CYCLER, SITE)
        settings = SimulationSettings.from_file(EXAMPLES / "config" / "simulation.toml")
        there, vessel, raman = settings.laboratory_xrd, settings.transfer_vessel, settings.raman
        assert there is not None
        assert vessel is not None
        assert raman is not None
        diamonds = settings.pressure_cell
        assert diamonds is not None
        assert raman.optical is not None
        camera = raman.optical.model_copy(update={"prefix": OPTICAL, "lamp_prefix": LAMP})
        looking = {"prefix": RAMAN, "laser_prefix": LASER, "optical": camera}
        vacuum = settings.vacuum
        assert vacuum is not None
        assert vacuum.xps is not None
        gun = vacuum.xps.sputter_gun
        assert gun is not None
        own: dict[str, Any] = {"prefix": XPS, "source_prefix": f"{XPS}Source:"}
        own["sputter_gun"] = gun.model_copy(update={"prefix": ARGON})
        xps = vacuum.xps.model_copy(update=own)
        assert vacuum.sem is not None
        ions = vacuum.sem.ion_column
        assert ions is not None
        assert vacuum.eds is not None
        assert vacuum.ebsd is not None
        in_chamber = {
            "xps": xps,
            "sem": vacuum.sem.model_copy(
                update={
                    "prefix": SEM,
                    "column_prefix": COLUMN,
                    "ion_column": ions.model_copy(update={"prefix": FIB}),
                }
            ),
            "eds": vacuum.eds.model_copy(update={"prefix": EDS}),
            "ebsd": vacuum.ebsd.model_copy(update={"prefix": EBSD}),
        }
        sections = {
            "diffractometer": settings.diffractometer.model_copy(update={"prefix": XRD}),
            "beam": settings.beam.model_copy(update={"prefix": BEAM}),
            "laboratory_xrd": there.model_copy(update={"prefix": LABORATORY, "beam_prefix": TUBE}),
            "transfer_vessel": vessel.model_copy(update={"prefix": VESSEL}),
            "pressure_cell": diamonds.model_copy(update={"prefix": DIAMONDS}),
            "raman": raman.model_copy(update=looking),
            "vacuum": vacuum.model_copy(update={"prefix": CHAMBER, **in_chamber}),
            "tem": transmission_of(settings),
        }
        settings = settings.model_copy(update=sections)
        makers = (make_diffractometer, make_beam_ioc, make_laboratory, make_tube_ioc, make_vessel_ioc)
        parts: list[Any] = [make(settings, folder) for make in makers]
        parts += [*make_raman(settings, folder, parts[0]), *make_vacuum(settings, folder)]
        parts.append(make_pressure_ioc(settings, parts[0]))
        parts += make_transmission(settings, folder)
        return server.pvdb | {name: pv for part in parts for name, pv in part.pvdb.items()}

    return asyncio.run(make())


def transmission_of(settings: SimulationSettings) -> TransmissionServer:
    """The microscope under the names of this test."""
    tem = settings.tem
    assert tem is not None
    assert tem.eels is not None
    own = {"prefix": TEM, "chamber_prefix": TEM_CHAMBER, "column_prefix": TEM_COLUMN}
    return tem.model_copy(update={**own, "eels": tem.eels.model_copy(update={"prefix": EELS})})


DEVICES: dict[str, tuple[type[Device], str]] = {
    "cycler": (Cycler, f"{CYCLER}CH1:"),
    "diffractometer": (FrameDetector, XRD),
    "shutter": (Shutter, XRD),
    "changer": (SampleChanger, XRD),
    "goniometer": (Goniometer, XRD),
    "pressure_cell": (PressureCell, DIAMONDS),
    "beam": (Beam, BEAM),
    "monitors": (BeamMonitors, f"{XRD}Monitor:"),
    "laboratory_diffractometer": (FrameDetector, LABORATORY),
    "laboratory_shutter": (Shutter, LABORATORY),
    "laboratory_changer": (SampleChanger, LABORATORY),
    "laboratory_monitors": (BeamMonitors, f"{LABORATORY}Monitor:"),
    "tube": (Tube, TUBE),
    "raman_spectrometer": (FrameDetector, RAMAN),
    "raman_shutter": (Shutter, RAMAN),
    "raman_monitors": (LaserMonitors, f"{RAMAN}Monitor:"),
    "raman_laser": (Laser, LASER),
    "raman_objective": (Objective, LASER),
    "optical_detector": (FrameDetector, OPTICAL),
    "optical_shutter": (Shutter, OPTICAL),
    "optical_monitors": (SteadyMonitors, f"{OPTICAL}Monitor:"),
    "optical_lamp": (Lamp, LAMP),
    "transfer_vessel": (TransferVessel, VESSEL),
    "chamber": (Chamber, CHAMBER),
    "chamber_changer": (SampleChanger, CHAMBER),
    "xps_spectrometer": (FrameDetector, XPS),
    "xps_shutter": (Shutter, XPS),
    "xps_analyser": (Analyser, XPS),
    "xps_monitors": (SteadyMonitors, f"{XPS}Monitor:"),
    "xps_source": (SoftXRays, f"{XPS}Source:"),
    "xps_objective": (Objective, f"{XPS}Source:"),
    "column": (ElectronGun, COLUMN),
    "ion_column": (IonColumn, FIB),
    "sputter_gun": (SputterGun, ARGON),
    "sem_detector": (FrameDetector, SEM),
    "sem_shutter": (Shutter, SEM),
    "sem_scan": (Scan, SEM),
    "sem_monitors": (ElectronMonitors, f"{SEM}Monitor:"),
    "eds_spectrometer": (FrameDetector, EDS),
    "eds_shutter": (Shutter, EDS),
    "eds_monitors": (ElectronMonitors, f"{EDS}Monitor:"),
    "ebsd_detector": (FrameDetector, EBSD),
    "ebsd_shutter": (Shutter, EBSD),
    "ebsd_scan": (OrientationScan, EBSD),
    "ebsd_monitors": (ElectronMonitors, f"{EBSD}Monitor:"),
    "tem_chamber": (Chamber, TEM_CHAMBER),
    "tem_changer": (SampleChanger, TEM_CHAMBER),
    "tem_column": (ElectronGun, TEM_COLUMN),
    "tem_detector": (FrameDetector, TEM),
    "tem_shutter": (Shutter, TEM),
    "tem_scan": (TransmissionScan, TEM),
    "tem_monitors": (ElectronMonitors, f"{TEM}Monitor:"),
    "eels_spectrometer": (FrameDetector, EELS),
    "eels_shutter": (Shutter, EELS),
    "eels_scan": (LossScan, EELS),
    "eels_monitors": (ElectronMonitors, f"{EELS}Monitor:"),
}
STOCK = ("diffractometer", "changer", "beam", "monitors", "tube", "spectrometer", "detector")
MOTORS = ("changer", "objective", "goniometer")
STOCK += MOTORS
"""Devices, of all instruments, whose stock ophyd classes read menus as they come."""


def kind_of(device: str) -> str:
    """Name of a device without that of its instrument."""
    shared = (
        "laboratory_",
        "raman_",
        "optical_",
        "xps_",
        "sem_",
        "eds_",
        "ebsd_",
        "tem_",
        "eels_",
        "chamber_",
    )
    for instrument in shared:
        device = device.removeprefix(instrument)
    return device


@dataclass(frozen=True)
class Use:
    """One PV and how a device uses it."""

    device: str
    attribute: str
    pv: str
    is_written: bool
    is_text: bool

    def __str__(self) -> str:
        return f"{self.device}.{self.attribute} ({self.pv})"


def uses(device: str, kind: type[Device], prefix: str, path: str = "") -> Iterator[Use]:
    """Every PV of every component of a class, also of those that connect only when asked for."""
    for attribute, component in kind._sig_attrs.items():
        assert not isinstance(component, FormattedComponent), f"{attribute}: this walk knows no formats"
        assert component.cls is not None
        name, suffix, keywords = f"{path}{attribute}", component.suffix or "", component.kwargs
        if issubclass(component.cls, Device):
            yield from uses(device, component.cls, prefix + suffix, f"{name}.")
        elif issubclass(component.cls, EpicsSignalBase):
            is_text = bool(keywords.get("string"))
            has_readback = issubclass(component.cls, EpicsSignalWithRBV)
            yield Use(device, name, f"{prefix}{suffix}{'_RBV' if has_readback else ''}", False, is_text)
            if issubclass(component.cls, EpicsSignal):
                yield Use(device, name, f"{prefix}{keywords.get('write_pv', suffix)}", True, is_text)


@pytest.fixture(scope="module")
def used() -> list[Use]:
    return [use for name, (kind, prefix) in DEVICES.items() for use in uses(name, kind, prefix)]


def record_of(pv: str, served: dict[str, Any]) -> Any:
    """What is served under a name; `motor.VAL` is the record itself, other fields are its own PVs."""
    if pv in served:
        return served[pv]
    record, _, field = pv.rpartition(".")
    if record in served and hasattr(served[record], "get_field"):
        return served[record].get_field(field)
    return None


def test_the_walk_finds_whole_area_detector_classes(used: list[Use]) -> None:
    by_device = {name: sum(use.device == name for use in used) for name in {use.device for use in used}}
    assert by_device["diffractometer"] > 200
    assert by_device["cycler"] >= 29
    assert by_device["changer"] >= 20
    assert by_device["shutter"] == 2


def test_every_pv_exists(used: list[Use], served: dict[str, Any]) -> None:
    missing = [str(use) for use in used if record_of(use.pv, served) is None]
    assert not missing


def test_every_type_is_what_the_device_reads(used: list[Use], served: dict[str, Any]) -> None:
    wrong = []
    for use in used:
        record = record_of(use.pv, served)
        if record is None:
            continue
        kind = record.data_type
        if use.is_text:
            fits = kind in TEXTS
            if kind is ChannelType.STRING and use.device == "cycler":
                fits = False
        else:
            is_stock = kind_of(use.device) in STOCK
            fits = kind in NUMBERS or (is_stock and kind in TEXTS)
        if not fits:
            wrong.append(f"{use} is {kind.name}")
    assert not wrong


def test_long_texts_have_room(used: list[Use], served: dict[str, Any]) -> None:
    for suffix, size in LONG_TEXTS.items():
        assert served[f"{CYCLER}CH1:{suffix}"].max_length >= size
    for use in used:
        if use.attribute.endswith(("file_path", "file_name", "full_file_name", "file_template")):
            record = record_of(use.pv, served)
            assert record.data_type is ChannelType.CHAR, use
            assert record.max_length >= 256, use


@pytest.mark.parametrize("suffix", sorted(ENUMS))
def test_enums_are_those_of_the_contract(suffix: str, served: dict[str, Any]) -> None:
    record = served[f"{CYCLER}CH1:{suffix}"]
    assert record.data_type is ChannelType.ENUM
    assert list(record.enum_strings) == [str(member) for member in ENUMS[suffix]]


def test_every_enum_of_the_cycler_is_in_the_contract(used: list[Use], served: dict[str, Any]) -> None:
    enums = {
        use.pv.rsplit(":", 1)[1]
        for use in used
        if use.device == "cycler" and record_of(use.pv, served).data_type is ChannelType.ENUM
    }
    assert enums == set(ENUMS)


def test_the_shutter_moves_between_the_words_the_device_knows(served: dict[str, Any]) -> None:
    for suffix in ("Shutter", "Shutter_RBV"):
        assert set(served[f"{XRD}{suffix}"].enum_strings) == {"open", "closed"}


def test_words_of_the_vessel_are_those_of_the_contract(served: dict[str, Any]) -> None:
    for suffix, words in (("Location", VesselLocation), ("Seal", VesselSeal), ("Opened", Opened)):
        for name in (suffix, f"{suffix}_RBV"):
            assert list(served[f"{VESSEL}{name}"].enum_strings) == [str(one) for one in words]


def test_states_of_the_pressure_cell_are_those_of_the_contract(served: dict[str, Any]) -> None:
    assert list(served[f"{DIAMONDS}State"].enum_strings) == [str(one) for one in PressureState]


def test_units_are_those_in_the_names(used: list[Use], served: dict[str, Any]) -> None:
    checked, wrong = 0, []
    for use in used:
        if kind_of(use.device) in ("diffractometer", "spectrometer", "detector", "shutter"):
            continue
        name = use.attribute.split(".")[0]
        unit = next((u for end, u in UNITS.items() if name.endswith(end)), None)
        is_quantity = "." not in use.attribute or use.attribute.endswith(".user_setpoint")
        if unit is None or not is_quantity:
            continue
        checked += 1
        found = getattr(record_of(use.pv, served), "units", None)
        if found != unit:
            wrong.append(f"{use} is in {found!r}")
    assert checked >= 16
    assert not wrong


def test_what_is_written_can_be_written_and_does_something(used: list[Use], served: dict[str, Any]) -> None:
    wrong = []
    for use in used:
        record = record_of(use.pv, served)
        if not use.is_written or record is None or use.pv.endswith(MOTOR_READ_ONLY):
            continue
        rights = record.check_access("host", "user")
        if AccessRights.WRITE not in rights:
            wrong.append(f"{use} is read-only")
        elif (
            kind_of(use.device) not in ("changer", "objective", "goniometer")
            and getattr(record, "putter", None) is None
        ):
            wrong.append(f"{use} has no putter")
    assert not wrong


def test_what_is_only_read_is_not_a_command(served: dict[str, Any]) -> None:
    """Nobody can write what the cycler alone decides."""
    writable = {
        name.rsplit(":", 1)[1]
        for name, record in served.items()
        if name.startswith(f"{CYCLER}CH1:") and AccessRights.WRITE in record.check_access("host", "user")
    }
    assert writable == {"Command", "Stop", "RecordRequest", "ImpedanceRequest"}


@pytest.mark.service
def test_every_pv_connects_over_channel_access(
    tmp_path_factory: pytest.TempPathFactory, served: dict[str, Any]
) -> None:
    """All of them at once, within a deadline, with the type that is served."""
    beamline = start_beamline(
        tmp_path_factory.mktemp("all"), raman=True, vacuum=True, transmission=True, ex_situ=True
    )
    try:
        connect_all(beamline.config, served)
    finally:
        beamline.services.stop()


def connect_all(config: Config, served: dict[str, Any]) -> None:
    laboratory, vessel, raman = config.laboratory_xrd, config.transfer_vessel, config.raman
    assert raman is not None
    assert laboratory is not None
    assert vessel is not None
    assert config.vacuum is not None
    assert config.xps is not None
    assert config.sem is not None
    assert config.sem.ion_column is not None
    assert config.xps.sputter_gun is not None
    assert config.eds is not None
    assert config.ebsd is not None
    assert config.tem is not None
    assert config.eels is not None
    assert config.pressure_cell is not None
    assert config.optical is not None
    prefixes = {
        f"{CYCLER}CH1:": config.cycler.channel_prefix("CH1"),
        XRD: config.diffractometer.prefix,
        f"{XRD}Monitor:": f"{config.diffractometer.prefix}Monitor:",
        BEAM: config.beam.prefix,
        LABORATORY: laboratory.diffractometer.prefix,
        f"{LABORATORY}Monitor:": laboratory.monitors.prefix,
        TUBE: laboratory.tube.prefix,
        VESSEL: vessel.prefix,
        DIAMONDS: config.pressure_cell.prefix,
        RAMAN: raman.spectrometer.prefix,
        f"{RAMAN}Monitor:": raman.monitors.prefix,
        LASER: raman.laser.prefix,
        OPTICAL: config.optical.camera.prefix,
        f"{OPTICAL}Monitor:": config.optical.monitors.prefix,
        LAMP: config.optical.lamp.prefix,
        CHAMBER: config.vacuum.chamber.prefix,
        XPS: config.xps.analyser.prefix,
        f"{XPS}Monitor:": config.xps.monitors.prefix,
        f"{XPS}Source:": config.xps.source.prefix,
        COLUMN: config.sem.column.prefix,
        SEM: config.sem.imaging.prefix,
        FIB: config.sem.ion_column.prefix,
        ARGON: config.xps.sputter_gun.prefix,
        f"{SEM}Monitor:": config.sem.monitors.prefix,
        EDS: config.eds.detector.prefix,
        f"{EDS}Monitor:": config.eds.monitors.prefix,
        EBSD: config.ebsd.detector.prefix,
        f"{EBSD}Monitor:": config.ebsd.monitors.prefix,
        TEM_CHAMBER: config.tem.chamber.prefix,
        TEM_COLUMN: config.tem.column.prefix,
        TEM: config.tem.detector.prefix,
        f"{TEM}Monitor:": config.tem.monitors.prefix,
        EELS: config.eels.detector.prefix,
        f"{EELS}Monitor:": config.eels.monitors.prefix,
    }
    names = {
        use.pv: prefixes[ours] + use.pv.removeprefix(ours)
        for name, (kind, ours) in DEVICES.items()
        for use in uses(name, kind, ours)
    }
    pvs = {ours: epics.PV(theirs, auto_monitor=False) for ours, theirs in names.items()}
    assert len(pvs) > 250
    wait_for(
        lambda: all(pv.connected for pv in pvs.values()),
        20,
        "every PV is connected: " + ", ".join(sorted(names.values())[:5]),
    )
    families = {"double": "DOUBLE", "long": "LONG", "enum": "ENUM", "string": "STRING", "char": "CHAR"}
    families |= {"float": "FLOAT", "int": "INT", "short": "INT"}
    wrong = []
    for ours, pv in pvs.items():
        served_kind = record_of(ours, served).data_type.name
        if families[str(pv.type).removeprefix("time_").removeprefix("ctrl_")] != served_kind:
            wrong.append(f"{pv.pvname} is {pv.type} on the wire, {served_kind} in the IOC")
    for pv in pvs.values():
        pv.disconnect()
    assert not wrong
