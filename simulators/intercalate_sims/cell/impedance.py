"""Small-signal impedance of the reduced cell, linearised where it stands, without a current.

The equations are those of `IntercalationCell` in the frequency domain, and what is too fast for its steps:
the double layer beside the charge transfer, and the capacitance of the SEI beside its resistance. Diffusion
in the particles is that of a whole sphere, of which the time steps keep four modes; both agree where a step
can follow. Everything is per electrode area; the current charges the cell with 1 A/m2.
"""

from dataclasses import dataclass

import numpy as np

from intercalate.materials.constants import FARADAY_C_PER_MOL, GAS_J_MOL_K
from intercalate_sims.cell import kernel


@dataclass(frozen=True)
class Electrode:
    """One electrode as an impedance sees it; a foil has no slices.

    Attributes
    ----------
    state, parameters, sites, table
        As the kernel takes them.
    double_layer_f_m2, film_f_m2
        Capacitances of a slice, per electrode area.
    """

    state: np.ndarray
    parameters: np.ndarray
    sites: np.ndarray
    table: np.ndarray
    double_layer_f_m2: float
    film_f_m2: float

    @property
    def slices(self) -> int:
        """Number of slices, 0 of a foil."""
        return self.state.shape[0]


def impedance_ohm_m2(
    frequency_hz: np.ndarray,
    positive: Electrode,
    negative: Electrode,
    salt: np.ndarray,
    grid: np.ndarray,
    cell: np.ndarray,
    kelvin: float,
) -> np.ndarray:
    """Impedance between the collectors.

    Returns
    -------
    ndarray of complex, shape (n,)
        Imaginary part negative where capacitive.
    """
    faces = np.zeros((kernel.FACE_ROWS, salt.size + 1))
    kernel.transport(salt, grid, cell, kelvin, faces)
    concentration = np.clip(salt, kernel.DEPLETED, kernel.SATURATED)
    ladder = _Ladder(positive, negative, concentration, grid, cell, kelvin, faces)
    omega = 2 * np.pi * np.asarray(frequency_hz, dtype=float)
    slices = [_slices(one, omega, ladder.salt_of(one), kelvin) for one in (positive, negative)]
    return np.array([ladder.solve(w, slices[0][:, k], slices[1][:, k]) for k, w in enumerate(omega)])


def _slices(electrode: Electrode, omega: np.ndarray, salt: np.ndarray, kelvin: float) -> np.ndarray:
    """Impedance of the surface of each slice, shape (slices, n); of a foil, one row."""
    p = electrode.parameters
    thermal_v = GAS_J_MOL_K * kelvin / FARADAY_C_PER_MOL
    warm = kernel.arrhenius(p[kernel.E_REACTION], kelvin)
    if not electrode.slices:
        transfer = thermal_v / (p[kernel.FOIL] * warm * np.sqrt(salt[0]))
        return 1 / (1 / transfer + 1j * omega[None, :] * electrode.double_layer_f_m2)
    surface = electrode.state[:, kernel.X] + electrode.state[:, kernel.MODE :].sum(axis=1)
    inside = np.clip(surface, 1e-3, 1 - 1e-3)
    transfer = thermal_v / (p[kernel.EXCHANGE] * warm * np.sqrt(salt * inside * (1 - inside)))
    slope = np.array([kernel.lookup(electrode.table, x)[1] for x in surface])
    rate = p[kernel.DIFFUSION] * kernel.arrhenius(p[kernel.E_DIFFUSION], kelvin)
    root = np.sqrt(1j * omega / rate)
    # Content of the surface of a sphere by the flux into it, in the frequency domain.
    tangent = np.tanh(root)
    sphere = tangent / (root - tangent) / (3 * rate)
    faradaic = transfer[:, None] - np.outer(slope / electrode.sites, sphere)
    surface_impedance = 1 / (1 / faradaic + 1j * omega * electrode.double_layer_f_m2)
    film = np.zeros(electrode.slices)
    if p[kernel.SEI_FULL] > 0:
        film = p[kernel.FILM] * electrode.state[:, kernel.SEI] / p[kernel.SEI_FULL]
    return surface_impedance + film[:, None] / (1 + 1j * np.outer(film, omega) * electrode.film_f_m2)


class _Ladder:
    """The linear equations of slice currents and salt for one frequency after the other."""

    def __init__(
        self,
        positive: Electrode,
        negative: Electrode,
        concentration: np.ndarray,
        grid: np.ndarray,
        cell: np.ndarray,
        kelvin: float,
        faces: np.ndarray,
    ):
        self._n_pos, self._n_neg, self._cells = positive.slices, negative.slices, concentration.size
        self._first_pos = self._cells - self._n_pos
        self._positive, self._salt = positive, concentration
        self._chi = 2 * GAS_J_MOL_K * kelvin / FARADAY_C_PER_MOL * (1 - cell[kernel.T_PLUS]) / concentration
        self._volume = grid[kernel.VOLUME]
        self._contact = float(cell[kernel.CONTACT])
        self._ohmic = faces[kernel.OHMIC]
        self._solids = [
            one.parameters[kernel.SLICE] / one.parameters[kernel.SIGMA] if one.slices else 0.0
            for one in (positive, negative)
        ]
        unknowns = self._n_pos + self._n_neg + self._cells
        self._fixed = np.zeros((unknowns, unknowns), complex)
        self._right = np.zeros(unknowns)
        self._place_diffusion(faces[kernel.DIFFUSIVE], cell)
        self._places = [
            (0, [self._first_pos + k for k in range(self._n_pos)], 1.0),
            (self._n_pos, [self._n_neg - 1 - k for k in range(self._n_neg)], -1.0),
        ]
        for (start, cells, current), solid in zip(self._places, self._solids):
            self._place_electrode(start, cells, current, solid)

    def salt_of(self, electrode: Electrode) -> np.ndarray:
        """Salt in each slice from the separator, or at the foil."""
        if electrode is self._positive:
            return self._salt[self._first_pos :]
        return self._salt[: self._n_neg][::-1] if self._n_neg else self._salt[:1]

    def _place_diffusion(self, conductance: np.ndarray, cell: np.ndarray) -> None:
        """Balance of the salt: storage is added for each frequency."""
        offset = self._n_pos + self._n_neg
        per_charge = (1 - cell[kernel.T_PLUS]) / (FARADAY_C_PER_MOL * 1000.0)
        for i in range(self._cells):
            row = offset + i
            for neighbour, link in ((i - 1, conductance[i]), (i + 1, conductance[i + 1])):
                if 0 <= neighbour < self._cells:
                    self._fixed[row, row] += link
                    self._fixed[row, offset + neighbour] -= link
        for k in range(self._n_pos):
            self._fixed[offset + self._first_pos + k, k] -= per_charge
        for k in range(self._n_neg):
            self._fixed[offset + self._n_neg - 1 - k, self._n_pos + k] -= per_charge
        if not self._n_neg:
            self._right[offset] = -per_charge

    def _place_electrode(self, start: int, cells: list[int], current: float, solid: float) -> None:
        """Kirchhoff's laws between slices; the impedances of the slices are added for each frequency."""
        offset = self._n_pos + self._n_neg
        if not cells:
            return
        self._fixed[start, start : start + len(cells)] = 1.0
        self._right[start] = current
        for k in range(1, len(cells)):
            row = start + k
            # The face between two cells of the electrolyte has the number of the right one.
            ionic = self._ohmic[max(cells[k], cells[k - 1])]
            self._fixed[row, start + k : start + len(cells)] += solid + ionic
            self._fixed[row, offset + cells[k]] += self._chi[cells[k]]
            self._fixed[row, offset + cells[k - 1]] -= self._chi[cells[k - 1]]
            self._right[row] = solid * current

    def solve(self, omega: float, positive: np.ndarray, negative: np.ndarray) -> complex:
        """Voltage of the cell under a current of 1 A/m2."""
        matrix, offset = self._fixed.copy(), self._n_pos + self._n_neg
        for (start, cells, _), slices in zip(self._places, (positive, negative)):
            for k in range(1, len(cells)):
                matrix[start + k, start + k] += slices[k]
                matrix[start + k, start + k - 1] -= slices[k - 1]
        salt_rows = np.arange(offset, offset + self._cells)
        matrix[salt_rows, salt_rows] += 1j * omega * self._volume
        found = np.linalg.solve(matrix, self._right)
        potentials = []
        for (start, cells, current), slices, solid in zip(self._places, (positive, negative), self._solids):
            currents = found[start : start + len(cells)]
            if not cells:
                potentials.append(current * slices[0])
                continue
            ionic = np.cumsum(currents[::-1])[::-1]
            through = solid * (np.sum(current - ionic[1:]) + 0.5 * current)
            potentials.append(slices[0] * currents[0] + through)
        shift = self._chi * found[offset:]
        last_neg = max(self._n_neg - 1, 0)
        between = float(np.sum(self._ohmic[self._n_neg : self._first_pos + 1]))
        jump = shift[self._first_pos] - shift[last_neg]
        return complex(potentials[0] - potentials[1] + between + jump + self._contact)
