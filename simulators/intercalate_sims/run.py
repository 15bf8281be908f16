"""Commands that serve the simulated beamline, one process each: world, cycler, diffractometer."""

import asyncio
import json
import logging
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

import click


@dataclass(frozen=True)
class Layout:
    """Where the processes of one simulated beamline keep what they share."""

    folder: Path
    address: Path = field(init=False)
    state: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", self.folder / "world.json")
        object.__setattr__(self, "state", self.folder / "world.state")


_END_SIGNALS = (signal.SIGTERM, signal.SIGINT)


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
@click.option("--cell-model", help="of the cell in the beam, in place of the one in the settings")
@click.option("--site", required=True, help="site limits as JSON")
def commands(folder: Path, settings: Path, rate: float | None, cell_model: str | None, site: str) -> None:
    """Print the processes of a simulated beamline as JSON, and write what they have in common."""
    from intercalate_sims.settings import SettingsError, SimulationSettings

    try:
        chosen = SimulationSettings.from_file(settings, rate=rate, cell_model=cell_model)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    folder.mkdir(parents=True, exist_ok=True)
    _write_whole(folder / "simulation.json", json.dumps(chosen.metadata()))
    click.echo(json.dumps(chosen.commands(folder, site)))


@main.command("compile")
def compile_model() -> None:
    """Compile the cell model, which its first start does otherwise."""
    from intercalate.contract import ControlMode
    from intercalate_sims.cell import make_cell

    make_cell("nmc811-graphite").advance(ControlMode.REST, 0.0)


@main.command()
def repeater() -> None:
    """Channel Access repeater, which clients look for and complain about if there is none."""
    from caproto.sync.repeater import run

    run(host="127.0.0.1")


@main.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True)
@click.option("--cell", "cells", multiple=True, required=True, help="NAME=MODEL, may be repeated")
@click.option("--rate", type=float, required=True, help="cell seconds per wall second")
@click.option("--dt", "dt_s", type=float, default=2.0, show_default=True, help="step of cell time, s")
@click.option("--seed", type=int, default=1, show_default=True)
def world(folder: Path, cells: tuple[str, ...], rate: float, dt_s: float, seed: int) -> None:
    """Cells and the clock."""
    from intercalate_sims.world import World

    layout = Layout(folder)
    folder.mkdir(parents=True, exist_ok=True)
    specs = dict(text.split("=", 1) for text in cells)

    async def serve() -> None:
        model = World(specs, rate=rate, seed=seed, dt_s=dt_s, state_path=layout.state)
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


@main.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True)
@click.option("--prefix", required=True)
@click.option("--channel", "channels", multiple=True, required=True, help="CHANNEL=CELL, may be repeated")
@click.option("--site", required=True, help="site limits as JSON")
def cycler(folder: Path, prefix: str, channels: tuple[str, ...], site: str) -> None:
    """The production cycler server on simulated channels."""
    from intercalate.cycler_server.server import CyclerServer
    from intercalate.cycler_server.soft_ioc import serve
    from intercalate.protocol import SiteLimits
    from intercalate_sims.channel import SimulatedRig
    from intercalate_sims.iocs.knobs import KnobPVs

    async def run() -> None:
        rig = SimulatedRig(Layout(folder).address, dict(text.split("=", 1) for text in channels))
        server = CyclerServer(rig.channels, folder / "cycler", prefix, SiteLimits.model_validate_json(site))
        pvdb = server.pvdb
        for name, channel in rig.channels.items():
            pvdb.update(KnobPVs(prefix=f"{prefix}{name}:Knob:", channel=channel).pvdb)
        await serve(pvdb, [rig.run(), *server.tasks()])

    asyncio.run(run())


@main.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True)
@click.option("--prefix", required=True)
@click.option("--cell", required=True, help="name of the world's cell in the beam")
@click.option("--cell-model", required=True, help="model of that cell")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option(
    "--clock-offset", "clock_offset_s", type=float, default=0.0, help="of the instrument's clock, s"
)
@click.option("--clock-drift", "clock_drift_ppm", type=float, default=0.0, help="in parts per million")
def diffractometer(
    folder: Path,
    prefix: str,
    cell: str,
    cell_model: str,
    seed: int,
    clock_offset_s: float,
    clock_drift_ppm: float,
) -> None:
    """Camera, HDF5 plugin, stage and shutter."""
    from intercalate.cycler_server.soft_ioc import serve
    from intercalate_sims.iocs.diffractometer import DiffractometerSettings, SimulatedDiffractometer
    from intercalate_sims.link import InstrumentLink

    async def run() -> None:
        instrument = SimulatedDiffractometer(
            prefix,
            InstrumentLink(Layout(folder).address),
            DiffractometerSettings(
                cell=cell,
                cell_model=cell_model,
                seed=seed,
                truth_path=folder / "truth.jsonl",
                clock_offset_s=clock_offset_s,
                clock_drift_ppm=clock_drift_ppm,
            ),
        )
        instrument.write_calibration(folder)
        await serve(instrument.pvdb, instrument.tasks())

    asyncio.run(run())


if __name__ == "__main__":
    main()
