"""Whether the beam changed the cell that it measured."""

from pathlib import Path

import click

from intercalate.cli.base import COUNTED_FROM_THE_END, FOLDER, configuration, main, opened_catalog
from intercalate.cli.runs import reduced


@main.command("beam-effect", context_settings=COUNTED_FROM_THE_END)
@click.argument("run_id", metavar="RUN")
@click.option("--exposed", default="xrd", show_default=True, help="Measurement of the exposed spot.")
@click.option("--control", default="control", show_default=True, help="Measurement of what got nothing.")
@click.option("--twin", metavar="RUN", help="Run of a twin, which has the control frames.")
@click.option("--folder", type=FOLDER, help="Where to write (default: one named by the run).")
@click.pass_context
def beam_effect(
    context: click.Context, run_id: str, exposed: str, control: str, twin: str | None, folder: Path | None
) -> None:
    """Compare the exposed spot of RUN with fresh spots, or with a twin, at the same times."""
    from intercalate.beam_effect import compare
    from intercalate.catalog.client import find_run
    from intercalate.results import write_beam_effect

    config = configuration(context)
    catalog = opened_catalog(context, config)
    run = find_run(catalog, run_id)
    other = run if twin is None else find_run(catalog, twin)
    found = compare(reduced(run, config, exposed), reduced(other, config, control), is_twin=twin is not None)
    start = run.metadata["start"]
    where = folder or Path(f"run-{start['uid'][:8]}")
    for line in found.table():
        click.echo(line)
    for path in write_beam_effect(found, start, other.metadata["start"], where):
        click.echo(path)
    click.echo(found.sentence())
