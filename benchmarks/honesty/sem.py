"""Micrographs: is the class of deposits right, and does the coverage lie within its errors?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.honesty.ensembles import Outcome
from intercalate.reduction.micrographs import deposits, micrograph
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.sem_image import HiddenMicroscope, ImageConditions, SemProbe, SimulatedImage
from intercalate_sims.probes.sem_surface import Deposit, Habit, SurfaceView

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

    @classmethod
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
        """At another time, with other noise."""
        return self.probe.surface(self.view, self.conditions, 10.0 + noise)


class DepositClasses:
    """Needle, moss, globules or nothing."""

    title = "Class of deposits in a micrograph"
    classes = tuple(str(one) for one in Habit)

    def sort(self, number: int) -> tuple[str, str]:
        """True class, and the one that was found."""
        habit = list(Habit)[number % 4]
        face = Face.draw(5000 + number, habit)
        taken = face.image(0)
        return str(habit), str(deposits(micrograph(taken.counts, face.conditions.pixel_um)).kind)


class Coverage:
    """Share of the field that is covered, where something has grown."""

    title = "Coverage in a micrograph"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Coverage of a face of each habit."""
        outcomes: dict[str, Outcome] = {}
        for number, habit in enumerate(GROWN):
            face = Face.draw(3 * world + number, habit)
            taken = face.image(noise)
            found = deposits(micrograph(taken.counts, face.conditions.pixel_um))
            true = float(np.mean(taken.truth.covered[habit]))
            outcomes[f"coverage, {habit}"] = Outcome(true, found.coverage)
        return outcomes


MEASUREMENTS = (Coverage(),)
SORTINGS = (DepositClasses(),)
