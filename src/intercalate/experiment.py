"""An experiment as one file: cells, protocols, measurements, and what happens when something dies."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError

from intercalate.cell import Cell
from intercalate.contract import OnLoss
from intercalate.orchestration.occasions import check_when
from intercalate.orchestration.pressure_check import problems_of_pressure
from intercalate.orchestration.tasks import MeasurementTask
from intercalate.orchestration.transfer_task import TransferTask
from intercalate.orchestration.when import WhenError
from intercalate.problems import Problem, ProblemsError, problems_of, read_file
from intercalate.protocol import BoundProgram, Hold, Protocol, ProtocolError, SiteLimits, bind, with_holds
from intercalate.strict_model import StrictModel

_MEND_PATH = "mend the path, relative to this file"


class ExperimentError(ProblemsError):
    """An experiment file was refused; `problems` lists everything wrong with it."""


class Mode(StrEnum):
    """What the cells do while they are measured."""

    CYCLING = "cycling"
    """They are cycled, and not measured."""
    OPERANDO = "operando"
    """They are measured while they are cycled, and never wait."""
    IN_SITU = "in_situ"
    """They are held at chosen points, and measured there."""
    EX_SITU = "ex_situ"
    """One is cycled, then carried to another instrument, and measured there."""


class _FileCell(StrictModel):
    """One cell of a file."""

    cell: Path
    protocol: Path
    place: Annotated[str, Field(min_length=1)] | None = None
    initial_soc: Annotated[float, Field(ge=0, le=1)] | None = None
    exposed: bool = True
    hold: Hold | None = None
    measurements: dict[str, dict[str, Any]] = Field(default_factory=dict)


class _File(StrictModel):
    mode: Mode
    on_abort: OnLoss
    on_client_lost: OnLoss
    preflight: bool = False
    cell: Path | None = None
    protocol: Path | None = None
    initial_soc: Annotated[float, Field(ge=0, le=1)] | None = None
    hold: Hold | None = None
    transfer: TransferTask | None = None
    measurements: dict[str, dict[str, Any]] = Field(default_factory=dict)
    cells: tuple[_FileCell, ...] = ()

    def problems(self) -> list[Problem]:
        """What does not fit together."""
        found = []
        for name, value in (("cell", self.cell), ("protocol", self.protocol)):
            if self.cells and value is not None:
                found.append(Problem(name, str(value), "belongs to one of [[cells]]", "move it there"))
            if not self.cells and value is None:
                found.append(Problem(name, "(absent)", "nothing is to be cycled", "name a file"))
        for number, one in enumerate(self.cells):
            if len(self.cells) > 1 and one.place is None:
                where = f"cells[{number}].place"
                found.append(Problem(where, "(absent)", "there are other cells", "say where it is"))
        if self.mode is not Mode.IN_SITU and (self.hold or any(one.hold for one in self.cells)):
            found.append(
                Problem("hold", "given", f"no cell is held in the mode {self.mode}", 'say "in_situ"')
            )
        found += self._problems_of_transfer()
        measures = bool(self.measurements) or any(one.measurements for one in self.cells)
        if self.mode is Mode.CYCLING and measures:
            found.append(
                Problem(
                    "measurements",
                    "given",
                    "the mode is cycling alone",
                    'drop them, or say mode = "operando"',
                )
            )
        if self.mode in (Mode.OPERANDO, Mode.IN_SITU) and not measures:
            found.append(
                Problem(
                    "measurements",
                    "(absent)",
                    "the mode measures",
                    "add [measurements.xrd] with when, exposure_s",
                )
            )
        return found

    def _problems_of_transfer(self) -> list[Problem]:
        if self.mode is not Mode.EX_SITU:
            why = f"no cell is carried anywhere in the mode {self.mode}"
            return [] if self.transfer is None else [Problem("transfer", "given", why, 'say "ex_situ"')]
        found = []
        if self.transfer is None:
            fix = "add [transfer] with its limits, and [transfer.measurements.NAME]"
            found.append(Problem("transfer", "(absent)", "nobody said how the cell is carried", fix))
        if len(self.cells) > 1:
            why, fix = "the vessel carries one cell", "write one file for each"
            found.append(Problem("cells", f"{len(self.cells)} cells", why, fix))
        return found

    def all_cells(self) -> list[_FileCell]:
        """Every cell; one that the file names without a list is one of them."""
        if self.cells:
            return list(self.cells)
        assert self.cell is not None
        assert self.protocol is not None
        return [_FileCell(cell=self.cell, protocol=self.protocol, initial_soc=self.initial_soc)]

    def hold_of(self, number: int) -> Hold | None:
        """Where one cell is held: as is said of it, or of all."""
        return self.all_cells()[number].hold or self.hold

    def measurements_of(self, number: int) -> tuple[MeasurementTask, ...]:
        """What is done with one cell: what is said of all, and what is said of it.

        Raises
        ------
        ExperimentError
            Naming everything that is wrong with it.
        """
        one = self.all_cells()[number]
        if not one.exposed:
            return ()
        found, problems = [], []
        for name in {**self.measurements, **one.measurements}:
            common, own = self.measurements.get(name, {}), one.measurements.get(name, {})
            try:
                found.append(MeasurementTask.model_validate({"name": name, **common, **own}))
            except ValidationError as error:
                for problem in problems_of(error, MeasurementTask):
                    is_own = re.split(r"[.\[]", problem.where)[0] in own or (own and not common)
                    where = f"cells[{number}].measurements.{name}" if is_own else f"measurements.{name}"
                    problems.append(problem.under(where))
        if problems:
            raise ExperimentError("", problems)
        return tuple(found)


class ExperimentCell(StrictModel):
    """One cell of an experiment: what it is, what is done to it, how it is measured.

    Attributes
    ----------
    place
        On the sample changer; None for the cell that is in the beam, on the first channel.
    """

    cell: Cell
    protocol: Protocol
    initial_soc: float | None
    measurements: tuple[MeasurementTask, ...]
    hold: Hold | None = None
    place: str | None = None

    @property
    def label(self) -> str:
        """As people call it."""
        return self.place or self.cell.name

    def bound(self, site: SiteLimits) -> BoundProgram:
        """The program of this cell on this site."""
        return bind(self.executed, self.cell, site, initial_soc=self.initial_soc)

    @property
    def executed(self) -> Protocol:
        """The protocol, with the holds in it."""
        return self.protocol if self.hold is None else with_holds(self.protocol, self.hold)

    def task(self) -> dict[str, Any]:
        """As plans take it."""
        return self.model_dump(mode="json", exclude_none=True)


class Experiment(StrictModel):
    """A checked experiment file, with the cells and protocols it names.

    Attributes
    ----------
    preflight
        Whether every cell is checked before the start.
    transfer
        In the mode `ex_situ`: how the cell is carried to another instrument, and what is measured there.
    """

    mode: Mode
    on_abort: OnLoss
    on_client_lost: OnLoss
    preflight: bool
    transfer: TransferTask | None = None
    cells: Annotated[tuple[ExperimentCell, ...], Field(min_length=1)]

    def exposures_s(self, instrument: str) -> list[float]:
        """Exposures of all measurements with an instrument, from the shortest."""
        wanted = [one for cell in self.cells for one in cell.measurements if one.instrument == instrument]
        return sorted({one.exposure_s for one in wanted})

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
            content: Any = read_file(path)
        except (OSError, ValueError) as error:
            problem = Problem("", str(path), str(error), "`intercalate init` writes files to adapt")
            raise ExperimentError(str(path), [problem]) from None
        return cls.from_content(content, str(path), path.parent, site)

    @classmethod
    def from_content(cls, content: Any, source: str, folder: Path, site: SiteLimits) -> Self:
        """Check what stands in an experiment file.

        Parameters
        ----------
        source
            Its name, for messages.
        folder
            To which the paths in it are relative.

        Raises
        ------
        ExperimentError, CellError, ProtocolError
            As `from_file`.
        """
        try:
            file = _File.model_validate(content)
        except ValidationError as error:
            raise ExperimentError(source, problems_of(error, _File)) from None
        if problems := file.problems() or _missing_files(file, folder):
            raise ExperimentError(source, problems)
        cells = tuple(_read_cell(file, number, source, folder) for number in range(len(file.all_cells())))
        problems = []
        for number, cell in enumerate(cells):
            program = cell.bound(site)
            for one in cell.measurements:
                where = f"cells[{number}].measurements" if file.cells else "measurements"
                problems += [
                    problem.under(f"{where}.{one.name}") for problem in problems_of_pressure(one, cell.cell)
                ]
                try:
                    check_when(one.when, program)
                except WhenError as error:
                    problems += [problem.under(f"{where}.{one.name}.when") for problem in error.problems]
        if problems:
            raise ExperimentError(source, problems)
        return cls(
            mode=file.mode,
            on_abort=file.on_abort,
            on_client_lost=file.on_client_lost,
            preflight=file.preflight,
            transfer=file.transfer,
            cells=cells,
        )


def _missing_files(file: _File, folder: Path) -> list[Problem]:
    named = [(name, getattr(one, name)) for one in file.all_cells() for name in ("cell", "protocol")]
    return [
        Problem(name, value.name, f"there is no such file as {folder / value}", _MEND_PATH)
        for name, value in named
        if not (folder / value).is_file()
    ]


def _read_cell(file: _File, number: int, source: str, folder: Path) -> ExperimentCell:
    one = file.all_cells()[number]
    try:
        measurements = file.measurements_of(number)
    except ExperimentError as error:
        raise ExperimentError(source, error.problems) from None
    read = ExperimentCell(
        cell=Cell.from_file(folder / one.cell),
        protocol=Protocol.from_file(folder / one.protocol),
        initial_soc=one.initial_soc,
        measurements=measurements,
        hold=file.hold_of(number),
        place=one.place,
    )
    if read.hold is not None:
        try:
            with_holds(read.protocol, read.hold)
        except ProtocolError as error:
            where = f"cells[{number}].hold" if one.hold is not None and file.cells else "hold"
            raise ExperimentError(source, [one.under(where) for one in error.problems]) from None
    return read
