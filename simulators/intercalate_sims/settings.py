"""What a simulated beamline consists of, read from one file."""

import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from intercalate.cycler_server.soft_ioc import server_environment
from intercalate.problems import ProblemsError, problems_of
from intercalate_sims.cell import cell_specs


class SettingsError(ProblemsError):
    """The settings were refused."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Port = Annotated[int, Field(ge=1024, le=65535)]
Prefix = Annotated[str, Field(pattern=":$")]


def _known_model(name: str) -> str:
    if name not in cell_specs():
        raise ValueError(f"known models are {', '.join(cell_specs())}")
    return name


CellModelName = Annotated[str, AfterValidator(_known_model)]


class CyclerSettings(_Section):
    """The cycler server."""

    prefix: Prefix
    port: Port
    channels: dict[str, str]


class DiffractometerServer(_Section):
    """The diffractometer."""

    prefix: Prefix
    port: Port
    cell: str
    clock_offset_s: float
    clock_drift_ppm: float


class SimulationSettings(_Section):
    """All of it."""

    rate: Annotated[float, Field(gt=0, le=1e6)]
    dt_s: Annotated[float, Field(gt=0, le=10)]
    seed: int
    repeater_port: Port
    cells: Annotated[dict[str, CellModelName], Field(min_length=1)]
    cycler: CyclerSettings
    diffractometer: DiffractometerServer

    @classmethod
    def from_file(cls, path: Path, *, rate: float | None = None, cell_model: str | None = None) -> Self:
        """Read the settings; `rate` and `cell_model`, of the cell in the beam, go over the file.

        Raises
        ------
        SettingsError
            Naming everything that is wrong.
        """
        content = tomllib.loads(path.read_text())
        if rate is not None:
            content["rate"] = rate
        if cell_model is not None:
            content["cells"][content["diffractometer"]["cell"]] = cell_model
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise SettingsError(str(path), problems_of(error, cls)) from None

    def metadata(self) -> dict[str, Any]:
        """What the start document of every run must say."""
        return {
            "simulated": True,
            "simulation": {
                "seed": self.seed,
                "rate": self.rate,
                "dt_s": self.dt_s,
                "cells": self.cells,
            },
        }

    def commands(self, folder: Path, site: str) -> list[dict[str, Any]]:
        """Name, command and environment of every process."""
        run = [sys.executable, "-m", "intercalate_sims.run"]
        where = ["--folder", str(folder)]
        cells = [word for name, model in self.cells.items() for word in ("--cell", f"{name}={model}")]
        channels = [
            word for name, cell in self.cycler.channels.items() for word in ("--channel", f"{name}={cell}")
        ]
        world = [*run, "world", *where, *cells, "--rate", str(self.rate), "--dt", str(self.dt_s)]
        xrd = self.diffractometer
        return [
            _process("repeater", [*run, "repeater"], {"EPICS_CA_REPEATER_PORT": str(self.repeater_port)}),
            _process("world", [*world, "--seed", str(self.seed)], {}),
            _process(
                "cycler",
                [*run, "cycler", *where, "--prefix", self.cycler.prefix, *channels, "--site", site],
                server_environment(self.cycler.port),
            ),
            _process(
                "diffractometer",
                [
                    *(*run, "diffractometer", *where, "--prefix", xrd.prefix, "--cell", xrd.cell),
                    *("--cell-model", self.cells[xrd.cell]),
                    *("--seed", str(self.seed), f"--clock-offset={xrd.clock_offset_s}"),
                    f"--clock-drift={xrd.clock_drift_ppm}",
                ],
                server_environment(xrd.port),
            ),
        ]


def _process(name: str, command: list[str], environment: dict[str, str]) -> dict[str, Any]:
    return {"name": name, "command": command, "environment": environment}
