"""Where a fit of layers starts: shifts on a grid."""

import numpy as np

from intercalate.reduction.xps.model import ActiveFit

_STEP_EV = 0.4


def searched(fit: ActiveFit, parameters: np.ndarray, reach_ev: float) -> np.ndarray:
    """Shifts of the layers from which to start: the best of a grid, one layer after the other, twice."""
    found = parameters.copy()
    for _ in range(2 if len(fit.model.layers) > 1 else 1):
        for layer in range(len(fit.model.layers)):
            grid, tried = scan(fit, found, layer, reach_ev)
            found[layer] = grid[int(np.argmin(tried))]
    return found


def scan(
    fit: ActiveFit, parameters: np.ndarray, layer: int, reach_ev: float
) -> tuple[np.ndarray, np.ndarray]:
    """Shifts of one layer, and chi squared at each."""
    grid = np.arange(-reach_ev, reach_ev + 1e-9, _STEP_EV)
    return grid, fit.chi2_of_shifts(parameters, layer, grid)
