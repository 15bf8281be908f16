"""Photoelectron spectra of a stack of layers, counted by a hemispherical analyser."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.signal import fftconvolve

from intercalate.materials.xps import AL_K_ALPHA_EV, COMPOUNDS
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.xps_lines import COLLISIONS, Deviations, EmittedLine, emitted_lines, line_shape
from intercalate_sims.probes.xps_samples import Layer, Stack, checked_stack

_LOSS_STEP_EV = 0.25
_LOSS_REACH_EV = 1500.0
_REFERENCE_EV = 1202.0
"""Kinetic energy of C 1s, on whose signal of graphite rates are given."""

_AUGER_EV = {"Li": (51.0, 8.0, 0.6), "C": (263.0, 12.0, 1.0), "N": (383.0, 10.0, 1.2), "O": (508.0, 7.0, 1.6),
             "F": (655.0, 6.0, 2.0), "S": (152.0, 9.0, 1.5), "Fe": (702.0, 9.0, 3.0), "Co": (773.0, 9.0, 3.0),
             "Ni": (846.0, 9.0, 3.0), "Ti": (418.0, 9.0, 2.0), "Mn": (636.0, 9.0, 2.5)}  # fmt: skip
"""Kinetic energy, full width and strength (C 1s = 1) of the strongest Auger lines, as humps: I."""


class RegionError(ValueError):
    """Such a region cannot be measured; the message says why."""


@dataclass(frozen=True)
class Region:
    """A part of the spectrum, a survey as well.

    Attributes
    ----------
    start_ev, stop_ev, step_ev
        Of the binding energy, ascending; the last point lies within a step of the stop.
    dwell_s
        At each point and sweep.
    """

    name: str
    start_ev: float
    stop_ev: float
    step_ev: float = 0.1
    pass_energy_ev: float = 20.0
    dwell_s: float = 0.2
    sweeps: int = 5

    def __post_init__(self) -> None:
        numbers = {
            "step_ev": self.step_ev,
            "pass_energy_ev": self.pass_energy_ev,
            "dwell_s": self.dwell_s,
            "sweeps": self.sweeps,
        }
        for name, value in numbers.items():
            if not (np.isfinite(value) and value > 0):
                raise RegionError(f"region {self.name}: {name} is {value:g}; it must be more than 0")
        if not (0 <= self.start_ev < self.stop_ev - self.step_ev < AL_K_ALPHA_EV):
            raise RegionError(
                f"region {self.name} from {self.start_ev:g} to {self.stop_ev:g} eV in steps of "
                f"{self.step_ev:g} eV: binding energies ascend, from 0 to less than {AL_K_ALPHA_EV:g} eV, "
                "over two points at least"
            )

    def binding_ev(self) -> np.ndarray:
        """Of every point, shape (points,)."""
        count = int(np.floor((self.stop_ev - self.start_ev) / self.step_ev + 1e-9)) + 1
        return self.start_ev + self.step_ev * np.arange(count)

    @property
    def duration_s(self) -> float:
        """Of counting, without what the instrument needs between points."""
        return self.binding_ev().size * self.dwell_s * self.sweeps


@dataclass(frozen=True)
class Analyser:
    """Source, analyser and detector, as their users are told.

    Attributes
    ----------
    rate_ev_per_s
        Area of C 1s of graphite in counts eV / s at normal emission and a pass energy of 20 eV.
    transmission_exponent
        The transmission goes as (pass energy / kinetic energy) to this power, on top of the pass energy.
    width_per_pass
        Gaussian full width at half maximum of the analyser per pass energy.
    source_width_ev
        Of the monochromated source.
    dead_time_s
        After each count, not extended by what falls into it.
    emission_angle_deg
        Between the analyser and the normal of the surface.
    flood_gun
        Whether slow electrons keep an insulator from charging.
    """

    rate_ev_per_s: float = 2.0e4
    transmission_exponent: float = 0.6
    width_per_pass: float = 0.018
    source_width_ev: float = 0.25
    dead_time_s: float = 60e-9
    dark_per_s: float = 0.5
    emission_angle_deg: float = 0.0
    flood_gun: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.emission_angle_deg <= 80:
            raise RegionError(
                f"the angle of emission is {self.emission_angle_deg:g} deg; 0 (normal) to 80 is possible"
            )

    def width_ev(self, pass_energy_ev: float) -> float:
        """Gaussian full width at half maximum of source and analyser."""
        return float(np.hypot(self.source_width_ev, self.width_per_pass * pass_energy_ev))

    def transmission(self, kinetic_ev: np.ndarray, pass_energy_ev: float) -> np.ndarray:
        """Relative to C 1s at a pass energy of 20 eV."""
        ratio = (pass_energy_ev / kinetic_ev) / (20.0 / _REFERENCE_EV)
        return pass_energy_ev / 20.0 * ratio**self.transmission_exponent


@dataclass(frozen=True)
class HiddenXps:
    """By how much instrument and sample differ from what is on paper.

    Attributes
    ----------
    work_function_ev
        Common shift of all binding energies.
    energy_scale
        Relative error of the kinetic energy.
    flood_ev
        Shift of everything while the flood gun is on.
    charging_ev_per_nm
        By X-rays without flood gun, over insulating layers.
    transmission_tilt, transmission_curvature
        Of its logarithm over the logarithm of the kinetic energy.
    resolution, dead_time, rate
        Factors.
    loss_ev, loss_width
        Position of the maximum of the loss function, and its breadth (three-parameter cross section after
        S. Tougaard, Surf. Interface Anal. 25 (1997) 137).
    loss_strength
        Inelastic collisions that lose energy within reach, of all.
    intrinsic
        Of a line, spread over higher binding energies by excitations without collision.
    secondary
        Of slow electrons per atom and cross section, per eV.
    """

    work_function_ev: float = 0.0
    energy_scale: float = 0.0
    flood_ev: float = 0.0
    charging_ev_per_nm: float = 0.0
    transmission_tilt: float = 0.0
    transmission_curvature: float = 0.0
    resolution: float = 1.0
    dead_time: float = 1.0
    rate: float = 1.0
    loss_ev: float = 22.0
    loss_width: float = 0.8
    loss_strength: float = 0.9
    intrinsic: float = 0.03
    secondary: float = 2e-3
    deviations: Deviations = field(default_factory=Deviations.none)

    @classmethod
    def draw(cls, seed: int) -> "HiddenXps":
        """An instrument and a sample of this seed."""
        n = keyed_generator(seed, "photoelectron analyser", 0).standard_normal(14)
        return cls(
            work_function_ev=0.15 * n[0],
            energy_scale=4e-5 * n[1],
            flood_ev=-0.8 + 0.5 * n[2],
            charging_ev_per_nm=0.12 * float(np.exp(0.5 * n[3])),
            transmission_tilt=0.08 * n[4],
            transmission_curvature=0.04 * n[5],
            resolution=float(np.exp(0.03 * n[6])),
            dead_time=float(np.exp(0.05 * n[7])),
            rate=float(np.exp(0.15 * n[8])),
            loss_ev=22.0 * float(np.exp(0.1 * n[9])),
            loss_width=0.8 * float(np.exp(0.2 * n[10])),
            loss_strength=0.9 * float(np.exp(0.08 * n[11])),
            intrinsic=0.03 * float(np.exp(0.4 * n[12])),
            secondary=2e-3 * float(np.exp(0.3 * n[13])),
            deviations=Deviations(seed),
        )

    @cached_property
    def losses(self) -> np.ndarray:
        """Energy lost in 1, 2 ... collisions, per eV, shape (metal or not, COLLISIONS, steps)."""
        loss = np.arange(0.0, _LOSS_REACH_EV, _LOSS_STEP_EV)
        found = []
        for position, broad, gap in ((self.loss_ev, self.loss_width, 6.0), (0.8 * self.loss_ev, 1.6, 0.0)):
            square = np.maximum(loss - gap, 0.0) ** 2
            centre = (position - gap) ** 2
            once = np.sqrt(square) / ((centre - square) ** 2 + broad**2 * centre * square + 1.0)
            once *= self.loss_strength / (once.sum() * _LOSS_STEP_EV)
            orders = [once]
            for _ in range(COLLISIONS - 1):
                orders.append(fftconvolve(orders[-1], once)[: loss.size] * _LOSS_STEP_EV)
            found.append(orders)
        return np.array(found)


def spectrum(
    stack: Stack, region: Region, analyser: Analyser, hidden: HiddenXps, seed: int, key: int
) -> np.ndarray:
    """What the detector counts.

    Parameters
    ----------
    stack
        Layers from the outside in, the last one the substrate.
    seed, key
        Of the counting noise.

    Returns
    -------
    numpy.ndarray
        Counts of all sweeps at `region.binding_ev()`, uint32, shape (points,).

    Raises
    ------
    StackError
        If there is no such sample.
    """
    expected = expected_rate(stack, region, analyser, hidden)
    dead = analyser.dead_time_s * hidden.dead_time
    counted = (expected / (1.0 + expected * dead)) * region.dwell_s * region.sweeps
    generator = keyed_generator(seed, f"photoelectrons {region.name}", key)
    return generator.poisson(counted).astype(np.uint32)


def expected_rate(stack: Stack, region: Region, analyser: Analyser, hidden: HiddenXps) -> np.ndarray:
    """Electrons per second that reach the detector, shape (points,)."""
    layers = checked_stack(stack)
    binding = region.binding_ev()
    shifts, broadening = _charging(layers, analyser, hidden)
    charged = [
        Layer(one.compound, one.thickness_nm, one.shift_ev + extra, one.coverage)
        for one, extra in zip(layers, shifts)
    ]
    lines = emitted_lines(charged, analyser.emission_angle_deg, hidden.deviations)
    # What the instrument calls a binding energy, on the scale of the sample.
    kinetic = (AL_K_ALPHA_EV - binding + hidden.work_function_ev) * (1.0 + hidden.energy_scale)
    at_sample = AL_K_ALPHA_EV - kinetic
    width = float(np.hypot(analyser.width_ev(region.pass_energy_ev) * hidden.resolution, broadening))
    emitted = np.zeros(binding.size)
    for line in lines:
        if line.binding_ev < at_sample[-1] + 15.0:
            emitted += _with_losses(at_sample, line, width, hidden)
    emitted += _unstructured(at_sample, charged, lines, hidden)
    carbon = COMPOUNDS["graphite"]
    unit = carbon.units_per_nm3 * carbon.mean_free_path_nm(_REFERENCE_EV)
    logarithm = np.log(kinetic / _REFERENCE_EV)
    bent = np.exp(hidden.transmission_tilt * logarithm + hidden.transmission_curvature * logarithm**2)
    transmission = analyser.transmission(kinetic, region.pass_energy_ev) * bent
    return analyser.rate_ev_per_s * hidden.rate * emitted / unit * transmission + analyser.dark_per_s


def _with_losses(
    energy: np.ndarray, line: EmittedLine, instrument_ev: float, hidden: HiddenXps
) -> np.ndarray:
    found = np.zeros(energy.size)
    loss = energy - line.binding_ev
    near = loss > -15.0
    if (loss < 40.0).any():
        found[near] = line_shape(energy[near], line, instrument_ev)
    behind = loss > 0
    steps = np.arange(round(_LOSS_REACH_EV / _LOSS_STEP_EV)) * _LOSS_STEP_EV
    lost = line.collisions @ hidden.losses[int(line.is_metallic)]
    found[behind] += np.interp(loss[behind], steps, lost)
    # Excitations in the same act: an onset as broad as the line, dying away over tens of eV.
    onset = 0.5 * (1.0 + np.tanh(loss / max(line.gaussian_ev, 0.3)))
    found += hidden.intrinsic / 25.0 * onset * np.exp(-np.maximum(loss, 0.0) / 25.0)
    return line.strength * found


def _unstructured(
    energy: np.ndarray, layers: list[Layer], lines: list[EmittedLine], hidden: HiddenXps
) -> np.ndarray:
    """Slow electrons, Auger electrons."""
    total = sum(line.strength for line in lines)
    found = hidden.secondary * total * (0.5 + (np.maximum(energy, 0.0) / 500.0) ** 1.5)
    kinetic = AL_K_ALPHA_EV - energy
    outside = layers[0]
    units = sum(number for _, number in outside.parts())
    for compound, number in outside.parts():
        for element, atoms in compound.elements.items():
            if element in _AUGER_EV:
                position, width, strength = _AUGER_EV[element]
                share = strength * atoms * number / units * compound.units_per_nm3
                hump = np.exp(-4 * np.log(2) * ((kinetic - position) / width) ** 2) / width
                step = 0.02 / (1.0 + np.exp((kinetic - position) / 3.0))
                found += share * (hump + step)
    return found


def _charging(layers: tuple[Layer, ...], analyser: Analyser, hidden: HiddenXps) -> tuple[list[float], float]:
    """Shift of each layer by charge, and the width that its unevenness adds, in eV."""
    if analyser.flood_gun:
        return [hidden.flood_ev] * len(layers), 0.0
    insulating = [0.0 if layer.is_conducting() else min(layer.thickness_nm, 30.0) for layer in layers]
    shifts = [
        hidden.charging_ev_per_nm * (sum(insulating[depth + 1 :]) + 0.5 * insulating[depth])
        for depth in range(len(layers))
    ]
    return shifts, 0.15 * max(shifts)
