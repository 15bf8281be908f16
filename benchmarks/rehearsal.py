"""A beamtime rehearsed on an instrument that nobody was told of, by the commands that the README gives.

Four cells share the beam for two days, one of them a twin that is never exposed. Geometry, energy, masses,
thicknesses and displacements are drawn by the simulator from a seed. On the way a shutter sticks, the storage
ring loses its beam twice, the session is killed and the experiment is resumed, and a cell loses its contact.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import epics

from benchmarks.cells_in_a_row import with_cells
from benchmarks.rehearsal_truth import compared, described
from benchmarks.rig import on_free_ports, running, wait_for
from intercalate.catalog.chain import cells_of, runs_of_experiment
from intercalate.catalog.client import find_run, records
from intercalate.catalog.run_table import runs as latest_runs
from intercalate.catalog_services import catalog_services, open_configured_catalog
from intercalate.config import EXAMPLES, Config
from intercalate.contract import CyclerState
from intercalate.orchestration.notes import ENDED_FIRST
from intercalate.report import IMPOSSIBLE, CellReport, report_of
from intercalate.services import module_command, single_threaded
from intercalate.simulation import simulation_services

CELLS = ("H1", "H2", "H3", "H4")
TWIN, UNLUCKY = "H4", "H3"
RATE = 1000.0
CURRENT_C = 1 / 12
EVERY_S, EXPOSURE_S = 900.0, 60.0
DUMPS_H = ((7.0, 2.0), (31.0, 1.0))
"""Start and duration."""

KILL_H, CONTACT_H = 20.0, 38.0
LONGEST_S = 1800.0
"""Wall seconds for the whole of it, on a slow machine."""

RECOVERY_S = 120.0


@dataclass
class Beamline:
    """A folder that `intercalate init` has written, and the commands given in it."""

    folder: Path
    config: Config

    def command(self, *words: str) -> list[str]:
        """A command of the package, as the process that it becomes."""
        return module_command("intercalate.cli", "-c", str(self.folder / "simulated.toml"), *words)

    def say(self, *words: str, refused: bool = False) -> str:
        """Give a command and return its answer.

        Raises
        ------
        RuntimeError
            If it fails, or was to be refused and was not.
        """
        done = subprocess.run(
            self.command(*words),
            cwd=self.folder,
            capture_output=True,
            text=True,
            env={**os.environ, **single_threaded(), "COLUMNS": "300"},
            timeout=LONGEST_S,
        )
        said = done.stdout + done.stderr
        if (done.returncode != 0) is not refused:
            raise RuntimeError(f"intercalate {' '.join(words)} ended with {done.returncode}: {said}")
        return said

    @contextmanager
    def experiment(self, verb: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """`intercalate run` or `resume`, in a process of its own."""
        with running(self.command(verb, *words), self.folder, self.folder / f"{verb}.log") as process:
            yield process

    def channel(self, place: str) -> str:
        """Prefix of the cycler channel of a cell."""
        name = self.config.changer.places[place].channel
        assert name is not None
        return self.config.cycler.channel_prefix(name)

    def turn(self, name: str, value: float) -> None:
        """Turn a knob of the simulation, as fate does.

        Raises
        ------
        RuntimeError
            If it does not answer.
        """
        if epics.caput(name, value, wait=True, timeout=10) != 1:
            raise RuntimeError(f"{name} does not answer")

    def hours(self) -> float:
        """Cell time since the start of the first cell's program; below 0 where there is no answer."""
        found = epics.caget(f"{self.channel('H1')}TestTime", use_monitor=False, timeout=5)
        return -1.0 if found is None else float(found) / 3600


@contextmanager
def beamline(seed: int) -> Iterator[Beamline]:
    """Everything up, in a folder that stays where something goes wrong, and is removed otherwise."""
    folder = Path(tempfile.mkdtemp(prefix="rehearsal-")) / "beamtime"
    print(f"in {folder}", file=sys.stderr, flush=True)
    subprocess.run(module_command("intercalate.cli", "init", str(folder)), check=True, capture_output=True)
    for file in ("simulated.toml", "simulation.toml"):
        text = with_cells(file, (EXAMPLES / "config" / file).read_text(), len(CELLS))
        text = on_free_ports(text).replace("seed = 1\n", f"seed = {seed}\n")
        (folder / file).write_text(text.replace("intercalate-simulated", "intercalate-rehearsal"))
    write_experiment(folder)
    config = Config.from_file(folder / "simulated.toml")
    os.environ.update(config.channel_access_environment())
    one = Beamline(folder, config)
    try:
        one.say("simulate", "up", "--rate", str(RATE))
        one.say("catalog", "up")
        yield one
    finally:
        catalog_services(config).stop()
        simulation_services(config).stop()
    shutil.rmtree(folder.parent)


def write_experiment(folder: Path) -> None:
    """Two formation cycles of every cell; three of the four are measured."""
    method: list[dict[str, Any]] = []
    for _ in range(2):
        method += [
            {"step": "constant_current", "rate_C": CURRENT_C, "until_voltage_V": 4.2, "until_time_s": 54000},
            {"step": "open_circuit_voltage", "until_time_s": 600},
            {"step": "constant_current", "rate_C": -CURRENT_C, "until_voltage_V": 3.0, "until_time_s": 54000},
            {"step": "open_circuit_voltage", "until_time_s": 600},
        ]
    protocol = {
        "record": {"time_s": 30.0, "voltage_V": 0.005},
        "safety": {"min_voltage_V": 0.0, "max_voltage_V": 4.3, "delay_s": 5.0},
        "method": method,
    }
    (folder / "protocols" / "two_cycles.json").write_text(json.dumps(protocol))
    lines = [
        'mode = "operando"\non_abort = "continue"\non_client_lost = "continue"\npreflight = true\n',
        f"[measurements.xrd]\nwhen = {{ every = {{ time_s = {EVERY_S} }} }}\nexposure_s = {EXPOSURE_S}\n",
        'budget_MGy = "unlimited"\n',
    ]
    for place in CELLS:
        lines.append(
            f'[[cells]]\nplace = "{place}"\ncell = "../cells/nmc811_graphite_operando.toml"\n'
            'protocol = "../protocols/two_cycles.json"\ninitial_soc = 0.0\n'
        )
        if place == TWIN:
            lines.append("exposed = false\n")
    (folder / "experiments" / "rehearsal.toml").write_text("\n".join(lines))


@dataclass(frozen=True)
class Cycled:
    """What became of one cell's program.

    Attributes
    ----------
    lost
        Records that the server has and the run has not.
    """

    report: CellReport
    program: dict[str, Any]
    lost: int


def measure(seed: int) -> str:
    """Go through the beamtime and tell what came of it."""
    with beamline(seed) as one:
        told = prepared(one)
        go_through(one)
        catalog = open_configured_catalog(one.config)
        try:
            runs = runs_of_experiment(catalog, stored_run(one, catalog))
            cells = [cycled(one, group) for group in cells_of(runs)]
            said = one.say("report", runs[0].metadata["start"]["uid"][:8])
            tables = [reduced(one, run) for run in runs if "xrd" in run]
        finally:
            catalog.context.close()
        truth = [
            json.loads(line) for line in one.config.stored("simulator/truth.jsonl").read_text().splitlines()
        ]
        found = compared(tables, truth)
    reports = [cell.report for cell in cells]
    dumped_h = sum(hours for _, hours in DUMPS_H)
    seen_h = max(cell.time_s[IMPOSSIBLE] for cell in reports) / 3600
    lines = [
        f"Seed {seed}, {RATE:g} x, {len(CELLS)} cells; {told}.",
        f"\nEvery cell kept its protocol: {kept(cells)}.\n",
        f"```\n{said.strip()}\n```\n",
        f"The storage ring was empty for {dumped_h:.2f} h; by the report, it was for {seen_h:.2f} h.\n",
        described(found),
    ]
    return "\n".join(lines)


def prepared(one: Beamline) -> str:
    """Calibrate, and meet a shutter that sticks; returns what the preflight said of it."""
    # Nothing is calibrated yet.
    one.say("doctor", refused=True)
    one.say("calibrate", *(place for place in CELLS if place != TWIN), "--exposure", str(EXPOSURE_S))
    one.say("doctor")
    one.say("check", "experiments/rehearsal.toml")
    knob = f"{one.config.shutter.prefix}Knob:ShutterStuck"
    one.turn(knob, 1)
    answer = one.say("run", "experiments/rehearsal.toml", refused=True)
    one.turn(knob, 0)
    lines = [line.strip() for line in answer.splitlines()]
    told = next((line for line in lines if line.startswith("shutter: told")), "")
    if not told:
        raise RuntimeError(f"the preflight does not name the shutter that sticks: {answer}")
    return f"the preflight refused a shutter that stuck (`{told}`)"


def go_through(one: Beamline) -> None:
    """The experiment with all that befalls it."""
    strokes: list[tuple[float, Callable[[], None]]] = [
        (start, lambda duration=hours: one.turn(f"{one.config.beam.prefix}Knob:Dump", 3600 * duration))
        for start, hours in DUMPS_H
    ]
    strokes.append((CONTACT_H, lambda: one.turn(f"{one.channel(UNLUCKY)}Knob:ContactLoss", 1)))
    strokes.sort(key=lambda stroke: stroke[0])
    with one.experiment("run", "experiments/rehearsal.toml") as first:
        # A program that is over leaves its time standing.
        wait_for(lambda: 0 < one.hours() < 1 and is_charging(one), LONGEST_S, "the programs start", 0.2)
        for at_h, strike in [stroke for stroke in strokes if stroke[0] < KILL_H]:
            wait_for(lambda: one.hours() >= at_h, LONGEST_S, f"{at_h:g} h", 0.05)  # noqa: B023
            strike()
        wait_for(lambda: one.hours() >= KILL_H, LONGEST_S, "the time to kill", 0.05)
        if first.poll() is not None:
            raise RuntimeError(f"the session ended too early: {(one.folder / 'run.log').read_text()}")
        first.kill()
        first.wait()
    one.say("note", "the session was killed; the experiment is resumed")
    with one.experiment("resume") as second:
        for at_h, strike in [stroke for stroke in strokes if stroke[0] >= KILL_H]:
            wait_for(lambda: one.hours() >= at_h, LONGEST_S, f"{at_h:g} h", 0.05)  # noqa: B023
            strike()
        code = second.wait(LONGEST_S)
        words = (one.folder / "resume.log").read_text()
        if code == 0 or "1 of 4 cells did not reach their end" not in " ".join(words.split()):
            raise RuntimeError(f"one cell of four was to fail, but: {words}")


def is_charging(one: Beamline) -> bool:
    """Whether current flows through the first cell."""
    return bool(epics.caget(f"{one.channel('H1')}Current", use_monitor=False, timeout=5))


def stored_run(one: Beamline, catalog: Any) -> Any:
    """The latest run, once the forwarder has brought all of it."""

    def is_there() -> bool:
        return all(row.status != "running" for row in latest_runs(catalog, len(CELLS)))

    wait_for(is_there, RECOVERY_S, "the catalog catches up", 0.5)
    return find_run(catalog, -1)


def cycled(one: Beamline, group: list[Any]) -> Cycled:
    """A cell with the cycler's own account of its program."""
    report = report_of(group)
    text = epics.caget(f"{one.channel(report.name)}Program", as_string=True, use_monitor=False, timeout=10)
    program = json.loads(str(text))
    asked = program["end_record"] - program["first_record"]
    return Cycled(report, program, asked - records(group[-1]).sizes["record"])


def kept(cells: list[Cycled]) -> str:
    """What each cell's cycler says of its program, in words.

    Raises
    ------
    RuntimeError
        If a cell ended elsewhere than its protocol says, or an occasion has no account: one may be waiting
        when a session ends.
    """
    words = []
    for cell in cells:
        name, status, why = cell.report.name, cell.program["status"], cell.program["why"]
        wanted = str(CyclerState.INTERRUPTED).lower() if name == UNLUCKY else "complete"
        if status != wanted or cell.lost:
            raise RuntimeError(f"{name} is {status} ({why}), {cell.lost} records lost; wanted {wanted}")
        left = sum(one.missed.get(ENDED_FIRST, 0) for one in cell.report.measurements.values())
        if not 0 <= left <= len(cell.report.statuses):
            raise RuntimeError(f"{name}: {left} occasions have no account")
        words.append(f"{name} {status}{f' ({why})' if why else ''}, {cell.lost} records lost")
    return "; ".join(words)


def reduced(one: Beamline, run: Any) -> Path:
    """NetCDF file of a reduced run."""
    uid = run.metadata["start"]["uid"]
    folder = one.folder / f"{run.metadata['start']['place']}-{uid[:8]}"
    one.say("plot", uid, "--folder", str(folder))
    return folder / "operando.nc"
