"""Every study over many seeds, with its effect and without: how often does its finding come out?

Usage: python -m benchmarks.studies [S20 S26 ...] [--seeds 40] [--first 100] [--whole 1] [--processes 2]
"""

import argparse
import gc
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.bench_chain import MODEL, Calibrated, Instrument, calibrated
from benchmarks.deposits_in_process import imaged
from benchmarks.depth_in_process import reflected
from benchmarks.faces_in_process import faced
from benchmarks.films_in_process import filmed
from benchmarks.heated_in_process import heated
from benchmarks.images_in_process import imaged_in_liquid
from benchmarks.in_process import Instruments, Measured, lithiated, model_and_host, side_by_side
from benchmarks.maps_in_process import mapped
from benchmarks.oxides_in_process import oxidised
from benchmarks.particle_in_process import followed
from benchmarks.pressed_in_process import pressed
from benchmarks.report import replace_section, table, verdict
from benchmarks.scans_in_process import scanned
from benchmarks.sulfur_in_process import converted
from intercalate.orchestration.tasks import INCIDENCE
from intercalate.services import module_command
from intercalate_plans.studies import Settings, Study, World, load_study, studies
from intercalate_plans.studies.series import BiasSeries

DOCUMENT = Path(__file__).parents[1] / "docs" / "studies.md"
WITH, WITHOUT = 0.95, 0.05
"""Shares of the seeds in which the finding must, and may, come out."""

FIRST_SEED = 100
HEAD = """\
# Studies

Written by `make studies` (`python -m benchmarks.studies`), each section when it was run last. What a study
is, and what decides that its finding was recovered, is in [design.md](design.md). All data are simulated.

Over many seeds these are not whole runs: cell model, simulated channel, cycler executor, instrument,
calibration, reduction, alignment and analysis are those of the beamline, in one process, without Channel
Access, RunEngine, journal and catalog. Each seed draws instrument, cell and noise. Cycler and instrument
have one clock, and the cell stands in the middle of the beam; maps are taken in focus, at the state that
the cell has when a hold begins; a cut is in the middle of the image. By the command, `intercalate study`,
they are.

Spread is that over the seeds with the effect, whose cells differ. The truth is what the same analysis finds
when it is given what the simulator put into the frames; where there is no such thing, as of the voltage of
a plateau, there is none.
"""

Quantities = dict[str, tuple[float, float, float]]
"""Value, standard error and truth by name; NaN where there is none."""


@dataclass(frozen=True)
class Outcome:
    """One study in one world with one seed."""

    study: str
    world: World
    seed: int
    recovered: bool
    quantities: Quantities


def worlds_of(study: Study) -> list[World]:
    """That it is done in."""
    return [World.EFFECT, *(World(one) for one in study.about.worlds)]


def outcomes(names: Sequence[str], seed: int) -> list[Outcome]:
    """All studies in all their worlds on one instrument; what they measure alike is measured once."""
    found, measured = [], dict[str, Measured]()
    instruments: Instruments = {}
    for study in map(load_study, names):
        for world in worlds_of(study):
            told = study.told(world)
            key = json.dumps([study.content, str(study.about.formation), told])
            if key not in measured:
                with tempfile.TemporaryDirectory() as folder:
                    measured[key] = _measured(study, told, seed, Path(folder), instruments)
            found.append(_outcome(study, world, seed, measured[key]))
    return found


def spectra(study: Study, told: Settings, seed: int, folder: Path) -> Measured:
    """Of maps at holds, of one place of graphite, or of oxides in several cells."""
    if study.content.get("cells"):
        return oxidised(study, told, seed, folder)
    is_map = any("grid" in task for task in study.content["measurements"].values())
    return (mapped if is_map else followed)(study, told, seed, folder)


IN_PROCESS: Mapping[tuple[str, ...], Callable[[Study, Settings, int, Path], Measured]] = {
    ("ebsd", "sem"): heated,
    ("eds", "sem"): filmed,
    ("raman",): spectra,
    ("optical", "raman"): spectra,
    ("sem",): imaged,
    ("xps",): faced,
}
"""By instruments; frames of a diffractometer are made on one that is shared by the studies of a seed."""


def _instruments_of(study: Study) -> tuple[str, ...]:
    of_cells = [one.get("measurements", {}) for one in study.content.get("cells", [])]
    measured = [study.content.get("measurements", {}), *of_cells]
    return tuple(sorted({task.get("instrument", "xrd") for one in measured for task in one.values()}))


def _measured(
    study: Study,
    told: Settings,
    seed: int,
    folder: Path,
    instruments: Instruments,
) -> Measured:
    if study.series is not None:
        made = scanned if isinstance(study.series, BiasSeries) else imaged_in_liquid
        return made(study, told, seed, folder)
    if study.pressed is not None:
        return pressed(*_instrument(MODEL, seed, instruments), study, told, seed, folder)
    made = IN_PROCESS.get(_instruments_of(study))
    if made is not None:
        return made(study, told, seed, folder)
    if _instruments_of(study) == ("raman", "xrd"):
        return converted(study, told, seed, folder, instruments)
    if "cells" in study.content:
        return side_by_side(study, told, seed, folder, instruments)
    model, _ = model_and_host(told)
    known = _instrument(model, seed, instruments)
    in_reflection = any(
        INCIDENCE in task.get("settings", {}) for task in study.content["measurements"].values()
    )
    return (reflected if in_reflection else lithiated)(*known, study, told, seed, folder)


def _instrument(model: str, seed: int, instruments: Instruments) -> tuple[Instrument, Calibrated]:
    """The diffractometer of a seed, with a cell of this model; calibrated once."""
    if model not in instruments:
        instrument = Instrument(seed, model)
        instruments[model] = (instrument, calibrated(instrument))
    return instruments[model]


def _outcome(study: Study, world: World, seed: int, measured: Measured) -> Outcome:
    finding = study.analyse(measured.cells)
    truth = study.analyse(measured.true_cells)
    true = {one.name: one.value for one in truth.quantities}
    # A voltage is read from the same records in both, errors make neighbours less alike, what isles do to a
    # face is known of no image, irregularities are numbered by what is seen of them, and a band fades out
    # before it is gone: no truths.
    quantities = {
        one.name: (
            one.value,
            one.sigma,
            np.nan
            if one.unit == "V"
            or one.name.startswith(
                ("neighbours", "isles", "with_isles", "x_", "y_", "diameter_", "gone_", "boundary_")
            )
            else true.get(one.name, np.nan),
        )
        for one in finding.quantities
    }
    return Outcome(study.id, world, seed, finding.recovered, quantities)


def whole(study: Study, world: World, seed: int, folder: Path) -> tuple[Outcome, float]:
    """One study by its command: processes, Channel Access, RunEngine, journal, catalog; and wall seconds."""
    command = module_command("intercalate.cli", "study", study.id, "--json", "--seed", str(seed))
    command += [] if world is World.EFFECT else [f"--{world}"]
    began = time.monotonic()
    where = ["--folder", str(folder / f"{study.id}-{world}-{seed}")]
    answer = subprocess.run([*command, *where], capture_output=True, text=True, check=True, cwd=folder)
    result = json.loads(answer.stdout)
    quantities = {
        one["name"]: (one["value"], one["sigma"], np.nan)
        for one in result["quantities"]
        if one["value"] is not None
    }
    outcome = Outcome(study.id, world, seed, result["recovered"], quantities)
    return outcome, time.monotonic() - began


def _of(found: Sequence[Outcome], study: str, world: World) -> list[Outcome]:
    return [one for one in found if (one.study, one.world) == (study, world)]


def recovery_table(found: Sequence[Outcome], study: Study) -> str:
    """How often its finding came out."""
    rows = []
    worlds = {World(name): _said(one) for name, one in study.about.worlds.items()}
    for world in worlds_of(study):
        own = _of(found, study.id, world)
        share = float(np.mean([one.recovered for one in own]))
        goal = f">= {WITH:.0%}" if world is World.EFFECT else f"<= {WITHOUT:.0%}"
        met = verdict(-share, -WITH) if world is World.EFFECT else verdict(share, WITHOUT)
        count = sum(one.recovered for one in own)
        rows.append([world, worlds.get(world, ""), len(own), count, f"{share:.0%}", goal, met])
    return table(["world", "told", "seeds", "recovered", "share", "goal", ""], rows)


def _said(told: Settings, under: str = "") -> str:
    """Settings in a line."""
    parts = [
        _said(value, f"{under}{key}.") if isinstance(value, dict) else f"{under}{key} = {value}"
        for key, value in told.items()
    ]
    return ", ".join(parts)


def quantity_table(found: Sequence[Outcome], study: Study) -> str:
    """What was measured with the effect, over the seeds, against the truth."""
    rows = []
    # Of what is counted, as irregularities are, there is not the same number in every world; none at all
    # where nothing was found.
    own = [one for one in _of(found, study.id, World.EFFECT) if one.quantities]
    names = own[0].quantities if own else {}
    for name in (name for name in names if all(name in one.quantities for one in own)):
        value, sigma, true = np.array([one.quantities[name] for one in own]).T
        row = [name, f"{value.mean():.4g}", f"{value.std(ddof=1):.2g}", f"{np.median(sigma):.2g}"]
        known = np.isfinite(true)
        if known.any():
            off = (value - true)[known]
            inside = np.mean(abs(off) <= 2 * sigma[known])
            row += [f"{true[known].mean():.4g}", f"{np.sqrt(np.mean(off**2)):.2g}", f"{inside:.0%}"]
        rows.append(row + [""] * (7 - len(row)))
    head = ["quantity", "mean", "spread", "stated error", "truth", "rms deviation", "within 2 sigma"]
    return table(head, rows)


def whole_table(runs: Sequence[tuple[Outcome, float]]) -> str:
    """Runs through everything."""
    rows = [[one.world, one.seed, str(one.recovered).lower(), f"{wall_s:.0f}"] for one, wall_s in runs]
    return table(["world", "seed", "recovered", "wall s"], rows)


def section(
    study: Study, found: Sequence[Outcome], runs: Sequence[tuple[Outcome, float]], first: int, seeds: int
) -> str:
    """Of one study, in Markdown."""
    parts = [
        f"Seeds {first} to {first + seeds - 1}.",
        recovery_table(found, study),
        quantity_table(found, study),
    ]
    if runs:
        parts += ["By the command:", whole_table(runs)]
    return "\n\n".join(parts)


def _all_outcomes(names: Sequence[str], numbers: Sequence[int], processes: int) -> Iterator[Outcome]:
    # What is loaded stays: without this each collection looks through all of it.
    with ProcessPoolExecutor(processes, initializer=gc.freeze) as pool:
        for seed, found in zip(numbers, pool.map(outcomes, [names] * len(numbers), numbers)):
            said = ", ".join(f"{one.study} {one.world} {str(one.recovered).lower()}" for one in found)
            print(f"{datetime.now(UTC):%H:%M:%S} seed {seed}: {said}", flush=True)
            yield from found


def main() -> None:
    """Run what was asked for, and write the document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="all where none is given")
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--first", type=int, default=FIRST_SEED, help="seed")
    parser.add_argument("--whole", type=int, default=1, help="runs by the command, of each study and world")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    names = [load_study(one).id for one in arguments.names or studies()]
    first, seeds = arguments.first, arguments.seeds
    found = list(_all_outcomes(names, range(first, first + seeds), arguments.processes))
    with tempfile.TemporaryDirectory() as folder:
        for study in map(load_study, names):
            runs = []
            for world in worlds_of(study):
                for seed in range(first, first + arguments.whole):
                    runs.append(whole(study, world, seed, Path(folder)))
                    print(f"{study.id} {world} by the command: recovered {runs[-1][0].recovered}", flush=True)
            text = section(study, found, runs, first, seeds)
            print(f"{study.id}\n{text}")
            title = f"{study.id}: {study.about.title} ({study.about.origin})"
            replace_section(DOCUMENT, study.id, title, text, studies(), HEAD)


if __name__ == "__main__":
    main()
