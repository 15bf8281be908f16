"""How much of all scattering is by inner shells whose losses lie beyond a window of low losses."""

import numpy as np

from intercalate.materials.eels import COMPOUNDS, EDGES, mean_free_path_nm

_BEAM_KEV, _COLLECTION_MRAD = 200.0, 22.0
"""Of the instrument, which is not asked: the middle of 10 to 50 mrad, on a scale of ratios."""
_SHARE_SIGMA = 0.22
"""Relative, of the share of a known compound: 16 % by a collection of anywhere from 10 to 50 mrad, 10 % by
the mean free path (Iakoubovskii et al. 2008), 12 % by what a shell scatters at which loss (computed
cross-sections of K shells are good to 10 %, of L shells to 15 %: Egerton, Ultramicroscopy 50 (1993) 13)."""

_ELECTRONS = {"K": 2.0, "L3": 8.0, "L2,3": 8.0}
"""Of a shell, by the first of its edges."""
_MEAN_LOSS = 1.6
"""Harmonic mean of the losses over the onset, where they fall with its power -2.7."""

LATE_PART = 0.8
"""Of the window, above which its electrons say how many lie beyond: an edge there is not among them yet."""
_BEFORE_EDGE_EV = 8.0
"""By which a window ends before an edge: near-edge structure and resolution."""

_BOHR_NM, _RYDBERG_EV, _REST_KEV = 0.0529177, 13.6057, 510.999


def inner_share(compound: str | None, last_ev: float) -> tuple[float, float]:
    """Part of the scattering by shells whose losses lie beyond a window, and its standard uncertainty.

    By the sum rule a shell of f electrons has the cross-section 4 pi a0^2 R^2 / T f / E ln(1 + (beta /
    theta_E)^2), with the reach of the angles beta, or the Bethe ridge if that is nearer (Egerton, Electron
    Energy-Loss Spectroscopy, 3rd ed. (2011), section 3.2).

    Parameters
    ----------
    compound
        Of `materials.eels.COMPOUNDS`; None for any of them, each as likely.
    last_ev
        End of the window.
    """
    if compound is not None:
        share = _share(compound, last_ev)
        return share, _SHARE_SIGMA * share
    shares = np.array([_share(one, last_ev) for one in COMPOUNDS])
    mean = float(shares.mean())
    return mean, float(np.hypot(shares.std(), _SHARE_SIGMA * mean))


def last_clear_ev(compound: str | None, last_ev: float) -> float:
    """End of a window, or, where an edge of a known compound begins in its late part, of what is below."""
    if compound is None:
        return last_ev
    atoms = dict(COMPOUNDS[compound].atoms)
    onsets = [edge.onset_ev for edge in EDGES.values() if edge.element in atoms]
    return min(
        [last_ev, *(onset - _BEFORE_EDGE_EV for onset in onsets if LATE_PART * last_ev < onset < last_ev)]
    )


def _share(compound: str, last_ev: float) -> float:
    held = COMPOUNDS[compound]
    over = _BEAM_KEV + _REST_KEV
    # m v^2 / 2, and gamma m v^2, which characteristic angles are of.
    speed_kev = 0.5 * _REST_KEV * (1.0 - (_REST_KEV / over) ** 2)
    angle_kev = 2.0 * speed_kev * over / _REST_KEV
    per_nm = 0.0
    for edge in EDGES.values():
        if edge.shell not in _ELECTRONS or edge.onset_ev < LATE_PART * last_ev:
            continue
        loss_ev = _MEAN_LOSS * edge.onset_ev
        reach = min(_COLLECTION_MRAD, np.sqrt(1e3 * loss_ev / _BEAM_KEV)) / (loss_ev / angle_kev)
        area_nm2 = 4 * np.pi * (_BOHR_NM * _RYDBERG_EV) ** 2 / (1e3 * speed_kev * loss_ev)
        per_nm += held.atoms_per_nm3(edge.element) * area_nm2 * _ELECTRONS[edge.shell] * np.log1p(reach**2)
    return per_nm * mean_free_path_nm(held.density_g_cm3, _BEAM_KEV, 0.0, _COLLECTION_MRAD)
