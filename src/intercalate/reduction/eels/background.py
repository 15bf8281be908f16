"""The background below an edge: a power law through the channels before it, and the error beyond."""

from dataclasses import dataclass

import numpy as np

from intercalate.reduction.eels.spectra import EelsError, SpectrumImage

EXPONENT_DRIFT = 0.15
"""Declared: by how much the exponent changes over a factor e of the loss, one standard error: no
background is exactly a power law."""


@dataclass(frozen=True)
class PowerLaw:
    """Background of every pixel, with errors.

    Attributes
    ----------
    background, sigma_stat, sigma_sys
        Electrons, shape (rows, columns, channels); the errors grow with the distance to the fitted channels,
        and are common to all channels of a pixel. NaN in pixels without electrons.
    exponent
        Shape (rows, columns).
    """

    background: np.ndarray
    sigma_stat: np.ndarray
    sigma_sys: np.ndarray
    exponent: np.ndarray


def power_law(image: SpectrumImage, window_ev: tuple[float, float]) -> PowerLaw:
    """Fit A (E / E0)^-r to the channels of a window, by iterated weighted least squares.

    Raises
    ------
    EelsError
        If fewer than 8 channels lie in the window, or no pixel has electrons there.
    """
    inside = (image.energy_ev >= window_ev[0]) & (image.energy_ev <= window_ev[1])
    if inside.sum() < 8:
        raise EelsError(
            f"{int(inside.sum())} channels lie between {window_ev[0]:g} and {window_ev[1]:g} eV, 8 are "
            f"needed; the spectra reach from {image.energy_ev[0]:.1f} to {image.energy_ev[-1]:.1f} eV"
        )
    shape = image.electrons.shape
    data = image.electrons[..., inside].reshape(-1, int(inside.sum()))
    level = data.mean(axis=1)
    extra = np.broadcast_to(np.asarray(image.background_variance), shape)[..., inside].reshape(data.shape)
    # A place without electrons, as beside the sample, does not stop the others.
    empty = level <= 0
    if empty.all():
        raise EelsError(
            f"{level.size} of {level.size} pixels have no electrons between "
            f"{window_ev[0]:g} and {window_ev[1]:g} eV; sum pixels, or take the window elsewhere"
        )
    level = np.where(empty, 1e-6, level)
    data = np.where(empty[:, None], 1e-6, data)
    centre = float(np.sqrt(window_ev[0] * window_ev[1]))
    log = np.log(image.energy_ev[inside] / centre)
    design = np.stack([np.ones(log.size), -log], axis=1)
    parameters = np.stack([np.log(level), np.full(level.size, 3.0)], axis=1)
    gram = np.empty((level.size, 2, 2))
    for _ in range(8):
        model = np.exp(np.clip(parameters @ design.T, -50.0, 50.0))
        weight = model**2 / (model + extra)
        gram = np.einsum("pc,ci,cj->pij", weight, design, design)
        right = np.einsum("pc,ci->pi", weight * (data - model) / model, design)
        step = np.linalg.solve(gram, right[..., None])[..., 0]
        parameters = np.clip(parameters + np.clip(step, -0.7, 0.7), [-40.0, -2.0], [60.0, 12.0])
    covariance = np.linalg.inv(gram)
    everywhere = np.log(np.maximum(image.energy_ev, 1e-3) / centre)
    full = np.stack([np.ones(everywhere.size), -everywhere], axis=1)
    background = np.exp(np.clip(parameters @ full.T, -50.0, 50.0))
    background[empty] = np.nan
    relative = np.sqrt(np.maximum(np.einsum("ci,pij,cj->pc", full, covariance, full), 0.0))
    bent = (
        0.5
        * EXPONENT_DRIFT
        * np.maximum(np.abs(everywhere) - np.abs(log).max(), 0.0)
        * (np.abs(everywhere) + np.abs(log).max())
    )
    return PowerLaw(
        background.reshape(shape),
        (background * relative).reshape(shape),
        (background * bent).reshape(shape),
        parameters[:, 1].reshape(shape[:2]),
    )
