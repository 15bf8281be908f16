"""What can be in the beam: cells, calibrants, an empty cell, a fluorescent foil, nothing but air."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from intercalate_sims.cell.interface import ProbeState
from intercalate_sims.hidden import HiddenCell
from intercalate_sims.probes.calibrant import CALIBRANTS
from intercalate_sims.probes.halos import REFERENCE_WAVELENGTH_ANGSTROM, Halos
from intercalate_sims.probes.powder import (
    TRANSMISSION_OF_STACK,
    CellMakeup,
    Lines,
    all_lines,
    separator_lines,
)

FLUORESCENCE_PER_SR = 0.04
"""Photons per incident photon that a thick foil sends forward, alike into all directions: of 25 keV photons
about half are absorbed above a K edge near 20 keV, with a yield of three quarters and little loss inside. For
molybdenum radiation the foil is of yttrium (17.04 keV) in place of molybdenum."""

ABSORPTION_EXPONENT = 2.9
"""By which photoabsorption grows with wavelength between edges: the metals' in a cell are below 9 keV."""

_TRANSMISSIONS = {"LaB6": 0.80, "Si": 0.95, "empty": 0.97, "fluorescence": 0.45, "power meter": 1e-6}


def _at_wavelength(transmission_25_kev: float, wavelength_angstrom: float) -> float:
    """A transmission at 25 keV, at another wavelength."""
    return transmission_25_kev ** (
        (wavelength_angstrom / REFERENCE_WAVELENGTH_ANGSTROM) ** ABSORPTION_EXPONENT
    )


def transmission_of_cell(wavelength_angstrom: float) -> float:
    """Of the direct beam through a cell, whatever its electrodes are of."""
    return _at_wavelength(TRANSMISSION_OF_STACK, wavelength_angstrom)


def transmission_of_standard(content: str, wavelength_angstrom: float) -> float:
    """Of the direct beam through any of the samples that never change.

    Raises
    ------
    KeyError
        If there is no such content.
    """
    return _at_wavelength(_TRANSMISSIONS[content], wavelength_angstrom)


@dataclass(frozen=True)
class Sample:
    """How a sample scatters one photon.

    Attributes
    ----------
    displacement_um
        From the plane of the calibrants, + downstream.
    isotropic_per_sr
        Unpolarised, the same in all directions.
    transmission
        Of the direct beam, and of everything scattered.
    opening_deg
        Of 2theta, beyond which nothing leaves; None where nothing is in the way.
    """

    lines: Sequence[Lines] = ()
    halos: Halos = field(default_factory=Halos)
    displacement_um: float = 0.0
    isotropic_per_sr: float = 0.0
    transmission: float = 1.0
    opening_deg: float | None = None


def cell_sample(
    states: Sequence[tuple[float, ProbeState]],
    makeup: CellMakeup,
    hidden: HiddenCell,
    wavelength_angstrom: float,
    air_mm: float,
) -> Sample:
    """Make the sample that a cell is, whose depths differ from its description."""
    true = [(weight, _with_true_depths(state, hidden)) for weight, state in states]
    return Sample(
        all_lines(true, makeup, wavelength_angstrom),
        Halos(makeup.electrolyte_um, makeup.window_um, air_mm, compton=1.0),
        makeup.displacement_um + hidden.displacement_um,
        transmission=transmission_of_cell(wavelength_angstrom),
    )


def standard_sample(content: str, makeup: CellMakeup, wavelength_angstrom: float, air_mm: float) -> Sample:
    """Make any of the samples that never change; the empty cell is built as `makeup` without electrodes.

    Raises
    ------
    KeyError
        If there is no such content.
    """
    transmission = transmission_of_standard(content, wavelength_angstrom)
    if content == "fluorescence":
        return Sample(
            (), Halos(air_mm=air_mm), isotropic_per_sr=FLUORESCENCE_PER_SR, transmission=transmission
        )
    if content == "power meter":
        return Sample((), Halos(air_mm=air_mm), transmission=transmission)
    if content == "empty":
        halos = Halos(makeup.electrolyte_um, makeup.window_um, air_mm, compton=0.35)
        lines = [separator_lines(makeup, wavelength_angstrom)]
        return Sample(lines, halos, makeup.displacement_um, transmission=transmission)
    lines = [CALIBRANTS[content].lines(wavelength_angstrom)]
    return Sample(lines, Halos(air_mm=air_mm, compton=0.3), transmission=transmission)


def _with_true_depths(state: ProbeState, hidden: HiddenCell) -> ProbeState:
    if hidden.positive_um == hidden.negative_um == 0.0:
        return state
    positive = replace(state.positive, thickness_um=state.positive.thickness_um + hidden.positive_um)
    negative = replace(state.negative, thickness_um=state.negative.thickness_um + hidden.negative_um)
    return replace(state, positive=positive, negative=negative)
