"""Transmission electron microscopy: classes of images and patterns, directions, kinks and camera length."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from benchmarks.honesty.ensembles import Outcome, given_class
from intercalate.reduction.results import Estimate
from intercalate.reduction.tem import (
    DepositShape,
    Observation,
    TemCamera,
    TemError,
    camera_constant,
    deposit_shape,
    growth_finding,
    pattern_finding,
)
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.tem import Deposit, Exposure, HiddenTem, Kink, TemMicroscope, TemProbe

MICROSCOPE = TemMicroscope()
CAMERA = TemCamera(
    MICROSCOPE.pixel_nm,
    MICROSCOPE.counts_per_electron,
    MICROSCOPE.read_noise_electrons,
    MICROSCOPE.dark_counts,
    MICROSCOPE.full_well_counts,
)
DOSES_E_PER_A2 = (0.1, 2.0)
PATTERN_ELECTRONS = (3e5, 5e6)


def deposit_of(
    number: int, habit: str, is_hollow: bool = False, kinks: int = 0, is_crystalline: bool = True
) -> Deposit:
    """A deposit of random shape."""
    draw = keyed_generator(number, "deposit", 0)
    at = 0.3 + 0.4 * (np.arange(kinks) + 0.5 * draw.random()) / max(kinks - 0.5, 1)
    turns = draw.choice([-1, 1], kinks) * (25.0 + 55.0 * draw.random(kinks))
    whisker = habit == "whisker"
    return Deposit(
        habit,
        is_hollow,
        tuple(Kink(float(one), float(turn)) for one, turn in zip(at, turns)),
        180.0 * float(draw.random()),
        650.0 + 350.0 * float(draw.random()) if whisker else 250.0 + 350.0 * float(draw.random()),
        90.0 + 90.0 * float(draw.random()),
        12.0 + 10.0 * float(draw.random()),
        is_crystalline,
        ("111", "110", "211")[int(draw.integers(3))],
    )


def _between(number: int, name: str, limits: tuple[float, float]) -> float:
    """Even on a logarithmic scale."""
    low, high = np.log(limits)
    return float(np.exp(low + (high - low) * keyed_generator(number, name, 0).random()))


def _seen(number: int, deposit: Deposit, key: int = 1) -> DepositShape | None:
    probe = TemProbe(MICROSCOPE, HiddenTem.draw(number), number)
    exposure = Exposure(_between(number, "dose", DOSES_E_PER_A2))
    try:
        return deposit_shape(probe.image(deposit, exposure, key).counts, CAMERA)
    except TemError:
        return None


class Habits:
    """Filled whiskers, tubes and clusters, some of the whiskers kinked."""

    title = "Images of deposits"
    classes = ("filled whisker", "hollow whisker", "cluster")

    def sort(self, number: int) -> tuple[str, str]:
        """The true class, and the one that the image was given."""
        true = self.classes[number % 3]
        habit = "cluster" if true == "cluster" else "whisker"
        shape = _seen(number, deposit_of(number, habit, true == "hollow whisker", number // 3 % 3))
        if shape is None:
            return true, "nothing found"
        if shape.habit == "cluster":
            return true, "cluster"
        return true, f"{shape.filling} whisker"


class KinkCounts:
    """Whiskers with none, one or two kinks."""

    title = "Kinks"
    classes = ("0", "1", "2")

    def sort(self, number: int) -> tuple[str, str]:
        """The true number, and the one that was counted."""
        shape = _seen(number, deposit_of(number, "whisker", bool(number % 2), number % 3))
        return self.classes[number % 3], "nothing found" if shape is None else str(len(shape.kinks))


class Patterns:
    """Growth axes by pattern and image together, and amorphous lithium."""

    title = "Diffraction patterns"
    classes = ("111", "110", "211", "amorphous")

    def sort(self, number: int) -> tuple[str, str]:
        """The true axis or order, and the one that was found."""
        true = self.classes[number % 4]
        shaped = deposit_of(number, "whisker", is_crystalline=true != "amorphous")
        deposit = Deposit(
            "whisker",
            direction_deg=shaped.direction_deg,
            size_nm=shaped.size_nm,
            width_nm=shaped.width_nm,
            is_crystalline=shaped.is_crystalline,
            growth_axis=true if true != "amorphous" else "111",
        )
        probe = TemProbe(MICROSCOPE, HiddenTem.draw(number), number)
        shape = _seen(number, deposit)
        if shape is None:
            return true, "nothing found"
        electrons = _between(number, "beam", PATTERN_ELECTRONS)

        def find() -> str:
            camera = camera_constant(probe.gold(1).counts, MICROSCOPE.camera_px_angstrom)
            found = pattern_finding(probe.pattern(deposit, 2, electrons).counts, camera, shape.direction_deg)
            if found.order == "crystalline":
                return found.growth_axis or "axis not determined"
            return str(found.order)

        return true, given_class(find)


class Shapes:
    """Direction and bend of whiskers, and the camera constant."""

    title = "Whiskers and rings of gold"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Quantities by name with unit; the noise of another image is also that of its surroundings."""
        straight = deposit_of(world, "whisker", bool(world % 2))
        bent = deposit_of(world, "whisker", bool(world % 2), 1)
        found = {}
        shape = _seen(world, straight, 10 + noise)
        # A whisker that was taken for a cluster has a diameter: that is a wrong class, counted among them.
        if shape is not None and shape.habit == "whisker":
            value = shape.direction_deg
            near = straight.direction_deg + (value.value - straight.direction_deg + 90.0) % 180.0 - 90.0
            found["direction (deg)"] = Outcome(
                straight.direction_deg, Estimate(near, value.sigma_stat, value.sigma_sys)
            )
            found["width (nm)"] = Outcome(straight.width_nm, shape.width_nm)
            found["length (nm)"] = Outcome(straight.size_nm + straight.width_nm, shape.length_nm)
        shape = _seen(world, bent, 5000 + noise)
        if shape is not None and len(shape.kinks) == 1:
            turn = shape.kinks[0].angle_deg
            # From which end the axis is followed is by chance: the bend then has the other sign.
            true = abs(bent.kinks[0].angle_deg)
            found["bend (deg)"] = Outcome(true, Estimate(abs(turn.value), turn.sigma_stat, turn.sigma_sys))
        probe = TemProbe(MICROSCOPE, HiddenTem.draw(world), world)
        gold = probe.gold(20 + noise)
        found["camera constant (px A)"] = Outcome(
            gold.truth["camera_px_angstrom"], camera_constant(gold.counts, MICROSCOPE.camera_px_angstrom)
        )
        return found


@lru_cache(maxsize=8)
def _stock(microscope: int, images: int) -> dict[tuple[str, bool], list[DepositShape]]:
    """Shapes of clusters, filled whiskers and tubes as one microscope has seen them."""
    found: dict[tuple[str, bool], list[DepositShape]] = {}
    for kind, (habit, is_hollow) in enumerate((("cluster", False), ("whisker", False), ("whisker", True))):
        numbers = (10_000 * (microscope + 1) + 1000 * kind + place for place in range(images))
        seen = (_seen(microscope, deposit_of(one, habit, is_hollow), one) for one in numbers)
        found[habit, is_hollow] = [shape for shape in seen if shape is not None]
    return found


class Growth:
    """Series with the effect, without it, the other way round, and without tubes.

    The series of one microscope draw from a stock of its images, as a bootstrap does: what counts for a
    finding is how many of which kind are in a series. A share of 0.9 of 16 images exceeds a half by three
    standard errors in nine series of ten, and six claims must hold: a third of such series say nothing, those
    with more images hardly any.
    """

    classes = ("recovered", "nothing")
    stock, series_of_one = 40, 60

    def __init__(self, images: int):
        self.images = images
        self.title = f"Clusters, whiskers and tubes, {images} images of each"

    def sort(self, number: int) -> tuple[str, str]:
        """Whether the effect is in a drawn world, and whether it was found."""
        small, large, tubes = ((0.1, 0.9, 0.9), (0.5, 0.5, 0.9), (0.9, 0.1, 0.9), (0.1, 0.9, 0.1))[number % 4]
        stock = _stock(number // self.series_of_one, self.stock)
        observations = []
        parts = ((small, 0.0, 0.02, False), (large, 0.0, 0.3, False), (large, tubes, 0.3, True))
        for part, (whiskers, hollow, volts, is_dissolved) in enumerate(parts):
            draw = keyed_generator(number, "series", part).random((self.images, 3))
            for is_whisker, is_hollow, which in zip(draw[:, 0] < whiskers, draw[:, 1] < hollow, draw[:, 2]):
                shapes = stock["whisker" if is_whisker else "cluster", bool(is_whisker and is_hollow)]
                observations.append(Observation(shapes[int(which * len(shapes))], volts, is_dissolved))
        finding = growth_finding(observations, 0.1)
        return self.classes[0 if number % 4 == 0 else 1], self.classes[0 if finding.recovered else 1]


MEASUREMENTS = (Shapes(),)
SORTINGS = (Habits(), KinkCounts(), Patterns())
FINDINGS = (Growth(16), Growth(32))
"""Sorted as well; they have images of their own."""
