"""What a crystal scatters: form factors, structure factors, and the power in one powder cone.

Nothing here is shared with `intercalate.reduction`; the tables of reflections and spacings are.
"""

import numpy as np

from intercalate.materials import LayeredOxide

CLASSICAL_ELECTRON_RADIUS_ANGSTROM = 2.8179403e-5

_FORM_FACTORS: dict[str, tuple[tuple[float, ...], tuple[float, ...], float]] = {
    "Li": ((1.1282, 0.7508, 0.6175, 0.4653), (3.9546, 1.0524, 85.3905, 168.261), 0.0377),
    "C": ((2.31, 1.02, 1.5886, 0.865), (20.8439, 10.2075, 0.5687, 51.6512), 0.2156),
    "O": ((3.0485, 2.2868, 1.5463, 0.867), (13.2771, 5.7011, 0.3239, 32.9089), 0.2508),
    "B": ((2.0545, 1.3326, 1.0979, 0.7068), (23.2185, 1.021, 60.3498, 0.1403), -0.1932),
    "Al": ((6.4202, 1.9002, 1.5936, 1.9646), (3.0387, 0.7426, 31.5472, 85.0886), 1.1151),
    "Si": ((6.2915, 3.0353, 1.9891, 1.541), (2.4386, 32.3337, 0.6785, 81.6937), 1.1407),
    "Mn": ((11.2819, 7.3573, 3.0193, 2.2441), (5.3409, 0.3432, 17.8674, 83.7543), 1.0896),
    "Co": ((12.2841, 7.3409, 4.0034, 2.3488), (4.2791, 0.2784, 13.5359, 71.1692), 1.0118),
    "Ni": ((12.8376, 7.292, 4.4438, 2.38), (3.8785, 0.2565, 12.1763, 66.3421), 1.0341),
    "Cu": ((13.338, 7.1676, 5.6158, 1.6735), (3.5828, 0.247, 11.3966, 64.8126), 1.191),
    "La": ((20.578, 19.599, 11.3727, 3.28719), (2.94817, 0.244475, 18.7726, 133.124), 2.14678),
}
"""Four Gaussians and a constant, neutral atoms: International Tables C, table 6.1.1.4."""

DEBYE_WALLER_B_ANGSTROM2 = {
    "oxide": 0.6,
    "graphite": 0.8,
    "Al": 0.86,
    "Cu": 0.57,
    "Au": 0.63,
    "Li": 4.5,
    "S8": 3.5,
    "Li2S": 1.5,
}
"""Isotropic, near room temperature; orders of magnitude from textbooks."""

_OCCUPIED_GALLERY_ANGSTROM = 3.70
"""Spacing of two carbon layers with a full lithium layer between them, as in LiC6."""


def form_factor(element: str, inverse_d: np.ndarray) -> np.ndarray:
    """Atomic form factor, electrons, at reciprocal spacing 1/d in 1/A."""
    a, b, c = _FORM_FACTORS[element]
    s2 = (np.asarray(inverse_d) / 2) ** 2
    return np.asarray(c + sum(a_i * np.exp(-b_i * s2) for a_i, b_i in zip(a, b)))


def inverse_d_hexagonal(
    h: np.ndarray | int,
    k: np.ndarray | int,
    l: np.ndarray | float,  # noqa: E741
    a_angstrom: np.ndarray,
    c_angstrom: np.ndarray,
) -> np.ndarray:
    """1/d of hexagonal planes; for layered carbons `c_angstrom` is the layer spacing."""
    return np.sqrt(4 / 3 * (h * h + h * k + k * k) / a_angstrom**2 + (l / c_angstrom) ** 2)


def oxide_structure_factor_squared(
    oxide: LayeredOxide, index_l: np.ndarray, li_content: np.ndarray, inverse_d: np.ndarray
) -> np.ndarray:
    """|F|^2 per hexagonal cell (three formula units) of reflections allowed by the R centring."""
    z = oxide.oxygen_z[0] + oxide.oxygen_z[1] * (1 - li_content)
    amplitude = (
        sum(share * form_factor(metal, inverse_d) for metal, share in oxide.metals)
        + li_content * form_factor("Li", inverse_d) * np.cos(np.pi * index_l)
        + 2 * form_factor("O", inverse_d) * np.cos(2 * np.pi * index_l * z)
    )
    debye_waller = np.exp(-DEBYE_WALLER_B_ANGSTROM2["oxide"] * inverse_d**2 / 2)
    return 9 * amplitude**2 * debye_waller


def graphite_structure_factor_squared(
    stage: str, h: int, k: int, layer_l: float, li_content: np.ndarray, d: np.ndarray, inverse_d: np.ndarray
) -> np.ndarray:
    """Mean |F|^2 per carbon layer and in-plane cell of two atoms.

    Layers of carbon at their spacing; lithium over the centre of a hexagon, one site in three.
    In the dilute stages layers alternate A and B and lithium is spread evenly over the galleries;
    stage 2 has one full gallery of 3.70 A in two; stage 1 is full.
    """
    carbon = form_factor("C", inverse_d)
    lithium = form_factor("Li", inverse_d) / 3
    honeycomb = 2 * np.cos(2 * np.pi * (h - k) / 3) * carbon
    if stage == "1":
        squared = (honeycomb + lithium * np.cos(np.pi * layer_l)) ** 2
    elif stage == "2":
        offset = np.cos(np.pi * layer_l * _OCCUPIED_GALLERY_ANGSTROM / d)
        squared = (honeycomb * offset + lithium / 2) ** 2
    else:
        stacking_phase = 2 * np.pi * (h + 2 * k) / 3 + 2 * np.pi * layer_l
        stacking = (1 + np.cos(stacking_phase)) / 2
        lithium_part = li_content * lithium * np.cos(np.pi * layer_l) if (h, k) == (0, 0) else 0.0
        squared = stacking * (honeycomb + lithium_part) ** 2
    return squared * np.exp(-DEBYE_WALLER_B_ANGSTROM2["graphite"] * inverse_d**2 / 2)


def metal_structure_factor_squared(element: str, centring: str, inverse_d: np.ndarray) -> np.ndarray:
    """|F|^2 per cubic cell of an element, for reflections the centring allows."""
    atoms = {"F": 4, "I": 2}[centring]
    debye_waller = np.exp(-DEBYE_WALLER_B_ANGSTROM2[element] * inverse_d**2 / 2)
    return (atoms * form_factor(element, inverse_d)) ** 2 * debye_waller


def cone_fraction(
    structure_factor_squared: np.ndarray,
    multiplicity: np.ndarray | float,
    cell_volume_angstrom3: np.ndarray | float,
    cells_per_angstrom2: np.ndarray | float,
    inverse_d: np.ndarray,
    wavelength_angstrom: float,
) -> np.ndarray:
    """Fraction of the incident photons that a powder scatters into one cone, without polarisation.

    r_e^2 lambda^3 N m |F|^2 / (4 v sin theta) with N cells of volume v per area:
    Warren, X-ray Diffraction (1969), ch. 4.
    """
    sin_theta = wavelength_angstrom * inverse_d / 2
    prefactor = CLASSICAL_ELECTRON_RADIUS_ANGSTROM**2 * wavelength_angstrom**3 / 4
    scattered = prefactor * cells_per_angstrom2 * multiplicity * structure_factor_squared
    return np.asarray(scattered / (cell_volume_angstrom3 * sin_theta))


def march_dollase(inverse_d: np.ndarray, basal_part: np.ndarray, coefficient: float) -> np.ndarray:
    """Texture factor of platelets lying flat, beam along the foil normal.

    `basal_part` is l/c in 1/A, so that l/c over 1/d is the cosine between plane normal and c axis;
    a coefficient above 1 weakens 00l. After Dollase, J. Appl. Cryst. 19 (1986) 267.
    """
    cos2 = (basal_part / inverse_d) ** 2
    return (coefficient**2 * cos2 + (1 - cos2) / coefficient) ** -1.5
