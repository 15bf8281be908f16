"""Which technique to choose."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from intercalate.cli.base import FILE, configuration, main

if TYPE_CHECKING:
    from intercalate.config import Config
    from intercalate.techniques import Advice

EVERY_S = 600.0
BEAMLINE, CHAMBER = "the sample changer of the beamline", "the stage of the vacuum chamber"


@dataclass(frozen=True)
class _Written:
    """What stands in an experiment file for a technique.

    Attributes
    ----------
    stage
        On which a cell must be for it: a cell is on one.
    more
        Further lines.
    """

    stage: str
    exposure_s: float
    budget: str
    more: tuple[str, ...] = ()


WRITTEN = {
    "xrd": _Written(BEAMLINE, 60.0, "budget_MGy"),
    "raman": _Written(BEAMLINE, 20.0, "budget_J_cm2"),
    "optical": _Written(BEAMLINE, 0.2, "budget_J_cm2"),
    "xps": _Written(CHAMBER, 300.0, "budget_MGy", ('regions = ["C 1s", "O 1s", "F 1s", "Li 1s"]',)),
    "sem": _Written(
        CHAMBER, 20.0, "budget_e_A2", ('settings = { image_detector = "backscattered electrons" }',)
    ),
    "eds": _Written(CHAMBER, 60.0, "budget_e_A2"),
    "ebsd": _Written(CHAMBER, 60.0, "budget_e_A2"),
}
"""Techniques that can measure a cell while it is cycled."""


@main.command()
@click.argument("question", required=False)
@click.option("--list", "is_listed", is_flag=True, help="Say which questions there are.")
@click.option("--cell", "cell_file", type=FILE, help="File of the cell.")
@click.option(
    "--mode",
    type=click.Choice(["operando", "in_situ", "ex_situ"]),
    default="operando",
    show_default=True,
    help="How it is to be measured.",
)
@click.option("--temperature", "temperature_c", default=25.0, show_default=True, help="Of the sample, degC.")
@click.option("--thickness", "thickness_nm", type=float, help="Along the beam, nm.")
@click.option("--window-cell", is_flag=True, help="Sealed, with a window for electrons.")
@click.option("--dry", is_flag=True, help="Without electrolyte.")
@click.option("--non-destructive", is_flag=True, help="The sample must be left whole.")
@click.option(
    "--limit",
    "limits",
    metavar="TECHNIQUE=MBAR",
    multiple=True,
    help="Most vapour that a chamber here bears.",
)
@click.option("--plan", "plan_file", type=FILE, help="Write an experiment file for what this package drives.")
@click.option("--protocol", "protocol_file", type=FILE, help="Of that experiment.")
@click.option(
    "--budget",
    "budgets",
    metavar="TECHNIQUE=AMOUNT",
    multiple=True,
    help="Most that a spot may get in that experiment: MGy of xrd and xps, J/cm2 of raman, e/A2 of others, "
    "or unlimited.",
)
@click.pass_context
def advise(
    context: click.Context,
    question: str | None,
    is_listed: bool,
    cell_file: Path | None,
    mode: str,
    temperature_c: float,
    thickness_nm: float | None,
    window_cell: bool,
    dry: bool,
    non_destructive: bool,
    limits: Sequence[str],
    plan_file: Path | None,
    protocol_file: Path | None,
    budgets: Sequence[str],
) -> None:
    """Say which techniques answer QUESTION on a cell, what they need and damage, and in which order."""
    from intercalate import techniques
    from intercalate.cell import Cell

    if is_listed:
        for name, words in techniques.table().questions.items():
            click.echo(f"{name:24} {words}")
        return
    if question is None or cell_file is None:
        raise click.UsageError("say QUESTION and --cell FILE, or --list")
    sample = techniques.Sample(
        Cell.from_file(cell_file),
        temperature_c,
        thickness_nm,
        techniques.Containment.WINDOW_CELL if window_cell else techniques.Containment.EXPOSED,
        dry,
    )
    found = techniques.advise(
        question,
        sample,
        mode,  # type: ignore[arg-type]
        limits_mbar={name: _number(name, value) for name, value in _pairs(limits, "--limit")},
        non_destructive=non_destructive,
    )
    for line in found.lines():
        click.echo(line)
    if plan_file is not None:
        _write_plan(
            context, found, mode, cell_file, plan_file, protocol_file, dict(_pairs(budgets, "--budget"))
        )


def _pairs(given: Sequence[str], option: str) -> list[tuple[str, str]]:
    found = [one.split("=", 1) for one in given]
    for one in found:
        if len(one) != 2:
            raise click.BadParameter(f"{one[0]!r} has no '='; write {option} sem=1e-4")
    return [(name, value) for name, value in found]


def _number(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not number > 0:
        raise click.BadParameter(f"{name}={value}: a pressure above 0 mbar is needed")
    return number


def _write_plan(
    context: click.Context,
    found: "Advice",
    mode: str,
    cell_file: Path,
    plan_file: Path,
    protocol_file: Path | None,
    budgets: dict[str, str],
) -> None:
    """Write an experiment file, and read it back: what cannot run is not left behind."""
    from intercalate.experiment import Experiment

    able = [one.name for one in found.options if one.name in WRITTEN]
    if not able:
        raise click.ClickException(
            "this package drives none of these techniques on a cell that is cycled: there is nothing to write"
        )
    stage = WRITTEN[able[0]].stage
    driven = [name for name in able if WRITTEN[name].stage == stage]
    if elsewhere := [name for name in able if name not in driven]:
        click.echo(f"left out, because the cell is on {stage}: {', '.join(elsewhere)}")
    if mode == "ex_situ" or protocol_file is None:
        raise click.UsageError(
            "--plan writes what is measured while a cell is cycled: say --protocol FILE, operando or in_situ"
        )
    missing = [name for name in driven if name not in budgets]
    if missing:
        raise click.UsageError(
            f"no dose is known to be safe: say --budget {missing[0]}=AMOUNT, or {missing[0]}=unlimited"
        )
    if plan_file.exists():
        raise click.BadParameter(f"{plan_file} exists; name another file")
    here = plan_file.absolute().parent
    config = configuration(context)
    lines = [
        f"# For the question: {found.question}.",
        f'mode = "{mode}"',
        'on_abort = "rest"',
        'on_client_lost = "rest"',
    ]
    for name in driven:
        amount = budgets[name]
        lines += [
            "",
            f"[measurements.{name}]",
            f'instrument = "{name}"',
            f"when = {{ every = {{ time_s = {EVERY_S} }} }}",
            f"exposure_s = {WRITTEN[name].exposure_s}",
            f"{WRITTEN[name].budget} = " + ('"unlimited"' if amount == "unlimited" else amount),
            *WRITTEN[name].more,
        ]
    lines += [
        "",
        "[[cells]]",
        f'cell = "{os.path.relpath(cell_file, here)}"',
        f'protocol = "{os.path.relpath(protocol_file, here)}"',
        *_places(config, driven[0]),
    ]
    plan_file.write_text("\n".join(lines) + "\n")
    try:
        Experiment.from_file(plan_file, config.site)
    except ValueError:
        plan_file.unlink()
        raise
    click.echo(f"{plan_file}: look through it, then `intercalate check {plan_file}`")


def _places(config: "Config", instrument: str) -> list[str]:
    """Lines that say where the cell is, to be corrected; none where there is no such instrument."""
    if instrument not in config.instruments:
        return []
    wired = [name for name, one in config.changer_of(instrument).places.items() if one.channel is not None]
    return [f"# One of {', '.join(wired)}: where its cables are.", f'place = "{wired[0]}"'] if wired else []
