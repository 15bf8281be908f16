"""Peak profile fitted to powder patterns: pseudo-Voigt of Thompson, Cox and Hastings.

P. Thompson, D. E. Cox and J. B. Hastings, J. Appl. Cryst. 20 (1987) 79: the total width and the mixing
follow from the widths of the Gaussian and Lorentzian parts.
"""

from dataclasses import dataclass

import numpy as np

_WIDTH = (1.0, 2.69269, 2.42843, 4.47163, 0.07842, 1.0)
_MIXING = (1.36603, -0.47719, 0.11116)
_LN2 = np.log(2.0)


def total_width(gaussian: np.ndarray, lorentzian: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Full width at half maximum of the sum, and its derivatives by both widths.

    Returns
    -------
    width, by_gaussian, by_lorentzian
        Each of the shape of the inputs.
    """
    g, l = gaussian, lorentzian  # noqa: E741
    _, b, c, d, e, _ = _WIDTH
    g2, l2, both = g * g, l * l, g * l
    fifth = g2 * g2 * (g + b * l) + g2 * l2 * (c * g + d * l) + l2 * l2 * (e * g + l)
    width = fifth**0.2
    by_g = g2 * (5 * g2 + 4 * b * both + 3 * c * l2) + l2 * (2 * d * both + e * l2)
    by_l = l2 * (5 * l2 + 4 * e * both + 3 * d * g2) + g2 * (2 * c * both + b * g2)
    scale = 0.2 * width / fifth
    return width, by_g * scale, by_l * scale


def mixing(lorentzian: np.ndarray, width: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lorentzian share, and its derivatives by the Lorentzian width and the total width."""
    ratio = lorentzian / width
    a, b, c = _MIXING
    share = ratio * (a + ratio * (b + ratio * c))
    slope = (a + ratio * (2 * b + ratio * 3 * c)) / width
    return share, slope, -slope * ratio


@dataclass(frozen=True, slots=True)
class ProfileMatrix:
    """Profiles of unit area and their derivatives, each of shape (points, reflections).

    `by_gaussian` and `by_lorentzian` are derivatives by the two widths.
    """

    value: np.ndarray
    by_centre: np.ndarray
    by_gaussian: np.ndarray
    by_lorentzian: np.ndarray


def pseudo_voigt(
    x: np.ndarray, centre: np.ndarray, gaussian: np.ndarray, lorentzian: np.ndarray
) -> ProfileMatrix:
    """Profiles of unit area and their analytic derivatives.

    Parameters
    ----------
    x
        Abscissa, shape (points,) or, with different points for each reflection, (points, reflections).
    centre, gaussian, lorentzian
        Position and full widths at half maximum of both parts, shape (reflections,), unit of `x`.
    """
    width, width_by_g, width_by_l = total_width(gaussian, lorentzian)
    share, share_by_l, share_by_width = mixing(lorentzian, width)
    u = ((x[:, None] if x.ndim == 1 else x) - centre) * (2 / width)
    u2 = u * u
    gauss = np.exp(-_LN2 * u2) * (2 * np.sqrt(_LN2 / np.pi) / width)
    denominator = 1 / (1 + u2)
    lorentz = denominator * (2 / np.pi / width)
    weighted_gauss = (1 - share) * gauss
    weighted_lorentz = share * lorentz
    value = weighted_gauss + weighted_lorentz
    minus_slope = 2 * u * (_LN2 * weighted_gauss + weighted_lorentz * denominator)
    by_centre = minus_slope * (2 / width)
    by_width = (minus_slope * u - value) / width
    by_share = lorentz - gauss
    by_width += by_share * share_by_width
    return ProfileMatrix(
        value, by_centre, by_width * width_by_g, by_width * width_by_l + by_share * share_by_l
    )


def windowed_pseudo_voigt(
    x: np.ndarray,
    centre: np.ndarray,
    gaussian: np.ndarray,
    lorentzian: np.ndarray,
    *,
    least_reach: float,
    reach_widths: float,
) -> ProfileMatrix:
    """The same over the whole of an ascending `x`, in a window around each centre, and 0 elsewhere.

    A pattern of many narrow lines is zero nearly everywhere: this is several times faster. What the profile
    would be at the end of its window is subtracted, so that it ends there without a step: with one, the sum
    of squares would jump whenever a window takes in another point, and no fit would find its minimum.

    Parameters
    ----------
    least_reach
        Half of the window at least, unit of `x`.
    reach_widths
        Half of the window at least, in full widths at half maximum of the line.
    """
    width, width_by_g, width_by_l = total_width(gaussian, lorentzian)
    is_wide = reach_widths * width > least_reach
    reach = np.where(is_wide, reach_widths * width, least_reach)
    end = pseudo_voigt((centre + reach)[None, :], centre, gaussian, lorentzian)
    drift = np.where(is_wide, reach_widths, 0.0) * end.by_centre[0]
    subtracted = {
        "value": end.value[0],
        "by_gaussian": end.by_gaussian[0] - drift * width_by_g,
        "by_lorentzian": end.by_lorentzian[0] - drift * width_by_l,
    }
    shape = (x.size, centre.size)
    full = ProfileMatrix(*(np.zeros(shape) for _ in range(4)))
    first = np.searchsorted(x, centre - reach)
    count = np.searchsorted(x, centre + reach) - first
    wide = count > x.size // 4
    for members in (np.flatnonzero(wide & (count > 0)), np.flatnonzero(~wide & (count > 0))):
        if not members.size:
            continue
        offsets = np.arange(count[members].max())[:, None]
        inside = offsets < count[members]
        rows = np.minimum(first[members] + offsets, x.size - 1)
        part = pseudo_voigt(x[rows], centre[members], gaussian[members], lorentzian[members])
        flat = (rows * centre.size + members)[inside]
        for name in ("value", "by_centre", "by_gaussian", "by_lorentzian"):
            column = getattr(part, name)
            if name in subtracted:
                column = column - subtracted[name][members]
            getattr(full, name).reshape(-1)[flat] = column[inside]
    return full
