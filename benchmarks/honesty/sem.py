"""Micrographs: classes, coverage, thickness of layers, and the inside of milled needles."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from benchmarks.honesty.ensembles import Outcome, given_class
from intercalate.reduction.micrographs import (
    MilledBody,
    deposits,
    micrograph,
    milled_body,
    scale_of,
    section,
)
from intercalate.reduction.results import Estimate
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.sem_fib import IonBeam, MilledPlace, milled_relief
from intercalate_sims.probes.sem_image import (
    HiddenMicroscope,
    ImageConditions,
    ImageDetector,
    SemProbe,
    SimulatedImage,
)
from intercalate_sims.probes.sem_section import (
    CrossSection,
    SectionBodies,
    SectionLayer,
    calibration_grid,
    section_relief,
)
from intercalate_sims.probes.sem_surface import Deposit, Grid, Habit, Relief, SurfaceView

GROWN = (Habit.NEEDLE, Habit.MOSSY, Habit.GLOBULAR)
SIDE_PX = 512
STATED_SCALE = 0.02
"""Relative standard error of a pixel's size without a calibration."""


@dataclass(frozen=True)
class Face:
    """A face with deposits, a microscope and its settings, all drawn."""

    view: SurfaceView
    conditions: ImageConditions
    probe: SemProbe
    _kept: dict[str, SimulatedImage] = field(default_factory=dict)

    @classmethod
    @lru_cache(maxsize=2)
    def draw(cls, world: int, habit: Habit) -> "Face":
        """Sizes from 40 pixels (needles from 80) to a third of the field, coverage from 4 to 45 %."""
        generator = keyed_generator(world, "face", 0)
        pixel_um = float(np.exp(generator.uniform(np.log(0.02), np.log(0.2))))
        size_um = pixel_um * float(np.exp(generator.uniform(np.log(50.0), np.log(200.0))))
        if habit is Habit.NEEDLE:
            size_um *= 2.0
        deposit = Deposit(habit, float(generator.uniform(0.04, 0.45)), size_um, 0.3 * size_um)
        faces = ("polymer electrolyte", "LLZO", "copper", "lithium")
        view = SurfaceView(
            () if habit is Habit.NONE else (deposit,),
            faces[int(generator.integers(len(faces)))],
            texture_um=float(generator.uniform(0.01, 0.08)),
        )
        conditions = ImageConditions(
            kv=float(generator.uniform(1.0, 5.0)),
            current_na=float(generator.uniform(0.05, 0.3)),
            dwell_us=float(generator.uniform(1.0, 10.0)),
            pixel_um=pixel_um,
            columns=SIDE_PX,
            rows=SIDE_PX,
            defocus_um=float(generator.exponential(0.3 * pixel_um / 0.004)),
        )
        return cls(view, conditions, SemProbe(HiddenMicroscope.draw(world), world))

    def image(self, noise: int) -> SimulatedImage:
        """With other noise."""
        if "first" not in self._kept:
            self._kept["first"] = self.probe.surface(self.view, self.conditions, 10.0)
        first = self._kept["first"]
        if noise == 0:
            return first
        return replace(first, counts=self.probe.scan(first.truth, first.grid, self.conditions, 10.0 + noise))


class DepositClasses:
    """Needle, moss, globules or nothing."""

    title = "Class of deposits in a micrograph"
    classes = tuple(str(one) for one in Habit)

    def sort(self, number: int) -> tuple[str, str]:
        """True class, and the one that was found."""
        habit = list(Habit)[number % 4]
        face = Face.draw(5000 + number, habit)
        taken = face.image(0)
        return str(habit), given_class(
            lambda: str(deposits(micrograph(taken.counts, face.conditions.pixel_um)).kind)
        )


class Coverage:
    """Share of the field that is covered, where something of one habit has grown."""

    def __init__(self, habit: Habit):
        self.habit = habit
        self.title = f"Coverage in a micrograph, {habit}"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Coverage of one face."""
        face = Face.draw(3 * world + GROWN.index(self.habit), self.habit)
        taken = face.image(noise)
        found = deposits(micrograph(taken.counts, face.conditions.pixel_um))
        true = float(np.mean(taken.truth.covered[self.habit]))
        return {f"coverage, {self.habit}": Outcome(true, found.coverage)}


_ON_GRID = ImageConditions(columns=384, rows=384, pixel_um=0.1, kv=5.0)
_OF_SECTIONS = replace(
    _ON_GRID,
    rows=896,
    current_na=0.3,
    dwell_us=10.0,
    detector=ImageDetector.BACKSCATTERED,
    brightness=0.7,
    contrast=0.6,
)


@dataclass(frozen=True)
class Cut:
    """A cross-section under its microscope, with the pixel's size from a grid."""

    probe: SemProbe
    grid: Grid
    relief: Relief
    pixel_um: Estimate
    true_um: Mapping[str, float]


class Thickness:
    """Layers of a section, on a scale that a grid has set; isles of lithium and bridges of polymer are in the
    way.
    """

    title = "Thickness of layers in a section"
    _LAYERS = (("Li", "lithium"), ("SPE", "polymer electrolyte"), ("LFP", "LFP"))

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Mean thickness along the image of all three layers, bodies left out."""
        cut = self._cut(world)
        counts = cut.probe.scan(cut.relief, cut.grid, _OF_SECTIONS, 10.0 + noise)
        found = section(micrograph(counts, cut.pixel_um.value, cut.pixel_um.sigma), [*cut.true_um])
        return {
            f"{name}, um": Outcome(true_um, found.layer(name).thickness_um)
            for name, true_um in cut.true_um.items()
        }

    @classmethod
    @lru_cache(maxsize=2)
    def _cut(cls, world: int) -> "Cut":
        """What all images of a world share."""
        generator = keyed_generator(world, "section", 0)
        probe = SemProbe(HiddenMicroscope.draw(world), world)
        pitch_um, pitch_error = 5.0, 0.002 * float(generator.standard_normal())
        grid = probe.grid(_ON_GRID, 1.0)
        counts = probe.scan(calibration_grid(grid, pitch_um, world, pitch_error), grid, _ON_GRID, 1.0)
        scale = scale_of(micrograph(counts, 0.1), pitch_um, 0.002 * pitch_um).pixel_um
        thick = [float(generator.uniform(10.0, 25.0)) for _ in cls._LAYERS]
        rough = [float(generator.uniform(0.2, 1.0)) for _ in cls._LAYERS]
        layers = [
            SectionLayer(material, one, other) for (_, material), one, other in zip(cls._LAYERS, thick, rough)
        ]
        grid = probe.grid(_OF_SECTIONS, 10.0)
        bare = section_relief(CrossSection(layers), grid, world)
        height_um = np.diff(grid.y_um, append=grid.y_um[-1])[:, None]
        true_um = {
            name: float(
                np.mean(np.sum(height_um * np.isin(bare.material, cls._indices(bare, material)), axis=0))
            )
            for name, material in cls._LAYERS
        }
        disturbed = CrossSection(layers, SectionBodies(20.0, 3.0, 1.5), SectionBodies(10.0, 1.5, 0.0))
        return Cut(probe, grid, section_relief(disturbed, grid, world), scale, true_um)

    @staticmethod
    def _indices(relief: Relief, material: str) -> list[int]:
        """Of a layer's materials: a composite has binder in it."""
        names = (material, "carbon film") if material == "LFP" else (material,)
        return [relief.index(name) for name in names]


@dataclass(frozen=True)
class Needle:
    """A milled needle under its microscope; a hollow one has a wall of a tenth to a third of the radius."""

    diameter_um: float
    wall_um: float | None
    conditions: ImageConditions
    probe: SemProbe
    grid: Grid
    relief: Relief

    @classmethod
    @lru_cache(maxsize=2)
    def draw(cls, number: int) -> "Needle":
        """Every second is hollow; opened cold or warm."""
        generator = keyed_generator(number, "milled needle", 0)
        diameter_um = float(generator.uniform(0.8, 2.5))
        wall_um = 0.5 * diameter_um * float(generator.uniform(0.1, 0.33)) if number % 2 == 0 else None
        beam = IonBeam(current_na=float(generator.uniform(0.05, 1.0)), cold=bool(generator.integers(2)))
        conditions = ImageConditions(columns=320, rows=320, pixel_um=diameter_um / 140, kv=3.0)
        probe = SemProbe(HiddenMicroscope.draw(number), number)
        grid = probe.grid(conditions, 1.0)
        place = MilledPlace(diameter_um, wall_um, perforated=bool(generator.integers(2)))
        return cls(diameter_um, wall_um, conditions, probe, grid, milled_relief(place, beam, grid, number))

    def found(self, noise: int) -> MilledBody:
        """From an image whose scale is as the maker states it."""
        counts = self.probe.scan(self.relief, self.grid, self.conditions, 1.0 + noise)
        pixel_um = self.conditions.pixel_um
        return milled_body(micrograph(counts, pixel_um, STATED_SCALE * pixel_um), 160.0, 160.0)


class MilledNeedles:
    """Hollow needles and filled ones."""

    title = "Inside of a milled needle"
    classes = ("hollow", "filled")

    def sort(self, number: int) -> tuple[str, str]:
        """What it is, and what it was taken for."""
        needle = Needle.draw(number)
        return "filled" if needle.wall_um is None else "hollow", given_class(
            lambda: str(needle.found(0).inside)
        )


class MilledSizes:
    """Diameter of needles, and the wall of hollow ones."""

    title = "Size of a milled needle"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Of one needle."""
        needle = Needle.draw(world)
        found = needle.found(noise)
        outcomes = {"diameter, um": Outcome(needle.diameter_um, found.diameter_um)}
        if needle.wall_um is not None:
            outcomes["wall of hollow ones, um"] = Outcome(needle.wall_um, found.wall_um)
        return outcomes


MEASUREMENTS = (*(Coverage(habit) for habit in GROWN), Thickness(), MilledSizes())
SORTINGS = (DepositClasses(), MilledNeedles())
