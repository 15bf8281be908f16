"""Whether places that a beam has exposed differ from others that it has not: by exchange of their labels.

No model of the noise is needed, and places that differ by themselves are part of what is compared: only a
difference that few exchanges of labels would give counts.
"""

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

ODDS = 0.05
"""By which a difference is found; of 4 and 4 places, or 3 and 5, a complete one is that rare."""

MOST_EXCHANGES = 20_000
_BINS = 48


class ControlError(ValueError):
    """Exposed places cannot be compared with others; the message says why."""


@dataclass(frozen=True)
class ControlFinding:
    """What came of a comparison.

    Attributes
    ----------
    probability
        Share of the exchanges of labels that give as large a difference, itself included: how often chance
        would.
    difference
        Root mean square difference of the mean curves, relative to their mean.
    scatter
        Likewise, of single places of one kind from the mean of their kind.
    """

    probability: float
    difference: float
    scatter: float

    @property
    def differs(self) -> bool:
        """Whether the beam has changed something."""
        return self.probability <= ODDS

    def in_words(self) -> str:
        """One sentence."""
        verdict = "differ" if self.differs else "do not differ"
        return (
            f"exposed places {verdict} from others: {100 * self.difference:.2g} % in the mean, "
            f"{100 * self.scatter:.2g} % from place to place; chance gives as much in "
            f"{100 * self.probability:.2g} % of cases"
        )


def spectrum_curve(frame: np.ndarray) -> np.ndarray:
    """What is compared of a frame whose rows are spectra: their sum, in few bins.

    Returns
    -------
    numpy.ndarray
        Shape (n,), sum 1: total intensity, which the source's own course changes, does not count.

    Raises
    ------
    ControlError
        If the frame holds nothing.
    """
    row = np.trim_zeros(_checked(frame).sum(axis=0), "b")
    edges = np.linspace(0, row.size, min(_BINS, row.size) + 1).astype(int)
    binned = np.add.reduceat(row, edges[:-1])
    return binned / binned.sum()


def grey_curve(frame: np.ndarray) -> np.ndarray:
    """What is compared of an image: how its grey is distributed; raises as `spectrum_curve`.

    Returns
    -------
    numpy.ndarray
        Quantiles, shape (n,), sum 1.
    """
    quantiles = np.quantile(_checked(frame), np.linspace(0.01, 0.99, _BINS))
    return quantiles / quantiles.sum()


def _checked(frame: np.ndarray) -> np.ndarray:
    values = np.asarray(frame, float)
    if values.ndim != 2 or values.size == 0 or not np.isfinite(values).all() or not values.sum() > 0:
        raise ControlError(f"a frame of shape {values.shape} holds nothing that could be compared")
    return values


def check_places(exposed: int, control: int) -> None:
    """Refuse fewer places than can show a difference at all.

    Raises
    ------
    ControlError
        If even a complete difference would not be rare.
    """
    if (
        min(exposed, control) < 1
        or (2 if exposed == control else 1) / comb(exposed + control, exposed) > ODDS
    ):
        raise ControlError(
            f"{exposed} exposed places and {control} others are too few to show anything; take 4 of each"
        )


def compare(exposed: np.ndarray, control: np.ndarray) -> ControlFinding:
    """Compare curves of exposed places with those of others.

    Parameters
    ----------
    exposed, control
        Shape (places, n) each.

    Raises
    ------
    ControlError
        If the curves differ in length, or there are too few.
    """
    exposed, control = np.asarray(exposed, float), np.asarray(control, float)
    if exposed.ndim != 2 or control.ndim != 2 or exposed.shape[1:] != control.shape[1:]:
        raise ControlError(f"curves of the shapes {exposed.shape} and {control.shape} cannot be compared")
    check_places(len(exposed), len(control))
    every = np.concatenate([exposed, control])
    count = len(exposed)
    # Channels count by how much they scatter, whatever the labels are.
    scale = np.sqrt(every.var(axis=0) + (1e-3 * every.mean()) ** 2)
    distances = _distances(every / scale, _labels(len(every), count))
    apart = exposed.mean(axis=0) - control.mean(axis=0)
    within = np.concatenate([exposed - exposed.mean(axis=0), control - control.mean(axis=0)])
    mean = every.mean()
    return ControlFinding(
        float(np.mean(distances >= distances[0] * (1 - 1e-9))),
        float(np.sqrt(np.mean(apart**2)) / mean),
        float(np.sqrt(np.mean(within**2)) / mean),
    )


def _labels(places: int, count: int) -> np.ndarray:
    """Every choice of so many places, or many drawn ones, the true one first; shape (choices, places)."""
    if comb(places, count) <= MOST_EXCHANGES:
        chosen = np.array(list(combinations(range(places), count)))
    else:
        generator = np.random.default_rng(0)
        drawn = [generator.permutation(places)[:count] for _ in range(MOST_EXCHANGES - 1)]
        chosen = np.array([np.arange(count), *drawn])
    labels = np.zeros((len(chosen), places), bool)
    np.put_along_axis(labels, chosen, True, axis=1)
    return labels


def _distances(scaled: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Squared distance of the means of both kinds, for each choice of labels."""
    count = int(labels[0].sum())
    chosen = labels.astype(float)
    apart = chosen @ scaled / count - (1.0 - chosen) @ scaled / (len(scaled) - count)
    return np.sum(apart**2, axis=1)
