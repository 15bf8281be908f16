"""Whether a film is of the compound it is said to be of, and whole enough to be a reference of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from intercalate.materials import Mark, Source
from intercalate.materials.eels import COMPOUNDS, EDGES, critical_dose
from intercalate.reduction.eels.background import power_law
from intercalate.reduction.eels.low_loss import thickness
from intercalate.reduction.eels.references import Prepared
from intercalate.reduction.eels.spectra import EelsError, SpectrumImage

SHELLS = ("K", "L3")
"""Of edges that rise high enough to be looked for."""
BEFORE_EV, CLEAR_EV, BEHIND_EV = 40.0, 8.0, 20.0
"""Losses before an edge that its background is of, those kept clear, and those behind it that are summed."""
EDGE_JUMP = 0.2
EDGE_JUMP_SOURCE = Source(
    "over the background: edges of oxides are above 1, fine structure of others below 0.05", Mark.ILLUSTRATION
)
JUMP_SIGMA = 0.02
"""Of a reference that has electrons enough."""
LEAST_LOSSES = 0.1
"""Mean free paths that a film is thick at least; less is a hole, or a film with one."""
MOST_LOST = 0.05
"""Share of the compound that the beam may have turned into something else."""
LIMITS_SOURCE = Source("a reference with errors of a few per cent", Mark.ILLUSTRATION)
COLD_C = -100.0
"""Below which doses of a cold sample count."""


@dataclass(frozen=True)
class FilmFound:
    """What a film is by its losses.

    Attributes
    ----------
    jumps
        Counts behind an edge over its background, by edge.
    t_over_lambda
        Thickness in mean free paths.
    lost
        Share of the compound that the beam has turned into something else; 0 where no critical dose is known.
    """

    jumps: Mapping[str, float]
    t_over_lambda: float
    lost: float


def check_film(film: Prepared, compound: str, dose_e_per_a2: float, temperature_c: float) -> FilmFound:
    """Judge a film of one compound.

    Parameters
    ----------
    film
        Of one pixel.
    compound
        Of `materials.eels.COMPOUNDS`.
    dose_e_per_a2
        That it had by the end of the scan.
    temperature_c
        Of the stage.

    Raises
    ------
    EelsError
        If an edge of the compound is missing, one of another element is there, or it is a hole, damaged, or
        has too few electrons.
    """
    ratio = float(thickness(film.low, compound).t_over_lambda[0, 0])
    if not ratio > LEAST_LOSSES:
        raise EelsError(
            f"the film of {compound} is {ratio:.2g} mean free paths thick, {LEAST_LOSSES:g} are needed: is "
            "there a hole at its place?"
        )
    atoms = dict(COMPOUNDS[compound].atoms)
    jumps: dict[str, float] = {}
    for key, edge in EDGES.items():
        if edge.shell not in SHELLS:
            continue
        found = edge_jump(film.core, edge.onset_ev)
        if found is None:
            continue
        jumps[key], sigma = found
        if sigma > JUMP_SIGMA:
            raise EelsError(
                f"the film of {compound} has too few electrons: {key} is known to {sigma:.2g} of its "
                f"background, {JUMP_SIGMA:g} are needed; expose it longer"
            )
        is_there = jumps[key] > EDGE_JUMP
        if is_there is not (edge.element in atoms):
            wrong = "shows no" if edge.element in atoms else "shows the"
            raise EelsError(
                f"the film of {compound} {wrong} edge {key}: {jumps[key]:.2f} of the background behind "
                f"{edge.onset_ev:g} eV, {EDGE_JUMP:g} is the limit; is another film at its place?"
            )
    critical = critical_dose(compound, temperature_c < COLD_C)
    lost = 0.0 if critical is None else float(-np.expm1(-dose_e_per_a2 / critical.electrons_per_a2))
    if lost > MOST_LOST:
        raise EelsError(
            f"the beam has turned {100 * lost:.0f} % of the film of {compound} into something else by "
            f"{dose_e_per_a2:.3g} e/A2; at most {100 * MOST_LOST:g} %: take a larger step"
        )
    return FilmFound(jumps, ratio, lost)


def edge_jump(core: SpectrumImage, onset_ev: float) -> tuple[float, float] | None:
    """Counts behind an edge over the background there, with its standard error; None outside the window."""
    axis = core.energy_ev
    first_ev = max(onset_ev - BEFORE_EV, float(axis[0]))
    if onset_ev - CLEAR_EV - first_ev < CLEAR_EV or onset_ev + BEHIND_EV > axis[-1]:
        return None
    fitted = power_law(core, (first_ev, onset_ev - CLEAR_EV))
    behind = (axis > onset_ev) & (axis < onset_ev + BEHIND_EV)
    below = float(fitted.background[0, 0, behind].sum())
    counted = float(core.electrons[0, 0, behind].sum())
    read = float(np.broadcast_to(core.background_variance, core.electrons.shape)[0, 0, behind].sum())
    sigma = np.sqrt(
        max(counted, 0.0)
        + read
        + fitted.sigma_stat[0, 0, behind].sum() ** 2
        + fitted.sigma_sys[0, 0, behind].sum() ** 2
    )
    return counted / below - 1.0, float(sigma) / below
