"""Commands for an experiment: before, during and after it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from intercalate.cli.base import COUNTED_FROM_THE_END, FILE, configuration, main, opened_catalog
from intercalate.contract import STATION_NAMES

if TYPE_CHECKING:
    from intercalate.config import Config
    from intercalate.execute import Outcome


@main.command()
@click.argument("experiment_file", type=FILE)
@click.pass_context
def check(context: click.Context, experiment_file: Path) -> None:
    """Say what an experiment file would do, without any hardware."""
    from intercalate.check import check as check_experiment
    from intercalate.experiment import Experiment
    from intercalate.pressed import CheckedScan, is_pressure_scan

    config = configuration(context)
    if is_pressure_scan(experiment_file):
        for line in CheckedScan.from_file(experiment_file, config).describe():
            click.echo(line)
        return
    _read_plans(config)
    for line in check_experiment(Experiment.from_file(experiment_file, config.site), config):
        click.echo(line)


@main.command()
@click.argument("places", nargs=-1)
@click.option(
    "--exposure",
    "exposure_s",
    type=click.FloatRange(min=0.0, min_open=True),
    default=60.0,
    show_default=True,
    help="Of the frames to come, s.",
)
@click.option("--calibrant", default="LaB6", show_default=True, help="LaB6 or Si.")
@click.option(
    "--station",
    type=click.Choice(STATION_NAMES),
    default=STATION_NAMES[0],
    show_default=True,
    help="Instrument.",
)
@click.pass_context
def calibrate(
    context: click.Context, places: tuple[str, ...], exposure_s: float, calibrant: str, station: str
) -> None:
    """Take darks, geometry, flat field and background, and align the cells at PLACES of the changer.

    For a Raman spectrometer: power, darks, the axis by silicon, and the focus at PLACES; for the camera on
    it, white by silicon. For a photoelectron
    spectrometer: the scale by gold and silver. For an electron microscope: the scale by a grid, the current
    in the Faraday cup, and the cuts at PLACES; for its detector of X-rays, energies by copper and cobalt. For
    a transmission microscope: the camera length on gold, the dose rate in a hole; for losses, the zero loss
    and films of known compounds.
    """
    from rich.console import Console

    from intercalate.calibrations import CalibrationStore
    from intercalate.execute import OWN_CALIBRATIONS, calibration_plans, into_the_beam, prepare
    from intercalate.materials.calibrants import CALIBRANTS

    config = configuration(context)
    if station not in config.instruments:
        raise click.BadParameter(
            f"the configuration has no {station}; it has {', '.join(config.instruments)}"
        )
    instrument, known = config.instrument(station), config.changer_of(station).places
    for place in places:
        if place not in known:
            raise click.BadParameter(
                f"{place!r} is no place on the changer of {station}; {', '.join(known)} are"
            )
    if station not in OWN_CALIBRATIONS and (calibrant not in CALIBRANTS or calibrant not in known):
        there = " and ".join(name for name in CALIBRANTS if name in known) or "none"
        raise click.BadParameter(
            f"{calibrant!r} is no calibrant on the changer of {station}; there is {there}"
        )
    wanted = places or [name for name, one in known.items() if one.channel is not None]
    if station in OWN_CALIBRATIONS:
        plans = OWN_CALIBRATIONS[station]([exposure_s], wanted)
    else:
        plans = calibration_plans([exposure_s], wanted, calibrant, station)
        plans += [into_the_beam(one, station) for one in wanted[:1]]
    prepare(config, plans, Console(stderr=True))
    for name, one in CalibrationStore(config.stored(instrument.calibration.folder)).in_use().items():
        click.echo(f"{name:16} {one.made:%Y-%m-%d %H:%M} UTC  {one.sha256[:12]}  {_summary(one.values)}")


def _summary(values: dict[str, Any]) -> str:
    """The numbers of a calibration that a person looks at first."""
    shown = (
        *("energy_kev", "distance_mm", "masked_pixels", "median_counts", "frames", "x_mm", "y_mm"),
        *("offset_nm", "z_um", "power_mw", "offset_ev", "pixel_ratio", "current_na", "channel_ev"),
        *("camera_px_angstrom", "e_per_a2_s", "zero_loss_width_ev", "thickness_nm"),
    )
    found = []
    for name in shown:
        if name in values:
            sigma = values.get(f"{name}_sigma")
            error = "" if sigma is None else f" ± {sigma:.2g}"
            found.append(f"{name} {values[name]:.7g}{error}")
    return ", ".join(found)


@main.command()
@click.argument("experiment_file", type=FILE)
@click.option(
    "--override",
    "overrides",
    metavar="CHECK=REASON",
    multiple=True,
    help="Accept a red item of the preflight; the reason is recorded.",
)
@click.pass_context
def run(context: click.Context, experiment_file: Path, overrides: tuple[str, ...]) -> None:
    """Run an experiment file."""
    from rich.console import Console

    from intercalate.execute import execute, prepare, pressing
    from intercalate.experiment import Experiment
    from intercalate.pressed import CheckedScan, is_pressure_scan

    config = configuration(context)
    if is_pressure_scan(experiment_file):
        checked = CheckedScan.from_file(experiment_file, config)
        for line in checked.describe():
            click.echo(line)
        uids: list[str] = []
        prepare(config, [pressing(checked, uids)], Console(stderr=True))
        click.echo(f"run {uids[0]}")
        return
    _read_plans(config)
    experiment = Experiment.from_file(experiment_file, config.site)
    for one in experiment.cells:
        click.echo(f"{one.place}: {one.cell.name}" if one.place else one.cell.name)
        click.echo(one.protocol.describe())
    screen, accepted = Console(stderr=True), _overrides(overrides)
    outcome = execute(config, experiment, screen, overrides=accepted)
    _show_outcome(outcome)


@main.command(context_settings=COUNTED_FROM_THE_END)
@click.argument("run_id", metavar="[RUN]", default="")
@click.option(
    "--go-on",
    is_flag=True,
    help="Start what is left of programs that were interrupted: current flows again. See first why they "
    "ended, and that the cell is well.",
)
@click.pass_context
def resume(context: click.Context, run_id: str, go_on: bool) -> None:
    """Go on with an experiment whose session died: RUN is the beginning of its id or of one of its runs.

    Without RUN, the latest experiment. Programs that run, or have reached their end, are taken up; nothing is
    started, and a program that was interrupted stays so, unless --go-on asks for what is left of it.
    """
    from rich.console import Console

    from intercalate.execute import resume as resume_experiment

    outcome, finished = resume_experiment(
        configuration(context), Console(stderr=True), run_id or None, go_on=go_on
    )
    for label in finished:
        click.echo(f"{label}: was finished")
    _show_outcome(outcome)


def _show_outcome(outcome: "Outcome") -> None:
    for uid, program in zip(outcome.uids, outcome.programs, strict=True):
        click.echo(f"run {uid}: program {program.get('status')}")
    click.echo(f"{outcome.documents.get('datum', 0)} frames")


def _read_plans(config: "Config") -> None:
    """Know the functions of the user's own plan files: conditions of an experiment may name them."""
    from intercalate.user_plans import load_user_plans

    for name, why in load_user_plans(config.plans_folder).refused.items():
        click.secho(f"{config.plans_folder / name} is left out: {why}", fg="yellow", err=True)


def _overrides(words: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for one in words:
        what, _, reason = one.partition("=")
        if not reason.strip():
            raise click.BadParameter(f"{one!r} gives no reason; write --override 'disk=we empty it at noon'")
        found[what.strip()] = reason.strip()
    return found


@main.command(context_settings=COUNTED_FROM_THE_END)
@click.argument("run_id", metavar="RUN", default="-1")
@click.pass_context
def report(context: click.Context, run_id: str) -> None:
    """Say what became of an experiment: cells, frames, what was missed and why, use of the beam."""
    from intercalate.catalog.client import find_run
    from intercalate.report import beam_time, reports_of_experiment

    catalog = opened_catalog(context, configuration(context))
    reports = reports_of_experiment(catalog, find_run(catalog, run_id))
    for one in reports:
        click.echo(one.describe())
    click.echo(beam_time(reports))


@main.command()
@click.pass_context
def acknowledge(context: click.Context) -> None:
    """Say to the cycler that you know why a program ended, so that it takes the next one."""
    from intercalate.session import acknowledge as acknowledge_cycler

    found = acknowledge_cycler(configuration(context))
    click.echo("\n".join(found) if found else "the cycler has nothing to acknowledge")


@main.command()
@click.argument("comment")
@click.option("--who", help="Your name (default: the login name).")
@click.pass_context
def note(context: click.Context, comment: str, who: str | None) -> None:
    """Write COMMENT into the shift log, also while an experiment runs."""
    from intercalate.shift_log import ShiftLog

    click.echo(ShiftLog.of(configuration(context)).add(comment, who, source="command line"))


@main.command()
@click.option("-n", "--number", default=20, show_default=True, help="How many of the latest.")
@click.option("--run", "run_id", help="Only what was said during this run: the beginning of its id.")
@click.pass_context
def log(context: click.Context, number: int, run_id: str | None) -> None:
    """Show the shift log."""
    from intercalate.shift_log import ShiftLog

    for entry in ShiftLog.of(configuration(context)).entries(run_id)[-number:]:
        click.echo(entry)
