"""What plans find before they measure: marks by a laser, a focus and how it moves, lines with slow electrons
or without, and how thick a sample is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from benchmarks.honesty.constants import ENGRAVED_UM
from benchmarks.honesty.eels import SCAN, SPECTROMETER
from benchmarks.honesty.ensembles import Measurement, Outcome
from benchmarks.maps_in_process import POWER_MW, SPOT_MM
from intercalate.config import EXAMPLES, Config
from intercalate.instrument_sections import LossSpectrometerSection
from intercalate.materials.eels import COMPOUNDS
from intercalate.reduction.fiducials import brightest, middle_of_chord, placement, turning
from intercalate.reduction.raman import find_focus, focus_drift
from intercalate.reduction.results import Estimate
from intercalate.reduction.xps.charging import line_shape
from intercalate.tem_results import loss_thickness
from intercalate_plans.registering import CROSS, CROSS_POINTS, coarse_points
from intercalate_sims.cell import make_cell
from intercalate_sims.cell.interface import ProbeState
from intercalate_sims.changer import Holder, InBeam
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.eels import EelsProbe, Layer, ThinSample
from intercalate_sims.probes.eels_instrument import HiddenEels
from intercalate_sims.probes.fiducials import DIAMETER_UM, MARKS_MM
from intercalate_sims.probes.raman import Spectrograph
from intercalate_sims.probes.raman_station import SILICON, HiddenRaman, RamanStation
from intercalate_sims.probes.shot import Shot
from intercalate_sims.probes.xps import Analyser, HiddenXps, Region, spectrum
from intercalate_sims.probes.xps_samples import Layer as SurfaceLayer
from intercalate_sims.sources import LaserBeam

SEARCH_UM, POINT_S, BETWEEN_S = 400.0, 0.2, 1.0
"""Of the plan that looks for marks; cell seconds from one point to the next."""
TURNED_DEG = 0.3
"""By which a holder may be turned on the changer of a spectrometer."""
FIRST_SCAN_UM, LATER_SCAN_UM, STEP_UM = 80.0, 20.0, 2.0
THICK_NM = (15.0, 120.0)
FINDS, EVERY_S = 4, 1800.0
"""Of the plan that measures how a focus moves."""


@lru_cache(maxsize=1)
def _cell() -> ProbeState:
    return make_cell("graphite-li").probe_state()


@dataclass(frozen=True)
class Laser:
    """A laser and its photodiodes, over a cell with marks and over silicon."""

    hidden: HiddenRaman
    station: RamanStation
    light: LaserBeam

    @classmethod
    @lru_cache(maxsize=2)
    def draw(cls, world: int) -> "Laser":
        """Of a world."""
        hidden = HiddenRaman.draw(world, ["H1"])
        light = LaserBeam(532.0, SPOT_MM, POWER_MW, hidden.power_share)
        return cls(hidden, RamanStation(Spectrograph(), hidden, ["A1"], world), light)

    def reflected(
        self, content: str, place_mm: tuple[float, float], focus_um: float, elapsed_s: float, noise: int
    ) -> tuple[float, float]:
        """Counts of the light that came back and of that which went in."""
        shot = Shot(
            start_s=1e6 * (1 + noise) + elapsed_s,
            exposure_s=POINT_S,
            photons_s=self.light.full_photons_s(),
            full_photons_s=self.light.full_photons_s(),
            energy_kev=self.light.energy_kev,
            size_mm=(SPOT_MM, SPOT_MM),
            in_beam=InBeam(Holder("H1", content, 0.0, 0.0), 1.0, 0.0, place_mm),
            states=[] if content == SILICON else [(1.0, _cell())],
            focus_um=focus_um,
            elapsed_s=elapsed_s,
        )
        counts = self.station.count(shot)
        return counts.reflected, counts.i0

    def focus(self, around_um: float, half_um: float, start_s: float, noise: int) -> tuple[Estimate, float]:
        """Where it is found, and where it was when the scan went over it."""
        z_um = np.arange(around_um - half_um, around_um + half_um + STEP_UM / 2, STEP_UM)
        elapsed_s = start_s + BETWEEN_S * np.arange(z_um.size)
        light = [
            self.reflected(SILICON, (0.0, 0.0), float(z), float(at), noise) for z, at in zip(z_um, elapsed_s)
        ]
        found = find_focus(z_um, *np.array(light).T)
        truth = self.hidden.surface_at_um("H1", float(np.interp(found.z_um, z_um, elapsed_s)))
        return Estimate(found.z_um, found.sigma_um, 0.0), truth


class LaserMarks:
    """Where a holder lies, by the light of a laser that comes back from its three marks.

    As with images, the error of a mark is mostly where it was engraved, and where its edges lie between the
    points of a scan, which is the same each time: it is not of counting.
    """

    title = "Place of a holder by its marks, with a laser"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Middle and rotation."""
        laser, draw = Laser.draw(world), keyed_generator(world, "laser on holder", 0)
        middle_mm = np.array(laser.hidden.beside_mm) + 0.01 * draw.standard_normal(2)
        rotation_deg = float(draw.uniform(-TURNED_DEG, TURNED_DEG))
        engraved_mm = 1e-3 * ENGRAVED_UM * draw.standard_normal((3, 2))
        focus_um, passed_s = laser.hidden.surface_at_um("H1", 0.0), 0.0
        back = turning(rotation_deg).T

        def light(at_mm: np.ndarray, mark: int) -> np.ndarray:
            """Reflected over incident light at positions of the stage; the mark is where it was engraved."""
            nonlocal passed_s
            found = []
            for one in at_mm:
                place = back @ (one - middle_mm) - engraved_mm[mark]
                came, went = laser.reflected("A1", (place[0], place[1]), focus_um, passed_s, noise)
                passed_s += BETWEEN_S
                found.append(came / max(went, 1.0))
            return np.array(found)

        found_mm, sigma_mm, off = [], [], np.zeros(2)
        for number, mark in enumerate(MARKS_MM):
            target = np.array(mark) + off
            if number == 0:
                steps_um = np.linspace(-0.5, 0.5, coarse_points(SEARCH_UM, DIAMETER_UM)) * SEARCH_UM
                at_um = np.array([(x_um, y_um) for y_um in steps_um for x_um in steps_um])
                seen = light(target + 1e-3 * at_um, number)
                target = target + 1e-3 * np.array(brightest(at_um[:, 0], at_um[:, 1], seen))
            arm_um = CROSS * DIAMETER_UM * (np.arange(CROSS_POINTS) / (CROSS_POINTS - 1) - 0.5)
            chords = []
            for axis in np.eye(2):
                seen = light(target + 1e-3 * arm_um[:, None] * axis, number)
                chords.append(middle_of_chord(arm_um, seen, DIAMETER_UM))
                target = target + 1e-3 * axis * chords[-1].value
            found_mm.append(target)
            sigma_mm.append(1e-3 * max(one.sigma for one in chords))
            off = target - np.array(mark)
        fit = placement(np.array(MARKS_MM), np.array(found_mm), np.array(sigma_mm))

        def outcome(truth: float, estimate: Estimate, scale: float = 1.0) -> Outcome:
            return Outcome(scale * truth, Estimate(scale * estimate.value, 0.0, scale * estimate.sigma))

        return {
            "x of the middle (um)": outcome(float(middle_mm[0]), fit.x_mm, 1000.0),
            "y of the middle (um)": outcome(float(middle_mm[1]), fit.y_mm, 1000.0),
            "rotation (deg)": outcome(rotation_deg, fit.rotation_deg),
        }


class LaserFocus:
    """Where the focus of a laser must be, by the light that comes back from silicon; and how it moves.

    Of its movement, true is how far the face went in the half hour after, for which a spectrometer takes it.
    """

    title = "Focus of a laser, and how it moves"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Found once from afar, then again from near."""
        laser = Laser.draw(world)
        first, truth_um = laser.focus(0.0, FIRST_SCAN_UM, 0.0, noise)
        around_um, found, true, when_s = first.value, [], [], []
        for number in range(FINDS):
            start_s = EVERY_S * (1 + number)
            one, at_um = laser.focus(around_um, LATER_SCAN_UM, start_s, noise)
            around_um = one.value
            found.append(one)
            true.append(at_um)
            when_s.append(start_s)
        hours = np.array(when_s) / 3600.0
        drift = focus_drift(
            hours, np.array([one.value for one in found]), np.array([one.sigma_stat for one in found])
        )
        later_um = laser.hidden.surface_at_um("H1", when_s[-1] + EVERY_S) - true[-1]
        return {
            "focus (um)": Outcome(truth_um, first),
            "drift in the next half hour (um/h)": Outcome(3600.0 * later_um / EVERY_S, drift.um_per_h),
        }


class FloodGun:
    """Centre and width of the strongest line of a region, with slow electrons and without.

    Both are what they are called: moments within a reach of the mean, over a straight background. True is
    what a ten thousand times longer exposure shows.
    """

    title = "Lines of a sample with slow electrons and without"
    region = Region("C 1s", 278.0, 300.0, sweeps=1)
    longer = 10_000

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Of a carbonate."""
        found = {}
        for name, gun in (("off", False), ("on", True)):
            shape = line_shape(self.region.binding_ev(), self._counts(world, gun, self.region, noise))
            true = _true_shape(world, gun)
            found[f"centre, {name} (eV)"] = Outcome(true[0], shape.centre_ev)
            found[f"width, {name} (eV)"] = Outcome(true[1], shape.width_ev)
        return found

    @staticmethod
    def _counts(world: int, gun: bool, region: Region, noise: int) -> np.ndarray:
        return spectrum(
            [SurfaceLayer("Li2CO3")], region, Analyser(flood_gun=gun), HiddenXps.draw(world), world, noise
        )


@lru_cache(maxsize=4)
def _true_shape(world: int, gun: bool) -> tuple[float, float]:
    region = replace(FloodGun.region, sweeps=FloodGun.longer * FloodGun.region.sweeps)
    shape = line_shape(region.binding_ev(), FloodGun._counts(world, gun, region, 0))
    return shape.centre_ev.value, shape.width_ev.value


@lru_cache(maxsize=1)
def _losses() -> LossSpectrometerSection:
    section = Config.from_file(EXAMPLES / "config" / "simulated.toml").eels
    assert section is not None
    return section.detector


class LossThickness:
    """Thickness in mean free paths of a whole scan over two compounds of the table, whichever they are.

    The zero of the camera is read off where no electrons are.
    """

    title = "Thickness by electron losses"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Mean of the scan."""
        draw = keyed_generator(world, "thickness of a lamella", 0)
        nm = float(np.exp(draw.uniform(*np.log(THICK_NM))))
        probe = EelsProbe(SPECTROMETER, HiddenEels.draw(world), world)
        scan = replace(SCAN, columns=16, rows=8)
        layers = [
            Layer(name, 0.5 * scan.columns * scan.pixel_nm, {name: 1.0})
            for name in draw.choice(sorted(COMPOUNDS), 2).tolist()
        ]
        sample = ThinSample(tuple(layers), nm, 0.1, 0.7 + 0.8 * float(draw.random()))
        taken = probe.take(sample, scan, 100_000 * (world + 1) + noise)
        found = loss_thickness(taken.low, _losses())
        return {"t/lambda": Outcome(float(taken.truth["t_over_lambda"].mean()), found.mean)}


MEASUREMENTS: tuple[Measurement, ...] = (LaserMarks(), LaserFocus(), FloodGun(), LossThickness())
