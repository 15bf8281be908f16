"""Made-up records and fitted frames of a lithiation of graphite, with and without an effect."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter

CAPACITY_AH = 4.6e-3
PLATEAUS = ((0.19, 0.12, 0.004), (0.11, 0.33, 0.0025), (0.07, 0.55, 0.004))
"""Voltage, share of the charge, and width of each."""

EMPTY, HALF, FULL = (3.355, 2.461), (3.525, 2.4757), (3.700, 2.486)
"""Layer spacing d and in-plane a in A."""


@dataclass(frozen=True)
class Noise:
    """How well everything is measured."""

    seed: int = 0
    voltage_v: float = 0.0
    offset_v: float = 0.0
    spacing_angstrom: float = 1e-5
    share: float = 0.003


def plateau_charge(voltage_v: np.ndarray, plateaus: tuple[tuple[float, float, float], ...]) -> np.ndarray:
    """Share of the charge that has passed when a falling voltage comes here."""
    passed = np.zeros_like(voltage_v)
    for place, share, width in plateaus:
        passed += share / (1 + np.exp(np.clip((voltage_v - place) / width, -50, 50)))
    return passed


def sloping_charge(voltage_v: np.ndarray) -> np.ndarray:
    """Charge without plateaus: evenly over 0.3 V, and a little above."""
    return np.clip((0.30 - voltage_v) / 0.295, 0, 1) * 0.95 + 0.05 * np.exp(-np.maximum(voltage_v, 0) / 0.3)


def records(*, staged: bool, noise: Noise, period_s: float = 60.0) -> xr.Dataset:
    """A rest and a lithiation at C/10, recorded at even times."""
    draw = np.random.default_rng(noise.seed)
    grid = np.linspace(1.0, 0.005, 20_000)
    share = plateau_charge(grid, PLATEAUS) if staged else sloping_charge(grid)
    share = (share - share[0]) / (share[-1] - share[0])
    time_s = np.arange(0.0, 36_000.0, period_s)
    passed = time_s / 36_000.0
    voltage = np.interp(passed, share, grid)
    voltage = np.concatenate([[1.0, 1.0], voltage])
    voltage = voltage + noise.offset_v + noise.voltage_v * draw.standard_normal(voltage.size)
    return xr.Dataset(
        {
            "test_time_second": ("record", np.concatenate([[0.0, 60.0], 120.0 + time_s])),
            "step_id": ("record", np.concatenate([[1.0, 1.0], np.full(time_s.size, 2.0)])),
            "voltage_volt": ("record", voltage),
            "net_capacity_ah": ("record", np.concatenate([[0.0, 0.0], -passed * CAPACITY_AH])),
        }
    )


def lattice_content(x: np.ndarray, host: str) -> np.ndarray:
    """Lithium content at which real graphite has the lattice of this host: 0 empty, 1 full."""
    late = np.clip((x - 0.9) / 0.1, 0, 1)
    return {"real": x, "late": late, "rigid": 0 * x, "reversed": 1 - x}[host]


def frames(*, host: str, noise: Noise, count: int = 38) -> xr.Dataset:
    """Fitted frames at even charges; `host` is `real`, `late`, `rigid` or `reversed`.

    Up to a half the spacing of the poor phase grows evenly; from there on it is constant and stage 1 forms.
    The late host has nothing between empty and full.
    """
    draw = np.random.default_rng([noise.seed, 1])
    x = np.linspace(0.0, 1.0, count)
    content = lattice_content(x, host)
    share = content if host == "late" else np.clip(2 * content - 1, 0, 1)
    poor_end = EMPTY if host == "late" else HALF
    grown = np.clip(2 * content, 0, 1)
    seen = (share > 0.02) & (share < 0.98)
    measured = np.where(
        seen, np.clip(share + noise.share * draw.standard_normal(count), 0.01, 0.99), share.round()
    )
    values: dict[str, np.ndarray] = {"stage_1_fraction": measured}
    errors = {"stage_1_fraction": (0.0 * x + noise.share, np.where(seen, 0.01, 0.03))}
    for number, parameter in enumerate(("d", "a")):
        poor = EMPTY[number] + grown * (poor_end[number] - EMPTY[number])
        scatter = noise.spacing_angstrom * draw.standard_normal((2, count))
        values[f"graphite.{parameter}"] = np.where(measured < 1, poor + scatter[0], np.nan)
        values[f"LiC6.{parameter}"] = np.where(measured > 0, FULL[number] + scatter[1], np.nan)
        for phase in ("graphite", "LiC6"):
            errors[f"{phase}.{parameter}"] = (0.0 * x + noise.spacing_angstrom, 0.0 * x + 1e-5)
    for name, (stat, systematic) in errors.items():
        values[f"{name}_sigma_stat"], values[f"{name}_sigma_sys"] = stat, systematic
    values["in_gap"] = np.zeros(count, dtype=bool)
    coordinates = {"x_positive": x, "net_capacity_ah": -x * CAPACITY_AH}
    values["x_positive_sigma"] = 0.01 * x
    return xr.Dataset({name: ("frame", one) for name, one in (values | coordinates).items()})


def maps(*, spread: float, smooth: bool, noise: float, seed: int, staged: float = 1.0) -> xr.Dataset:
    """Two maps of the lithium content, after reduction; a share of the points is that of staged graphite."""
    draw = np.random.default_rng(seed)
    points = 16
    steps = np.linspace(-22.5, 22.5, points)
    y_um, x_um = (one.ravel() for one in np.meshgrid(steps, steps, indexing="ij"))
    content = []
    for mean in (0.18, 0.24):
        field = draw.standard_normal((points, points))
        field = gaussian_filter(field, 2.5) if smooth else field
        content.append(mean + spread * field.ravel() / field.std())
    x = np.concatenate(content) + noise * draw.standard_normal(2 * points**2)
    regime = np.where(draw.uniform(size=x.size) < staged, "staged", "stage 2 or denser")
    return xr.Dataset(
        {
            "graphite.x": ("frame", x),
            "graphite.x_sigma_stat": ("frame", np.full(x.size, noise)),
            "graphite.x_sigma_sys": ("frame", np.full(x.size, 0.02)),
            "graphite.regime": ("frame", regime),
            "objective_x_um": ("frame", np.tile(x_um, 2)),
            "objective_y_um": ("frame", np.tile(y_um, 2)),
            "visit": ("frame", np.repeat([0, 1], points**2)),
        },
        {"voltage_volt": ("frame", np.repeat([0.2, 0.14], points**2))},
    )
