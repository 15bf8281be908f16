"""Samples that go between diamonds, and experiments in which they are pressed: files, and their checks."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError

from intercalate.cell import Cell
from intercalate.config import Config
from intercalate.contract import DIAMOND_ANVIL_CELL
from intercalate.materials.crystals import crystal_phases
from intercalate.materials.equations_of_state import MARKERS
from intercalate.orchestration.checking import MAX_EXPOSURE_S
from intercalate.orchestration.pressure_check import PRESSURE_MODE, problems_of_cell
from intercalate.problems import ABSENT, Problem, ProblemsError, problems_of, read_file
from intercalate.strict_model import StrictModel

Positive = Annotated[float, Field(gt=0)]
Text = Annotated[str, Field(min_length=1)]


class PressedError(ProblemsError):
    """A sample or an experiment under pressure was refused; `problems` lists everything wrong with it."""


class PressedSample(StrictModel):
    """A powder between diamonds.

    Attributes
    ----------
    material
        Key of the table of crystals; its axes are orthogonal.
    marker
        In whose lines the pressure is read, among the sample.
    medium
        That passes the pressure on.
    highest_gpa
        To which this filling may be pressed; a softer gasket or medium may bear less than the anvils.
    """

    name: Text
    material: Text
    marker: Text
    medium: Text
    gasket: Text | None = None
    highest_gpa: Positive | None = None
    comment: Text | None = None

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Load a `.toml` or `.json` file.

        Raises
        ------
        PressedError
            If it is no such sample, with what would work where it is a cell.
        """
        try:
            content: Any = read_file(path)
        except (ValueError, OSError) as error:
            raise PressedError(
                path.name, [Problem("", "(the file)", str(error), "correct the file")]
            ) from None
        return cls.from_content(content, path.name)

    @classmethod
    def from_content(cls, content: Any, source: str) -> Self:
        """Build from the content of a file; raises as `from_file`."""
        if isinstance(content, Mapping) and {"format", "positive", "negative"} & content.keys():
            cell = Cell.from_dict(content, source=source)
            raise PressedError(source, problems_of_cell(cell, "sample"))
        try:
            sample = cls.model_validate(content)
        except ValidationError as error:
            raise PressedError(source, problems_of(error, cls)) from None
        problems = []
        if sample.marker not in MARKERS:
            fix = f"use one of {', '.join(MARKERS)}"
            problems.append(Problem("marker", sample.marker, "no equation of state is known of it", fix))
        if sample.material not in crystal_phases():
            fix = f"use one of {', '.join(crystal_phases())}"
            problems.append(Problem("material", sample.material, "no structure is known of it", fix))
        if problems:
            raise PressedError(source, problems)
        return sample


class PressureScan(StrictModel):
    """An experiment in which one sample is pressed in steps, as it stands in its file.

    Attributes
    ----------
    place
        On the sample changer; the only one with a diamond-anvil cell where it is not said.
    pressures_gpa
        Of the membrane by its table, one after the other. What the sample has is measured.
    exposure_s
        Of the frame at each, in cell seconds.
    settle_s
        After each approach, until gasket and medium have followed.
    beam_mm
        Width and height of the beam, which must miss the gasket.
    rate_gpa_min
        Of the approach; as it is set where it is not said.
    """

    mode: Literal["pressure_scan"]
    sample: Path
    place: Text | None = None
    pressures_gpa: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1)]
    exposure_s: Annotated[float, Field(gt=0, le=MAX_EXPOSURE_S)]
    settle_s: Annotated[float, Field(ge=0, le=86400)] = 300.0
    beam_mm: Annotated[float, Field(ge=0.02, le=1.0)] = 0.08
    rate_gpa_min: Annotated[float, Field(ge=0.01, le=5.0)] | None = None


class CheckedScan(StrictModel):
    """A pressure scan that can be done here.

    Attributes
    ----------
    place
        Where the sample is.
    """

    scan: PressureScan
    sample: PressedSample
    place: str

    @classmethod
    def from_file(cls, path: Path, config: Config) -> Self:
        """Read an experiment and check that it can run here; raises as `from_content`."""
        try:
            content: Any = read_file(path)
        except (ValueError, OSError) as error:
            raise PressedError(
                path.name, [Problem("", "(the file)", str(error), "correct the file")]
            ) from None
        return cls.from_content(content, path.name, path.parent, config)

    @classmethod
    def from_content(cls, content: Any, source: str, folder: Path, config: Config) -> Self:
        """Check what stands in such a file.

        Parameters
        ----------
        source
            Its name, for messages.
        folder
            To which the path of the sample is relative.

        Raises
        ------
        PressedError
            Naming everything that is wrong.
        """
        named = [one for one in ("cell", "cells") if isinstance(content, Mapping) and one in content]
        if named:
            limit = "a cell does not go between diamonds"
            fix = 'name a powder with a marker: sample = "../samples/lfp_nanopowder_gold.toml"'
            raise PressedError(source, [Problem(named[0], str(content[named[0]]), limit, fix)])
        try:
            scan = PressureScan.model_validate(content)
        except ValidationError as error:
            raise PressedError(source, problems_of(error, PressureScan)) from None
        if not (folder / scan.sample).is_file():
            limit = f"there is no such file as {folder / scan.sample}"
            fix = "mend the path, relative to this file"
            raise PressedError(source, [Problem("sample", str(scan.sample), limit, fix)])
        sample = PressedSample.from_file(folder / scan.sample)
        places = [name for name, one in config.changer.places.items() if one.content == DIAMOND_ANVIL_CELL]
        section = config.pressure_cell
        if section is None or not places:
            limit = "the configuration has no diamond-anvil cell"
            fix = f'add [pressure_cell], and a place with content = "{DIAMOND_ANVIL_CELL}"'
            raise PressedError(source, [Problem("mode", PRESSURE_MODE, limit, fix)])
        problems = problems_of_pressures(scan.pressures_gpa, sample, section.highest_gpa)
        place = scan.place or places[0]
        if place not in places:
            limit = "there is no diamond-anvil cell at this place"
            problems.append(Problem("place", place, limit, f"say {' or '.join(places)}"))
        if scan.place is None and len(places) > 1:
            limit = f"there are diamond-anvil cells at {', '.join(places)}"
            problems.append(Problem("place", ABSENT, limit, "say where the sample is"))
        if 1000.0 * scan.beam_mm > section.chamber_um / 2:
            limit = f"the hole in the gasket is {section.chamber_um / 1000:g} mm wide"
            problems.append(Problem("beam_mm", scan.beam_mm, limit, "take half of that at most"))
        if problems:
            raise PressedError(source, problems)
        return cls(scan=scan, sample=sample, place=place)

    def describe(self) -> Iterator[str]:
        """What it would do, line by line; how long it takes but for the approaches."""
        scan, sample = self.scan, self.sample
        yield f"{self.place}: {sample.name}, {sample.material} with {sample.marker} in {sample.medium}"
        listed = ", ".join(f"{one:g}" for one in scan.pressures_gpa)
        yield f"by the table of the membrane: {listed} GPa; measured in the lines of {sample.marker}"
        each_s = scan.exposure_s + scan.settle_s
        yield (
            f"{len(scan.pressures_gpa)} frames of {scan.exposure_s:g} s, {scan.settle_s:g} s after each "
            f"approach: {len(scan.pressures_gpa) * each_s / 3600:.2f} h and the approaches"
        )
        yield f"beam {scan.beam_mm:g} mm wide and high; the pressure stays as it is in the end"


def problems_of_pressures(
    pressures_gpa: tuple[float, ...], sample: PressedSample, anvils_gpa: float
) -> list[Problem]:
    """Pressures beyond what anvils and filling bear."""
    found = []
    for number, one in enumerate(pressures_gpa):
        for what, highest_gpa in (("the anvils", anvils_gpa), (sample.name, sample.highest_gpa)):
            if highest_gpa is not None and one > highest_gpa:
                limit = f"{what} may be pressed to {highest_gpa:g} GPa"
                fix = "say less, or load a cell with smaller culets and a gasket for it"
                found.append(Problem(f"pressures_gpa[{number}]", one, limit, fix))
                break
    return found


def is_pressure_scan(path: Path) -> bool:
    """Whether an experiment file says this mode; False also where it cannot be read."""
    try:
        content: Any = read_file(path)
    except (ValueError, OSError):
        return False
    return isinstance(content, Mapping) and content.get("mode") == PRESSURE_MODE
