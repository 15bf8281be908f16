"""The command line. Heavy imports happen inside the commands that need them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from intercalate.config import Config

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
_HANDLERS = ("intercalate-file", "intercalate-terminal")
COUNTED_FROM_THE_END = {"ignore_unknown_options": True}
"""-1 is the latest run, not an option."""


def _config(context: click.Context) -> "Config":
    from intercalate.config import Config, find_config

    config = Config.from_file(find_config(context.obj["config"]))
    _log_into(config.stored("logs/intercalate.log"))
    return config


def _log_into(path: Path) -> None:
    """Keep what the libraries report in a file: on the terminal it would bury what a person should read.

    Where there is no storage folder yet, or none that can be written, nothing is kept and nothing is made.
    """
    import logging
    import os

    root = logging.getLogger()
    for old in [one for one in root.handlers if one.name in _HANDLERS]:
        root.removeHandler(old)
        old.close()
    storage = path.parent.parent
    file: logging.Handler = logging.NullHandler()
    if storage.is_dir() and os.access(storage, os.W_OK):
        path.parent.mkdir(exist_ok=True)
        file = logging.FileHandler(path, delay=True)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    terminal = logging.StreamHandler()
    terminal.addFilter(lambda record: record.name.startswith("intercalate"))
    for name, handler in zip(_HANDLERS, (file, terminal), strict=True):
        handler.name = name
        handler.setLevel(logging.WARNING)
        root.addHandler(handler)


@contextmanager
def _waiting(what: str) -> Iterator[Callable[[float], None]]:
    """Progress bar for something of which a share from 0 to 1 is done."""
    from rich.console import Console

    from intercalate.views.progress import bar, task

    with bar(Console(stderr=True)) as progress, task(progress, what, 1.0) as update:
        yield update


class _Group(click.Group):
    """Shows what was refused as a message, not as a stack of calls."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort):
            # RuntimeErrors by class, but nothing was refused: --help ends like this.
            raise
        except (ValueError, RuntimeError, OSError) as error:
            if ctx.obj and ctx.obj.get("debug"):
                raise
            click.secho(str(error), fg="red", err=True)
            sys.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-c", "--config", type=FILE, help="Configuration file (default: simulated.toml here, or shipped)."
)
@click.option("--debug", is_flag=True, help="Show where an error came from.")
@click.version_option(package_name="intercalate")
@click.pass_context
def main(context: click.Context, config: Path | None, debug: bool) -> None:
    """In situ and operando experiments on Li-ion cells, real or simulated."""
    context.obj = {"config": config, "debug": debug}


@main.command()
@click.argument("folder", type=FOLDER, default=Path("intercalate-experiments"))
def init(folder: Path) -> None:
    """Write a folder of your own: configuration, cells, protocols and an experiment to adapt."""
    import shutil

    from intercalate.config import EXAMPLES

    if folder.exists() and any(folder.iterdir()):
        raise click.ClickException(f"{folder} is not empty; name a new folder")
    shutil.copytree(EXAMPLES, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (folder / "config").iterdir():
        path.rename(folder / path.name)
    (folder / "config").rmdir()
    click.echo(f"Wrote {folder}. Next:\n  cd {folder}\n  intercalate simulate up\n  intercalate catalog up")
    click.echo("  intercalate run experiments/first_light.toml")


@main.group(cls=_Group)
def simulate() -> None:
    """Start, stop and look at the simulated beamline."""


@simulate.command("up")
@click.option("--settings", type=FILE, help="simulation.toml (default: here, or shipped).")
@click.option("--rate", type=float, help="Cell seconds per wall second.")
@click.option("--cell", "cell_model", help="nmc811-graphite, graphite-li or pybamm:Chen2020.")
@click.option("--fresh", is_flag=True, help="Forget the cells that were there, and begin with new ones.")
@click.pass_context
def simulate_up(
    context: click.Context, settings: Path | None, rate: float | None, cell_model: str | None, fresh: bool
) -> None:
    """Start cells, cycler server and instruments, one process each."""
    from intercalate.simulation import start_simulation

    with _waiting("starting the beamline") as update:
        services = start_simulation(
            _config(context),
            settings=settings,
            rate=rate,
            cell_model=cell_model,
            fresh=fresh,
            progress=update,
        )
    _show_services(services)


@simulate.command("down")
@click.pass_context
def simulate_down(context: click.Context) -> None:
    """Stop all of it; the cells keep their state."""
    from intercalate.simulation import simulation_services

    stopped = simulation_services(_config(context)).stop()
    click.echo(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")


@simulate.command("status")
@click.pass_context
def simulate_status(context: click.Context) -> None:
    """Say which processes run."""
    from intercalate.simulation import simulation_services

    _show_services(simulation_services(_config(context)).read())


def _show_services(services: list[Any]) -> None:
    if not services:
        click.echo("nothing is running")
    for service in services:
        running = service.process is not None
        state = click.style("running", fg="green") if running else click.style("ended", fg="red")
        click.echo(f"{service.name:16} {state}  process {service.pid}  log {service.log}")


@main.command()
@click.argument("experiment_file", type=FILE)
@click.option(
    "--override",
    "overrides",
    metavar="CHECK=REASON",
    multiple=True,
    help="Accept a red item of the preflight; the reason is recorded.",
)
@click.option(
    "--take-up", is_flag=True, help="Go on with what a run that died has left running; without preflight."
)
@click.pass_context
def run(context: click.Context, experiment_file: Path, overrides: tuple[str, ...], take_up: bool) -> None:
    """Run an experiment file."""
    from rich.console import Console

    from intercalate.execute import execute
    from intercalate.experiment import Experiment

    config = _config(context)
    experiment = Experiment.from_file(experiment_file, config.site)
    for one in experiment.cells:
        click.echo(f"{one.place}: {one.cell.name}" if one.place else one.cell.name)
        click.echo(one.protocol.describe())
    screen, accepted = Console(stderr=True), _overrides(overrides)
    outcome = execute(config, experiment, screen, overrides=accepted, take_up=take_up)
    for uid, program in zip(outcome.uids, outcome.programs):
        click.echo(f"run {uid}: program {program.get('status')}")
    click.echo(f"{outcome.documents.get('datum', 0)} frames")


def _overrides(words: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for one in words:
        what, _, reason = one.partition("=")
        if not reason.strip():
            raise click.BadParameter(f"{one!r} gives no reason; write --override 'disk=we empty it at noon'")
        found[what.strip()] = reason.strip()
    return found


@main.command()
@click.argument("places", nargs=-1)
@click.option("--exposure", "exposure_s", default=60.0, show_default=True, help="Of the frames to come, s.")
@click.option("--calibrant", default="LaB6", show_default=True, help="LaB6 or Si.")
@click.pass_context
def calibrate(context: click.Context, places: tuple[str, ...], exposure_s: float, calibrant: str) -> None:
    """Take darks, geometry, flat field and background, and align the cells at PLACES of the changer."""
    from rich.console import Console

    from intercalate.calibrations import CalibrationStore
    from intercalate.execute import calibration_plans, into_the_beam, prepare

    config = _config(context)
    wanted = places or [name for name, one in config.changer.places.items() if one.channel is not None]
    plans = [*calibration_plans(exposure_s, wanted, calibrant), into_the_beam(wanted[0])]
    prepare(config, plans, Console(stderr=True))
    for name, one in CalibrationStore(config.stored(config.calibration.folder)).in_use().items():
        click.echo(f"{name:16} {one.made:%Y-%m-%d %H:%M} UTC  {one.sha256[:12]}  {_summary(one.values)}")


def _summary(values: dict[str, Any]) -> str:
    """The numbers of a calibration that a person looks at first."""
    shown = ("energy_kev", "distance_mm", "masked_pixels", "median_counts", "frames", "x_mm", "y_mm")
    found = []
    for name in shown:
        if name in values:
            sigma = values.get(f"{name}_sigma")
            error = "" if sigma is None else f" ± {sigma:.2g}"
            found.append(f"{name} {values[name]:.7g}{error}")
    return ", ".join(found)


@main.command()
@click.argument("experiment_file", type=FILE)
@click.pass_context
def check(context: click.Context, experiment_file: Path) -> None:
    """Say what an experiment file would do, without any hardware."""
    from intercalate.check import schedule_of, unforeseen
    from intercalate.experiment import Experiment

    config = _config(context)
    experiment = Experiment.from_file(experiment_file, config.site)
    for one in experiment.cells:
        click.echo(f"{one.place}: {one.cell.name}" if one.place else one.cell.name)
        click.echo(one.protocol.describe())
        if one.when is not None:
            click.echo(f"Frames {one.when.describe()}; {experiment.exposure_s:g} s each.")
    if experiment.exposure_s is not None:
        click.echo(schedule_of(experiment, config).describe())
    for line in unforeseen(experiment):
        click.echo(line)


@main.command(context_settings=COUNTED_FROM_THE_END)
@click.argument("run_id", metavar="RUN", default="-1")
@click.pass_context
def report(context: click.Context, run_id: str) -> None:
    """Say what became of an experiment: cells, frames, what was missed and why, use of the beam."""
    from intercalate.catalog.client import find_run
    from intercalate.catalog_services import open_configured_catalog
    from intercalate.report import beam_time, reports_of_experiment

    catalog = open_configured_catalog(_config(context))
    reports = reports_of_experiment(catalog, find_run(catalog, run_id))
    for one in reports:
        click.echo(one.describe())
    click.echo(beam_time(reports))


@main.command()
@click.option("--folder", type=FOLDER, default=Path("demo"), show_default=True, help="Made anew.")
@click.option("--rate", type=float, default=1000.0, show_default=True, help="Cell seconds per wall second.")
@click.option("--cell", "cell_model", default="nmc811-graphite", show_default=True, help="Model of the cell.")
def demo(folder: Path, rate: float, cell_model: str) -> None:
    """Run a whole operando experiment on the simulated beamline, and show what comes of it."""
    from rich.console import Console

    from intercalate.demo import run_demo

    report = run_demo(folder.absolute(), rate=rate, cell_model=cell_model, console=Console(stderr=True))
    cells = report.pop("cells")
    for name, value in report.items():
        click.echo(f"{name:26} {value}")
    for place, values in cells.items():
        click.echo(f"\n{place}")
        for name, value in values.items():
            click.echo(f"  {name:24} {value}")
        click.echo(f"  {'figure':24} {folder}/{place}/operando.png")
        click.echo(f"  {'table':24} {folder}/{place}/operando.csv, {folder}/{place}/operando.nc")
    click.echo(f"\ncatalog  intercalate -c {folder}/simulated.toml catalog up, then: ... runs")


@main.command()
@click.option("-n", "--number", default=20, show_default=True, help="How many of the latest.")
@click.pass_context
def runs(context: click.Context, number: int) -> None:
    """List the latest runs: when, sample, plan, status, duration, frames."""
    from intercalate.catalog.client import runs as latest_runs
    from intercalate.catalog_services import open_configured_catalog

    rows = latest_runs(open_configured_catalog(_config(context)), number)
    line = "{:8}  {:16}  {:24}  {:18}  {:9} {:>10} {:>7}"
    click.echo(line.format("run", "when (UTC)", "sample", "plan", "status", "duration", "frames"))
    for row in rows:
        duration = "" if row.duration_s is None else f"{row.duration_s:.0f} s"
        frames = row.events.get("xrd", row.events.get("primary", ""))
        when = f"{row.started:%Y-%m-%d %H:%M}"
        words = (row.uid[:8], when, row.sample[:24], row.plan[:18], row.status, duration, str(frames))
        click.echo(line.format(*words))


@main.command(context_settings=COUNTED_FROM_THE_END)
@click.argument("run_id", metavar="RUN")
@click.pass_context
def show(context: click.Context, run_id: str) -> None:
    """Say what a run is: RUN is the beginning of its id, or -1 for the latest."""
    from intercalate.catalog.client import find_run, run_status
    from intercalate.catalog_services import open_configured_catalog
    from intercalate.protocol import Protocol

    run = find_run(open_configured_catalog(_config(context)), run_id)
    start, stop = run.metadata["start"], run.metadata.get("stop") or {}
    for name in ("uid", "plan_name", "sample", "simulated", "program_id", "on_abort", "on_client_lost"):
        if name in start:
            click.echo(f"{name:16} {start[name]}")
    click.echo(f"{'status':16} {run_status(run.metadata)} {stop.get('reason', '')}")
    for stream, count in (stop.get("num_events") or {}).items():
        click.echo(f"{'stream ' + stream:16} {count} events")
    for measurement in start.get("measurements", ()):
        click.echo(f"{'measurement':16} {dict(measurement)}")
    if "protocol" in start:
        click.echo(Protocol.from_dict(dict(start["protocol"])).describe())


@main.command(context_settings=COUNTED_FROM_THE_END)
@click.argument("run_id", metavar="RUN", default="-1")
@click.option("--folder", type=FOLDER, help="Where to write (default: one named by the run).")
@click.pass_context
def plot(context: click.Context, run_id: str, folder: Path | None) -> None:
    """Integrate and fit a run's frames, and write figure, table and NetCDF."""
    from rich.console import Console

    from intercalate.catalog.client import find_run, frames
    from intercalate.catalog_services import open_configured_catalog
    from intercalate.results import reduce_run, write_results
    from intercalate.views.progress import bar, task

    config = _config(context)
    run = find_run(open_configured_catalog(config), run_id)
    uid = run.metadata["start"]["uid"]
    with bar(Console(stderr=True)) as progress, task(progress, "fitting", float(len(frames(run)))) as update:
        data = reduce_run(run, config, progress=lambda done: update(done, f"{done} frames"))
    for path in write_results(run, data, folder or Path(f"run-{uid[:8]}")).values():
        click.echo(path)


@main.command()
@click.pass_context
def doctor(context: click.Context) -> None:
    """Check instruments, clocks, storage and catalog, and say what to do."""
    from intercalate.doctor import examine

    bad = 0
    for finding in examine(_config(context)):
        mark = click.style("ok  ", fg="green") if finding.ok else click.style("BAD ", fg="red")
        click.echo(f"{mark}{finding.what:16} {finding.found}")
        if not finding.ok:
            bad += 1
            click.echo(f"    {'':16} {finding.remedy}")
    if bad:
        raise click.ClickException(f"{bad} of the checks failed")


@main.command()
@click.pass_context
def acknowledge(context: click.Context) -> None:
    """Say to the cycler that you know why a program ended, so that it takes the next one."""
    from intercalate.session import acknowledge as acknowledge_cycler

    found = acknowledge_cycler(_config(context))
    click.echo("\n".join(found) if found else "the cycler has nothing to acknowledge")


@main.command()
@click.argument("comment")
@click.option("--who", help="Your name (default: the login name).")
@click.pass_context
def note(context: click.Context, comment: str, who: str | None) -> None:
    """Write COMMENT into the shift log, also while an experiment runs."""
    from intercalate.shift_log import ShiftLog

    click.echo(ShiftLog.of(_config(context)).add(comment, who, source="command line"))


@main.command()
@click.option("-n", "--number", default=20, show_default=True, help="How many of the latest.")
@click.option("--run", "run_id", help="Only what was said during this run: the beginning of its id.")
@click.pass_context
def log(context: click.Context, number: int, run_id: str | None) -> None:
    """Show the shift log."""
    from intercalate.shift_log import ShiftLog

    for entry in ShiftLog.of(_config(context)).entries(run_id)[-number:]:
        click.echo(entry)


@main.group(cls=_Group)
def catalog() -> None:
    """Start, stop and look at the catalog."""


@catalog.command("up")
@click.pass_context
def catalog_up(context: click.Context) -> None:
    """Start the Tiled server and the forwarder that fills it."""
    from intercalate.catalog_services import start_catalog

    config = _config(context)
    with _waiting("starting the catalog") as update:
        services = start_catalog(config, update)
    _show_services(services)
    click.echo(f"tiled profile: {config.catalog.profile}")


@catalog.command("down")
@click.pass_context
def catalog_down(context: click.Context) -> None:
    """Stop both; runs are kept in the journal meanwhile."""
    from intercalate.catalog_services import catalog_services

    stopped = catalog_services(_config(context)).stop()
    click.echo(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")


@catalog.command("status")
@click.pass_context
def catalog_status(context: click.Context) -> None:
    """Say which processes run."""
    from intercalate.catalog_services import catalog_services

    _show_services(catalog_services(_config(context)).read())


if __name__ == "__main__":
    main()
