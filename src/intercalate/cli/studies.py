"""Published studies by name."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from intercalate.cli.base import FOLDER, main

if TYPE_CHECKING:
    from intercalate.study import StudyResult


@main.command()
@click.argument("name", metavar="STUDY", required=False)
@click.option("--list", "is_list", is_flag=True, help="Say which studies there are.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--null", "is_null", is_flag=True, help="In a world in which the finding is not there.")
@click.option("--permuted", "is_permuted", is_flag=True, help="In a world in which it is reversed.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the simulation.")
@click.option("--folder", type=FOLDER, help="Made anew (default: study-STUDY).")
def study(
    name: str | None,
    is_list: bool,
    as_json: bool,
    is_null: bool,
    is_permuted: bool,
    seed: int,
    folder: Path | None,
) -> None:
    """Repeat a published study on a simulated beamline of its own, and say whether its finding comes out."""
    from intercalate_plans.studies import World, load_study, studies

    if is_list:
        listed = [load_study(one) for one in studies()]
        if as_json:
            rows = [{"study": one.id, **one.about.model_dump(mode="json")} for one in listed]
            click.echo(json.dumps(rows, indent=1))
            return
        for one in listed:
            worlds = ", ".join([World.EFFECT, *one.about.worlds])
            click.echo(f"{one.id:5} {one.about.title} ({one.about.origin}; worlds: {worlds})")
        return
    if name is None:
        raise click.UsageError("name a study; `intercalate study --list` says which there are")
    if is_null and is_permuted:
        raise click.UsageError("--null and --permuted are two worlds; say one of them")
    world = World.NULL if is_null else World.PERMUTED if is_permuted else World.EFFECT
    chosen = load_study(name)
    chosen.told(world)

    from rich.console import Console

    from intercalate.study import run_study

    where = (folder or Path(f"study-{chosen.id}")).absolute()
    result = run_study(chosen, where, world=world, seed=seed, console=Console(stderr=True))
    click.echo(json.dumps(result.given(), indent=1) if as_json else _text(result))


@main.command()
@click.option(
    "--folder",
    type=FOLDER,
    default=Path("gallery"),
    show_default=True,
    help="Results that are there are kept.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the simulations.")
def gallery(folder: Path, seed: int) -> None:
    """Run a study for each technique, and write a page with their figures."""
    from rich.console import Console

    from intercalate.gallery import make_gallery

    click.echo(make_gallery(folder.absolute(), seed=seed, console=Console(stderr=True)))


def _text(result: "StudyResult") -> str:
    about, finding = result.study.about, result.finding
    rows = [
        (result.study.id, about.title),
        ("question", about.question),
        ("finding", finding.text),
        *(("", str(one)) for one in finding.quantities),
        *(("claim", str(one)) for one in finding.claims),
        ("published", f"{about.published.finding} ({about.published.source}; {about.published.mark})"),
        *(("", f"{one.name}: {one.value:g} ± {one.half_width:g}") for one in about.published.values),
        ("differs", about.differs),
        ("origin", about.origin),
        ("world", f"{result.world}, seed {result.seed}"),
        ("simulated", str(result.simulated).lower()),
        ("recovered", str(finding.recovered).lower()),
        ("figure", str(result.figure)),
    ]
    return "\n".join(f"{name:10} {text}" for name, text in rows)
