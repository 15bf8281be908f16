"""Commands for what came of a run afterwards: the files of its cycler, and the cell it was of."""

from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from intercalate.cli.base import COUNTED_FROM_THE_END, FILE, configuration, main, opened_catalog

if TYPE_CHECKING:
    from intercalate.catalog.clock import ClockModel
    from intercalate.cycling_files import CyclingSeries


@main.command("import-cycling", context_settings=COUNTED_FROM_THE_END)
@click.argument("run_id", metavar="RUN")
@click.argument("files", metavar="FILE...", type=FILE, nargs=-1, required=True)
@click.option("--timezone", help="Of the cycler's PC, such as Europe/Paris (default: that of this machine).")
@click.option("--day-first/--month-first", default=None, help="Order of a date that could be two.")
@click.option(
    "--offset", type=float, help="Seconds to add to the time of the cycler's PC for the beamline's."
)
@click.option("--offset-uncertainty", type=float, help="Standard error of the offset in s.")
@click.option(
    "--clock-check",
    "checks",
    multiple=True,
    help="'time of the PC = time of the beamline'; two give the drift.",
)
@click.option(
    "--marker",
    "markers",
    multiple=True,
    help="'stop 1 = time of the beamline': stop or start of current, step.",
)
@click.option(
    "--half-width", type=float, default=1.0, show_default=True, help="Of a check or sighting, in s."
)
@click.option("--charged-before", type=float, help="mAh in the cell before the first record (default: 0).")
@click.option("--replace", "reason", default="", help="Why these files replace what was imported before.")
@click.option("--who", help="Your name (default: the login name).")
@click.pass_context
def import_cycling_command(
    context: click.Context,
    run_id: str,
    files: tuple[Path, ...],
    timezone: str | None,
    day_first: bool | None,
    charged_before: float | None,
    reason: str,
    who: str | None,
    **clock: Any,
) -> None:
    """Give a run the files of a cycler that was not connected: BioLogic .mpt, Battery Data Format."""
    from intercalate.catalog.client import find_run
    from intercalate.catalog.cycling_import import import_cycling
    from intercalate.cycling_files import read_cycling_files

    zone = _zone(timezone)
    config = configuration(context)
    series = read_cycling_files(files, zone=zone, day_first=day_first)
    model = _clock(series, zone, **clock)
    made = import_cycling(
        find_run(opened_catalog(context, config), run_id),
        series,
        model,
        journals=config.journals_folder,
        who=who,
        reason=reason,
        charged_before_mah=charged_before,
    )
    click.echo(f"{len(series.clock_s)} records of {len(series.files)} files: run {made.uid}")
    click.echo(f"{made.covered} of {made.frames} exposures lie within them; {model.note}")
    if made.replaces:
        click.echo(f"version {made.version}, in place of run {made.replaces}, which is kept")
    for warning in made.warnings:
        click.secho(warning, fg="yellow")


def _zone(name: str | None) -> tzinfo | None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise click.ClickException(f"--timezone {name}: {error}; such as Europe/Paris, or UTC") from None


def _clock(
    series: "CyclingSeries",
    zone: tzinfo | None,
    *,
    offset: float | None,
    offset_uncertainty: float | None,
    checks: tuple[str, ...],
    markers: tuple[str, ...],
    half_width: float,
) -> "ClockModel":
    """What the options say of the clock of the cycler's PC."""
    from intercalate.catalog.clock import ClockModel
    from intercalate.catalog.cycler_clock import (
        clock_of_checks,
        clock_of_offset,
        parse_clock_check,
        parse_marker,
    )

    pairs = [parse_clock_check(text, zone, half_width) for text in checks]
    pairs += [parse_marker(text, series, zone, half_width) for text in markers]
    if offset_uncertainty is not None and offset is None:
        raise click.ClickException("--offset-uncertainty is that of an --offset; give both")
    if offset is not None and pairs:
        raise click.ClickException("give either --offset or checks and markers")
    if offset is not None:
        return clock_of_offset(offset, offset_uncertainty)
    if pairs:
        return clock_of_checks(pairs)
    return ClockModel.unknown(
        "nobody compared the clock of the cycler's PC with the beamline's; taken as equal"
    )


@main.command("enter-cell", context_settings=COUNTED_FROM_THE_END)
@click.argument("run_id", metavar="RUN")
@click.argument("cell_file", metavar="CELL", type=FILE)
@click.option("--reason", required=True, help="Where the numbers come from, such as 'weighed on May 3'.")
@click.option("--who", help="Your name (default: the login name).")
@click.pass_context
def enter_cell_command(
    context: click.Context, run_id: str, cell_file: Path, reason: str, who: str | None
) -> None:
    """Say what cell a run was of, with the mass that was weighed; what was said before is kept."""
    from intercalate.catalog.client import find_run
    from intercalate.catalog.cycling_import import enter_cell
    from intercalate.cell import Cell

    config = configuration(context)
    cell = Cell.from_file(cell_file)
    run = find_run(opened_catalog(context, config), run_id)
    uid, version = enter_cell(run, cell, reason, journals=config.journals_folder, who=who)
    click.echo(f"{cell.name}: version {version} of the cell of this run, as run {uid}")
