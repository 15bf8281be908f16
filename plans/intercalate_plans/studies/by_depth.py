"""Lithium next to the collector of a coating, against that of all of it, by angle of incidence and rate."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from intercalate.reduction.depth import FRONT
from intercalate.views.operando import BLUE, ORANGE, VERMILION
from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity
from intercalate_plans.studies.measured import Cells, only

LEAST_FRAMES = 3
SAME_RATE = 0.1
"""Relative difference of currents within which frames are counted together."""

MASS_SIGMA = 0.03
"""Relative, of the active mass as it is weighed, by which charge becomes a change of x."""

ASSEMBLED_SIGMA = 0.01
"""Of the lithium content with which a coating of LFP is assembled, from which charge counts."""

STAYS = 0.3
"""Share of the systematic errors of two rates, at the same angles and charges, that their difference has."""


@dataclass(frozen=True)
class Part:
    """A value with the errors of counting and of what counting does not show."""

    value: float
    sigma_stat: float
    sigma_sys: float

    @property
    def sigma(self) -> float:
        """Both."""
        return math.hypot(self.sigma_stat, self.sigma_sys)


@dataclass(frozen=True)
class Rate:
    """What is found at one rate, over the frames of all angles.

    Attributes
    ----------
    frames
        Their numbers.
    overall
        Lithium content of all of the coating, by charge.
    lacking
        By how much that next to the collector is less.
    """

    frames: np.ndarray
    current_ampere: float
    overall: Part
    lacking: Part

    @property
    def front(self) -> float:
        """Lithium content next to the collector."""
        return self.overall.value - self.lacking.value

    @property
    def contrast(self) -> Part:
        """Of what is behind, over what is next to the collector."""
        parts = (self.lacking.value, self.lacking.sigma_stat, self.lacking.sigma_sys)
        return Part(*(one / (1 - FRONT) for one in parts))


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Compare what is seen next to the collector with what charge says of the whole, at each rate.

    Parameters
    ----------
    cells
        One; its frames with `lithium_seen`, `front_share` and `incidence_deg`.
    published
        Not used: the publication is known without numbers.
    """
    _, frames = only(cells)
    rates = rates_of(frames)
    if len(rates) < 2:
        text = f"The coating was seen at {len(rates)} rates; it takes a high and a low one."
        return Finding(text, [], [Claim.undetermined("lithium is seen next to the collector at two rates")])
    slow, fast = rates[0], rates[-1]
    more = fast.lacking.value - slow.lacking.value
    common = STAYS * max(fast.lacking.sigma_sys, slow.lacking.sigma_sys)
    more_sigma = math.hypot(math.hypot(fast.lacking.sigma_stat, slow.lacking.sigma_stat), common)
    claims = [
        Claim.exceeds("over half discharged", fast.overall.value, fast.overall.sigma, 0.5),
        Claim.exceeds(
            "less lithium next to the collector than overall, at the high rate",
            fast.lacking.value,
            fast.lacking.sigma,
        ),
        Claim.exceeds("more so than at the low rate", more, more_sigma),
    ]
    quantities = [
        *(quantity for name, one in (("slow", slow), ("fast", fast)) for quantity in _quantities(name, one)),
        Quantity("more", "lacking at the high rate, beyond that at the low one", more, more_sigma, ""),
    ]
    text = (
        f"With x = {fast.overall.value:.2f} overall there was {fast.front:.2f} next to the collector at the "
        f"high rate; with {slow.overall.value:.2f} there was {slow.front:.2f} at the low one."
    )
    return Finding(text, quantities, claims)


def _quantities(name: str, one: Rate) -> list[Quantity]:
    at = f"at {1e3 * one.current_ampere:.2g} mA"
    return [
        Quantity(f"overall_{name}", f"x overall {at}", one.overall.value, one.overall.sigma, ""),
        Quantity(
            f"lacking_{name}", f"lacking next to the collector {at}", one.lacking.value, one.lacking.sigma, ""
        ),
        Quantity(f"contrast_{name}", f"behind over front {at}", one.contrast.value, one.contrast.sigma, ""),
    ]


def rates_of(frames: xr.Dataset) -> list[Rate]:
    """From low to high, of the steps in which the cell is discharged."""
    current = np.asarray(frames["current_ampere"], float)
    usable = np.isfinite(np.asarray(frames["lithium_seen"], float)) & (current < 0)
    usable &= np.isfinite(np.asarray(frames["x_positive"], float))
    for name in ("crosses_step", "in_gap"):
        if name in frames:
            usable &= ~np.asarray(frames[name], bool)
    groups: list[list[int]] = []
    for number in sorted(np.flatnonzero(usable), key=lambda one: -current[one]):
        if groups and abs(current[number]) < abs(current[groups[-1][0]]) * (1 + SAME_RATE):
            groups[-1].append(int(number))
        else:
            groups.append([int(number)])
    return [_rate(frames, np.sort(one)) for one in groups if len(one) >= LEAST_FRAMES]


def _rate(frames: xr.Dataset, numbers: np.ndarray) -> Rate:
    """One rate: what is lacking, of each frame by what it sees, and of all by their errors.

    Of a line, a share w of the weights is next to the collector, where x is a. What else it sees is behind,
    anywhere between a and b, the mean behind: (a + b) / 2 is taken, with (b - a) / sqrt(12) as its error.
    With the mean m = p a + (1 - p) b over parts p and 1 - p of the thickness, it sees m less k (m - a), where
    k = 1 - (1 - w) / (2 (1 - p)).
    """
    picked = {name: np.asarray(frames[name], float)[numbers] for name in _COLUMNS}
    mean, share = picked["x_positive"], picked["front_share"]
    visible = 1 - (1 - share) / (2 * (1 - FRONT))
    lacking = (mean - picked["lithium_seen"]) / visible
    seen_stat = np.maximum(picked["lithium_seen_sigma_stat"], 1e-6) / visible
    seen_sys = picked["lithium_seen_sigma_sys"] / visible
    first = abs(float(np.mean(lacking)))
    behind = (1 - share) / visible * first / (1 - FRONT) / math.sqrt(12.0)
    known = picked["front_share_sigma_sys"] / (2 * (1 - FRONT)) / visible * first
    value = float(np.mean(lacking))
    stat = math.hypot(*seen_stat, _scatter(lacking, picked) * math.sqrt(lacking.size)) / lacking.size
    by_charge = math.hypot(MASS_SIGMA * float(np.mean(1 - mean)), ASSEMBLED_SIGMA)
    # Each of these is the same for all angles, as far as anybody knows.
    systematic = math.hypot(by_charge, *(float(np.mean(one)) for one in (seen_sys, behind, known)))
    overall = Part(float(np.mean(mean)), 0.0, by_charge)
    current = float(np.mean(np.abs(picked["current_ampere"])))
    return Rate(numbers, current, overall, Part(value, stat, systematic))


_COLUMNS = (
    "x_positive",
    "current_ampere",
    "incidence_deg",
    "lithium_seen",
    "lithium_seen_sigma_stat",
    "lithium_seen_sigma_sys",
    "front_share",
    "front_share_sigma_sys",
)


def _scatter(lacking: np.ndarray, picked: Mapping[str, np.ndarray]) -> float:
    """Standard deviation of what is lacking between frames of one angle; 0 where each angle has one frame."""
    total, free = 0.0, 0
    for angle in np.unique(picked["incidence_deg"]):
        own = lacking[picked["incidence_deg"] == angle]
        total += float(np.sum((own - own.mean()) ** 2))
        free += own.size - 1
    return math.sqrt(total / free) if free else 0.0


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """Lithium seen by lithium overall, a sign for each angle; what is lacking by depth; both parts."""
    _, frames = only(cells)
    rates = rates_of(frames)
    shown, axes = plt.subplots(1, 3, figsize=(10.0, 3.8), layout="constrained")
    colours = (BLUE, ORANGE, VERMILION)
    for number, rate in enumerate(rates):
        colour, label = colours[number % len(colours)], f"{1e3 * rate.current_ampere:.2g} mA"
        _show_seen(axes[0], frames, rate, colour)
        _show_depth(axes[1], frames, rate, colour, label)
        _show_parts(axes[2], rate, colour)
    axes[0].plot([0, 1], [0, 1], color="0.6", lw=0.8)
    for angle, sign in _angles(frames).items():
        axes[0].plot([], [], sign, ms=4.0, color="0.4", label=f"{angle:g} deg")
    axes[0].legend(fontsize=7, frameon=False)
    axes[0].set(xlabel="x of the coating, by charge", ylabel="x as seen in reflection")
    axes[0].set(xlim=(0.45, 0.85), ylim=(0.25, 1.0))
    axes[1].axhline(0.0, color="0.6", lw=0.8)
    axes[1].set(xlabel="Mean depth below the collector (um)", ylabel="Seen less than overall")
    axes[1].margins(y=0.25)
    axes[2].set(xlabel="Part of the thickness, from the collector", ylabel="x, as two parts", xlim=(0, 1))
    if rates:
        axes[1].legend(fontsize=7, frameon=False)
    shown.suptitle(title, fontsize=9)
    return shown


def _angles(frames: xr.Dataset) -> dict[float, str]:
    """Angles of incidence, with a sign for each."""
    known = np.unique(np.asarray(frames["incidence_deg"], float))
    return {float(angle): "os^Dv"[number % 5] for number, angle in enumerate(known[np.isfinite(known)])}


def _signs(frames: xr.Dataset, rate: Rate) -> list[tuple[str, np.ndarray]]:
    angles = np.asarray(frames["incidence_deg"], float)
    own = {sign: rate.frames[angles[rate.frames] == angle] for angle, sign in _angles(frames).items()}
    return [(sign, numbers) for sign, numbers in own.items() if numbers.size]


def _errors(frames: xr.Dataset, numbers: np.ndarray) -> np.ndarray:
    both = (np.asarray(frames[f"lithium_seen_sigma_{kind}"], float)[numbers] for kind in ("stat", "sys"))
    return np.hypot(*both)


def _show_seen(axis: Axes, frames: xr.Dataset, rate: Rate, colour: str) -> None:
    mean, found = (np.asarray(frames[name], float) for name in ("x_positive", "lithium_seen"))
    for sign, own in _signs(frames, rate):
        errors = _errors(frames, own)
        axis.errorbar(mean[own], found[own], errors, fmt=sign, ms=4.0, lw=0.8, color=colour)


def _show_depth(axis: Axes, frames: xr.Dataset, rate: Rate, colour: str, label: str) -> None:
    depth_um = np.asarray(frames["mean_depth_um"], float)
    less = np.asarray(frames["x_positive"], float) - np.asarray(frames["lithium_seen"], float)
    for sign, own in _signs(frames, rate):
        errors = _errors(frames, own)
        axis.errorbar(depth_um[own], less[own], errors, fmt=sign, ms=4.0, lw=0.8, color=colour, label=label)
        label = ""


def _show_parts(axis: Axes, rate: Rate, colour: str) -> None:
    back = rate.front + rate.contrast.value
    for low, high, value, sigma in (
        (0.0, FRONT, rate.front, rate.lacking.sigma),
        (FRONT, 1.0, back, rate.contrast.sigma * FRONT),
    ):
        axis.plot([low, high], [value, value], color=colour, lw=1.6)
        axis.fill_between([low, high], value - sigma, value + sigma, color=colour, alpha=0.2, lw=0)
    axis.axhline(rate.overall.value, color=colour, lw=0.8, ls=":")
