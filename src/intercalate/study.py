"""A published study on a simulated beamline of its own, from nothing to its finding."""

import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
import xarray as xr
from bluesky.utils import MsgGenerator
from rich.console import Console

from intercalate.catalog.linked import has_records
from intercalate.config import EXAMPLES, Config
from intercalate.execute import calibration_plans, execute, preparations, prepare, pressing
from intercalate.own_beamline import FIRST_PLACE, configure, running, stored_run
from intercalate.pressed import CheckedScan
from intercalate.session import Session
from intercalate.simulation import simulation_services
from intercalate.views.progress import bar, task
from intercalate_plans.studies import Cells, Finding, MeasuredCell, Settings, Study, World, merged


@dataclass(frozen=True)
class StudyResult:
    """What came of it.

    Attributes
    ----------
    runs
        Unique ids in the catalog of `folder`, one for each cell.
    """

    study: Study
    world: World
    seed: int
    runs: tuple[str, ...]
    simulated: bool
    finding: Finding
    figure: Path

    def given(self) -> dict[str, Any]:
        """JSON-able, as `--json` prints it."""
        about = self.study.about
        return {
            "study": self.study.id,
            "title": about.title,
            "question": about.question,
            "finding": self.finding.text,
            "quantities": [one.given() for one in self.finding.quantities],
            "claims": [one.given() for one in self.finding.claims],
            "published": about.published.model_dump(mode="json"),
            "differs": about.differs,
            "origin": about.origin,
            "world": str(self.world),
            "seed": self.seed,
            "runs": list(self.runs),
            "simulated": self.simulated,
            "recovered": self.finding.recovered,
            "figure": str(self.figure),
        }


def run_study(study: Study, folder: Path, *, world: World, seed: int, console: Console) -> StudyResult:
    """Start everything, cycle and measure, read the run back from the catalog, analyse it, stop everything.

    Parameters
    ----------
    folder
        Made anew; holds figure, `result.json` and the storage folder of the beamline.
    world
        What is true of the simulated cell; neither plans nor analysis are told.
    seed
        Of beamline, cell and noise.

    Raises
    ------
    StudyError
        If the study has no such world, or its file is wrong.
    ServiceError
        If the folder holds something else, or a process does not come up.
    SessionError
        If the experiment ends early.
    """
    told = study.told(world) | {"seed": seed}
    config = configure(folder, "study", _with(told), _with(study.about.beamline))
    if study.pressed is not None:
        measuring = _pressed(study, config)
    else:
        measuring = (_cycled if study.series is None else _scanned)(study, config)
    with running(config, folder, rate=study.about.rate, cell_model=None, console=console):
        uids = measuring(console)
        runs = [stored_run(config, uid) for uid in uids]
        # The cores are the reduction's now.
        simulation_services(config).stop()
        cells = dict(_read(run, config, console) for run in runs)
        finding = study.analyse(cells)
        simulated = any(run.metadata["start"]["simulated"] for run in runs)
        path = folder / f"{study.id}.png"
        _save_figure(path, study, cells, finding, simulated=simulated)
    result = StudyResult(study, world, seed, uids, simulated, finding, path)
    (folder / "result.json").write_text(json.dumps(result.given(), indent=1))
    return result


def _with(settings: Settings) -> Callable[[str], str]:
    """What puts settings over those of a file."""
    return lambda shipped: tomli_w.dumps(merged(tomllib.loads(shipped), settings))


_Measuring = Callable[[Console], tuple[str, ...]]
"""Gives the ids of the runs."""


def _cycled(study: Study, config: Config) -> _Measuring:
    """Of an experiment with cells on channels."""
    *formation, measured = study.experiments(config.site)

    def measuring(console: Console) -> tuple[str, ...]:
        before = preparations(measured, [one.place or FIRST_PLACE for one in measured.cells])
        md = {"study": study.id}
        for one in formation:
            execute(config, one, console, before, md=md)
            before = []
        return execute(config, measured, console, before, md=md).uids

    return measuring


def _scanned(study: Study, config: Config) -> _Measuring:
    """Of scans or images under voltage, with no cell on a channel."""
    from intercalate_plans import calibrate_camera_length, image_under_bias, scan_losses, take_references
    from intercalate_plans.studies.series import BiasSeries

    series = study.series
    assert series is not None
    scans = [one.model_dump() for one in series.scans]
    how = scans, series.exposure_s, series.stage_c
    md: dict[str, Any] = {"study": study.id}

    def measuring(console: Console) -> tuple[str, ...]:
        runs: list[str] = []

        def references(session: Session) -> MsgGenerator[None]:
            station = session.stations["eels"]
            yield from take_references(
                station, exposure_s=series.exposure_s, temperature_c=series.stage_c, md=md
            )

        def scanning(session: Session) -> MsgGenerator[None]:
            runs.append((yield from scan_losses(session.stations["eels"], *how, md=md)))

        def imaging(session: Session) -> MsgGenerator[None]:
            runs.append((yield from image_under_bias(session.stations["tem"], *how, md=md)))

        def gold(session: Session) -> MsgGenerator[None]:
            yield from calibrate_camera_length(session.stations["tem"])

        if isinstance(series, BiasSeries):
            prepare(config, [("references", references), ("scanning", scanning)], console)
        else:
            prepare(config, [("gold", gold), ("imaging", imaging)], console)
        return tuple(runs)

    return measuring


def _pressed(study: Study, config: Config) -> _Measuring:
    """Of a sample between diamonds, with no cell on a channel."""
    checked = CheckedScan.from_content(study.content, f"{study.id}.toml", EXAMPLES, config)

    def measuring(console: Console) -> tuple[str, ...]:
        runs: list[str] = []
        before = calibration_plans([checked.scan.exposure_s], [checked.place])
        prepare(config, [*before, pressing(checked, runs, {"study": study.id})], console)
        return tuple(runs)

    return measuring


def _read(run: Any, config: Config, console: Console) -> tuple[str, MeasuredCell]:
    """Place or name of the cell of a run, with its records, and its frames aligned, reduced and fitted."""
    from intercalate.catalog.client import frames, records
    from intercalate.results import reduce_run

    start = run.metadata["start"]
    found = {}
    # What is on no channel is measured by a single instrument, under its name.
    for stream in [one["name"] for one in start.get("measurements", [{"name": start.get("instrument")}])]:
        with (
            bar(console) as progress,
            task(progress, f"reducing {stream}", float(len(frames(run, stream)))) as update,
        ):
            found[stream] = reduce_run(
                run, config, stream=stream, progress=lambda done, at=update: at(done, f"{done} frames")
            )
    if "pressed_sample" in start:
        return start["sample"], MeasuredCell(xr.Dataset(), found)
    name = start.get("place") or start.get("sample") or start["instrument"]
    return name, MeasuredCell(records(run) if has_records(run) else xr.Dataset(), found)


def _save_figure(path: Path, study: Study, cells: Cells, finding: Finding, *, simulated: bool) -> None:
    from matplotlib import pyplot as plt

    mark = "; simulated" if simulated else ""
    verdict = "recovered" if finding.recovered else "not recovered"
    figure = study.figure(cells, finding, f"{study.id}: {study.about.title}{mark}, {verdict}")
    figure.savefig(path, dpi=160)
    plt.close(figure)
