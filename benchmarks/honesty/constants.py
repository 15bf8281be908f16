"""What instruments are set with: where a holder lies, by its marks, and how many electrons a place gets."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from benchmarks.honesty.ensembles import Outcome
from benchmarks.honesty.tem import CAMERA, MICROSCOPE
from intercalate.reduction.fiducials import disc_in_image, placement, turning
from intercalate.reduction.results import Estimate
from intercalate.reduction.tem.dose_rate import CAMERA_GAIN_SIGMA, dose_rate
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.fiducials import DIAMETER_UM, MARKS_MM, METAL
from intercalate_sims.probes.sem_image import HiddenMicroscope, ImageConditions, SemProbe
from intercalate_sims.probes.sem_surface import Grid, Relief
from intercalate_sims.probes.tem import Exposure, HiddenTem, TemProbe

ENGRAVED_UM = 2.0
PIXEL_SIGMA = 0.02
FIELD_UM = 320.0
_OF_MARKS = ImageConditions(columns=256, rows=256, pixel_um=FIELD_UM / 256, kv=5.0)


@dataclass(frozen=True)
class Holder:
    """A holder on its stage, in mm and degrees, and its marks as they are: engraved a little beside, each
    looked at a little beside.
    """

    x_mm: float
    y_mm: float
    rotation_deg: float
    true_mm: np.ndarray
    aimed_mm: np.ndarray
    probe: SemProbe
    views: tuple[tuple[Grid, Relief], ...]

    @classmethod
    @lru_cache(maxsize=2)
    def draw(cls, world: int) -> "Holder":
        """Turned by some degrees."""
        draw = keyed_generator(world, "holder", 0)
        (x_mm, y_mm), rotation_deg = draw.uniform(-0.2, 0.2, 2), float(draw.uniform(-3.0, 3.0))
        off_mm = 1e-3 * ENGRAVED_UM * draw.standard_normal((3, 2))
        true_mm = np.array([x_mm, y_mm]) + (np.array(MARKS_MM) + off_mm) @ turning(rotation_deg).T
        # The first, wide image has shown where each of them is, within some um.
        aimed_mm = true_mm + 5e-3 * draw.standard_normal((3, 2))
        probe = SemProbe(HiddenMicroscope.draw(world), world)
        grid = probe.grid(_OF_MARKS, 1.0)
        views = []
        for off_um in 1000.0 * (true_mm - aimed_mm):
            relief = Relief(np.zeros(grid.shape), np.zeros(grid.shape, np.int8), ["polymer electrolyte"])
            x_um, y_um = grid.x_um[None, :] + grid.shift_um[:, None], grid.y_um[:, None]
            on_it = np.hypot(x_um - off_um[0], y_um - off_um[1]) < 0.5 * DIAMETER_UM
            relief.material[on_it] = relief.index(METAL)
            views.append((grid, relief))
        return cls(float(x_mm), float(y_mm), rotation_deg, true_mm, aimed_mm, probe, tuple(views))


class Marks:
    """Where a holder lies, by images of its three marks.

    The error of a mark is mostly where it was engraved, which no other image changes: the errors of the
    placement, which is fitted with it, are not of counting.
    """

    title = "Place of a holder by its marks"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Middle and rotation."""
        holder = Holder.draw(world)
        found_mm, sigma_mm = [], []
        for number, (grid, relief) in enumerate(holder.views):
            counts = holder.probe.scan(relief, grid, _OF_MARKS, 10.0 * noise + 1.0 + number)
            disc = disc_in_image(counts, _OF_MARKS.pixel_um, DIAMETER_UM, PIXEL_SIGMA)
            found_mm.append(holder.aimed_mm[number] + 1e-3 * np.array([disc.x_um.value, disc.y_um.value]))
            sigma_mm.append(1e-3 * max(disc.x_um.sigma, disc.y_um.sigma))
        fit = placement(np.array(MARKS_MM), np.array(found_mm), np.array(sigma_mm))

        def outcome(truth: float, estimate: Estimate, scale: float = 1.0) -> Outcome:
            return Outcome(scale * truth, Estimate(scale * estimate.value, 0.0, scale * estimate.sigma))

        return {
            "x of the middle (um)": outcome(holder.x_mm, fit.x_mm, 1000.0),
            "y of the middle (um)": outcome(holder.y_mm, fit.y_mm, 1000.0),
            "rotation (deg)": outcome(holder.rotation_deg, fit.rotation_deg),
        }


class DoseRate:
    """Electrons per area and second by an image of a hole; gain and pixel are told with their errors."""

    title = "Dose rate of a transmission electron microscope"
    exposure_s = 2.0

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Mean of the image; light is uneven."""
        draw = keyed_generator(world, "dose rate", 0)
        rate = float(np.exp(draw.uniform(np.log(0.005), np.log(0.05))))
        gain, pixel = draw.standard_normal(2) * (CAMERA_GAIN_SIGMA, CAMERA.pixel_sigma)
        told = replace(
            CAMERA,
            pixel_nm=MICROSCOPE.pixel_nm * (1.0 + pixel),
            counts_per_electron=MICROSCOPE.counts_per_electron * (1.0 + gain),
        )
        probe, dose = TemProbe(MICROSCOPE, HiddenTem.draw(world), world), rate * self.exposure_s
        counts = probe.even(Exposure(dose), 1.0, 1, noise).counts
        # The same light, with more electrons than noise.
        many = 10.0
        bright = probe.even(Exposure(many * dose), 1.0, 1, 0).counts.mean() - MICROSCOPE.dark_counts
        electrons = float(bright) / MICROSCOPE.counts_per_electron / many
        true = electrons / (10.0 * MICROSCOPE.pixel_nm) ** 2 / self.exposure_s
        found = dose_rate(counts, told, self.exposure_s).e_per_a2_s
        return {"dose rate (e/A2/s)": Outcome(true, found)}


MEASUREMENTS = (Marks(), DoseRate())
