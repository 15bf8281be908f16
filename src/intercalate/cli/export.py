"""Runs in the formats of other programs, and as a folder to take home."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from intercalate.cli.base import COUNTED_FROM_THE_END, FOLDER, configuration, main, opened_catalog

if TYPE_CHECKING:
    from intercalate.config import Config

FORMATS = ("folder", "nexus", "bdf", "xye", "netcdf", "csv")


@main.command(context_settings=COUNTED_FROM_THE_END)
@click.argument("run_ids", metavar="RUN...", nargs=-1, required=True)
@click.option(
    "--to", "folder", type=FOLDER, default=Path("."), show_default=True, help="Made if it is not there."
)
@click.option(
    "--format", "formats", type=click.Choice(FORMATS), multiple=True, default=("folder",), show_default=True
)
@click.option("--stream", help="Frames or spectra (default: all that the run has).")
@click.option("--no-frames", is_flag=True, help="Of nexus: patterns, spectra and records alone.")
@click.pass_context
def export(
    context: click.Context,
    run_ids: Sequence[str],
    folder: Path,
    formats: Sequence[str],
    stream: str | None,
    no_frames: bool,
) -> None:
    """Write runs as files.

    `folder` has all of it and opens without a server, `nexus` is one HDF5 file, `bdf` the cycler's records
    in the Battery Data Format, `xye` a file for each pattern, `netcdf` and `csv` aligned frames and records.
    What is simulated says so in each.
    """
    from intercalate.catalog.client import find_run
    from intercalate.exporting import run_files

    config = configuration(context)
    catalog = opened_catalog(context, config)
    runs = [find_run(catalog, one) for one in run_ids]
    failed = []
    for one in dict.fromkeys(formats):
        try:
            if one == "folder":
                written = run_files.folder(runs, config, folder)
            elif one == "nexus":
                written = [_nexus(runs, config, folder, not no_frames)]
            else:
                written = [
                    path for run in runs for path in run_files.WRITERS[one](run, config, folder, stream)
                ]
        except (ValueError, RuntimeError, OSError) as error:
            # What can be written in the other formats is.
            failed.append(f"{one}: {error}")
            continue
        for path in written:
            click.echo(path)
    if failed:
        raise click.ClickException("\n".join(failed))


def _nexus(runs: Sequence[Any], config: "Config", folder: Path, with_frames: bool) -> Path:
    from rich.console import Console

    from intercalate.catalog.summaries import SUMMARY
    from intercalate.contract import XRD_NAMES
    from intercalate.exporting import run_files
    from intercalate.views.progress import bar, task

    counts = [(run.metadata.get(SUMMARY) or {}).get("techniques", {}) for run in runs]
    total = float(sum(one.get(name, 0) for one in counts for name in XRD_NAMES) or 1)
    with bar(Console(stderr=True)) as progress, task(progress, "patterns", total) as update:
        return run_files.nexus(
            runs,
            config,
            folder,
            with_frames=with_frames,
            progress=lambda done: update(done, f"{done} frames"),
        )
