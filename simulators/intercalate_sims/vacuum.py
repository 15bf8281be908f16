"""The vacuum chamber with its stage, and the instruments in it, made from the settings."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intercalate_sims.assembly import Layout
from intercalate_sims.changer import Changer, Holder
from intercalate_sims.hidden import Hidden
from intercalate_sims.settings import XPS, SimulationSettings, VacuumServer, XpsServer

if TYPE_CHECKING:
    from intercalate_sims.iocs.chamber import ChamberPVs
    from intercalate_sims.iocs.frame_instrument import FrameInstrument
    from intercalate_sims.iocs.sources import SoftXRayPVs
    from intercalate_sims.iocs.stage import StagePVs
    from intercalate_sims.sources import SteadyBeam


def make_vacuum_sources(settings: SimulationSettings) -> "dict[str, SteadyBeam]":
    """Sources in the vacuum chamber, if there is one, by the names of their instruments."""
    from intercalate_sims.sources import SoftXRays

    found = None if settings.vacuum is None else settings.vacuum.xps
    if found is None:
        return {}
    return {XPS: SoftXRays(found.energy_kev, found.spot_um / 1000.0, found.power_w, found.photons_per_s_w)}


def make_vacuum(settings: SimulationSettings, folder: Path) -> list[Any]:
    """The vacuum chamber with its stage, and the instruments in it: groups of PVs with their tasks."""
    from intercalate_sims.iocs.chamber import ChamberPVs
    from intercalate_sims.iocs.stage import StagePVs
    from intercalate_sims.link import InstrumentLink

    found = settings.vacuum
    assert found is not None
    hidden = Hidden.draw(settings.seed, [f"vacuum {name}" for name in found.holders], ())
    holders = [
        Holder(name, one.content, one.x_mm + dx_mm, one.y_mm + dy_mm)
        for name, one in found.holders.items()
        for dx_mm, dy_mm in [hidden.holder_mm(f"vacuum {name}")]
    ]
    stage = StagePVs(prefix=found.prefix)
    link = InstrumentLink(Layout(folder).address)
    sources: list[InstrumentLink] = []
    parts: list[Any] = []
    chamber = ChamberPVs(prefix=found.prefix, link=link, sources=sources)
    if found.xps is not None:
        parts += _xps(settings, found, found.xps, Changer(holders), stage, chamber, folder)
        sources.append(parts[-1].link)
    return [chamber, stage, *parts]


def _xps(
    settings: SimulationSettings,
    vacuum: VacuumServer,
    found: XpsServer,
    changer: Changer,
    stage: "StagePVs",
    chamber: "ChamberPVs",
    folder: Path,
) -> "tuple[FrameInstrument, SoftXRayPVs]":
    """The photoelectron spectrometer and its source; what is hidden is kept beside the truth."""
    from intercalate_sims.iocs.analyser import AnalyserPVs
    from intercalate_sims.iocs.frame_instrument import FrameInstrument, InstrumentSettings
    from intercalate_sims.iocs.monitors import SteadyMonitorPVs
    from intercalate_sims.iocs.sources import SoftXRayPVs
    from intercalate_sims.link import InstrumentLink
    from intercalate_sims.probes.faces import HiddenFace
    from intercalate_sims.probes.xps import Analyser, HiddenXps
    from intercalate_sims.probes.xps_station import XpsOnPaper, XpsStation

    hidden, face = HiddenXps.draw(settings.seed), HiddenFace.draw(settings.seed)
    told = {"analyser": asdict(hidden), "face": face.as_json()}
    (folder / f"hidden_{XPS}.json").write_text(json.dumps(told, indent=1))
    paper = XpsOnPaper(
        found.points, found.power_w * found.photons_per_s_w, found.photons_per_count, Analyser()
    )
    faces = {one.content: one.face for one in vacuum.holders.values() if one.content in settings.cells}
    link = InstrumentLink(Layout(folder).address, XPS)
    instrument = FrameInstrument(
        found.prefix,
        link,
        XpsStation(paper, hidden, face, faces, settings.seed),
        changer,
        InstrumentSettings(
            description={"simulated": True, "seed": settings.seed},
            truth_path=folder / f"truth_{XPS}.jsonl",
            clock_offset_s=found.clock_offset_s,
            clock_drift_ppm=found.clock_drift_ppm,
        ),
        stage=stage,
        monitors=SteadyMonitorPVs,
        settings_of_exposures=AnalyserPVs(prefix=found.prefix),
        surroundings=lambda: {"temperature_c": chamber.chamber.stage_c},
    )
    return instrument, SoftXRayPVs(prefix=found.source_prefix, link=link)
