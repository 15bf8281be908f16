"""Relief of a face: deposits that keep their places and grow, isles, craters and cracks."""

from dataclasses import dataclass

import numpy as np

from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.sem_surface import (
    Cracks,
    Deposit,
    Grid,
    Habit,
    Preference,
    Relief,
    Spots,
    SurfaceView,
)


@dataclass(frozen=True)
class HiddenMorphology:
    """How deposits of a sample differ from typical ones.

    Attributes
    ----------
    needle_aspect
        Length by width.
    kink_deg
        Spread of the angle between two pieces of a needle.
    lumps
        In a patch of moss.
    ellipticity
        Of globules, relative spread of an axis.
    spread
        Of the logarithm of sizes.
    """

    needle_aspect: float = 17.0
    kink_deg: float = 15.0
    lumps: int = 45
    ellipticity: float = 0.08
    spread: float = 0.3

    @classmethod
    def draw(cls, seed: int) -> "HiddenMorphology":
        """A sample of this seed."""
        generator = keyed_generator(seed, "morphology", 0)
        return cls(
            needle_aspect=float(generator.uniform(11.0, 24.0)),
            kink_deg=float(generator.uniform(5.0, 25.0)),
            lumps=int(generator.integers(30, 70)),
            ellipticity=float(generator.uniform(0.03, 0.12)),
            spread=float(generator.uniform(0.2, 0.4)),
        )


@dataclass(frozen=True)
class Nucleus:
    """A place where something grows; `age` goes from 0 at its birth to 1 for the oldest."""

    x_um: float
    y_um: float
    age: float
    key: int


_TILE_UM = 25.0
_CHUNK = 16

_AREA = {Habit.NEEDLE: 0.075, Habit.MOSSY: 0.62, Habit.GLOBULAR: 0.78}
"""Mean area in squares of the size."""

_GROWN = 0.25
"""Exponent of a nucleus' size by its age: the youngest are small, most are nearly of full size."""


def relief(view: SurfaceView, grid: Grid, seed: int, melted: bool = False) -> Relief:
    """Relief of a face under a scan: the same places bear the same deposits whatever grid looks at them.

    Parameters
    ----------
    melted
        Whether bulk lithium is molten: it is smooth then, unless a passivation layer holds it.
    """
    base = np.zeros(grid.shape)
    made = Relief(base, np.zeros(grid.shape, dtype=np.int8), [view.material])
    roughness = random_field(grid, seed, "texture", (0.3, 60.0))
    made.height_um += view.texture_um * roughness
    if view.isles is not None:
        _spots(made, grid, view.isles, seed, "isles", "lithium")
    for number, deposit in enumerate(view.deposits):
        _grow(made, grid, deposit, seed, number, view.preference)
    if view.craters is not None:
        _craters(made, grid, view.craters, seed)
    if view.cracks is not None:
        _cracks(made, grid, view.cracks, seed)
    if melted and not view.passivated:
        made.height_um[:], made.material[:] = 0.0, 0
        made.covered.clear()
    return made


def random_field(grid: Grid, seed: int, name: str, wavelengths_um: tuple[float, float]) -> np.ndarray:
    """Normal deviates that belong to places: random waves with equal strength in every octave."""
    generator = keyed_generator(seed, name, 1)
    count = 240
    shortest, longest = wavelengths_um
    length = shortest * (longest / shortest) ** generator.uniform(size=count)
    angle = generator.uniform(0.0, 2 * np.pi, count)
    phase = generator.uniform(0.0, 2 * np.pi, count)
    kx, ky = 2 * np.pi / length * np.cos(angle), 2 * np.pi / length * np.sin(angle)
    seen = length > 2.0 * grid.pixel_um
    strength = np.sqrt(2.0 / count) * seen * np.minimum(length / wavelengths_um[1], 1.0) ** 0.4 * 1.6
    columns = np.exp(1j * np.outer(kx, grid.x_um))
    rows = np.exp(1j * (np.outer(grid.y_um, ky) + np.outer(grid.shift_um, kx) + phase)) * strength
    return (rows @ columns).real


def nuclei(grid: Grid, seed: int, name: str, per_um2: float, margin_um: float) -> list[Nucleus]:
    """Nuclei whose rank is within the density asked for, so that a higher density keeps all of a lower
    one.
    """
    if per_um2 <= 0:
        return []
    low_x = grid.x_um.min() + grid.shift_um.min() - margin_um
    high_x = grid.x_um.max() + grid.shift_um.max() + margin_um
    low_y, high_y = grid.y_um.min() - margin_um, grid.y_um.max() + margin_um
    found: list[Nucleus] = []
    for row in range(int(np.floor(low_y / _TILE_UM)), int(np.floor(high_y / _TILE_UM)) + 1):
        for column in range(int(np.floor(low_x / _TILE_UM)), int(np.floor(high_x / _TILE_UM)) + 1):
            rank, chunk = 0.0, 0
            while rank < per_um2:
                key = ((row & 0xFFFF) << 32) | ((column & 0xFFFF) << 16) | chunk
                generator = keyed_generator(seed, name, key)
                steps = generator.exponential(1.0 / _TILE_UM**2, _CHUNK)
                places = generator.uniform(size=(_CHUNK, 2))
                ranks = rank + np.cumsum(steps)
                for number in np.flatnonzero(ranks < per_um2):
                    x = (column + places[number, 0]) * _TILE_UM
                    y = (row + places[number, 1]) * _TILE_UM
                    if low_x <= x <= high_x and low_y <= y <= high_y:
                        age = 1.0 - ranks[number] / per_um2
                        found.append(Nucleus(x, y, float(age), key << 4 | int(number)))
                rank, chunk = float(ranks[-1]), chunk + 1
    return found


def _grow(
    made: Relief,
    grid: Grid,
    deposit: Deposit,
    seed: int,
    number: int,
    preference: Preference | None,
) -> None:
    """Deposits of one habit, stamped over what lies below."""
    covered = made.covered.setdefault(deposit.habit, np.zeros(grid.shape, dtype=bool))
    if deposit.habit is Habit.NONE or deposit.coverage <= 0 or deposit.size_um <= 0:
        return
    hidden = HiddenMorphology.draw(seed)
    # Discs of random places cover 1 - exp(-density x area); the mean square of (1 - rank)**_GROWN is 2/3.
    area = _AREA[deposit.habit] * deposit.size_um**2 / (1 + 2 * _GROWN) * np.exp(2 * hidden.spread**2)
    if deposit.habit is Habit.NEEDLE:
        area *= 15.0 / hidden.needle_aspect
    density = -np.log1p(-min(deposit.coverage, 0.95)) / area
    name = f"{deposit.habit} {number}"
    material = made.index(deposit.material)
    shapes = {Habit.NEEDLE: _needle, Habit.MOSSY: _moss, Habit.GLOBULAR: _globule}
    if preference is not None:
        density /= preference.mean
    for nucleus in nuclei(grid, seed, name, density, 1.5 * deposit.size_um):
        key = nucleus.key
        if preference is not None:
            drawn = keyed_generator(seed, f"{name} where", key).uniform()
            if drawn > preference.at(nucleus.x_um, nucleus.y_um):
                continue
        generator = keyed_generator(seed, f"{name} shape", key)
        factor = np.exp(hidden.spread * generator.standard_normal()) * nucleus.age**_GROWN
        for part in shapes[deposit.habit](nucleus, deposit, float(factor), hidden, generator):
            _stamp(made, grid, part, material, covered)


@dataclass(frozen=True)
class _Part:
    """A round-nosed rod (a sphere where both ends are one) with an elliptic cross-section."""

    from_um: tuple[float, float]
    to_um: tuple[float, float]
    radius_um: float
    height_um: float
    lift_um: float = 0.0
    tip: float = 1.0
    """Radius at the end in parts of that at the beginning."""


def _needle(
    nucleus: Nucleus,
    deposit: Deposit,
    factor: float,
    hidden: HiddenMorphology,
    generator: np.random.Generator,
) -> list[_Part]:
    length = deposit.size_um * factor
    pieces = int(generator.integers(1, 4))
    shares = generator.dirichlet(np.full(pieces, 4.0))
    angle = generator.uniform(0.0, 2 * np.pi)
    radius = 0.5 * length / hidden.needle_aspect
    lift = deposit.height_um * generator.uniform(0.2, 1.0)
    x, y = nucleus.x_um, nucleus.y_um
    parts: list[_Part] = []
    for number, share in enumerate(shares):
        end = x + share * length * np.cos(angle), y + share * length * np.sin(angle)
        tip = 0.4 if number == pieces - 1 else 1.0
        parts.append(_Part((x, y), end, radius, radius, lift, tip))
        (x, y), angle = end, angle + np.radians(hidden.kink_deg) * generator.standard_normal()
    return parts


def _moss(
    nucleus: Nucleus,
    deposit: Deposit,
    factor: float,
    hidden: HiddenMorphology,
    generator: np.random.Generator,
) -> list[_Part]:
    size = deposit.size_um * factor
    parts: list[_Part] = []
    places = generator.standard_normal((hidden.lumps, 2)) * 0.21 * size
    radii = size * generator.uniform(0.05, 0.13, hidden.lumps)
    for (x, y), radius in zip(places, radii):
        away = np.hypot(x, y) / size
        lift = deposit.height_um * max(1.0 - 1.6 * away, 0.0) * generator.uniform(0.5, 1.0)
        centre = nucleus.x_um + x, nucleus.y_um + y
        parts.append(_Part(centre, centre, radius, radius, lift))
    return parts


def _globule(
    nucleus: Nucleus,
    deposit: Deposit,
    factor: float,
    hidden: HiddenMorphology,
    generator: np.random.Generator,
) -> list[_Part]:
    radius = 0.5 * deposit.size_um * factor
    angle, long = generator.uniform(0, np.pi), radius * hidden.ellipticity * abs(generator.standard_normal())
    dx, dy = long * np.cos(angle), long * np.sin(angle)
    x, y = nucleus.x_um, nucleus.y_um
    height = min(deposit.height_um * factor, 1.5 * radius)
    return [_Part((x - dx, y - dy), (x + dx, y + dy), radius, height)]


def _window(grid: Grid, low: tuple[float, float], high: tuple[float, float]) -> tuple[slice, slice] | None:
    """Rows and columns that a rectangle may touch."""
    rows = np.searchsorted(grid.y_um, [low[1], high[1]])
    columns = np.searchsorted(grid.x_um, [low[0] - grid.shift_um.max(), high[0] - grid.shift_um.min()])
    if rows[0] == rows[1] or columns[0] == columns[1]:
        return None
    return slice(*rows), slice(*columns)


def _stamp(made: Relief, grid: Grid, part: _Part, material: int, covered: np.ndarray) -> None:
    (x1, y1), (x2, y2), radius = part.from_um, part.to_um, part.radius_um
    low = min(x1, x2) - radius, min(y1, y2) - radius
    window = _window(grid, low, (max(x1, x2) + radius, max(y1, y2) + radius))
    if window is None:
        return
    rows, columns = window
    x = grid.x_um[None, columns] + grid.shift_um[rows, None] - x1
    y = grid.y_um[rows, None] - y1
    dx, dy = x2 - x1, y2 - y1
    length2 = dx * dx + dy * dy
    along = np.clip((x * dx + y * dy) / length2, 0.0, 1.0) if length2 > 0 else 0.0
    radius = radius * (1.0 + (part.tip - 1.0) * along)
    left = 1.0 - ((x - along * dx) ** 2 + (y - along * dy) ** 2) / radius**2
    inside = left > 0
    height = part.lift_um + part.height_um * np.sqrt(np.maximum(left, 0.0))
    target = made.height_um[rows, columns]
    higher = inside & (height > target)
    target[higher] = height[higher]
    made.material[rows, columns][inside] = material
    covered[rows, columns] |= inside


def _spots(made: Relief, grid: Grid, spots: Spots, seed: int, name: str, material: str) -> None:
    index = made.index(material)
    nothing = np.zeros(grid.shape, dtype=bool)
    for nucleus in nuclei(grid, seed, name, spots.per_mm2 * 1e-6, 2 * spots.size_um):
        generator = keyed_generator(seed, f"{name} shape", nucleus.key)
        radius = 0.5 * spots.size_um * np.exp(0.3 * generator.standard_normal())
        centre = nucleus.x_um, nucleus.y_um
        _stamp(made, grid, _Part(centre, centre, radius, spots.height_um), index, nothing)


def _craters(made: Relief, grid: Grid, craters: Spots, seed: int) -> None:
    """Volcano-like: a wall around a hole."""
    for nucleus in nuclei(grid, seed, "craters", craters.per_mm2 * 1e-6, 2 * craters.size_um):
        generator = keyed_generator(seed, "craters shape", nucleus.key)
        radius = 0.5 * craters.size_um * np.exp(0.2 * generator.standard_normal())
        window = _window(
            grid,
            (nucleus.x_um - 2 * radius, nucleus.y_um - 2 * radius),
            (nucleus.x_um + 2 * radius, nucleus.y_um + 2 * radius),
        )
        if window is None:
            continue
        rows, columns = window
        x = grid.x_um[None, columns] + grid.shift_um[rows, None] - nucleus.x_um
        away = np.hypot(x, grid.y_um[rows, None] - nucleus.y_um) / radius
        wall = np.exp(-(((away - 0.6) / 0.2) ** 2)) - 0.9 * np.exp(-((away / 0.4) ** 2))
        made.height_um[rows, columns] += craters.height_um * wall


def _cracks(made: Relief, grid: Grid, cracks: Cracks, seed: int) -> None:
    for nucleus in nuclei(grid, seed, "cracks", cracks.per_mm2 * 1e-6, 1.5 * cracks.length_um):
        generator = keyed_generator(seed, "cracks shape", nucleus.key)
        length = cracks.length_um * np.exp(0.3 * generator.standard_normal())
        angle, x, y = generator.uniform(0, np.pi), nucleus.x_um, nucleus.y_um
        for _ in range(5):
            angle += 0.35 * generator.standard_normal()
            end = x + length / 5 * np.cos(angle), y + length / 5 * np.sin(angle)
            _cut(made, grid, (x, y), end, cracks.width_um / 2)
            x, y = end


def _cut(
    made: Relief, grid: Grid, start: tuple[float, float], end: tuple[float, float], half_width_um: float
) -> None:
    margin = 3 * half_width_um
    low = min(start[0], end[0]) - margin, min(start[1], end[1]) - margin
    window = _window(grid, low, (max(start[0], end[0]) + margin, max(start[1], end[1]) + margin))
    if window is None:
        return
    rows, columns = window
    x = grid.x_um[None, columns] + grid.shift_um[rows, None] - start[0]
    y = grid.y_um[rows, None] - start[1]
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = np.clip((x * dx + y * dy) / (dx * dx + dy * dy), 0.0, 1.0)
    away = np.hypot(x - along * dx, y - along * dy)
    made.height_um[rows, columns] -= half_width_um / (1.0 + (away / half_width_um) ** 6)
    # From the depth of a crack hardly an electron comes back.
    made.material[rows, columns][away < half_width_um] = made.index("vacuum")
