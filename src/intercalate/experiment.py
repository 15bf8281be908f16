"""An experiment as one file: cells, protocols, measurements, and what happens when something dies."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from intercalate.cell import Cell
from intercalate.contract import OnLoss
from intercalate.orchestration.tasks import SpotMm
from intercalate.orchestration.when import When
from intercalate.problems import Problem, ProblemsError, problems_of
from intercalate.protocol import BoundProgram, Protocol, SiteLimits, bind

_MEND_PATH = "mend the path, relative to this file"


class ExperimentError(ProblemsError):
    """An experiment file was refused; `problems` lists everything wrong with it."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


PlanName = Literal["operando", "charge_discharge", "operando_cells"]


class Diffraction(_Section):
    """Frames: for how long in cell seconds, and when, where that is the same for every cell."""

    exposure_s: Annotated[float, Field(gt=0, le=3600)]
    when: When | None = None


class _FileCell(_Section):
    """One cell of a file."""

    cell: Path
    protocol: Path
    place: str
    when: When | None = None
    spots_mm: tuple[SpotMm, ...] = ((0.0, 0.0),)
    priority: int = 0
    initial_soc: Annotated[float, Field(ge=0, le=1)] | None = None


class _File(_Section):
    plan: PlanName
    on_abort: OnLoss
    on_client_lost: OnLoss
    preflight: bool = False
    cell: Path | None = None
    protocol: Path | None = None
    initial_soc: Annotated[float, Field(ge=0, le=1)] | None = None
    xrd: Diffraction | None = None
    cells: tuple[_FileCell, ...] = ()

    def problems(self) -> list[Problem]:
        """What does not fit together."""
        several = self.plan == "operando_cells"
        found = []
        for name, value in (("cell", self.cell), ("protocol", self.protocol)):
            if several and value is not None:
                found.append(Problem(name, str(value), "belongs to one of [[cells]]", "move it there"))
            if not several and value is None:
                found.append(Problem(name, "(absent)", f"the plan {self.plan} needs it", "name a file"))
        if several and not self.cells:
            found.append(Problem("cells", "(absent)", "the plan has no cell", "add [[cells]]"))
        if not several and self.cells:
            found.append(
                Problem("cells", f"{len(self.cells)}", f"{self.plan} takes one cell", "use operando_cells")
            )
        measures = self.plan != "charge_discharge"
        if measures and self.xrd is None:
            found.append(Problem("xrd", "(absent)", "the plan measures", "add [xrd] with exposure_s"))
        if self.plan == "operando" and self.xrd is not None and self.xrd.when is None:
            found.append(Problem("xrd.when", "(absent)", "says when to measure", "add when"))
        if several and self.xrd is not None and self.xrd.when is not None:
            found.append(
                Problem(
                    "xrd.when",
                    "given",
                    "each cell has its own",
                    "move it to those of [[cells]] that meet the beam",
                )
            )
        return found


class ExperimentCell(_Section):
    """One cell of an experiment: what it is, what is done to it, when it is measured.

    Attributes
    ----------
    place
        On the sample changer; None for the cell that is in the beam, on the first channel.
    """

    cell: Cell
    protocol: Protocol
    initial_soc: float | None
    when: When | None
    place: str | None = None
    spots_mm: tuple[SpotMm, ...] = ((0.0, 0.0),)
    priority: int = 0

    def bound(self, site: SiteLimits) -> BoundProgram:
        """The program of this cell on this site."""
        return bind(self.protocol, self.cell, site, initial_soc=self.initial_soc)

    def task(self) -> dict[str, Any]:
        """As the plan `operando_cells` takes it."""
        given = self.model_dump(mode="json", exclude_none=True, exclude={"cell", "protocol"})
        return {
            **given,
            "cell": self.cell.model_dump(mode="json", exclude_none=True),
            "protocol": self.protocol.model_dump(mode="json", exclude_none=True),
        }


class Experiment(_Section):
    """A checked experiment file, with the cells and protocols it names.

    Attributes
    ----------
    preflight
        Whether every cell is checked before the start.
    exposure_s
        Of frames, in cell seconds; None where there are none.
    """

    plan: PlanName
    on_abort: OnLoss
    on_client_lost: OnLoss
    preflight: bool
    exposure_s: float | None
    cells: Annotated[tuple[ExperimentCell, ...], Field(min_length=1)]

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
        if problems := file.problems() or _missing_files(file, path):
            raise ExperimentError(str(path), problems)
        cells = tuple(_read_cell(one, path) for one in _cells_of(file))
        problems = []
        for number, one in enumerate(cells):
            program = one.bound(site)
            if one.when is not None:
                where = f"cells[{number}].when" if file.cells else "xrd.when"
                problems += [problem.under(where) for problem in one.when.problems_with(program)]
        if problems:
            raise ExperimentError(str(path), problems)
        return cls(
            plan=file.plan,
            on_abort=file.on_abort,
            on_client_lost=file.on_client_lost,
            preflight=file.preflight,
            exposure_s=file.xrd.exposure_s if file.xrd else None,
            cells=cells,
        )


def _cells_of(file: _File) -> list[dict[str, Any]]:
    """Fields of every cell, with the paths of its files."""
    if file.cells:
        return [dict(one) for one in file.cells]
    when = file.xrd.when if file.xrd else None
    return [{"cell": file.cell, "protocol": file.protocol, "initial_soc": file.initial_soc, "when": when}]


def _missing_files(file: _File, path: Path) -> list[Problem]:
    return [
        Problem(name, one[name].name, f"there is no such file as {path.parent / one[name]}", _MEND_PATH)
        for one in _cells_of(file)
        for name in ("cell", "protocol")
        if not (path.parent / one[name]).is_file()
    ]


def _read_cell(fields: dict[str, Any], path: Path) -> ExperimentCell:
    cell, protocol = (path.parent / fields[name] for name in ("cell", "protocol"))
    return ExperimentCell(
        **{**fields, "cell": Cell.from_file(cell), "protocol": Protocol.from_file(protocol)}
    )
