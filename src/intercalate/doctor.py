"""Checks of everything a session needs; each says what it found and what to do."""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from intercalate.calibrations import PLANS, CalibrationStore
from intercalate.calibrations import Kind as CalibrationKind
from intercalate.config import Config
from intercalate.contract import CyclerState

MIN_FREE_GB = 5.0
CLOCK_TOLERANCE_S = 2.0
_CYCLER = "cycler "
_LATCHED = (CyclerState.INTERRUPTED, CyclerState.FAULT)


@dataclass(frozen=True)
class Finding:
    """Outcome of one check."""

    what: str
    ok: bool
    found: str
    remedy: str = ""


def examine(config: Config) -> Iterator[Finding]:
    """Check storage, PVs, clocks and catalog, one after the other."""
    yield from _storage(config)
    yield from _instruments(config)
    yield from _catalog(config)


def _storage(config: Config) -> Iterator[Finding]:
    folder = config.storage.folder
    existing = next((p for p in (folder, *folder.absolute().parents) if p.exists()), Path("/"))
    writable = os.access(existing, os.W_OK)
    yield Finding(
        "storage",
        writable,
        f"{folder.absolute()} {'can' if writable else 'cannot'} be written",
        "" if writable else "change [storage] folder in the configuration, or the folder's owner",
    )
    free_gb = shutil.disk_usage(existing).free / 1e9
    yield Finding(
        "free disk",
        free_gb >= MIN_FREE_GB,
        f"{free_gb:.0f} GB",
        "" if free_gb >= MIN_FREE_GB else f"make room: a day of frames needs {MIN_FREE_GB:g} GB",
    )
    yield from _calibrations(config)


def _calibrations(config: Config) -> Iterator[Finding]:
    store = CalibrationStore(config.stored(config.calibration.folder))
    for kind in (CalibrationKind.GEOMETRY, CalibrationKind.FLAT):
        found = store.latest(kind)
        limit_h = config.calibration.max_age_h
        if found is None:
            yield Finding(
                str(kind),
                False,
                f"none in {store.folder}",
                f"run `intercalate calibrate`, or the plan {PLANS[kind]}",
            )
        else:
            fresh = found.age_h() <= limit_h
            yield Finding(
                str(kind),
                fresh,
                f"made {found.age_h():.1f} h ago (limit {limit_h:g} h) by run {found.run[:8]}",
                "" if fresh else f"run `intercalate calibrate`, or the plan {PLANS[kind]}",
            )


def _instruments(config: Config) -> Iterator[Finding]:
    os.environ.update(config.channel_access_environment())
    import epics

    timeout_s = min(5.0, config.channel_access.connect_timeout_s)
    probes = {
        **{
            f"{_CYCLER}{channel}": f"{config.cycler.channel_prefix(channel)}State"
            for channel in config.cycler.channels
        },
        "camera": f"{config.diffractometer.prefix}cam1:Acquire",
        "frame writer": f"{config.diffractometer.prefix}HDF1:Capture",
        "shutter": f"{config.shutter.prefix}Shutter",
        "sample changer": f"{config.changer.prefix}StageX.RBV",
        "beam": f"{config.beam.prefix}RingCurrent",
        "monitors": f"{config.monitors.prefix}I0",
    }
    if config.raman is not None:
        probes |= {
            "spectrometer": f"{config.raman.spectrometer.prefix}cam1:Acquire",
            "laser": f"{config.raman.laser.prefix}Interlock",
            "laser monitors": f"{config.raman.monitors.prefix}I0",
            "laser shutter": f"{config.raman.shutter.prefix}Shutter",
        }
    if config.goniometer is not None:
        probes["goniometer"] = f"{config.goniometer.prefix}Incidence.RBV"
    if config.pressure_cell is not None:
        probes["pressure cell"] = f"{config.pressure_cell.prefix}Pressure_RBV"
    if config.optical is not None:
        probes |= {
            "colour camera": f"{config.optical.camera.prefix}cam1:Acquire",
            "lamp": f"{config.optical.lamp.prefix}Interlock",
            "lamp shutter": f"{config.optical.shutter.prefix}Shutter",
        }
    if config.vacuum is not None:
        probes["chamber"] = f"{config.vacuum.chamber.prefix}Pressure"
        probes["chamber stage"] = f"{config.vacuum.changer.prefix}StageX.RBV"
    if config.xps is not None:
        probes |= {
            "analyser": f"{config.xps.analyser.prefix}cam1:Acquire",
            "X-ray source": f"{config.xps.source.prefix}Interlock",
            "X-ray monitors": f"{config.xps.monitors.prefix}I0",
            "X-ray shutter": f"{config.xps.shutter.prefix}Shutter",
        }
    if config.sem is not None:
        probes |= {
            "electron images": f"{config.sem.imaging.prefix}cam1:Acquire",
            "electron column": f"{config.sem.column.prefix}Interlock",
        }
    if config.eds is not None:
        probes["X-ray detector"] = f"{config.eds.detector.prefix}cam1:Acquire"
    if config.ebsd is not None:
        probes["pattern detector"] = f"{config.ebsd.detector.prefix}cam1:Acquire"
    if config.tem is not None:
        probes |= {
            "transmission camera": f"{config.tem.detector.prefix}cam1:Acquire",
            "transmission column": f"{config.tem.column.prefix}Interlock",
            "transmission chamber": f"{config.tem.chamber.prefix}Pressure",
            "transmission stage": f"{config.tem.changer.prefix}StageX.RBV",
        }
    if config.eels is not None:
        probes["loss spectrometer"] = f"{config.eels.detector.prefix}cam1:Acquire"
    pvs = {name: epics.PV(pv, connection_timeout=timeout_s) for name, pv in probes.items()}
    for name, pv in pvs.items():
        value = pv.get(timeout=timeout_s, as_string=True) if pv.wait_for_connection(timeout_s) else None
        if value is None:
            advice = "start the IOC; compare prefix and [channel_access] servers"
            yield Finding(name, False, f"{pv.pvname} does not answer", advice)
        else:
            latched = name.startswith(_CYCLER) and value in _LATCHED
            advice = "see that the cell is well, then `intercalate acknowledge`" if latched else ""
            yield Finding(name, not latched, f"{pv.pvname} = {value}", advice)
    yield from _clocks(config)


def _clocks(config: Config) -> Iterator[Finding]:
    import epics

    # A clock is read when it is asked; what its monitor said last is old.
    cycler_prefix = config.cycler.channel_prefix(config.cycler.channels[0])
    cycler, detector = (
        epics.PV(f"{prefix}UnixTime", connection_timeout=2.0, auto_monitor=False)
        for prefix in (cycler_prefix, config.diffractometer.prefix)
    )
    rate = epics.PV(f"{cycler_prefix}Rate", connection_timeout=2.0)
    before, shown, after = cycler.get(timeout=2.0), detector.get(timeout=2.0), cycler.get(timeout=2.0)
    if before is None or shown is None or after is None:
        yield Finding("clocks", False, "not compared", "start cycler server and instrument first")
        return
    if shown <= 0:
        yield Finding(
            "clocks", False, "the detector's clock shows no time", "wait until its IOC is up; see its log"
        )
        return
    offset_s, width_s = shown - (before + after) / 2, (after - before) / 2
    yield Finding(
        "clocks",
        True,
        f"the detector is {offset_s:+.1f} s (± {width_s:.1f} s) from the cycler; runs correct this",
    )
    speed = rate.get(timeout=2.0) or 1.0
    if speed == 1.0:
        lag_s = time.time() - after
        yield Finding(
            "cycler's clock",
            abs(lag_s) < CLOCK_TOLERANCE_S,
            f"{lag_s:+.2f} s from this computer's",
            "" if abs(lag_s) < CLOCK_TOLERANCE_S else "set both by NTP",
        )


def _catalog(config: Config) -> Iterator[Finding]:
    from intercalate.catalog_services import catalog_answers, catalog_services

    running = {service.name for service in catalog_services(config).running()}
    answers = catalog_answers(config)
    yield Finding(
        "catalog",
        answers,
        f"port {config.catalog.port} {'answers' if answers else 'does not answer'}",
        "" if answers else "`intercalate catalog up`; until then runs are kept in the journal",
    )
    yield Finding(
        "forwarder",
        "forwarder" in running,
        "running" if "forwarder" in running else "not running",
        "" if "forwarder" in running else "`intercalate catalog up`; nothing is lost meanwhile",
    )
