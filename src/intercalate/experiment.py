"""An experiment as one file: cell, protocol, measurements, and what happens when something dies."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from intercalate.cell import Cell
from intercalate.contract import OnLoss
from intercalate.orchestration.when import Every
from intercalate.problems import Problem, ProblemsError, problems_of
from intercalate.protocol import Protocol, SiteLimits, bind


class ExperimentError(ProblemsError):
    """An experiment file was refused; `problems` lists everything wrong with it."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Diffraction(_Section):
    """Frames: when, and for how long, in cell seconds."""

    every: Every
    exposure_s: Annotated[float, Field(gt=0, le=3600)]


class _File(_Section):
    plan: Literal["operando", "charge_discharge"]
    cell: Path
    protocol: Path
    on_abort: OnLoss
    on_client_lost: OnLoss
    initial_soc: Annotated[float, Field(ge=0, le=1)] | None = None
    xrd: Diffraction | None = None


class Experiment(_Section):
    """A checked experiment file, with the cell and protocol it names."""

    plan: Literal["operando", "charge_discharge"]
    cell: Cell
    protocol: Protocol
    on_abort: OnLoss
    on_client_lost: OnLoss
    initial_soc: float | None
    xrd: Diffraction | None

    @classmethod
    def from_file(cls, path: str | Path, site: SiteLimits) -> Self:
        """Read an experiment and check that it can run on this site.

        Raises
        ------
        ExperimentError, CellError, ProtocolError
            Naming file, field, value, limit and remedy of everything that is wrong.
        """
        path = Path(path)
        try:
            content: Any = tomllib.loads(path.read_text())
        except (OSError, tomllib.TOMLDecodeError) as error:
            problem = Problem("", str(path), str(error), "name a TOML file; `intercalate init` writes one")
            raise ExperimentError(str(path), [problem]) from None
        try:
            file = _File.model_validate(content)
        except ValidationError as error:
            raise ExperimentError(str(path), problems_of(error, _File)) from None
        if file.plan == "operando" and file.xrd is None:
            problem = Problem(
                "xrd", "(absent)", "an operando plan measures", "add [xrd] with every, exposure_s"
            )
            raise ExperimentError(str(path), [problem])
        named = {"cell": path.parent / file.cell, "protocol": path.parent / file.protocol}
        missing = [
            Problem(name, one.name, f"there is no such file as {one}", "mend the path, relative to this file")
            for name, one in named.items()
            if not one.is_file()
        ]
        if missing:
            raise ExperimentError(str(path), missing)
        cell = Cell.from_file(path.parent / file.cell)
        protocol = Protocol.from_file(path.parent / file.protocol)
        bind(protocol, cell, site, initial_soc=file.initial_soc)
        return cls(cell=cell, protocol=protocol, **file.model_dump(exclude={"cell", "protocol"}))
