"""The transmission electron microscope: what an exposure leaves as image, pattern or spectrum image."""

import zlib
from typing import Any

import numpy as np

from intercalate.materials.constants import ELEMENTARY_CHARGE_C
from intercalate.spectrum_frames import frame_shape, packed
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.eels import EelsProbe, Layer, Scan, ThinSample
from intercalate_sims.probes.liquid_cell import LIQUID_PER_NM, LiquidCell, LiquidCellLaw, of_deposit
from intercalate_sims.probes.monitors import SpecimenCounts, count_specimen
from intercalate_sims.probes.nanobattery import (
    CHARGES_ABOVE_V,
    REFERENCE_FILMS,
    NanobatteryLaw,
    film,
    nanobattery,
)
from intercalate_sims.probes.shot import Shot
from intercalate_sims.probes.tem import Deposit, Exposure, Kink, TemFrame, TemProbe, deposit_as_json
from intercalate_sims.probes.tem_crystals import GROWTH_AXES

MM2_A2 = 1e14
GOLD, DEPOSIT, NANOBATTERY, LIQUID_CELL = "gold", "deposit", "nanobattery", "liquid cell"
COLD_C = -100.0
"""Below, lithium bears the dose that it bears when cold."""
PATTERN_SHARE = 0.01
"""Of the electrons, those that pass the aperture around the area whose pattern is seen."""
FILM_PASSES = 0.75
"""Of the electrons through a film, those in the bright field."""
VOID = ThinSample((Layer("nothing", 1.0, {}),), thickness_nm=0.0)


class ThinSpecimens:
    """What is on the stage, with the dose that every place has had from all that is on the column."""

    def __init__(
        self,
        electrons_per_count: float,
        seed: int,
        law: NanobatteryLaw = NanobatteryLaw.REAL,
        grows: LiquidCellLaw = LiquidCellLaw.REAL,
    ):
        self._law = law
        self.liquid_cell = LiquidCell(seed, grows)
        self._charged: set[str] = set()
        self._electrons_per_count = electrons_per_count
        self._seed = seed
        self._had: dict[int, float] = {}

    def key(self, shot: Shot) -> int:
        """Of a place, to a micrometre."""
        x_mm, y_mm = shot.in_beam.place_mm
        holder = shot.in_beam.holder
        name = "" if holder is None else holder.name
        return zlib.crc32(f"{name} {1000 * x_mm:.0f} {1000 * y_mm:.0f}".encode())

    def expose(self, shot: Shot, dose_e_per_a2: float) -> float:
        """Dose that the place has had before, which from now on has this one too; electrons per A2."""
        key = self.key(shot)
        before = self._had.get(key, 0.0)
        self._had[key] = before + dose_e_per_a2
        return before

    def in_liquid(self, shot: Shot) -> Deposit | None:
        """What has grown at a place of a liquid cell, under the voltage that is put across it now."""
        self.liquid_cell.bias(float(shot.settings.get("bias_v", 0.0)))
        return self.liquid_cell.deposit(self.key(shot))

    def deposit(self, shot: Shot) -> Deposit:
        """A whisker at the place, with kinks or without."""
        generator = keyed_generator(self._seed, "deposit", self.key(shot))
        kinks = tuple(
            Kink(float(at), float(sign * angle))
            for at, sign, angle in zip(
                np.linspace(0.35, 0.65, int(generator.integers(0, 3))),
                generator.choice([-1.0, 1.0], 2),
                generator.uniform(25.0, 55.0, 2),
            )
        )
        return Deposit(
            "whisker",
            kinks=kinks,
            direction_deg=float(generator.uniform(0.0, 180.0)),
            size_nm=float(generator.uniform(650.0, 850.0)),
            width_nm=float(generator.uniform(120.0, 170.0)),
            growth_axis=str(generator.choice(sorted(GROWTH_AXES))),
        )

    def sample(self, shot: Shot) -> ThinSample:
        """What a beam goes through, as layers from the left of the scan."""
        content = shot.in_beam.content
        holder = shot.in_beam.holder
        if content == NANOBATTERY and holder is not None:
            # A layer so thin is charged long before a scan is at its end.
            if float(shot.settings.get("bias_v", 0.0)) > CHARGES_ABOVE_V:
                self._charged.add(holder.name)
            return nanobattery(self._seed, self._law, was_charged=holder.name in self._charged)
        if content in REFERENCE_FILMS:
            return film(content, self._seed)
        if content == DEPOSIT:
            deposit = self.deposit(shot)
            return ThinSample((Layer("lithium", deposit.width_nm, {"Li": 1.0}),), deposit.width_nm)
        return VOID

    def count(self, shot: Shot) -> SpecimenCounts:
        """Counts of the aperture before the sample, and of the current that the stage takes up: a little."""
        generator = keyed_generator(self._seed, "tem picoammeter", round(shot.start_s * 1000))
        return count_specimen(shot.photons, 0.02, self._electrons_per_count, shot.exposure_s, generator)


class CameraStation:
    """The camera below the sample: bright field or diffraction."""

    def __init__(self, probe: TemProbe, specimens: ThinSpecimens):
        self._probe = probe
        self._specimens = specimens
        self.shape = (probe.nominal.pixels, probe.nominal.pixels)
        self.cells: frozenset[str] = frozenset()

    def take(self, shot: Shot, stamp: int) -> tuple[np.ndarray, SpecimenCounts, dict[str, Any]]:
        """Frame (uint32), counts of the monitors, and what was in the beam."""
        dose = shot.photons / (shot.size_mm[0] * shot.size_mm[1] * MM2_A2)
        before = self._specimens.expose(shot, dose)
        is_liquid = shot.in_beam.content == LIQUID_CELL
        exposure = Exposure(dose, is_cold(shot), LIQUID_PER_NM if is_liquid else 0.0)
        mode, noise = str(shot.settings["mode"]), round(shot.start_s * 1000)
        made = (
            self._image(shot, exposure, before, noise)
            if mode == "image"
            else self._pattern(shot, PATTERN_SHARE * shot.photons, noise)
        )
        truth = {"content": shot.in_beam.content, "mode": mode, "dose_e_per_a2": dose, "before": before}
        if shot.in_beam.content == DEPOSIT:
            deposit = self._specimens.deposit(shot)
            sizes = {"size_nm": deposit.size_nm, "width_nm": deposit.width_nm}
            truth["deposit"] = {**deposit_as_json(deposit), **sizes}
        if is_liquid:
            truth["deposit"] = of_deposit(self._specimens.in_liquid(shot))
        return made.counts.astype(np.uint32), self.count(shot), {**truth, **made.truth}

    def count(self, shot: Shot) -> SpecimenCounts:
        """Counts of the monitors."""
        return self._specimens.count(shot)

    def _image(self, shot: Shot, exposure: Exposure, before: float, noise: int) -> TemFrame:
        key = self._specimens.key(shot)
        if shot.in_beam.content == DEPOSIT:
            return self._probe.image(self._specimens.deposit(shot), exposure, key, before, noise)
        if shot.in_beam.content == LIQUID_CELL:
            grown = self._specimens.in_liquid(shot)
            if grown is not None:
                # Where one thing grew after the other, each has a form of its own.
                form = key ^ self._specimens.liquid_cell.grown
                return self._probe.image(grown, exposure, form, before, noise)
        passes = FILM_PASSES if shot.in_beam.content in (GOLD, NANOBATTERY, *REFERENCE_FILMS) else 1.0
        return self._probe.even(exposure, passes, key, noise)

    def _pattern(self, shot: Shot, electrons: float, noise: int) -> TemFrame:
        if shot.in_beam.content == GOLD:
            return self._probe.gold(noise, electrons)
        if shot.in_beam.content == DEPOSIT:
            return self._probe.pattern(self._specimens.deposit(shot), noise, electrons)
        return self._probe.direct(noise, electrons)


class LossStation:
    """The spectrometer of losses; a frame is a spectrum image over a fine grid, with a focused beam.

    Parameters
    ----------
    points
        Rows and columns of a scan.
    """

    def __init__(self, probe: EelsProbe, specimens: ThinSpecimens, points: tuple[int, int]):
        self._probe = probe
        self._specimens = specimens
        self._points = points
        self.shape = frame_shape(points, probe.nominal.channels)
        self.cells: frozenset[str] = frozenset()

    def take(self, shot: Shot, stamp: int) -> tuple[np.ndarray, SpecimenCounts, dict[str, Any]]:
        """Frame (uint32), counts of the monitors, and what was in the beam."""
        rows, columns = self._points
        scan = Scan(
            columns=columns,
            rows=rows,
            pixel_nm=float(shot.settings["step_nm"]),
            beam_na=shot.photons_s * ELEMENTARY_CHARGE_C * 1e9,
            dwell_s=shot.exposure_s / (rows * columns),
            is_cold=is_cold(shot),
            row_nm=float(shot.settings["row_step_nm"]),
        )
        before = self._specimens.expose(shot, scan.dose_e_per_a2)
        sample = self._specimens.sample(shot)
        place = self._specimens.key(shot)
        made = self._probe.take(sample, scan, round(shot.start_s * 1000), before, place)
        truth = {
            "content": shot.in_beam.content,
            "dose_e_per_a2": scan.dose_e_per_a2,
            "before": before,
            "interfaces_nm": [float(one) for one in made.truth["interfaces_nm"]],
            "t_over_lambda": float(np.mean(made.truth["t_over_lambda"])),
            "thickness_nm": {one: float(np.mean(of)) for one, of in made.truth["thickness_nm"].items()},
            "drift_mean_ev": float(np.mean(made.truth["drift_ev"])),
            "drift_ev": float(np.std(made.truth["drift_ev"])),
        }
        return packed(made.low, made.core), self.count(shot), truth

    def count(self, shot: Shot) -> SpecimenCounts:
        """Counts of the monitors."""
        return self._specimens.count(shot)


def is_cold(shot: Shot) -> bool:
    """Whether the stage is as cold as lithium should have it."""
    return float(shot.settings["temperature_c"]) < COLD_C
