"""Phases as the Pawley fit sees them: where lines may be, what is refined, what is held."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from intercalate.materials import GRAPHITE, NMC811, Reflection, metal, polymer
from intercalate.materials.crystals import crystal, powder_lines


@dataclass(frozen=True, slots=True)
class Seed:
    """How a cold start finds one lattice parameter: from the highest point in a window of d.

    The parameter follows from that spacing and this reflection, the other parameters being known.
    """

    parameter: str
    reflection: str
    d_low_angstrom: float
    d_high_angstrom: float


@dataclass(frozen=True)
class FitPhase:
    """One phase of a fit: 1/d^2 of reflection r = offset_r + sum_j coefficient_rj / parameter_j^2.

    Attributes
    ----------
    name
        Prefix of the parameters in results.
    reflections
        Names of the lines, length R.
    parameters
        Names of the lattice parameters, length P.
    start, low, high
        In A, length P. A start outside its bounds is an error.
    coefficients
        Shape (R, P).
    offset
        Shape (R,), 1/A^2; non-zero for lines known by spacing alone.
    fixed
        Lattice parameters are held at `start`.
    strained
        Lattice parameters vary over the material: refine a Gaussian width for each.
    broad_deg
        Full width of an additional Gaussian that is refined from this start, 0 for none.
    depth_um, depth_sigma_um
        Centre of the phase downstream of the reference plane of the cell, and its uncertainty.
    standard_sigma
        Relative uncertainty of held parameters; None where the phase is no standard.
    expansion_per_k
        By which a standard's parameter follows temperature from 25 degC.
    seeds
        Used in order at a cold start.
    led
        Parameter, the one that leads it, and slope: at a cold start it is put where that says, and is free
        from there on. For lines that those of another phase may be taken for.
    key_line
        The reflection by which the phase is known to be there; any where empty.
    least_d_angstrom
        Spacing down to which its lines are listed, where a fit has to end; 0 where all are.
    """

    name: str
    reflections: tuple[str, ...]
    parameters: tuple[str, ...]
    start: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    coefficients: np.ndarray
    offset: np.ndarray
    fixed: bool = False
    strained: bool = False
    broad_deg: float = 0.0
    depth_um: float = 0.0
    depth_sigma_um: float = 5.0
    standard_sigma: float | None = None
    expansion_per_k: float = 0.0
    seeds: tuple[Seed, ...] = ()
    key_line: str = ""
    least_d_angstrom: float = 0.0
    led: tuple[tuple[str, str, float], ...] = ()

    def __post_init__(self) -> None:
        if self.coefficients.shape != (len(self.reflections), len(self.parameters)):
            raise ValueError(
                f"phase {self.name}: coefficients have shape {self.coefficients.shape}, "
                f"expected ({len(self.reflections)}, {len(self.parameters)})"
            )
        for name, start, low, high in zip(self.parameters, self.start, self.low, self.high):
            if not low <= start <= high:
                raise ValueError(f"phase {self.name}: {name} starts at {start} A, outside {low} to {high} A")

    def inverse_d_squared(self, lattice: np.ndarray) -> np.ndarray:
        """1/d^2 of each reflection in 1/A^2, shape (R,)."""
        return self.offset + self.coefficients @ (1 / lattice**2)

    def at_depth(self, depth_um: float, sigma_um: float) -> "FitPhase":
        """The same phase at another place along the beam, + downstream."""
        return replace(self, depth_um=depth_um, depth_sigma_um=sigma_um)


_LAYERED = {
    # Bounds of c, and where 003 may lie, in A: lithium-rich layers stay further apart.
    "NMC811": ((13.3, 14.6), (2.79, 2.90), (4.50, 4.85)),
    "Li-rich NMC": ((13.7, 14.8), (2.79, 2.91), (4.60, 4.93)),
}
"""Layered oxides by name: bounds of c and of a, and of the spacing of 003."""


def layered_oxide(name: str, depth_um: float = 0.0, depth_sigma_um: float = 5.0) -> FitPhase:
    """NMC811 or Li-rich NMC: a and c of the hexagonal cell of the layers, without an order in them."""
    (low_c, high_c), (low_a, high_a), (low_003, high_003) = _LAYERED[name]
    return _hexagonal(
        name,
        NMC811.reflections,
        ("a", "c"),
        start=(2.845, 14.30),
        low=(low_a, low_c),
        high=(high_a, high_c),
        depth_um=depth_um,
        depth_sigma_um=depth_sigma_um,
        strained=True,
        seeds=(Seed("c", "003", low_003, high_003), Seed("a", "101", 2.39, 2.47)),
    )


def graphite(depth_um: float = 0.0, depth_sigma_um: float = 5.0) -> FitPhase:
    """All of LixC6 but stage 1, as one phase: its mean in-plane a and layer spacing d.

    2L and 2 differ by 0.015 A, less than the width of a line: they are not told apart.
    """
    return _hexagonal(
        "graphite",
        GRAPHITE.reflections["AB"],
        ("a", "d"),
        start=(2.468, 3.45),
        low=(2.450, 3.33),
        high=(2.485, 3.58),
        depth_um=depth_um,
        depth_sigma_um=depth_sigma_um,
        strained=True,
        seeds=(Seed("d", "001", 3.34, 3.56), Seed("a", "100", 2.129, 2.146)),
    )


def lithiated_graphite(depth_um: float = 0.0, depth_sigma_um: float = 5.0) -> FitPhase:
    """Stage 1, LiC6."""
    return _hexagonal(
        "LiC6",
        GRAPHITE.reflections["AA"],
        ("a", "d"),
        start=(2.486, 3.70),
        low=(2.475, 3.64),
        high=(2.500, 3.75),
        depth_um=depth_um,
        depth_sigma_um=depth_sigma_um,
    )


OLIVINE_LEAST_D_ANGSTROM = 2.17
"""Beyond it lines lie too close, and move too much, to be told apart; that of Al 111 is before it."""
OLIVINE_WEAKEST = 0.008
"""Of the strongest line of a phase, after the factor of a powder d^2: weaker ones are left out."""


def olivine(depth_um: float = 0.0, depth_sigma_um: float = 5.0) -> list[FitPhase]:
    """LFP and FePO4: a, b and c of each, free of any law that ties them to lithium contents.

    LFP may lose two fifths of its lithium, and FePO4 gain as much: there they meet.
    """
    return [
        _orthorhombic(
            "LFP",
            1.0,
            start=(10.29, 5.99, 4.698),
            low=(10.00, 5.90, 4.66),
            high=(10.38, 6.04, 4.75),
            seed=Seed("a", "200", 5.035, 5.20),
            depth_um=depth_um,
            depth_sigma_um=depth_sigma_um,
        ),
        _orthorhombic(
            "FePO4",
            0.0,
            start=(9.86, 5.81, 4.770),
            low=(9.76, 5.75, 4.72),
            high=(10.10, 5.92, 4.82),
            seed=Seed("a", "200", 4.87, 5.035),
            depth_um=depth_um,
            depth_sigma_um=depth_sigma_um,
        ),
    ]


def foil(key: str, depth_um: float = 0.0, depth_sigma_um: float = 2.0) -> FitPhase:
    """A collector foil (`Al`, `Cu`), held at its tabulated cell as an internal standard."""
    return _cubic(key, depth_um, depth_sigma_um, standard_sigma=2e-5)


def lithium(depth_um: float = 0.0, depth_sigma_um: float = 20.0) -> FitPhase:
    """Lithium metal, held at its tabulated cell but too soft and thick to be a standard."""
    return _cubic("Li", depth_um, depth_sigma_um, standard_sigma=None)


def separator(depth_um: float = 0.0, depth_sigma_um: float = 5.0) -> FitPhase:
    """Polyethylene: broad lines at tabulated spacings."""
    lines = polymer("PE").lines
    return FitPhase(
        name="PE",
        reflections=tuple(line.name for line in lines),
        parameters=(),
        start=(),
        low=(),
        high=(),
        coefficients=np.zeros((len(lines), 0)),
        offset=np.array([1 / line.d_angstrom**2 for line in lines]),
        fixed=True,
        key_line=lines[0].name,
        broad_deg=0.2,
        depth_um=depth_um,
        depth_sigma_um=depth_sigma_um,
    )


def full_cell(
    *,
    positive_um: float,
    negative_um: float,
    separator_um: float = 25.0,
    positive_collector_um: float = 16.0,
    negative_collector_um: float = 12.0,
    thickness_sigma_um: float = 3.0,
) -> list[FitPhase]:
    """Phases of an NMC811 | PE | graphite cell on Al and Cu foils, beam entering at the Al.

    Depths follow from the thicknesses, counted from the middle of the separator, + downstream.
    """
    half = separator_um / 2
    sigma = thickness_sigma_um
    negative = half + negative_um / 2
    return [
        layered_oxide("NMC811", -(half + positive_um / 2), sigma),
        graphite(negative, sigma),
        lithiated_graphite(negative, sigma),
        foil("Al", -(half + positive_um + positive_collector_um / 2), sigma),
        foil("Cu", half + negative_um + negative_collector_um / 2, sigma),
        separator(0.0, sigma),
    ]


def half_cell(
    working: str,
    *,
    working_um: float,
    lithium_um: float,
    separator_um: float = 25.0,
    collector_um: float = 12.0,
    counter_collector: str | None = None,
    counter_collector_um: float = 12.0,
    thickness_sigma_um: float = 3.0,
) -> list[FitPhase]:
    """Phases of an electrode on its foil against lithium, beam entering at the foil.

    The foil is Al for the oxides and LFP, and Cu for graphite. `counter_collector` (`Al` or `Cu`) carries the
    lithium, whose thickness changes: it is no standard. Every foil in the beam has to be named: one that
    is not pulls the standard to its own depth.

    Raises
    ------
    ValueError
        If `working` is none of `NMC811`, `Li-rich NMC`, `graphite` and `LFP`.
    """
    half, sigma = separator_um / 2, thickness_sigma_um
    depth = -(half + working_um / 2)
    if working in _LAYERED:
        electrode, collector = [layered_oxide(working, depth, sigma)], "Al"
    elif working == "graphite":
        electrode, collector = [graphite(depth, sigma), lithiated_graphite(depth, sigma)], "Cu"
    elif working == "LFP":
        electrode, collector = olivine(depth, sigma), "Al"
    else:
        known = ", ".join((*_LAYERED, "graphite", "LFP"))
        raise ValueError(f"no phases for a working electrode of {working!r}; known: {known}")
    phases = [
        *electrode,
        foil(collector, -(half + working_um + collector_um / 2), sigma),
        lithium(half + lithium_um / 2),
        separator(0.0, sigma),
    ]
    if counter_collector is not None:
        counter = foil(counter_collector, half + lithium_um + counter_collector_um / 2, 20.0)
        phases.append(replace(counter, name=f"{counter_collector} behind Li", standard_sigma=None))
    return phases


def _hexagonal(
    name: str,
    reflections: Sequence[Reflection],
    parameters: tuple[str, str],
    *,
    start: tuple[float, float],
    low: tuple[float, float],
    high: tuple[float, float],
    depth_um: float,
    depth_sigma_um: float,
    strained: bool = False,
    seeds: tuple[Seed, ...] = (),
) -> FitPhase:
    coefficients = np.array([(4 / 3 * (r.h**2 + r.h * r.k + r.k**2), r.l**2) for r in reflections])
    return FitPhase(
        name=name,
        reflections=tuple(r.name for r in reflections),
        parameters=parameters,
        start=start,
        low=low,
        high=high,
        coefficients=coefficients,
        offset=np.zeros(len(reflections)),
        strained=strained,
        depth_um=depth_um,
        depth_sigma_um=depth_sigma_um,
        seeds=seeds,
        key_line=reflections[0].name,
    )


def _orthorhombic(
    name: str,
    li_content: float,
    *,
    start: tuple[float, float, float],
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    seed: Seed,
    depth_um: float,
    depth_sigma_um: float,
) -> FitPhase:
    """A phase of the table of crystals, by its lines at this lithium content.

    A cold start takes b and c from a, by the lattices of the table: 020 may lie under 211 of the other.
    """
    ends = np.array([row.lengths_angstrom for row in crystal(name).lattice])
    by_a = (ends[-1] - ends[0]) / (ends[-1, 0] - ends[0, 0])
    lines = powder_lines(crystal(name), li_content, least_d_angstrom=OLIVINE_LEAST_D_ANGSTROM)
    power = lines.strength * lines.d_angstrom**2
    hkl = lines.hkl[power > OLIVINE_WEAKEST * power.max()]
    reflections = tuple("".join(str(index) for index in one) for one in hkl)
    return FitPhase(
        name=name,
        reflections=reflections,
        parameters=("a", "b", "c"),
        start=start,
        low=low,
        high=high,
        coefficients=hkl.astype(float) ** 2,
        offset=np.zeros(len(hkl)),
        strained=True,
        depth_um=depth_um,
        depth_sigma_um=depth_sigma_um,
        seeds=(seed,),
        led=tuple((other, "a", float(slope)) for other, slope in zip("bc", by_a[1:])),
        key_line="200",
        least_d_angstrom=OLIVINE_LEAST_D_ANGSTROM,
    )


def _cubic(key: str, depth_um: float, depth_sigma_um: float, standard_sigma: float | None) -> FitPhase:
    table = metal(key)
    a = table.a_angstrom
    return FitPhase(
        name=key,
        reflections=tuple(r.name for r in table.reflections),
        parameters=("a",),
        start=(a,),
        low=(0.99 * a,),
        high=(1.01 * a,),
        coefficients=np.array([[float(r.h**2 + r.k**2 + r.l**2)] for r in table.reflections]),
        offset=np.zeros(len(table.reflections)),
        fixed=True,
        depth_um=depth_um,
        depth_sigma_um=depth_sigma_um,
        standard_sigma=standard_sigma,
        expansion_per_k=table.expansion_per_k,
    )
