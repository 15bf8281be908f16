"""The scale of binding energies: what reference metals make of it, and where a sample is charged.

Two things are kept apart. The scale belongs to the instrument and is set by metals in contact with it (ISO
15472). Charge belongs to the sample; adventitious carbon shows it within the error that it has, lines of a
layer show it through their separations.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intercalate.materials.xps import COMPOUNDS, HYDROCARBON_EV, HYDROCARBON_SIGMA_EV
from intercalate.reduction.results import Estimate
from intercalate.reduction.xps.counts import XpsError
from intercalate.reduction.xps.fit import XpsFit

REFERENCE_SIGMA_EV = 0.02
"""Of the lines of clean gold and silver, ISO 15472: R."""

GOLD_EV = COMPOUNDS["Au"].levels[0].binding_ev
SILVER_EV = COMPOUNDS["Ag"].levels[0].binding_ev


@dataclass(frozen=True)
class EnergyScale:
    """A straight line from energies as read to energies as they are.

    Attributes
    ----------
    offset_ev, gain
        True energy = read energy - offset - gain * (read energy - middle).
    middle_ev
        Of the references.
    covariance
        Of offset and gain, from everything.
    """

    offset_ev: float
    gain: float
    middle_ev: float
    covariance: np.ndarray

    def corrected(self, read: Estimate) -> Estimate:
        """A binding energy on the true scale; what is not known of the scale is systematic."""
        apart = read.value - self.middle_ev
        slope = np.array([1.0, apart])
        own = float(np.sqrt(slope @ self.covariance @ slope))
        value = read.value - self.offset_ev - self.gain * apart
        return Estimate(value, read.sigma_stat, float(np.hypot(read.sigma_sys, own)))


GAIN_SIGMA = 1e-4
"""Of the scale before two references are measured: I."""


def energy_scale(references: Sequence[tuple[Estimate, float]]) -> EnergyScale:
    """Set the scale by lines of metals.

    Parameters
    ----------
    references
        Binding energy as read, and as it is. One line gives an offset and leaves the gain unknown.

    Raises
    ------
    XpsError
        If there is no reference, or one was not determined.
    """
    if not references:
        raise XpsError("no reference line was given; measure Au 4f or Ag 3d of a clean metal")
    for read, true_ev in references:
        if not np.isfinite(read.value + read.sigma):
            raise XpsError(f"the reference line at {true_ev:g} eV was not determined by its fit")
    middle = float(np.mean([true_ev for _, true_ev in references]))
    design = np.array([[1.0, read.value - middle] for read, _ in references])
    off = np.array([read.value - true_ev for read, true_ev in references])
    weight = np.array([1.0 / (read.sigma**2 + REFERENCE_SIGMA_EV**2) for read, _ in references])
    normal = design.T @ (weight[:, None] * design)
    normal[1, 1] += 1.0 / GAIN_SIGMA**2
    covariance = np.linalg.inv(normal)
    offset, gain = covariance @ (design.T @ (weight * off))
    return EnergyScale(float(offset), float(gain), middle, covariance)


@dataclass(frozen=True, slots=True)
class ChargeReference:
    """By how much the lines of a sample lie too high.

    Attributes
    ----------
    by
        What it was taken from.
    """

    shift_ev: Estimate
    by: str

    def corrected(self, read: Estimate) -> Estimate:
        """A binding energy without charge; the error of the reference is systematic, common to all lines."""
        sys = np.sqrt(read.sigma_sys**2 + self.shift_ev.sigma**2)
        return Estimate(read.value - self.shift_ev.value, read.sigma_stat, float(sys))


def carbon_reference(fit: XpsFit, component: str = "adventitious carbon C 1s C-C") -> ChargeReference:
    """Take adventitious carbon for 284.8 eV, which it is within 0.2 eV.

    Raises
    ------
    XpsError
        If the fit does not show it.
    """
    centre = _centre(fit, component)
    shift = Estimate(
        centre.value - HYDROCARBON_EV,
        centre.sigma_stat,
        float(np.hypot(centre.sigma_sys, HYDROCARBON_SIGMA_EV)),
    )
    return ChargeReference(shift, f"adventitious carbon at {HYDROCARBON_EV:g} eV")


def metal_reference(fit: XpsFit, component: str, true_ev: float) -> ChargeReference:
    """Take a line of a metal in contact with the sample, such as gold at 84.0 eV.

    Raises
    ------
    XpsError
        If the fit does not show it.
    """
    centre = _centre(fit, component)
    sys = float(np.hypot(centre.sigma_sys, REFERENCE_SIGMA_EV))
    return ChargeReference(
        Estimate(centre.value - true_ev, centre.sigma_stat, sys), f"{component} at {true_ev:g} eV"
    )


def _centre(fit: XpsFit, component: str) -> Estimate:
    if component not in fit.centre:
        raise XpsError(f"{component} was not fitted; there are {', '.join(fit.centre)}")
    if not fit.present[component]:
        reason = "is too weak in it" if fit.converged else f"the fit has failed: {fit.message}"
        raise XpsError(f"the energy cannot be referred to {component}: {reason}")
    if not np.isfinite(fit.centre[component].value):
        raise XpsError(
            f"the energy cannot be referred to {component}: its line lies where it was not looked for"
        )
    return fit.centre[component]
