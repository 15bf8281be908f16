"""The session at the instrument, in IPython: what is brought up, the banner, magics, completion, status."""

import atexit
import inspect
import subprocess
import sys
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Any

import intercalate_plans
from intercalate.catalog.linked import who_now
from intercalate.catalog_services import (
    catalog_answers,
    catalog_services,
    open_configured_catalog,
    start_catalog,
)
from intercalate.config import Config
from intercalate.operator_requests import RequestDesk, RequestError, parse_request
from intercalate.services import module_command
from intercalate.session import Session
from intercalate.simulation import simulation_services, start_simulation
from intercalate.user_plans import UserPlans
from intercalate.watching import Follower, status_line
from intercalate.watching_terminal import BUSY, IDLE

EXAMPLES_OF_USE = """\
RE(count_frames(xrd.detector, 3, exposure_s=10))                         # frames, as they are
cell = Cell.from_file(EXAMPLES / "cells/nmc811_graphite_operando.toml")  # what is in the beam
RE(cycling_records(charge(cycler, cell, rate_C=0.5, until_time_s=600), cycler, cell))
protocol = Protocol.from_file(EXAMPLES / "protocols/formation_c10.json")
RE(operando(cycler, xrd, cell, protocol, {"every": {"time_s": 3600}}, on_abort="rest", on_client_lost="rest"))
records(cat[-1])                                                         # what the cycler recorded
"""
"""To be copied, in this order."""


REFUSALS = (ValueError, TypeError, RuntimeError)
"""By which this project says that something cannot be."""
OURS = str(Path(__file__).parent), str(Path(intercalate_plans.__file__).parent)
"""Folders in which what raises it stands."""


def bring_up(config: Config) -> None:
    """Start what the configuration says and does not run yet, saying so."""
    if "simulators" in config.session.brings_up and not simulation_services(config).running():
        print("starting the simulated beamline ...", flush=True)  # noqa: T201
        start_simulation(config)
    if "catalog" in config.session.brings_up and not catalog_services(config).running():
        print("starting the catalog ...", flush=True)  # noqa: T201
        start_catalog(config)


def settle(session: Session, path: Path, namespace: dict[str, Any], own_plans: UserPlans) -> None:
    """Give a person's namespace the catalog, magics and completion, and print the banner."""
    shell = _shell()
    if catalog_answers(session.config):
        namespace.update(_reading(open_configured_catalog(session.config), session.config))
    namespace["live_plot"] = Watching(path, session.config).plot
    if shell is not None:
        shell.register_magics(_magics(shell, session, namespace))
        _complete_what_is_useful(shell)
        shell.set_custom_exc(REFUSALS, _say_what_was_refused)
        if sys.stdout.isatty():
            Watching(path, session.config).beside(shell)
    print(banner(session, path, namespace, own_plans))  # noqa: T201


def _reading(catalog: Any, config: Config) -> dict[str, Any]:
    """The catalog, and what is asked of it most often."""
    from intercalate import heat_map
    from intercalate.catalog import chain, search

    def find(**wanted: Any) -> Any:
        """Runs by sample, technique, since, until, cycle, voltage, plan or status; `runs` lists them."""
        return search.find(catalog, **wanted)

    def experiment(uid: str) -> Any:
        """All runs of an experiment as one, by its id or that of one of them."""
        return chain.experiment(catalog, uid)

    def heatmap(run: Any, stream: str | None = None, **more: Any) -> Any:
        """Intensity of a run's patterns or spectra over time, or `against="voltage_volt"`."""
        return heat_map.heatmap(run, stream, config=config, **more)

    return {"cat": catalog, "find": find, "experiment": experiment, "heatmap": heatmap}


def banner(session: Session, path: Path, namespace: dict[str, Any], own_plans: UserPlans) -> str:
    """What there is: devices that answered and those that did not, catalog, plans of one's own, examples."""
    config = session.config
    found = session.RE.md.get("simulation")
    simulated = "" if found is None else f", simulated at {found['rate']:g} times real time"
    lines = [f"intercalate {version('intercalate')}, {path}{simulated}", ""]
    instruments = ", ".join(session.stations) or "none"
    lines += [f"cycler       {', '.join(one.name for one in session.cyclers.values())}"]
    lines += [f"instruments  {instruments}"]
    if session.missing:
        lines += [f"no answer    {', '.join(session.missing)}: left out; `intercalate doctor` says more"]
    elsewhere = "does not answer; `intercalate catalog up`"
    reading = "cat, find(), experiment(), heatmap()"
    lines += [f"catalog      {reading if 'cat' in namespace else elsewhere}"]
    lines += [f"your plans   {', '.join(own_plans.plans) or f'none in {config.plans_folder}'}"]
    lines += [f"             {name} is left out: {why}" for name, why in own_plans.refused.items()]
    lines += ["", "To begin with, copy a line:"]
    lines += [f"  {line}" for line in EXAMPLES_OF_USE.splitlines()]
    lines += [
        "",
        "help(operando) explains a plan. While one runs: skip cell, repeat frame, move to fresh spot.",
    ]
    lines += ["%plans reads your plans anew, %status says what runs, live_plot() draws it."]
    return "\n".join(lines)


class Watching:
    """Processes beside the session that follow what runs, by its journals."""

    def __init__(self, path: Path, config: Config):
        self._command = module_command("intercalate.cli", "-c", str(path), "watch")
        self._config = config

    def beside(self, shell: Any) -> None:
        """Keep the status of what runs on this terminal while a plan has it, and take what is typed."""
        child = subprocess.Popen([*self._command, "--beside-session"], stdin=subprocess.PIPE, text=True)

        def say(word: str) -> None:
            assert child.stdin is not None
            try:
                child.stdin.write(word + "\n")
                child.stdin.flush()
            except OSError:
                # It is gone: a session goes on without its status.
                return

        shell.events.register("pre_run_cell", lambda info: say(BUSY))
        shell.events.register("post_run_cell", lambda result: say(IDLE))
        atexit.register(child.terminate)

    def plot(self, to: str | Path | None = None) -> Path | None:
        """Draw voltage and last pattern anew as frames come, until this session ends.

        Parameters
        ----------
        to
            File, whose ending says in which format; None for a window.
        """
        to = None if to is None else Path(to).absolute()
        where = ["--window"] if to is None else ["--plot", str(to)]
        child = subprocess.Popen(
            [*self._command, *where], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        atexit.register(child.terminate)
        return to


def _say_what_was_refused(
    shell: Any, kind: Any, error: BaseException, trace: Any, tb_offset: Any = None
) -> None:
    """Show a refusal of this project as its message alone; anything else with all that led to it."""
    raised_in = traceback.extract_tb(trace)[-1].filename if trace is not None else ""
    if raised_in.startswith(OURS):
        print(f"{kind.__name__}: {error}\n(%tb shows where)", file=sys.stderr)  # noqa: T201
    else:
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


def _shell() -> Any:
    """The IPython that runs this; None outside of one."""
    from IPython import get_ipython

    return get_ipython()


def _magics(shell: Any, session: Session, namespace: dict[str, Any]) -> Any:
    """The words of a session: actions on what runs, plans of one's own, status."""
    from IPython.core.error import UsageError
    from IPython.core.magic import Magics, line_magic, magics_class

    desk = RequestDesk.of(session.config)

    @magics_class
    class Words(Magics):
        """One-word actions."""

        @line_magic
        def skip(self, line: str) -> None:
            """`skip cell [PLACE] [MEASUREMENT]`: give its next visit up."""
            self._ask("skip", line)

        @line_magic
        def repeat(self, line: str) -> None:
            """`repeat frame [PLACE] [MEASUREMENT]`: take it once more, at the same spot."""
            self._ask("repeat", line)

        @line_magic
        def move(self, line: str) -> None:
            """`move to fresh spot [PLACE] [MEASUREMENT] [to X Y]`: leave the spot that was measured last."""
            self._ask("move", line)

        @line_magic
        def plans(self, line: str) -> None:
            """Read the plans of your own anew, and say what is in them."""
            print(namespace["reload_plans"]().describe())  # noqa: T201

        @line_magic
        def status(self, line: str) -> None:
            """What runs, what is next and when, time left, beam, cells."""
            follower = Follower(session.config.journals_folder, session.config.site)
            follower.poll()
            print(status_line(follower.runs) if follower.runs else "nothing runs")  # noqa: T201

        def _ask(self, verb: str, line: str) -> None:
            try:
                request = desk.ask(parse_request(f"{verb} {line}", who_now(None)))
            except RequestError as refused:
                raise UsageError(str(refused)) from None
            later = " when it goes on: RE.resume()" if session.RE.state == "paused" else ""
            print(f"{request}: at the next safe moment{later}")  # noqa: T201

    return Words(shell)


def useful_names(one: Any) -> list[str]:
    """What a person may want of a device: its parts, and what this project has written for it.

    Devices inherit hundreds of names from the libraries under them.
    """
    from intercalate.devices.station import Station

    if isinstance(one, Station):
        own = [name for name in vars(one) if not name.startswith("_") and getattr(one, name) is not None]
        return sorted({*own, "devices", "settings", "unavailable"})
    written_here = [
        name
        for kind in type(one).__mro__
        if kind.__module__.startswith("intercalate")
        for name, value in vars(kind).items()
        if inspect.isfunction(value) or isinstance(value, property)
    ]
    names = {*getattr(one, "component_names", ()), *written_here, "name", "read", "get", "set"}
    return sorted(name for name in names if not name.startswith("_") and hasattr(type(one), name))


def _complete_what_is_useful(shell: Any) -> None:
    from IPython.utils.generics import complete_object
    from ophyd import Device, Signal

    from intercalate.devices.station import Station

    def names_of(one: Any, before: list[str]) -> list[str]:
        return useful_names(one)

    # It reads the libraries' sources, and offers all that it finds there.
    shell.Completer.use_jedi = False
    # IPython asks no attributes of classes that it does not know; asking a device is harmless, a call is not.
    shell.Completer.policy_overrides = {"can_get_attr": lambda value, name: True}
    for kind in (Device, Station):
        complete_object.register(kind, names_of)
    complete_object.register(Signal, lambda one, before: ["get", "name", "put", "read", "set"])
