"""Commands that read runs back."""

from pathlib import Path

import click

from intercalate.cli.base import COUNTED_FROM_THE_END, FOLDER, configuration, main


@main.command()
@click.option("-n", "--number", default=20, show_default=True, help="How many of the latest.")
@click.pass_context
def runs(context: click.Context, number: int) -> None:
    """List the latest runs: when, sample, plan, status, duration, frames."""
    from intercalate.catalog.client import runs as latest_runs
    from intercalate.catalog_services import open_configured_catalog

    rows = latest_runs(open_configured_catalog(configuration(context)), number)
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

    run = find_run(open_configured_catalog(configuration(context)), run_id)
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

    config = configuration(context)
    run = find_run(open_configured_catalog(config), run_id)
    uid = run.metadata["start"]["uid"]
    with bar(Console(stderr=True)) as progress, task(progress, "fitting", float(len(frames(run)))) as update:
        data = reduce_run(run, config, progress=lambda done: update(done, f"{done} frames"))
    for path in write_results(run, data, folder or Path(f"run-{uid[:8]}")).values():
        click.echo(path)
