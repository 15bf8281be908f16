"""Processor time of generating and reducing one measurement of each technique."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.honesty import ebsd, eds, eels, sem, tem, xps
from benchmarks.honesty.raman_instrument import EXPOSURE_S, NOMINAL, detector_of, instrument_of
from benchmarks.maps_in_process import Spectrometer
from benchmarks.report import table, verdict
from intercalate.orchestration.tasks import Grid
from intercalate.raman_results import spectra_of_graphite
from intercalate.reduction.bands import Spectrum
from intercalate.reduction.eds import fit_lines
from intercalate.reduction.eels import fit_components, prepare
from intercalate.reduction.micrographs import deposits, micrograph
from intercalate.reduction.raman import graphite_state, reduced
from intercalate.reduction.xps import components_of, fit_regions
from intercalate_sims.cell import make_cell
from intercalate_sims.probes.eels import Scan
from intercalate_sims.probes.sem_surface import Habit

REPEATS = 7
GENERATION_GOAL = 3.0
WORLD = 1


@dataclass(frozen=True)
class Timed:
    """One measurement.

    Attributes
    ----------
    generate
        Given a number, by which noise differs.
    reduce
        Given what was generated.
    goal_s
        Of the reduction, s of processor time; None where there is none.
    """

    name: str
    generate: Callable[[int], Any]
    reduce: Callable[[Any], Any]
    goal_s: float | None = None


def of_raman() -> Timed:
    """A spectrum of graphite."""
    instrument = instrument_of(WORLD)

    def generate(number: int) -> np.ndarray:
        electrons = instrument.probe.graphite(0.2, 1.0, EXPOSURE_S)
        return instrument.probe.count(electrons, EXPOSURE_S, 1e4 + 100.0 * number)

    def reduce(counts: np.ndarray) -> Any:
        told = reduced(counts, instrument.dark, instrument.dark_sigma, detector_of(NOMINAL))
        return graphite_state(Spectrum(instrument.axis.shift_per_cm, *told), instrument.axis)

    return Timed(f"Raman spectrum of {NOMINAL.pixels} pixels", generate, reduce, 0.020)


def of_raman_map() -> Timed:
    """A map of one state."""
    spectrometer = Spectrometer(WORLD, EXPOSURE_S)
    points = Grid(extent_um=60.0, points=32).points_um()
    cell = make_cell("graphite-li")

    def generate(number: int) -> list[np.ndarray]:
        return [spectrometer.take("A1", cell.probe_state(), at_um) for at_um in points]

    def reduce(frames: list[np.ndarray]) -> Any:
        return spectra_of_graphite(
            frames, spectrometer.dark, spectrometer.on_paper.detector, spectrometer.axis
        )

    return Timed("Raman map of 32 x 32 spectra", generate, reduce, 1.0)


def of_xps() -> Timed:
    """The region of oxygen of a surface of three compounds."""
    layer = xps.Layer({"Li2CO3": 0.5, "Li2O": 0.2, "CH3OCO2Li": 0.3})

    def reduce(spectra: list[Any]) -> Any:
        return fit_regions(spectra, components_of(["Li2CO3", "Li2O", "CH3OCO2Li"], spectra))

    return Timed("XPS region", lambda number: xps.measured([layer], [xps.O1S], WORLD, number), reduce, 0.050)


def of_sem(*, with_scatter: bool = False) -> Timed:
    """An image of moss, at twice the side of those of the ensembles."""
    drawn = sem.Face.draw(WORLD, Habit.MOSSY)
    face = replace(drawn, conditions=replace(drawn.conditions, rows=1024, columns=1024))
    return Timed(
        "the same, with the scatter of its coverage"
        if with_scatter
        else "SEM image of 1024 x 1024 pixels, segmented and classified",
        face.image,
        lambda taken: deposits(micrograph(taken.counts, face.conditions.pixel_um), with_scatter=with_scatter),
        None if with_scatter else 1.0,
    )


def of_eels() -> Timed:
    """Maps of four compounds."""
    session, sample = eels.session_of(WORLD), eels.sample_of(WORLD)
    scan = Scan(columns=64, rows=64, pixel_nm=0.6, beam_na=0.05, is_cold=True)
    camera = eels.camera_of(eels.SPECTROMETER)

    def reduce(taken: Any) -> Any:
        prepared = prepare(taken.low, taken.core, session.dark, camera)
        image = prepared.core.between(510.0, 806.0)
        references = [session.references[name] for name in eels.COMPONENTS]
        components, bins = eels.components_of(references, prepared, image)
        return fit_components(image, components, prepared.core_incident, thickness_bin=bins)

    return Timed(
        "EELS image of 64 x 64 spectra",
        lambda number: session.probe.take(sample, scan, 100_000 + number),
        reduce,
        0.5,
    )


def of_eds() -> Timed:
    """Lines of an oxide."""
    probe, axis = eds.instrument_of(WORLD, eds.STANDARD_DETECTOR)
    source = eds.XraySource({"La": 0.4, "Zr": 0.2, "P": 0.1, "O": 0.3}, 4.0)
    conditions = eds.EdsConditions(eds.KV, 0.5, 30.0)
    return Timed(
        "EDS spectrum",
        lambda number: probe.spectrum(source, conditions, 10.0 + number).counts,
        lambda counts: fit_lines(counts, eds.ELEMENTS, axis, eds.STANDARD_DETECTOR, eds.KV),
    )


def of_ebsd() -> Timed:
    """Grains of a map."""
    grains, hidden = ebsd.grains_of(WORLD), ebsd.HiddenIndexing.draw(WORLD)
    return Timed(
        f"EBSD map of {ebsd.CONDITIONS.rows} x {ebsd.CONDITIONS.columns} points",
        lambda number: ebsd.simulated(grains, ebsd.CONDITIONS, hidden, WORLD, 10.0 + number),
        lambda one: ebsd.grain_map(
            ebsd.orientation_map(one.euler_deg, one.band_contrast, one.indexed, ebsd.CONDITIONS.step_um)
        ),
    )


def of_tem() -> Timed:
    """A whisker in an image."""
    deposit = tem.deposit_of(WORLD, "whisker", True)
    probe = tem.TemProbe(tem.MICROSCOPE, tem.HiddenTem.draw(WORLD), WORLD)
    exposure = tem.Exposure(0.5)
    return Timed(
        "TEM image",
        lambda number: probe.image(deposit, exposure, number),
        lambda image: tem.deposit_shape(image.counts, tem.CAMERA),
    )


MEASUREMENTS = (
    of_raman,
    of_raman_map,
    of_xps,
    of_sem,
    partial(of_sem, with_scatter=True),
    of_eds,
    of_ebsd,
    of_tem,
    of_eels,
)


def processor_s(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of this process, and what the work gave."""
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


def row(measurement: Timed) -> list[object]:
    """Medians, after a first time that fills caches."""
    measurement.reduce(measurement.generate(0))
    generation, reduction = [], []
    for number in range(1, 1 + REPEATS):
        spent_s, taken = processor_s(lambda number=number: measurement.generate(number))
        generation.append(spent_s)
        reduction.append(processor_s(lambda taken=taken: measurement.reduce(taken))[0])
    generated_s, reduced_s = float(np.median(generation)), float(np.median(reduction))
    goal = measurement.goal_s
    ratio = generated_s / reduced_s
    return [
        measurement.name,
        f"{1e3 * reduced_s:.1f}",
        "" if goal is None else f"{1e3 * goal:g}: {verdict(reduced_s, goal)}",
        f"{1e3 * generated_s:.1f}",
        f"{ratio:.2f}: {verdict(ratio, GENERATION_GOAL)}",
    ]


def measure() -> str:
    """Table of all techniques but diffraction, which has a section of its own."""
    head = [
        "one measurement",
        "reduction, ms",
        "goal",
        "generation, ms",
        f"of the reduction (goal {GENERATION_GOAL:g})",
    ]
    return "\n".join(
        [
            f"Processor time of one core, medians of {REPEATS}. Diffraction has a section of its own.\n",
            table(head, [row(one()) for one in MEASUREMENTS]),
        ]
    )
