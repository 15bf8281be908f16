"""How far a phase is behind the charge that forms it."""

from dataclasses import dataclass

import numpy as np

from intercalate.reduction.results import UNDETERMINED, Estimate

LEAST_FRAMES = 4


@dataclass(frozen=True, slots=True)
class FormationLag:
    """What a phase is behind the charge by.

    Attributes
    ----------
    charge_ah
        Lag in charge: + where the phase forms later than the charge says. `sigma_sys` is the uncertainty
        of where it was expected, which a lag cannot be told from.
    time_s
        The same at the mean current; NaN where none is given.
    reduced_chi2
        Of the frames against the lever rule, shifted; well above 1, the formation is no plain shift, and
        `sigma_stat` has been widened by its root.
    """

    charge_ah: Estimate
    time_s: Estimate
    reduced_chi2: float


def formation_lag(
    charge_ah: np.ndarray,
    share: np.ndarray,
    share_sigma: np.ndarray,
    *,
    expected_ah: tuple[float, float],
    expected_sigma_ah: float,
    current_a: float | None = None,
) -> FormationLag:
    """Estimate by how much charge the share of a phase is behind the lever rule.

    At equilibrium the share grows linearly from 0 to 1 over `expected_ah`. Data are fitted with that ramp,
    shifted; nothing else is free. Slow nucleation, gradients in the electrode and an exposure that
    averages over a time all appear as a lag: a mean of the exposure belongs to the middle of it.

    Parameters
    ----------
    charge_ah
        Charge passed at the middle of each frame, shape (n,).
    share, share_sigma
        Of the phase, 0 to 1, with its standard uncertainty; frames that are not finite are left out.
    expected_ah
        Charge at which the phase should begin and be complete.
    expected_sigma_ah
        Standard uncertainty of that place.
    current_a
        Size of the current, to give the lag as a time.

    Returns
    -------
    FormationLag
        NaN where fewer than four frames, or none within the transition, are there.

    Raises
    ------
    ValueError
        If the window is empty, or a sigma is not above 0.
    """
    start, end = expected_ah
    if not end > start:
        raise ValueError(f"expected_ah is {expected_ah}; the phase must be complete after it begins")
    charge_ah, share, share_sigma = (np.asarray(a, dtype=float) for a in (charge_ah, share, share_sigma))
    good = np.isfinite(charge_ah) & np.isfinite(share) & np.isfinite(share_sigma)
    charge_ah, share, share_sigma = charge_ah[good], share[good], share_sigma[good]
    if np.any(share_sigma <= 0):
        raise ValueError("share_sigma must be above 0 in every frame")
    if charge_ah.size < LEAST_FRAMES:
        return FormationLag(UNDETERMINED, UNDETERMINED, float("nan"))
    lag, sigma, chi2 = _fit(charge_ah, share, share_sigma, start, end)
    if not np.isfinite(sigma):
        return FormationLag(UNDETERMINED, UNDETERMINED, chi2)
    in_charge = Estimate(lag, sigma * max(1.0, chi2) ** 0.5, expected_sigma_ah)
    in_time = UNDETERMINED
    if current_a:
        seconds = 3600.0 / abs(current_a)
        in_time = Estimate(lag * seconds, in_charge.sigma_stat * seconds, in_charge.sigma_sys * seconds)
    return FormationLag(in_charge, in_time, chi2)


def _fit(
    charge: np.ndarray, share: np.ndarray, sigma: np.ndarray, start: float, end: float
) -> tuple[float, float, float]:
    """Shift of the ramp, its error and reduced chi squared: scanned first, as the ramp has kinks."""
    width = end - start
    low, high = float(charge.min()) - end, float(charge.max()) - start
    shifts = np.linspace(low, high, 2001)

    def misfit(shift: np.ndarray) -> np.ndarray:
        ramp = np.clip((charge - start - shift[:, None]) / width, 0.0, 1.0)
        return np.sum(((share - ramp) / sigma) ** 2, axis=1)

    step = shifts[1] - shifts[0]
    best = shifts[int(np.argmin(misfit(shifts)))]
    for _ in range(4):
        fine = np.linspace(best - step, best + step, 201)
        best, step = float(fine[int(np.argmin(misfit(fine)))]), step / 50
    inside = (charge > start + best) & (charge < end + best)
    information = float(np.sum((inside / (width * sigma)) ** 2))
    chi2 = float(misfit(np.array([best]))[0]) / (charge.size - 1)
    return best, information**-0.5 if information > 0 else float("nan"), chi2
