"""X-ray spectra: areas of lines that overlap, mass fractions, and whether lithium is seen."""

from collections.abc import Mapping
from functools import lru_cache

from benchmarks.honesty.ensembles import Outcome, given_class
from intercalate.materials.eds import (
    LITHIUM_YIELD_FACTORS,
    STANDARD_DETECTOR,
    WINDOWLESS_DETECTOR,
    XrayDetector,
)
from intercalate.reduction.eds import EnergyAxis, calibrated_axis, composition, fit_lines, lithium
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.eds import EdsConditions, EdsProbe, HiddenDetector, XraySource

KV = 15.0
ELEMENTS: tuple[str, ...] = ("La", "Zr", "P", "O")
"""Phosphorus and zirconium overlap at 2.0 keV."""


@lru_cache(maxsize=8)
def instrument_of(world: int, detector: XrayDetector) -> tuple[EdsProbe, EnergyAxis]:
    """Detector of a world, its axis set by copper and cobalt."""
    probe = EdsProbe(detector, HiddenDetector.draw(world), world)
    metals = {
        name: probe.spectrum(
            XraySource({name: 1.0}, 8.9), EdsConditions(KV, 0.2, 60.0), -1000.0 - number
        ).counts
        for number, name in enumerate(("Cu", "Co"))
    }
    return probe, calibrated_axis(metals, detector)


class Composed:
    """Mass fractions of an oxide of lanthanum, zirconium and phosphorus of drawn composition."""

    title = "Mass fractions from an X-ray spectrum"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Fractions of what is seen."""
        generator = keyed_generator(world, "oxide", 0)
        parts = generator.dirichlet([4.0, 3.0, 3.0, 5.0])
        true: dict[str, float] = dict(zip(ELEMENTS, parts / parts.sum()))
        probe, axis = instrument_of(world, STANDARD_DETECTOR)
        conditions = EdsConditions(KV, float(generator.uniform(0.2, 1.0)), 30.0)
        counts = probe.spectrum(XraySource(true, 4.0), conditions, 10.0 + noise).counts
        found = composition(fit_lines(counts, ELEMENTS, axis, STANDARD_DETECTOR, KV), STANDARD_DETECTOR, KV)
        return {
            f"{name}, mass fraction": Outcome(true[name], estimate)
            for name, estimate in found.mass_fraction.items()
        }


class Overlapping:
    """Areas of lines of phosphorus and zirconium, 34 eV apart, against the X-rays that were counted."""

    title = "Areas of overlapping lines"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Counts of both families."""
        generator = keyed_generator(world, "overlap", 0)
        share = float(generator.uniform(0.2, 0.8))
        probe, axis = instrument_of(world, STANDARD_DETECTOR)
        conditions = EdsConditions(KV, 0.5, float(generator.uniform(2.0, 30.0)))
        mixed = XraySource({"P": share, "Zr": 1.0 - share}, 4.0)
        counts = probe.spectrum(mixed, conditions, 10.0 + noise)
        found = fit_lines(counts.counts, ("P", "Zr"), axis, STANDARD_DETECTOR, KV)
        expected = probe.expected_lines(mixed, conditions)
        return {
            f"{name}, counts": Outcome(expected[name] * counts.live_s, found.counts[name])
            for name in ("P K", "Zr L")
        }


class LithiumSeen:
    """Metal, carbide, compounds that give no X-rays, and no lithium."""

    title = "Lithium in a spectrum without a window"
    classes = ("detected", "absent")
    _SAMPLES: tuple[tuple[str, Mapping[str, float]], ...] = (
        ("metal", {"Li": 1.0}),
        ("carbonate", {"Li": 0.19, "C": 0.16, "O": 0.65}),
        ("carbide", {"Li": 0.366, "C": 0.634}),
        ("fluoride", {"Li": 0.27, "F": 0.73}),
        ("metal", {"Li": 0.7, "C": 0.1, "O": 0.2}),
        ("oxide", {"C": 0.6, "O": 0.4}),
    )

    def sort(self, number: int) -> tuple[str, str]:
        """Compounds with less than a twentieth of the metal's yield count as absent."""
        bond, fractions = self._SAMPLES[number % len(self._SAMPLES)]
        seen = "Li" in fractions and LITHIUM_YIELD_FACTORS[bond] > 0.05
        generator = keyed_generator(number, "lithium sample", 0)
        probe, axis = instrument_of(number, WINDOWLESS_DETECTOR)
        conditions = EdsConditions(
            float(generator.uniform(2.0, 4.0)), float(generator.uniform(0.1, 0.5)), 60.0
        )
        counts = probe.spectrum(XraySource(fractions, 1.0, bond), conditions, 10.0).counts
        return "detected" if seen else "absent", given_class(
            lambda: str(lithium(counts, axis, WINDOWLESS_DETECTOR, conditions.kv).verdict)
        )


MEASUREMENTS = (Composed(), Overlapping())
SORTINGS = (LithiumSeen(),)
