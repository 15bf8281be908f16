"""A whole operando experiment on the simulated beamline, from nothing to the figure."""

import json
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from rich.console import Console

from intercalate.catalog_services import catalog_services
from intercalate.config import EXAMPLES, Config
from intercalate.execute import execute, preparations
from intercalate.experiment import Experiment
from intercalate.own_beamline import FIRST_PLACE, configure, running, stored_run
from intercalate.simulation import simulation_services
from intercalate.views.progress import bar, task

EXAMPLE = {"nmc811-graphite": "two_cells.toml", "graphite-li": "graphite_half_cell.toml"}


def run_demo(folder: Path, *, rate: float, cell_model: str, console: Console) -> dict[str, Any]:
    """Start everything, run the experiment, reduce it, and stop everything.

    Parameters
    ----------
    folder
        Made anew; holds figure, table, NetCDF, report, and the storage folder of the beamline.
    rate
        Cell seconds per wall second.
    cell_model
        `nmc811-graphite`, `graphite-li` or `pybamm:Chen2020`.

    Returns
    -------
    dict
        The report, as written to `report.json`.

    Raises
    ------
    ValueError
        If the rate is not above 0.
    ServiceError
        If the folder holds something else, or a process does not come up.
    """
    if not rate > 0:
        raise ValueError(f"rate is {rate:g}; it must be above 0 cell seconds per wall second")
    began = time.monotonic()
    seconds: dict[str, float] = {}
    config = configure(folder, "demo")
    experiment = Experiment.from_file(
        EXAMPLES / "experiments" / EXAMPLE.get(cell_model, "first_light.toml"), config.site
    )
    with running(config, folder, rate=rate, cell_model=cell_model, console=console):
        seconds["starting"] = round(time.monotonic() - began, 1)
        # What reduces the frames takes seconds to import; the cell cycles meanwhile.
        threading.Thread(target=import_module, args=("intercalate.results",), daemon=True).start()
        places = [one.place or FIRST_PLACE for one in experiment.cells]
        before = preparations(experiment, places)
        outcome = execute(config, experiment, console, before)
        stored = [stored_run(config, uid) for uid in outcome.uids]
        seconds["running"] = round(time.monotonic() - began - seconds["starting"], 1)
        peak_rss_mb = _peak_rss_mb(config)
        # The cores are the reduction's now.
        simulation_services(config).stop()
        cells = {}
        for run, program in zip(stored, outcome.programs):
            name = run.metadata["start"].get("place", "cell")
            data = _reduce(run, config, folder / name, console)
            cells[name] = _report(config, run, data, program)
        peak_rss_mb["session"] = _high_water_mb("self")
        events = sum(sum(run.metadata["stop"]["num_events"].values()) for run in stored)
        report = {
            "documents_lost": outcome.documents["event"] - events,
            "cells": cells,
            "peak_rss_mb": peak_rss_mb,
        }
    wall_s = round(time.monotonic() - began, 1)
    seconds["reducing"] = round(wall_s - sum(seconds.values()), 1)
    report = {"wall_s": wall_s, "wall_parts_s": seconds, **report}
    (folder / "report.json").write_text(json.dumps(report, indent=1))
    return report


def _reduce(run: Any, config: Config, folder: Path, console: Console) -> xr.Dataset:
    from intercalate.catalog.client import frames
    from intercalate.results import reduce_run, write_results

    with bar(console) as progress:
        with task(progress, "integrating and fitting", float(len(frames(run)))) as update:
            data = reduce_run(run, config, progress=lambda done: update(done, f"{done} frames"))
        with task(progress, "figure and tables", 1.0):
            write_results(run, data, folder)
    return data


def _report(config: Config, run: Any, data: xr.Dataset, program: dict[str, Any]) -> dict[str, Any]:
    from intercalate.catalog.client import records

    stored = records(run)
    asked = program["end_record"] - program["first_record"]
    report: dict[str, Any] = {
        "run": run.metadata["start"]["uid"],
        "cell_time_s": float(stored["test_time_second"][-1]),
        "frames": data.sizes["frame"],
        "records": stored.sizes["record"],
        "records_lost": asked - stored.sizes["record"],
        "frames_that_did_not_fit": int((~data["converged"]).sum()),
        "program": program["status"],
    }
    report.update(_errors_against_truth(config, data))
    return report


def _errors_against_truth(config: Config, data: xr.Dataset) -> dict[str, float]:
    """Root mean square of fit minus truth, from the simulator's sidecar file."""
    lines = config.stored("simulator/truth.jsonl").read_text().splitlines()
    truth = {entry["counter"]: entry for entry in map(json.loads, lines)}
    rows = [truth[int(number)] for number in data["frame_id"]]
    found = {}
    for side, parameter, name in (
        ("positive", "a", "NMC811.a"),
        ("positive", "c", "NMC811.c"),
    ):
        if name in data:
            # Without beam there is no truth, and no fit either.
            true = np.array([row.get(side, {}).get(f"{parameter}_angstrom", np.nan) for row in rows])
            error = np.asarray(data[name]) - true
            found[f"rms_error_{parameter}_angstrom"] = float(np.sqrt(np.nanmean(error**2)))
    return found


def _peak_rss_mb(config: Config) -> dict[str, float]:
    """Largest resident memory of every process so far, in MB."""
    services = [*simulation_services(config).read(), *catalog_services(config).read()]
    return {service.name: _high_water_mb(str(service.pid)) for service in services}


def _high_water_mb(pid: str) -> float:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return float("nan")
    line = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024, 1)
