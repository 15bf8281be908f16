"""What each technique can see of a cell, which samples it takes, and advice on which to choose.

What is said is data (`materials/techniques.toml`), each statement with the row it comes from. A sample is
refused by what it does to an instrument, the vapour that it gives off, its windows, its thickness, and not by
a word.
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from intercalate.cell import Cell
from intercalate.materials.constants import GAS_J_MOL_K
from intercalate.problems import Problem, ProblemsError, did_you_mean
from intercalate.strict_model import StrictModel

TABLE = Path(__file__).parent / "materials" / "techniques.toml"

ROOM_K = 298.15
ZERO_C_K = 273.15
COLDEST_C = -180.0
"""Of a stage cooled by liquid nitrogen."""

Question = Annotated[str, Field(min_length=1)]
Mode = Literal["operando", "in_situ", "ex_situ"]


class AdviceError(ProblemsError):
    """What was asked of the adviser was refused; `problems` lists everything wrong with it."""


class Statement(StrictModel):
    """Something that is said, and the rows it comes from."""

    text: str
    rows: Annotated[tuple[str, ...], Field(min_length=1)]

    def __str__(self) -> str:
        return f"{self.text} [{', '.join(self.rows)}]"


class Sight(Statement):
    """What a technique sees of a question: 3 made for it, 2 shows it, 1 gives a hint.

    Attributes
    ----------
    not_of_a_cell
        Why it sees this of a sample alone and of no cell, and what works; empty where it sees it of both.
    """

    question: Question
    not_of_a_cell: str = ""
    strength: Annotated[int, Field(ge=1, le=3)]


class Damage(Statement):
    """What it does to the sample."""

    level: Literal["dose", "destructive"]


class Technique(StrictModel):
    """One technique.

    Attributes
    ----------
    order
        In which measurements of a sample are made.
    window, vacuum_mbar, thickness_nm
        What light or X-rays need; the most vapour that its vacuum bears; how thick a sample may be.
    no_window_cell
        Why it cannot work on a sealed cell with a window for electrons, if so.
    on
        The technique whose instrument it is attached to.
    driven
        Whether this package has a device for it.
    untouched
        Why it says nothing of a place at which ions have milled, if so.
    """

    name: str
    order: int
    modes: tuple[Mode, ...]
    damage: Damage
    sees: tuple[Sight, ...]
    cannot: tuple[Statement, ...] = ()
    needs: tuple[Statement, ...] = ()
    window: Literal["xray", "optical"] | None = None
    vacuum_mbar: float | None = None
    thickness_nm: float | None = None
    no_window_cell: str | None = None
    on: str | None = None
    driven: bool = False
    untouched: str | None = None

    def sight(self, question: str) -> Sight | None:
        """What it sees of a question."""
        return next((one for one in self.sees if one.question == question), None)


class Combination(Statement):
    """Techniques that are used together."""

    members: Annotated[tuple[str, ...], Field(min_length=2)]


class Vapour(StrictModel):
    """Vapour pressure at 25 degC, and the enthalpy by which it falls."""

    mbar: Annotated[float, Field(gt=0)]
    kj_mol: Annotated[float, Field(gt=0)]
    source: str
    mark: Literal["V", "R", "?", "I"]

    def at(self, temperature_c: float) -> float:
        """Pressure in mbar at a temperature (Clausius and Clapeyron, the enthalpy taken as constant)."""
        inverse = 1.0 / (temperature_c + ZERO_C_K) - 1.0 / ROOM_K
        return self.mbar * math.exp(-1000.0 * self.kj_mol / GAS_J_MOL_K * inverse)

    def temperature_c(self, mbar: float) -> float:
        """At which it has this pressure."""
        inverse = 1.0 / ROOM_K - GAS_J_MOL_K / (1000.0 * self.kj_mol) * math.log(mbar / self.mbar)
        return 1.0 / inverse - ZERO_C_K


class Kind(StrictModel):
    """What the vacuum meets of a kind of electrolyte of which no solvent is named."""

    mbar: float
    text: str
    mark: Literal["V", "R", "?", "I"]


class Table(StrictModel):
    """All that is known."""

    questions: dict[str, str]
    techniques: dict[str, Technique]
    combinations: tuple[Combination, ...]
    solvents: dict[str, Vapour]
    kinds: dict[str, Kind]


@lru_cache(maxsize=1)
def table() -> Table:
    """The table that is shipped."""
    return Table.model_validate(tomllib.loads(TABLE.read_text()))


class Containment(StrEnum):
    """What is between a sample and the vacuum."""

    EXPOSED = "exposed"
    """Nothing."""
    WINDOW_CELL = "window_cell"
    """A sealed cell with a window that lets electrons pass."""


@dataclass(frozen=True)
class Sample:
    """What is to be measured.

    Attributes
    ----------
    temperature_c
        While it is measured.
    thickness_nm
        Along the beam; None where nobody said.
    dry
        Whether all electrolyte was taken from it.
    """

    cell: Cell
    temperature_c: float = 25.0
    thickness_nm: float | None = None
    containment: Containment = Containment.EXPOSED
    dry: bool = False


@dataclass(frozen=True)
class Verdict:
    """Whether a technique takes a sample.

    Attributes
    ----------
    refusals
        Why not, and what would work; empty where it does.
    penalties
        What it costs that it does.
    """

    refusals: tuple[str, ...] = ()
    penalties: tuple[str, ...] = ()


def takes(name: str, sample: Sample, mode: Mode, limits_mbar: Mapping[str, float] | None = None) -> Verdict:
    """Say whether a technique takes a sample.

    Parameters
    ----------
    limits_mbar
        Of the site, by technique: the most vapour that a chamber bears; where none is given, that of the
        table.
    """
    technique = table().techniques[name]
    refusals, penalties = [], []
    if mode not in technique.modes:
        refusals.append(f"it is not done {mode.replace('_', ' ')}; {' or '.join(technique.modes)} works")
    if mode != "ex_situ":
        refusals += _without_window(technique, sample.cell)
    limit_mbar = (limits_mbar or {}).get(name, technique.vacuum_mbar)
    if limit_mbar is not None:
        is_sealed = sample.containment is Containment.WINDOW_CELL
        if is_sealed and technique.no_window_cell is not None:
            refusals.append(f"not in a sealed window cell: {technique.no_window_cell}; open it")
        elif is_sealed:
            penalties.append(
                "the window scatters and absorbs: less resolution, and more dose for the same picture"
            )
        elif not sample.dry:
            refusals += _too_volatile(sample, limit_mbar)
    if technique.thickness_nm is not None:
        refusals += _too_thick(sample.thickness_nm, technique.thickness_nm)
    return Verdict(tuple(refusals), tuple(penalties))


def _without_window(technique: Technique, cell: Cell) -> list[str]:
    if technique.window == "optical" and cell.optical_window is None:
        return ["the cell has no optical window; give it one (optical_window), or open it: ex_situ works"]
    if technique.window == "xray" and cell.window_material is None:
        return [
            "nobody said of an X-ray window; give window_material in the cell's file, or open it: ex_situ"
        ]
    return []


def _too_volatile(sample: Sample, limit_mbar: float) -> list[str]:
    """Why the vacuum does not bear what the sample gives off."""
    electrolyte = sample.cell.electrolyte
    sealed = "a sealed window cell works, and so does a sample without electrolyte (dry)"
    if electrolyte is None:
        return [f"nobody said of its electrolyte; say its kind and solvents in the cell's file; {sealed}"]
    known = table()
    if electrolyte.vapour_pressure_mbar is not None:
        found = electrolyte.vapour_pressure_mbar
        if found <= limit_mbar:
            return []
        return [
            f"{electrolyte.name} gives off {found:.2g} mbar, as the cell's file says, the vacuum bears "
            f"{limit_mbar:.2g}; measure it colder and say what it gives off there, or {sealed}"
        ]
    if not electrolyte.solvents:
        kind = known.kinds.get(electrolyte.kind or "")
        if kind is not None and kind.mbar <= limit_mbar:
            return []
        return [
            f"nobody said what {electrolyte.name} gives off; say its solvents or vapour_pressure_mbar in the "
            f"cell's file; {sealed}"
        ]
    strange = [one for one in electrolyte.solvents if one not in known.solvents]
    if strange:
        return [
            f"nobody knows what {', '.join(strange)} in {electrolyte.name} gives off; "
            f"say vapour_pressure_mbar in the cell's file; {sealed}"
        ]
    vapours = {one: known.solvents[one] for one in electrolyte.solvents}
    worst = max(vapours, key=lambda one: vapours[one].at(sample.temperature_c))
    found = vapours[worst].at(sample.temperature_c)
    if found <= limit_mbar:
        return []
    cold_c = min(one.temperature_c(limit_mbar) for one in vapours.values())
    cooled = f"below {cold_c:.0f} degC it works, " if cold_c > COLDEST_C else ""
    return [
        f"{worst} gives off up to {found:.2g} mbar at {sample.temperature_c:g} degC, the vacuum bears "
        f"{limit_mbar:.2g}; {cooled}{sealed}"
    ]


def _too_thick(thickness_nm: float | None, limit_nm: float) -> list[str]:
    thin = f"a lamella, a nanowire or a nanobattery of at most {limit_nm:g} nm works"
    if thickness_nm is None:
        return [f"nobody said how thick it is along the beam (thickness_nm); {thin}"]
    return [] if thickness_nm <= limit_nm else [f"{thickness_nm:g} nm are too thick; {thin}"]


@dataclass(frozen=True)
class Option:
    """A technique that answers the question, on this sample."""

    name: str
    technique: Technique
    sight: Sight
    penalties: tuple[str, ...]

    @property
    def score(self) -> float:
        """By which options are ranked: what it sees, less what it costs."""
        cost = {"dose": 0.1, "destructive": 1.5}[self.technique.damage.level]
        return self.sight.strength - cost - 0.5 * len(self.penalties)


@dataclass(frozen=True)
class Advice:
    """What to use for a question.

    Attributes
    ----------
    options
        The best first.
    combinations
        Of techniques that this sample bears, one of which at least is an option, in the order in which they
        are used.
    refused
        Techniques that see it, and do not take this sample.
    """

    question: str
    options: tuple[Option, ...]
    combinations: tuple[Combination, ...]
    refused: Mapping[str, Verdict] = field(default_factory=dict)

    def lines(self) -> Sequence[str]:
        """In words."""
        known = table()
        found = [f"{self.question}: {known.questions[self.question]}"]
        if not self.options:
            found.append("nothing that sees it takes this sample")
        for rank, one in enumerate(self.options, start=1):
            driven = "" if one.technique.driven else " (no device of this package yet)"
            found.append(f"{rank}. {one.name}, {one.technique.name}{driven}: {one.sight}")
            found += [f"     cannot: {two}" for two in one.technique.cannot]
            found += [f"     needs:  {two}" for two in one.technique.needs]
            found.append(f"     damage: {one.technique.damage}")
            found += [f"     here:   {two}" for two in one.penalties]
        for one in self.combinations:
            found.append(f"together, in this order: {', then '.join(one.members)}: {one}")
        for name, verdict in self.refused.items():
            found.append(f"not {name}, {known.techniques[name].name}: {'; and '.join(verdict.refusals)}")
        return found


def advise(
    question: str,
    sample: Sample,
    mode: Mode,
    *,
    limits_mbar: Mapping[str, float] | None = None,
    non_destructive: bool = False,
) -> Advice:
    """Say which techniques answer a question on a sample, the best first.

    Parameters
    ----------
    limits_mbar
        Of the site, as for `takes`.
    non_destructive
        Leave out what destroys the sample.

    Raises
    ------
    AdviceError
        If there is no such question, no such technique among the limits, or a solvent of which nothing is
        known.
    """
    known = table()
    _check(question, sample, limits_mbar or {})
    verdicts = {name: takes(name, sample, mode, limits_mbar) for name in known.techniques}
    if non_destructive:
        spared = Verdict(("it destroys the sample, which is to be left whole",))
        verdicts |= {
            name: spared for name, one in known.techniques.items() if one.damage.level == "destructive"
        }
    options, refused = [], {}
    for name, technique in known.techniques.items():
        sight = technique.sight(question)
        if sight is None:
            continue
        alone = (sight.not_of_a_cell,) if sight.not_of_a_cell and mode != "ex_situ" else ()
        if refusals := (*alone, *verdicts[name].refusals):
            refused[name] = Verdict(refusals)
        else:
            options.append(Option(name, technique, sight, verdicts[name].penalties))
    options.sort(key=lambda one: (-one.score, one.technique.order))
    names = {one.name for one in options}
    combinations = [
        one.model_copy(
            update={"members": tuple(sorted(one.members, key=lambda m: known.techniques[m].order))}
        )
        for one in known.combinations
        if names & set(one.members) and not any(verdicts[member].refusals for member in one.members)
    ]
    return Advice(question, tuple(options), tuple(combinations), refused)


def _check(question: str, sample: Sample, limits_mbar: Mapping[str, float]) -> None:
    known, problems = table(), []
    if question not in known.questions:
        advice = did_you_mean(question, known.questions)
        problems.append(Problem("question", question, "nothing is known of it", advice))
    for name in limits_mbar:
        if name not in known.techniques:
            advice = did_you_mean(name, known.techniques)
            problems.append(Problem("limit", name, "there is no such technique", advice))
    electrolyte = sample.cell.electrolyte
    for solvent in () if electrolyte is None else electrolyte.solvents:
        if solvent not in known.solvents:
            advice = f"{did_you_mean(solvent, known.solvents)} or say vapour_pressure_mbar in its place"
            problems.append(Problem("electrolyte.solvents", solvent, "nothing is known of it", advice))
    if problems:
        raise AdviceError("advice", problems)
