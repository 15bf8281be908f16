"""The session at the instrument, and commands beside a running experiment: watch it, ask something of it."""

import signal
import sys
from pathlib import Path

import click

from intercalate.cli.base import FILE, configuration, main


@main.command()
@click.pass_context
def console(context: click.Context) -> None:
    """Open IPython at the instrument, with devices, plans, RunEngine and catalog at hand.

    What the configuration names (`[session] brings_up`) is started where it does not run yet, and stays up.
    """
    import os

    from IPython import start_ipython
    from traitlets.config import Config as Settings

    from intercalate.config import CONFIG_VARIABLE, find_config

    configuration(context)
    os.environ[CONFIG_VARIABLE] = str(find_config(context.obj["config"]).absolute())
    settings = Settings()
    settings.InteractiveShellApp.exec_lines = [
        "import intercalate.startup as _startup; _session = _startup.start(globals())"
    ]
    settings.TerminalInteractiveShell.banner1 = ""
    settings.TerminalInteractiveShell.enable_tip = False
    settings.TerminalInteractiveShell.term_title_format = "intercalate"
    start_ipython(argv=[], config=settings)


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, required=True)
@click.pass_context
def ask(context: click.Context, words: tuple[str, ...]) -> None:
    """Ask a running experiment to `skip cell`, `repeat frame` or `move to fresh spot`.

    WORDS are one of these, then the place of a cell and the name of a measurement, if not those that were
    taken last are meant; `move H1 to 0.4 -0.2` says where the fresh spot is, in mm from the centre of the
    window. It is done at the next safe moment: never in the middle of an exposure.
    """
    from intercalate.catalog.linked import who_now
    from intercalate.operator_requests import RequestDesk, RequestError, parse_request

    request = parse_request(" ".join(words), who_now(None))
    desk = RequestDesk.of(configuration(context))
    answer = desk.wait_for_answer(desk.ask(request))
    if answer.startswith("not done"):
        raise RequestError(answer)
    click.echo(answer)


@main.command()
@click.option("--plot", type=FILE, help="Keep a figure of voltage and last pattern in this file.")
@click.option("--window", is_flag=True, help="Show the same in a window.")
@click.option("--once", is_flag=True, help="Say how things stand, and end.")
@click.option("--beside-session", is_flag=True, hidden=True, help="Its input is a console on this terminal.")
@click.pass_context
def watch(context: click.Context, plot: Path | None, window: bool, once: bool, beside_session: bool) -> None:
    """Follow what runs: frames as they come, what is next and when, time left, beam, cells.

    What is typed meanwhile is asked of the experiment, as by `intercalate ask`.
    """
    from intercalate.watching_terminal import follow

    if beside_session:
        # Ctrl-C at the prompt is meant for the plan.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    config, drawing = configuration(context), None
    if window or plot is not None:
        from intercalate.views.live import InFile, InWindow, LivePlot

        if window and plot is not None:
            raise click.UsageError("--plot and --window: say one, and start a second `watch` for the other")
        drawing = LivePlot(config, InWindow() if plot is None else InFile(plot))
    told_by = sys.stdin if beside_session else None
    follow(config, sys.stdout, drawing=drawing, once=once, told_by=told_by)
