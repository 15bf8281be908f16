"""Commands that read runs back."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from intercalate.cli.base import COUNTED_FROM_THE_END, FOLDER, configuration, main, opened_catalog

if TYPE_CHECKING:
    import xarray as xr

    from intercalate.config import Config


@main.command()
@click.option("-n", "--number", default=20, show_default=True, help="How many on a page.")
@click.option("--page", default=1, show_default=True, help="1 has the latest.")
@click.option("--sample", help="Name; * stands for any characters.")
@click.option("--technique", help="Such as xrd, raman, eis, cycling.")
@click.option("--since", help="2026-05-03, '2026-05-03 14:30' (UTC), or so long ago: '12 h', '3 d'.")
@click.option("--until", help="The same; a day means all of it.")
@click.option("--cycle", "cycles", metavar="N[:N]", help="Whose records hold this cycle, or one of these.")
@click.option(
    "--voltage", "volts", metavar="V[:V]", help="Whose records hold this voltage, or some of these."
)
@click.option("--plan", help="Name; * stands for any characters.")
@click.option("--status", help="running, complete, failed, aborted, lost.")
@click.pass_context
def runs(
    context: click.Context,
    number: int,
    page: int,
    cycles: str | None,
    volts: str | None,
    **wanted: str | None,
) -> None:
    """List runs, latest first: when, sample, plan, status, duration, frames."""
    from intercalate.catalog.run_table import runs as listed
    from intercalate.catalog.search import find

    config = configuration(context)
    found = find(
        opened_catalog(context, config),
        cycle=_range(cycles, "--cycle"),
        voltage=_range(volts, "--voltage"),
        **wanted,
    )
    rows = listed(found, number, page, journals=config.journals_folder)
    click.echo(str(rows))
    if not rows:
        click.echo("no run is all of that" if page == 1 else "there are no more")
    if len(rows) == number or page > 1:
        count = len(found)
        pages = -(-count // number)
        click.echo(f"page {page} of {pages}, {count} runs" + ("; --page goes on" if page < pages else ""))


def _range(text: str | None, option: str) -> tuple[float, float] | None:
    """`3.9` or `3.9:4.1`."""
    if text is None:
        return None
    try:
        ends = [float(one) for one in text.split(":")]
    except ValueError:
        ends = []
    if len(ends) not in (1, 2):
        raise click.BadParameter(f"{option} {text}: give a number, or two with a colon between")
    return ends[0], ends[-1]


@main.command()
@click.pass_context
def replay(context: click.Context) -> None:
    """Compare all journals with the catalog, and write what it has missed; doing it again does nothing."""
    from intercalate.catalog_services import replay_into_catalog

    done = replay_into_catalog(configuration(context))
    for line in done.lines():
        click.echo(line)
    if done.refused:
        raise click.ClickException(
            f"{len(done.refused)} runs are not in the catalog; their journals are kept"
        )


@main.command(context_settings=COUNTED_FROM_THE_END)
@click.argument("run_id", metavar="RUN")
@click.option("--experiment", "is_whole", is_flag=True, help="All of the experiment that it is of, as one.")
@click.pass_context
def show(context: click.Context, run_id: str, is_whole: bool) -> None:
    """Say what a run is: RUN is the beginning of its id, or -1 for the latest; or of its experiment's."""
    from intercalate.catalog.client import find_run
    from intercalate.catalog.linked import said_of
    from intercalate.catalog.run_table import status_now
    from intercalate.protocol import Protocol

    config = configuration(context)
    catalog = opened_catalog(context, config)
    if is_whole:
        _show_experiment(catalog, run_id, config.journals_folder)
        return
    run = find_run(catalog, run_id)
    start, stop = run.metadata["start"], run.metadata.get("stop") or {}
    said = ("uid", "experiment_uid", "plan_name", "sample", "place", "simulated", "program_id", "on_abort")
    for name in (*said, "on_client_lost"):
        if name in start:
            click.echo(f"{name:16} {start[name]}")
    click.echo(f"{'status':16} {status_now(run.metadata, config.journals_folder)} {stop.get('reason', '')}")
    for stream, count in (stop.get("num_events") or {}).items():
        click.echo(f"{'stream ' + stream:16} {count} events")
    for measurement in start.get("measurements", ()):
        click.echo(f"{'measurement':16} {dict(measurement)}")
    for line in said_of(run):
        click.echo(f"{'said afterwards':16} {line}")
    if "protocol" in start:
        click.echo(Protocol.from_dict(dict(start["protocol"])).describe())


def _show_experiment(catalog: Any, which: str, journals: Path) -> None:
    """Cells of an experiment, with all runs of each."""
    from intercalate.catalog.chain import experiment
    from intercalate.catalog.client import CatalogError, find_run
    from intercalate.catalog.run_table import status_now

    try:
        uid = find_run(catalog, which).metadata["start"]["uid"]
    except CatalogError:
        uid = which
    for cell in experiment(catalog, uid):
        click.echo(f"{cell.name}: {cell.records.sizes['record']} records")
        for run in cell.runs:
            start = run.metadata["start"]
            status = status_now(run.metadata, journals)
            click.echo(f"  run {start['uid'][:8]}  {start.get('plan_name', '')}  {status}")
        for name, frames in cell.frames.items():
            click.echo(f"  {name}: {frames.sizes['frame']} frames")
        for begin, end in cell.gaps_unix_s:
            click.echo(f"  nobody measured for {end - begin:.0f} s")


@main.command(context_settings=COUNTED_FROM_THE_END)
@click.argument("run_id", metavar="RUN", default="-1")
@click.option("--stream", help="Frames or spectra to fit (default: all that the run has).")
@click.option("--folder", type=FOLDER, help="Where to write (default: one named by the run).")
@click.option("--heatmap", is_flag=True, help="Only patterns or spectra, over time or what --against says.")
@click.option("--against", default="test_time_second", show_default=True, help="Such as voltage_volt, frame.")
@click.option("--region", help="Of photoelectron spectra, such as 'C 1s'.")
@click.pass_context
def plot(
    context: click.Context,
    run_id: str,
    stream: str | None,
    folder: Path | None,
    heatmap: bool,
    against: str,
    region: str | None,
) -> None:
    """Reduce and fit a run's frames and spectra, and write figure, table and NetCDF.

    Where there are several streams, each is written into a folder of its own. A heat map is made of what was
    written there before, if anything was; else patterns are reduced, and spectra shown as they were counted.
    """
    from intercalate.catalog.client import find_run, image_streams
    from intercalate.results import write_results

    config = configuration(context)
    run = find_run(opened_catalog(context, config), run_id)
    there = list(image_streams(run))
    if not there or (stream is not None and stream not in there):
        words = ", ".join(there) or "none"
        raise click.BadParameter(f"the run has no frames in {stream or 'any stream'}; it has {words}")
    where = folder or Path(f"run-{run.metadata['start']['uid'][:8]}")
    if heatmap:
        for one in there if stream is None else [stream]:
            place = where / one if len(there) > 1 else where
            click.echo(_heat_map(run, config, one, place, against, region))
        return
    for one in there if stream is None else [stream]:
        data = reduced(run, config, one)
        for path in write_results(run, data, where / one if len(there) > 1 else where).values():
            click.echo(path)


@main.command(context_settings=COUNTED_FROM_THE_END)
@click.argument("run_id", metavar="RUN", default="-1")
@click.option("--stream", help="Images (default: the only stream that has some).")
@click.option("--to", "path", type=click.Path(path_type=Path), help="FILE.gif, or FILE.mp4 with ffmpeg.")
@click.option("--frames-per-s", default=8.0, show_default=True, help="Of the film.")
@click.pass_context
def video(
    context: click.Context, run_id: str, stream: str | None, path: Path | None, frames_per_s: float
) -> None:
    """Write a run's images as a film, with time, voltage and a scale bar in every picture."""
    from intercalate.catalog.client import find_run, image_streams
    from intercalate.film import IMAGING, write_film
    from intercalate.results import instrument_of

    config = configuration(context)
    run = find_run(opened_catalog(context, config), run_id)
    start = run.metadata["start"]
    there = [one for one in image_streams(run) if instrument_of(start, one) in IMAGING]
    if stream is None and len(there) == 1:
        (stream,) = there
    if not there:
        raise click.ClickException(
            "the run has no images of an electron microscope, of which a video is made"
        )
    if stream not in there:
        words = ", ".join(there)
        raise click.BadParameter(
            f"name one of the streams with images (--stream): {words}"
            if stream is None
            else f"{stream!r} is no stream with images; there are {words}"
        )
    made = write_film(
        run, config, path or Path(f"run-{start['uid'][:8]}.gif"), stream=stream, frames_per_s=frames_per_s
    )
    click.echo(f"{made.path}: {made.shown} images; {made.left_out} of other places or fields left out")


def _heat_map(
    run: Any, config: "Config", stream: str, folder: Path, against: str, region: str | None
) -> Path:
    """Write a heat map as figure and NetCDF; returns the figure."""
    from intercalate.catalog.export import to_netcdf
    from intercalate.heat_map import heatmap
    from intercalate.views.heat_map import save_heat_map_figure

    results = next(iter(sorted(folder.glob("operando*.nc")) + sorted(folder.glob("ex_situ*.nc"))), None)
    data = heatmap(run, stream, config=config, results=results, against=against, region=region)
    folder.mkdir(parents=True, exist_ok=True)
    start = run.metadata["start"]
    path = folder / f"heat_map_{stream}.png"
    said = " (simulated)" if start.get("simulated") else ""
    save_heat_map_figure(path, data, f"{data.attrs['sample']}{said}, {stream}, run {start['uid'][:8]}")
    to_netcdf(data.to_dataset(), path.with_suffix(".nc"))
    return path


def reduced(run: Any, config: "Config", stream: str) -> "xr.Dataset":
    """Frames of a stream, reduced and fitted, with a bar on the terminal."""
    from rich.console import Console

    from intercalate.catalog.client import frames
    from intercalate.results import reduce_run
    from intercalate.views.progress import bar, task

    count = float(len(frames(run, stream)))
    with bar(Console(stderr=True)) as progress, task(progress, f"fitting {stream}", count) as update:
        return reduce_run(run, config, stream=stream, progress=lambda done: update(done, f"{done} frames"))
