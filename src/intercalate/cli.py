"""The command line. Heavy imports happen inside the commands that need them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from intercalate.config import Config

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)


def _config(context: click.Context) -> "Config":
    from intercalate.config import Config, find_config

    return Config.from_file(find_config(context.obj["config"]))


class _Group(click.Group):
    """Shows what was refused as a message, not as a stack of calls."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
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

    services = start_simulation(
        _config(context), settings=settings, rate=rate, cell_model=cell_model, fresh=fresh
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
@click.pass_context
def run(context: click.Context, experiment_file: Path) -> None:
    """Run an experiment file."""
    from rich.console import Console

    from intercalate.execute import execute
    from intercalate.experiment import Experiment

    config = _config(context)
    experiment = Experiment.from_file(experiment_file, config.site)
    click.echo(experiment.protocol.describe())
    outcome = execute(config, experiment, Console(stderr=True))
    frames = outcome.documents.get("datum", 0)
    click.echo(f"run {outcome.uid}: program {outcome.program.get('status')}, {frames} frames")


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


@main.group(cls=_Group)
def catalog() -> None:
    """Start, stop and look at the catalog."""


@catalog.command("up")
@click.pass_context
def catalog_up(context: click.Context) -> None:
    """Start the Tiled server and the forwarder that fills it."""
    from intercalate.catalog_services import start_catalog

    config = _config(context)
    _show_services(start_catalog(config))
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
