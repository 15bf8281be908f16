"""What a rehearsal found, against what the simulator knew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from benchmarks.bench_reduction import QUANTITIES, Tally, true_values
from benchmarks.report import table, verdict
from intercalate.reduction import Estimate

ABSOLUTE, RELATIVE = 1e-4, 2e-5
"""Goals of the error of a lattice parameter of the oxide."""

FRACTION = 0.05
"""Goal of the error of a phase's share."""


@dataclass
class Compared:
    """Fits of all runs against the truth.

    Attributes
    ----------
    fitted, unfitted, dark
        Number of frames: those that gave a fit, those with beam that did not, those without beam.
    tallies, fractions
        Deviations of each quantity, and of the share of stage 1.
    relative
        Change of each lattice parameter against the first frame of its run, as a share, against the true one.
    misjudged
        Frames in which a phase was said to be there that was not, or whose spacing is nearer to the other's.
    """

    fitted: int = 0
    unfitted: int = 0
    dark: int = 0
    misjudged: int = 0
    tallies: dict[str, Tally] = field(default_factory=lambda: {name: Tally() for name in QUANTITIES})
    fractions: Tally = field(default_factory=Tally)
    relative: dict[str, list[float]] = field(default_factory=lambda: {"NMC811.a": [], "NMC811.c": []})


def compared(paths: Sequence[Path], truth: Sequence[Mapping[str, Any]]) -> Compared:
    """Compare every frame of every run with what it was made from."""
    known = {entry["counter"]: entry for entry in truth}
    found = Compared()
    for path in paths:
        with xr.open_dataset(path, engine="h5netcdf") as data:
            first: dict[str, float] = {}
            for number in range(data.sizes["frame"]):
                frame = data.isel(frame=number)
                if str(frame["beam_quality"].values) == "none":
                    found.dark += 1
                elif not bool(frame["converged"]):
                    found.unfitted += 1
                else:
                    found.fitted += 1
                    _compare(found, frame, known[int(frame["frame_id"])], first)
    return found


def _compare(found: Compared, frame: xr.Dataset, truth: Mapping[str, Any], first: dict[str, float]) -> None:
    true = true_values(dict(truth))
    for name, value in true.items():
        estimate = _estimate(frame, name)
        found.tallies[name].add(estimate, value)
        if name in found.relative and np.isfinite(estimate.value):
            off = estimate.value / value - 1
            found.relative[name].append(off - first.setdefault(name, off))
    share = truth["negative"]["stage_1_fraction"]
    found.fractions.add(_estimate(frame, "stage_1_fraction"), share)
    found.misjudged += is_misjudged(frame, truth)


def is_misjudged(frame: xr.Dataset, truth: Mapping[str, Any]) -> bool:
    """Whether a line of graphite was given to the wrong one of its two phases."""
    share = truth["negative"]["stage_1_fraction"]
    if (frame["present_LiC6"] and share <= 0) or (frame["present_graphite"] and share >= 1):
        return True
    poor = truth["negative"].get("poor_layer_spacing_angstrom", np.nan)
    rich = truth["negative"]["stages"].get("1", {}).get("layer_spacing_angstrom", np.nan)
    for name, own, other in (("graphite.d", poor, rich), ("LiC6.d", rich, poor)):
        if abs(float(frame[name]) - own) > abs(float(frame[name]) - other):
            return True
    return False


def _estimate(frame: xr.Dataset, name: str) -> Estimate:
    if name not in frame:
        return Estimate(np.nan, np.nan, np.nan)
    return Estimate(*(float(frame[f"{name}{suffix}"]) for suffix in ("", "_sigma_stat", "_sigma_sys")))


def described(found: Compared) -> str:
    """Tables of deviations, and how often the claimed errors held."""
    rows = []
    for name, tally in [*found.tallies.items(), ("stage 1, share", found.fractions)]:
        deviation, stat, systematic = tally.arrays()
        if not deviation.size:
            continue
        total = np.hypot(stat, systematic)
        rows.append(
            [
                name,
                deviation.size,
                f"{tally.coverage:.2f}",
                f"{np.sqrt(np.mean(deviation**2)):.1e}",
                f"{np.median(total):.1e}",
                f"{np.abs(deviation / total).max():.1f}",
            ]
        )
    head = ["quantity", "fits", "coverage", "rms deviation", "median total sigma", "largest in sigmas"]
    lines = [
        f"{found.fitted} frames fitted, {found.unfitted} with beam did not fit, {found.dark} had no beam; "
        f"lines given to the wrong phase in {found.misjudged}.\n",
        table(head, rows),
        "",
    ]
    for name, change in found.relative.items():
        deviation, _, _ = found.tallies[name].arrays()
        scale = 2.85 if name.endswith("a") else 14.3
        absolute, relative = np.sqrt(np.mean((deviation / scale) ** 2)), np.sqrt(np.mean(np.square(change)))
        lines.append(
            f"{name}: rms {absolute:.1e} absolute ({verdict(float(absolute), ABSOLUTE)}), {relative:.1e} "
            f"relative to the first frame of its run ({verdict(float(relative), RELATIVE)})."
        )
    return "\n".join(lines)
