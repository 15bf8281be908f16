"""Photoelectron spectra of the faces of cells, in one process.

Spectrometer, calibration of its scale and reduction are those of the chamber. Cell model, channel and cycler
executor are those of the beamline, as in `in_process`; the holder is where it should be, and there is one
clock.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from benchmarks.in_process import EXACT, CellOnChannel, Measured
from intercalate.calibrations import Kind
from intercalate.catalog.alignment import FrameTimes, align_frames
from intercalate.catalog.clock import ClockModel
from intercalate.cell import Cell
from intercalate.config import EXAMPLES, Config
from intercalate.materials.xps import AL_K_ALPHA_EV, HYDROCARBON_EV, LEVELS, compound_named
from intercalate.orchestration.tasks import MeasurementTask
from intercalate.reduction.xps import GOLD_EV, SILVER_EV, components_of, energy_scale, fit_regions
from intercalate.xps_results import reduce_photoelectrons, region_spectrum
from intercalate_plans.studies import MeasuredCell, Settings, Study, merged
from intercalate_plans.studies.sei import GROUPS
from intercalate_sims.cell.interface import ProbeState
from intercalate_sims.changer import Holder, InBeam
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.faces import HiddenFace
from intercalate_sims.probes.shot import Shot
from intercalate_sims.probes.xps import Analyser, HiddenXps
from intercalate_sims.probes.xps_alloy import Alloy
from intercalate_sims.probes.xps_faces import Face
from intercalate_sims.probes.xps_lines import Deviations, emitted_lines
from intercalate_sims.probes.xps_samples import Layer
from intercalate_sims.probes.xps_sei import SeiGrowth
from intercalate_sims.probes.xps_station import SEI_WORLDS, WATCHED_H, XpsOnPaper, XpsStation

REFERENCES = {"Au": ("Au 4f", GOLD_EV), "Ag": ("Ag 3d", SILVER_EV)}
CALIBRATED_S = 60.0
BETWEEN_S = 1000.0
DRAWN = 5
"""Parts of a step in each direction, in the true map."""


@dataclass(frozen=True)
class _Scale:
    """As much of a calibration as the reduction asks for."""

    values: dict[str, float]
    name: str = str(Kind.ENERGY)


class Spectrometer:
    """A station of which only spectra are seen, with its scale set by gold and silver."""

    def __init__(self, seed: int, sides: dict[str, str], faces: dict[str, Face]):
        section = Config.from_file(EXAMPLES / "config" / "simulated.toml").xps
        assert section is not None
        self.section = section
        source = section.source
        paper = XpsOnPaper(
            section.analyser.points,
            source.power_w * source.photons_per_s_w,
            section.monitors.particles_per_count,
            Analyser(),
        )
        self._station = XpsStation(paper, HiddenXps.draw(seed), HiddenFace.draw(seed), sides, seed, faces)
        self._clock_s = 0.0
        found = []
        for metal, (region, true_ev) in REFERENCES.items():
            counts, _ = self.take(metal, None, region, CALIBRATED_S)
            spectrum = region_spectrum(
                region, counts[0], section.analyser.regions[region], CALIBRATED_S, section.analyser
            )
            fit = fit_regions([spectrum], components_of([metal], [spectrum]))
            found.append((fit.centre[fit.components[0].name], true_ev))
        scale = energy_scale(found)
        self.scale = _Scale({"offset_ev": scale.offset_ev, "gain": scale.gain, "middle_ev": scale.middle_ev})

    def take(
        self,
        content: str,
        state: ProbeState | None,
        region: str,
        exposure_s: float,
        at_um: tuple[float, float] = (0.0, 0.0),
        *,
        spot_um: float | None = None,
        power_w: float | None = None,
        flood_gun: str = "off",
        elapsed_s: float = 0.0,
    ) -> tuple[np.ndarray, float]:
        """One spectrum and I0; what made them is in `truth`."""
        self._clock_s += BETWEEN_S
        source, asked = self.section.source, self.section.analyser.regions[region]
        photons_s = (source.power_w if power_w is None else power_w) * source.photons_per_s_w
        side_mm = (source.spot_um if spot_um is None else spot_um) / 1000.0
        place_mm = (at_um[0] / 1000.0, at_um[1] / 1000.0)
        shot = Shot(
            start_s=self._clock_s,
            exposure_s=exposure_s,
            photons_s=photons_s,
            full_photons_s=photons_s,
            energy_kev=source.energy_kev,
            size_mm=(side_mm, side_mm),
            in_beam=InBeam(Holder("V", content, 0.0, 0.0), 1.0, 0.0, place_mm),
            states=[] if state is None else [(1.0, state)],
            elapsed_s=elapsed_s,
            settings={
                "region": region,
                "start_ev": asked.start_ev,
                "stop_ev": asked.stop_ev,
                "step_ev": asked.step_ev,
                "pass_energy_ev": asked.pass_energy_ev,
                "flood_gun": flood_gun == "on",
            },
        )
        frame, monitor, self.truth = self._station.take(shot, 0)
        return frame, float(monitor.i0)

    def visit(
        self,
        content: str,
        states: Sequence[ProbeState],
        task: MeasurementTask,
        away_um: tuple[float, float] = (0.0, 0.0),
        starts_s: Sequence[float] | None = None,
    ) -> tuple[xr.Dataset, list[np.ndarray]]:
        """What the catalog has of visits, one at each state: frames with their settings."""
        rows, images = [], []
        self.truths: list[dict] = []
        said: dict[str, Any] = dict(task.settings)
        starts_s = [BETWEEN_S * number for number in range(len(states))] if starts_s is None else starts_s
        for number, state in enumerate(states):
            for at_um in task.points_um or [(0.0, 0.0)]:
                place_um = (at_um[0] + away_um[0], at_um[1] + away_um[1])
                for order, region in enumerate(task.regions):
                    start_s = starts_s[number] + order * task.exposure_s
                    image, i0 = self.take(
                        content, state, region, task.exposure_s, place_um, elapsed_s=start_s, **said
                    )
                    images.append(image)
                    self.truths.append(self.truth)
                    asked = self.section.analyser.regions[region]
                    rows.append(
                        {
                            "visit": number,
                            "start_s": start_s,
                            "analyser_region": region,
                            "analyser_start_ev": asked.start_ev,
                            "analyser_stop_ev": asked.stop_ev,
                            "analyser_step_ev": asked.step_ev,
                            "analyser_pass_energy_ev": asked.pass_energy_ev,
                            "exposure_s": task.exposure_s,
                            "i0_counts": i0,
                            "objective_x_um": at_um[0],
                            "objective_y_um": at_um[1],
                            "analyser_flood_gun": said.get("flood_gun", "off"),
                            "source_spot_um": said.get("spot_um", self.section.source.spot_um),
                        }
                    )
        columns = {name: ("frame", np.array([row[name] for row in rows])) for name in rows[0]}
        return xr.Dataset(columns), images

    def reduced(self, images: list[np.ndarray], aligned: xr.Dataset, cell: Cell) -> xr.Dataset:
        """The same frames with what the reduction finds in them."""
        known: Any = {str(Kind.ENERGY): self.scale}
        data, _ = reduce_photoelectrons(images, aligned, known, self.section, cell, lambda done: None)
        return aligned.merge(data)


def faced(study: Study, told: Settings, seed: int, folder: Path) -> Measured:
    """Do what a study of faces says: of several at holds, the map of one, or one over time."""
    if "measurements" not in study.content:
        return _acquired_faces(study, told, seed, folder)
    (task,) = study.content["measurements"].values()
    make = _mapped_face if "grid" in task else _watched_face
    return make(study, told, seed, folder)


def _acquired_faces(study: Study, told: Settings, seed: int, folder: Path) -> Measured:
    """Do what a study of several faces at holds says, each as the simulator is told."""
    config, simulation = (
        tomllib.loads((EXAMPLES / "config" / f"{name}.toml").read_text())
        for name in ("simulated", "simulation")
    )
    places = merged(config, study.about.beamline)["vacuum"]["changer"]["places"]
    settings = merged(simulation, told)
    site = Config.from_file(EXAMPLES / "config" / "simulated.toml").site
    faces = {cell: Face(one) for cell, one in settings["vacuum"]["xps"].get("faces", {}).items()}
    contents = {
        place: settings["cycler"]["channels"][one["channel"]]
        for place, one in places.items()
        if "channel" in one
    }
    sides = {one["content"]: one["face"] for one in settings["vacuum"]["holders"].values() if "face" in one}
    spectrometer = Spectrometer(seed, sides, faces)
    found, true = {}, {}
    (experiment,) = study.experiments(site)
    for one in experiment.cells:
        (task,) = one.measurements
        content = contents[one.place or ""]
        own = folder / content
        own.mkdir()
        model = settings["cells"][content]
        world = CellOnChannel(model, seed, 1.0, own, site)
        records, states = world.run_held("measured", one.protocol, one.cell)
        aligned, images = spectrometer.visit(content, states, task)
        frames = spectrometer.reduced(images, aligned, one.cell)
        stack = [
            Layer(layer["shares"], np.inf if layer["thickness_nm"] is None else layer["thickness_nm"])
            for layer in spectrometer.truths[0]["stack"]
        ]
        exact = exact_composition(frames, stack, HiddenXps.draw(seed).deviations)
        found[one.place] = MeasuredCell(records, {task.name: frames})
        true[one.place] = MeasuredCell(records, {task.name: frames.assign(exact)})
    return Measured(found, true)


def _watched_face(study: Study, told: Settings, seed: int, folder: Path) -> Measured:
    """Do what a study of one face at even times says, which grows as the simulator is told."""
    config = Config.from_file(EXAMPLES / "config" / "simulated.toml")
    (experiment,) = (one.cells[0] for one in study.experiments(config.site))
    (task,) = experiment.measurements
    if task.when.every is None or task.when.every.time_s is None:
        raise ValueError(f"{study.id}: only spectra at even times are made here")
    name = "C1"
    world = CellOnChannel(told["cells"][name], seed, 1.0, folder, config.site)
    records, exposures = world.run(
        "measured", experiment.protocol, experiment.cell, every_s=task.when.every.time_s
    )
    faces = {cell: Face(one) for cell, one in told["vacuum"]["xps"]["faces"].items()}
    spectrometer = Spectrometer(seed, {name: "negative"}, faces)
    states, starts_s = [one[0][1] for _, one in exposures], [start for start, _ in exposures]
    visits, images = spectrometer.visit(name, states, task, starts_s=starts_s)
    start_s = np.asarray(visits["start_s"])
    times = FrameTimes(np.arange(start_s.size), start_s, np.full(start_s.size, task.exposure_s))
    one_clock = ClockModel.assumed(0.0, 0.01, "one clock")
    aligned = align_frames(records, times, one_clock, cell=experiment.cell).drop_vars("frame")
    frames = spectrometer.reduced(images, aligned.merge(visits), experiment.cell)
    growth = SeiGrowth.draw(seed, SEI_WORLDS[faces[name]], WATCHED_H)
    # The amounts of a visit are put down to its middle.
    middle_s = 0.5 * len(task.regions) * task.exposure_s
    hours = (np.array(starts_s) - starts_s[0] + middle_s) / 3600.0
    return Measured.of_one(records, frames, frames.assign(exact_growth(frames, growth, hours)))


def exact_growth(frames: xr.Dataset, growth: SeiGrowth, hours: np.ndarray) -> dict[str, Any]:
    """Columns of the thickness of each group, put down to the first of its lines."""
    names = np.asarray(frames["component"]).astype(str)
    nm = np.zeros((hours.size, names.size))
    for group, lines in GROUPS.items():
        (number,) = np.flatnonzero(names == f"film: {lines[0]}")
        nm[:, number] = [growth.thickness_nm(float(one))[group] for one in hours]
    dims = ("acquisition", "component")
    return {"component_nm": (dims, nm), "component_nm_sigma_stat": (dims, np.full(nm.shape, 1e-3))}


def exact_composition(frames: xr.Dataset, stack: Sequence[Layer], deviations: Deviations) -> dict[str, Any]:
    """Columns of what a stack shows of itself where every table is right, and of where its lines lie."""
    signals: dict[tuple[str, str], float] = {}
    lines = iter(emitted_lines(stack, 0.0, Deviations.none()))
    matrix = compound_named("Li2CO3")
    bindings: dict[str, float] = {}
    for layer in stack:
        for compound, _ in layer.parts():
            for line in compound.levels:
                level = LEVELS[line.level]
                strength = sum(next(lines).strength for _ in range(2 if level.ratio else 1))
                unit = level.cross_section * matrix.mean_free_path_nm(AL_K_ALPHA_EV - line.binding_ev)
                name = f"{compound.key} {line.name}"
                signals[name, level.element] = signals.get((name, level.element), 0.0) + strength / unit
                off = deviations.binding_ev * deviations.normal(f"binding {name}")
                bindings[name] = line.binding_ev + off
    names = [str(one) for one in np.asarray(frames["component"])]
    fitted = {name.split(": ", 1)[1] for name in names}
    seen = {key: one for key, one in signals.items() if key[0] in fitted}
    total = sum(seen.values())
    columns: dict[str, Any] = {}
    for column in (str(one) for one in frames if str(one).startswith("atomic_percent.")):
        element = column.removeprefix("atomic_percent.")
        if "_sigma" not in element:
            percent = 100.0 * sum(one for (_, of), one in seen.items() if of == element) / total
            columns[column] = ("acquisition", np.array([percent]))
    shares = [
        100.0 * sum(one for (of, _), one in seen.items() if of == name.split(": ", 1)[1]) / total
        for name in names
    ]
    carbon = HYDROCARBON_EV
    at = [bindings.get(name.split(": ", 1)[1], np.nan) for name in names]
    at = [carbon if "adventitious" in name else one for name, one in zip(names, at)]
    dims = ("acquisition", "component")
    return columns | {
        "component_percent": (dims, np.array([shares])),
        "component_binding_ev": (dims, np.array([at])),
    }


def _drawn(alloy: Alloy, at_um: Sequence[float], step_um: float) -> float:
    """Share of irregularities in the square around a point of a map, as no spot blurs it."""
    parts = step_um * ((np.arange(DRAWN) + 0.5) / DRAWN - 0.5)
    return float(np.mean([alloy.share(at_um[0] + dx, at_um[1] + dy, 0.0) for dx in parts for dy in parts]))


def _mapped_face(study: Study, told: Settings, seed: int, folder: Path) -> Measured:
    """Do what a study of one map at a hold says, on a face as the simulator is told."""
    config = Config.from_file(EXAMPLES / "config" / "simulated.toml")
    (experiment,) = (one.cells[0] for one in study.experiments(config.site))
    (task,) = experiment.measurements
    if task.grid is None:
        raise ValueError(f"{study.id}: only maps at holds are made here")
    name = "C1"
    world = CellOnChannel(told["cells"][name], seed, 1.0, folder, config.site)
    records, states = world.run_held("measured", experiment.protocol, experiment.cell)
    faces = {cell: Face(one) for cell, one in told["vacuum"]["xps"]["faces"].items()}
    spectrometer = Spectrometer(seed, {name: "positive"}, faces)
    # Where the map lies on the face is chance: nobody knows to a hundredth of a millimetre where a holder is.
    generator = keyed_generator(seed, "place of the map", 0)
    away_um = (float(generator.uniform(-200.0, 200.0)), float(generator.uniform(-200.0, 200.0)))
    aligned, images = spectrometer.visit(name, states, task, away_um)
    frames = spectrometer.reduced(images, aligned, experiment.cell)
    alloy = Alloy(seed, faces[name] is Face.EVEN_ALLOY)
    step_um = task.grid.extent_um / (task.grid.points - 1)
    share = np.array([_drawn(alloy, one["place_um"], step_um) for one in spectrometer.truths])
    exact = {
        "share.Al": ("frame", share),
        "share.Al_sigma_stat": ("frame", np.full(share.size, EXACT)),
    }
    return Measured.of_one(records, frames, frames.assign(exact))
