"""Commands for what runs beside a session: the simulated beamline, the catalog, and whether all answers."""

from pathlib import Path
from typing import Any

import click

from intercalate.cli.base import FILE, FOLDER, Group, configuration, main, waiting


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


@main.group(cls=Group)
def simulate() -> None:
    """Start, stop and look at the simulated beamline."""


@simulate.command("up")
@click.option("--settings", type=FILE, help="simulation.toml (default: here, or shipped).")
@click.option("--rate", type=float, help="Cell seconds per wall second.")
@click.option("--cell", "cell_model", help="nmc811-graphite, graphite-li, pybamm:Chen2020, replay:FILE.")
@click.option("--fresh", is_flag=True, help="Forget the cells that were there, and begin with new ones.")
@click.pass_context
def simulate_up(
    context: click.Context, settings: Path | None, rate: float | None, cell_model: str | None, fresh: bool
) -> None:
    """Start cells, cycler server and instruments, one process each."""
    from intercalate.simulation import start_simulation

    with waiting("starting the beamline") as update:
        services = start_simulation(
            configuration(context),
            settings=settings,
            rate=rate,
            cell_model=cell_model,
            fresh=fresh,
            progress=update,
        )
    show_services(services)


@simulate.command("down")
@click.pass_context
def simulate_down(context: click.Context) -> None:
    """Stop all of it; the cells keep their state."""
    from intercalate.simulation import simulation_services

    _say_stopped(simulation_services(configuration(context)).stop())


@simulate.command("status")
@click.pass_context
def simulate_status(context: click.Context) -> None:
    """Say which processes run."""
    from intercalate.simulation import simulation_services

    show_services(simulation_services(configuration(context)).read())


@main.group(cls=Group)
def catalog() -> None:
    """Start, stop and look at the catalog."""


@catalog.command("up")
@click.pass_context
def catalog_up(context: click.Context) -> None:
    """Start the Tiled server and the forwarder that fills it."""
    from intercalate.catalog_services import start_catalog

    config = configuration(context)
    with waiting("starting the catalog") as update:
        services = start_catalog(config, update)
    show_services(services)
    click.echo(f"tiled profile: {config.catalog.profile}")


@catalog.command("down")
@click.pass_context
def catalog_down(context: click.Context) -> None:
    """Stop both; runs are kept in the journal meanwhile."""
    from intercalate.catalog_services import catalog_services

    _say_stopped(catalog_services(configuration(context)).stop())


@catalog.command("status")
@click.pass_context
def catalog_status(context: click.Context) -> None:
    """Say which processes run."""
    from intercalate.catalog_services import catalog_services

    show_services(catalog_services(configuration(context)).read())


@main.group(cls=Group)
def cycler() -> None:
    """Start, stop and look at the cycler server of this machine, on real potentiostats."""


@cycler.command("up")
@click.pass_context
def cycler_up(context: click.Context) -> None:
    """Start the server that owns the channels of `[cycler.server]`: programs, records, interlocks."""
    from intercalate.config import find_config
    from intercalate.cycler_service import start_cycler

    config = configuration(context)
    with waiting("starting the cycler server"):
        services = start_cycler(config, find_config(context.obj["config"]))
    show_services(services)


@cycler.command("down")
@click.pass_context
def cycler_down(context: click.Context) -> None:
    """Stop the server, and every current; a program that runs is interrupted."""
    from intercalate.cycler_service import cycler_services

    _say_stopped(cycler_services(configuration(context)).stop())


@cycler.command("status")
@click.pass_context
def cycler_status(context: click.Context) -> None:
    """Show whether it runs, and the last words of its log if not."""
    from intercalate.cycler_service import cycler_services

    show_services(cycler_services(configuration(context)).read())


def _say_stopped(names: list[str]) -> None:
    click.echo(f"stopped {', '.join(names)}" if names else "nothing was running")


def show_services(services: list[Any]) -> None:
    """Name processes, whether they run, and their logs."""
    if not services:
        click.echo("nothing is running")
    for service in services:
        running = service.process is not None
        state = click.style("running", fg="green") if running else click.style("ended", fg="red")
        click.echo(f"{service.name:16} {state}  process {service.pid}  log {service.log}")


@main.command()
@click.pass_context
def doctor(context: click.Context) -> None:
    """Check instruments, clocks, storage and catalog, and say what to do."""
    from intercalate.doctor import examine

    bad = 0
    for finding in examine(configuration(context)):
        mark = click.style("ok  ", fg="green") if finding.ok else click.style("BAD ", fg="red")
        click.echo(f"{mark}{finding.what:16} {finding.found}")
        if not finding.ok:
            bad += 1
            click.echo(f"    {'':16} {finding.remedy}")
    if bad:
        raise click.ClickException(f"{bad} of the checks failed")
