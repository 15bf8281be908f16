"""Commands that serve the simulated beamline, one process each: world, cycler, beam, instruments."""

import asyncio
import gc
import importlib
import json
import logging
import os
import signal
from collections.abc import Coroutine, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

_END_SIGNALS = (signal.SIGTERM, signal.SIGINT)
SHARED = (
    "caproto.asyncio.server",
    "h5py",
    "scipy.interpolate",
    "scipy.ndimage",
    "scipy.signal",
    "intercalate.cycler_server.server",
    "intercalate.cycler_server.soft_ioc",
    "intercalate_sims.assembly",
    "intercalate_sims.channel",
    "intercalate_sims.iocs.frame_instrument",
    "intercalate_sims.iocs.knobs",
    "intercalate_sims.link",
    "intercalate_sims.world",
)
"""Modules that several processes need, imported before they part."""


def _write_whole(path: Path, text: str) -> None:
    """Write a file that is never seen half-written."""
    part = path.with_suffix(".part")
    part.write_text(text)
    os.replace(part, path)


@click.group()
def main() -> None:
    """Serve one part of the simulated beamline."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for chatty in ("caproto", "silx", "pyFAI"):
        logging.getLogger(chatty).setLevel(logging.ERROR)


@main.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True)
@click.option("--settings", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--rate", type=float, help="in place of the one in the settings")
@click.option("--cell-model", help="of the first cell, in place of the one in the settings")
@click.option("--site", required=True, help="site limits as JSON")
def up(folder: Path, settings: Path, rate: float | None, cell_model: str | None, site: str) -> None:
    """Serve all parts, in processes that are printed as one line of JSON; ends when they have ended."""
    from intercalate.cycler_server.server_environment import BATCHING

    # All servers read the same when they import caproto, which is once, here.
    os.environ.update(BATCHING)
    from intercalate_sims.processes import collect, forked
    from intercalate_sims.settings import SettingsError, SimulationSettings

    try:
        chosen = SimulationSettings.from_file(settings, rate=rate, cell_model=cell_model)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    folder.mkdir(parents=True, exist_ok=True)
    _write_whole(folder / "settings.json", chosen.model_dump_json(indent=1))
    _write_whole(folder / "simulation.json", json.dumps(chosen.metadata()))
    processes = chosen.processes(folder, site)
    for module in SHARED:
        importlib.import_module(module)
    if chosen.vacuum is not None:
        # The world and the sections in the chamber both have cells of it.
        _compile()
    # What was imported stays: no copy looks for garbage in it, nor gets pages of its own by that.
    gc.freeze()
    started = [forked(one, lambda one=one: main(one.arguments)) for one in processes]
    click.echo(json.dumps([asdict(one) for one in started]))
    collect()


@main.command("compile")
def compile_model() -> None:
    """Compile the cell model, which its first start does otherwise."""
    _compile()


def _compile() -> None:
    """Compile the cell model, or load what was compiled before."""
    from intercalate.contract import ControlMode
    from intercalate_sims.cell import make_cell

    make_cell("nmc811-graphite").advance(ControlMode.REST, 0.0)


@main.command("foresee")
@click.argument("request", type=click.Path(path_type=Path, exists=True))
@click.argument("records", type=click.Path(path_type=Path))
def foresee_program(request: Path, records: Path) -> None:
    """Write the RECORDS of one pass of the program in REQUEST; print the name of the cell's model as JSON."""
    import numpy as np

    from intercalate.cell import Cell
    from intercalate.protocol import BoundProgram, SiteLimits
    from intercalate_sims.foresee import foresee, model_of

    asked = json.loads(request.read_text())
    cell = Cell.from_dict(asked["cell"])
    model = model_of(cell)
    if model is not None:
        program = BoundProgram.from_json(asked["program"])
        np.save(records, foresee(program, cell, SiteLimits.model_validate(asked["site"])))
    click.echo(json.dumps({"model": model}))


@main.command()
def repeater() -> None:
    """Channel Access repeater, which clients look for and complain about if there is none."""
    from caproto.sync.repeater import run

    run(host="127.0.0.1")


FOLDER = click.option("--folder", type=click.Path(path_type=Path, exists=True), required=True)
"""Where `commands` has written the settings."""


@main.command()
@FOLDER
def world(folder: Path) -> None:
    """Cells, beam and the clock."""
    from intercalate_sims.assembly import Layout, make_world

    layout = Layout(folder)
    settings = layout.read_settings()

    async def serve() -> None:
        model = make_world(settings, layout)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(model.connect, "127.0.0.1", 0)
        _write_whole(layout.address, json.dumps({"port": server.sockets[0].getsockname()[1]}))
        model.start()
        ended = asyncio.Event()
        for number in _END_SIGNALS:
            loop.add_signal_handler(number, ended.set)
        await ended.wait()
        model.stop()
        server.close()

    asyncio.run(serve())


async def _serve(
    folder: Path,
    pvdb: dict[str, Any],
    tasks: Sequence[Coroutine[Any, Any, None]],
    ready: Coroutine[Any, Any, None] | None = None,
) -> None:
    """Serve PVs; knobs for those who may turn them."""
    from intercalate.cycler_server.soft_ioc import serve
    from intercalate_sims.assembly import Layout
    from intercalate_sims.iocs.knobs import only_for

    only_for(Layout(folder).read_settings().knob_users, pvdb)
    await serve(pvdb, tasks, ready)


@main.command()
@FOLDER
@click.option("--site", required=True, help="site limits as JSON")
def cycler(folder: Path, site: str) -> None:
    """The production cycler server on simulated channels."""
    from intercalate.cycler_server.server import CyclerServer
    from intercalate.protocol import SiteLimits
    from intercalate_sims.assembly import Layout
    from intercalate_sims.channel import SimulatedRig
    from intercalate_sims.iocs.knobs import KnobPVs

    settings = Layout(folder).read_settings().cycler

    async def run() -> None:
        rig = SimulatedRig(Layout(folder).address, settings.channels)
        limits = SiteLimits.model_validate_json(site)
        server = CyclerServer(rig.channels, folder / "cycler", settings.prefix, limits)
        pvdb = server.pvdb
        for name, channel in rig.channels.items():
            pvdb.update(KnobPVs(prefix=f"{settings.prefix}{name}:Knob:", channel=channel).pvdb)
        await _serve(folder, pvdb, [rig.run(), *server.tasks()], server.hear())

    asyncio.run(run())


@main.command()
@FOLDER
@click.option("--prefix", default="ECLAB_01:", show_default=True)
def eclab(folder: Path, prefix: str) -> None:
    """Potentiostats as the driver EPICS-ECLab shows them, in place of the simulated cycler."""
    from intercalate_sims.assembly import Layout
    from intercalate_sims.channel import SimulatedRig
    from intercalate_sims.iocs.eclab import EclabPVs

    settings = Layout(folder).read_settings().cycler

    async def run() -> None:
        rig = SimulatedRig(Layout(folder).address, settings.channels)
        groups = [
            EclabPVs(prefix=f"{prefix}C{number}:", channel=channel)
            for number, channel in enumerate(rig.channels.values())
        ]
        pvdb = {name: pv for group in groups for name, pv in group.pvdb.items()}
        await _serve(folder, pvdb, [rig.run(), *(group.publish() for group in groups)])

    asyncio.run(run())


@main.command()
@FOLDER
def beam(folder: Path) -> None:
    """Machine, monochromator, slits, attenuator and safety shutter."""
    from intercalate_sims.assembly import Layout, make_beam_ioc

    async def run() -> None:
        ioc = make_beam_ioc(Layout(folder).read_settings(), folder)
        await _serve(folder, ioc.pvdb, ioc.tasks())

    asyncio.run(run())


@main.command()
@FOLDER
def diffractometer(folder: Path) -> None:
    """The diffractometer with sample changer and pressure cell, and the spectrometer at the same changer."""
    from intercalate_sims.assembly import Layout, make_diffractometer, make_pressure_ioc, make_raman

    async def run() -> None:
        settings = Layout(folder).read_settings()
        instrument = make_diffractometer(settings, folder)
        pvdb, tasks = instrument.pvdb, instrument.tasks()
        if settings.pressure_cell is not None:
            part = make_pressure_ioc(settings, instrument)
            pvdb, tasks = {**pvdb, **part.pvdb}, [*tasks, *part.tasks()]
        if settings.raman is not None:
            for part in make_raman(settings, folder, instrument):
                pvdb, tasks = {**pvdb, **part.pvdb}, [*tasks, *part.tasks()]
        await _serve(folder, pvdb, tasks)

    asyncio.run(run())


@main.command("laboratory_xrd")
@FOLDER
def laboratory_xrd(folder: Path) -> None:
    """The diffractometer to which cells are carried, and its tube."""
    from intercalate_sims.assembly import Layout, make_laboratory, make_tube_ioc

    async def run() -> None:
        settings = Layout(folder).read_settings()
        instrument, tube = make_laboratory(settings, folder), make_tube_ioc(settings, folder)
        await _serve(folder, {**instrument.pvdb, **tube.pvdb}, [*instrument.tasks(), *tube.tasks()])

    asyncio.run(run())


@main.command("transfer_vessel")
@FOLDER
def transfer_vessel(folder: Path) -> None:
    """The transfer vessel and its glovebox."""
    from intercalate_sims.assembly import Layout, make_vessel_ioc

    async def run() -> None:
        ioc = make_vessel_ioc(Layout(folder).read_settings(), folder)
        await _serve(folder, ioc.pvdb, ioc.tasks())

    asyncio.run(run())


@main.command("vacuum")
@FOLDER
def vacuum(folder: Path) -> None:
    """The vacuum chamber, and the instruments in it."""
    from intercalate_sims.assembly import Layout
    from intercalate_sims.vacuum import make_vacuum

    async def run() -> None:
        parts = make_vacuum(Layout(folder).read_settings(), folder)
        pvdb = {name: pv for part in parts for name, pv in part.pvdb.items()}
        await _serve(folder, pvdb, [task for part in parts for task in part.tasks()])

    asyncio.run(run())


@main.command("tem")
@FOLDER
def transmission(folder: Path) -> None:
    """The transmission electron microscope, its chamber, and the spectrometer of losses on it."""
    from intercalate_sims.assembly import Layout
    from intercalate_sims.transmission import make_transmission

    async def run() -> None:
        parts = make_transmission(Layout(folder).read_settings(), folder)
        pvdb = {name: pv for part in parts for name, pv in part.pvdb.items()}
        await _serve(folder, pvdb, [task for part in parts for task in part.tasks()])

    asyncio.run(run())


if __name__ == "__main__":
    main()
