"""Studies as data: what is measured, what was published, and in which worlds it is not so."""

import tomllib
from collections.abc import Sequence
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from matplotlib.figure import Figure
from pydantic import Field, ValidationError

from intercalate.config import EXAMPLES
from intercalate.experiment import Experiment, ExperimentError
from intercalate.orchestration.pressure_check import PRESSURE_MODE
from intercalate.pressed import PressureScan
from intercalate.problems import Problem, ProblemsError, did_you_mean, problems_of
from intercalate.protocol import SiteLimits
from intercalate.strict_model import StrictModel
from intercalate_plans.studies.finding import Finding, Published
from intercalate_plans.studies.measured import Cells
from intercalate_plans.studies.series import IMAGES_MODE, MODE, BiasSeries, ImageSeries

FOLDER = Path(__file__).parent

RATE = 2500.0
"""Cell seconds per wall second: as fast as the processes go on a machine that has other work too. A study
with many short exposures says less."""


class StudyError(ProblemsError):
    """There is no such study, or it cannot be done like this."""


class World(StrEnum):
    """What is true of the simulated cell."""

    EFFECT = "effect"
    """What is held to be true of the real one."""
    NULL = "null"
    """The published finding is not there."""
    PERMUTED = "permuted"
    """It is there in the opposite direction or order."""


class _Value(StrictModel):
    name: str
    value: float
    half_width: Annotated[float, Field(gt=0)]


class Publication(StrictModel):
    """What was published.

    Attributes
    ----------
    mark
        `V` seen in the original, `R` recalled.
    values
        Numbers, each the middle and half the width of the range that was given.
    """

    finding: str
    source: str
    mark: Literal["V", "R"]
    values: tuple[_Value, ...] = ()

    @property
    def numbers(self) -> dict[str, Published]:
        """Published numbers by name."""
        return {one.name: Published(one.name, one.value, one.half_width) for one in self.values}


Settings = dict[str, Any]
"""Of the simulator, nested as in its file: those that differ from what is shipped."""


class _About(StrictModel):
    title: str
    question: str
    origin: Literal["emergent", "imposed"]
    analysis: Annotated[str, Field(pattern=r"^[a-z_]+$")]
    formation: Path | None = None
    rate: Annotated[float, Field(gt=0)] = RATE
    differs: str
    published: Publication
    beamline: Settings = Field(default_factory=dict)
    simulation: Settings = Field(default_factory=dict)
    worlds: dict[Literal["null", "permuted"], Settings]


class Study(StrictModel):
    """One study.

    Attributes
    ----------
    id
        `S` and the number of its reference in a review of in situ techniques for Li-ion batteries.
    about
        Question, origin (`emergent` from the cell model, or `imposed` on the simulated world), publication,
        what differs from it, what the beamline has that the shipped one has not (`beamline`), and what the
        simulator is told: in all worlds (`simulation`), and in each of those without the effect.
    content
        As an experiment file.
    """

    id: str
    about: _About
    content: dict[str, Any]

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read a study.

        Raises
        ------
        StudyError
            Naming everything that is wrong with what is said about it.
        """
        content = tomllib.loads(path.read_text())
        try:
            about = _About.model_validate(content.pop("study", {}))
        except ValidationError as error:
            raise StudyError(path.name, [one.under("study") for one in problems_of(error, _About)]) from None
        return cls(id=path.stem, about=about, content=content)

    @property
    def series(self) -> BiasSeries | ImageSeries | None:
        """What is scanned or imaged where the sample is on no channel; None where a cell is.

        Raises
        ------
        StudyError
            Naming everything that is wrong with it.
        """
        kind = {MODE: BiasSeries, IMAGES_MODE: ImageSeries}.get(str(self.content.get("mode")))
        if kind is None:
            return None
        try:
            return kind.model_validate(self.content)
        except ValidationError as error:
            raise StudyError(f"{self.id}.toml", problems_of(error, kind)) from None

    @property
    def has_cells(self) -> bool:
        """Whether cells are on channels of a cycler."""
        return self.series is None and self.pressed is None

    @property
    def pressed(self) -> PressureScan | None:
        """What is done to a sample between diamonds, on no channel; None where something else is.

        Raises
        ------
        StudyError
            Naming everything that is wrong with it.
        """
        if self.content.get("mode") != PRESSURE_MODE:
            return None
        try:
            return PressureScan.model_validate(self.content)
        except ValidationError as error:
            raise StudyError(f"{self.id}.toml", problems_of(error, PressureScan)) from None

    def site(self, shipped: SiteLimits) -> SiteLimits:
        """Limits of its beamline."""
        return SiteLimits.model_validate(
            merged(shipped.model_dump(), self.about.beamline.get("site", Settings()))
        )

    def experiments(self, site: SiteLimits) -> list[Experiment]:
        """Formation, where there is one, then what is measured.

        Raises
        ------
        ExperimentError
            Naming everything that is wrong with either.
        """
        wanted = [self.content]
        if self.about.formation is not None:
            wanted.insert(0, self._formation())
        name = f"{self.id}.toml"
        try:
            return [Experiment.from_content(one, name, EXAMPLES, self.site(site)) for one in wanted]
        except ExperimentError as error:
            raise StudyError(name, error.problems) from None

    def _formation(self) -> dict[str, Any]:
        measured = self.content
        formation = {key: measured[key] for key in ("cell", "on_abort", "on_client_lost") if key in measured}
        return formation | {"mode": "cycling", "protocol": str(self.about.formation)}

    def told(self, world: World) -> Settings:
        """What the simulator has to be told besides what is shipped.

        Raises
        ------
        StudyError
            If there is no such world of this study.
        """
        worlds = {World.EFFECT: Settings()} | {World(name): one for name, one in self.about.worlds.items()}
        if world not in worlds:
            problem = Problem(
                "world",
                str(world),
                f"{self.id} neither ranks nor has a direction",
                f"use one of {', '.join(worlds)}",
            )
            raise StudyError(self.id, [problem])
        return merged(self.about.simulation, worlds[world])

    def analyse(self, cells: Cells) -> Finding:
        """Look for the finding in cycler records, and in frames that are aligned, reduced and fitted."""
        return self._analysis.analyse(cells, self.about.published.numbers)

    def figure(self, cells: Cells, finding: Finding, title: str) -> Figure:
        """Show it."""
        return self._analysis.figure(cells, finding, self.about.published.numbers, title)

    @property
    def _analysis(self) -> Any:
        return import_module(f"intercalate_plans.studies.{self.about.analysis}")


def merged(settings: Settings, others: Settings) -> Settings:
    """Both; what both say, as the others say it."""
    found = settings | others
    for key in settings.keys() & others.keys():
        if isinstance(settings[key], dict) and isinstance(others[key], dict):
            found[key] = merged(settings[key], others[key])
    return found


def studies() -> Sequence[str]:
    """Ids of all studies."""
    return sorted(path.stem for path in FOLDER.glob("S*.toml"))


def load_study(name: str) -> Study:
    """Study of this id.

    Raises
    ------
    StudyError
        If there is none, with the closest one that there is.
    """
    known = {one.casefold(): one for one in studies()}
    if name.casefold() not in known:
        advice = did_you_mean(name, known.values())
        raise StudyError("studies", [Problem("study", name, "there is no such study", advice)])
    return Study.from_file(FOLDER / f"{known[name.casefold()]}.toml")
