"""Panels of the figures of operando experiments on a cathode of sulfur."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from intercalate.materials.raman_sulfur import SPECIES
from intercalate.views.operando import BLUE, GREEN, ORANGE, VERMILION, hours_of

SHOWN_PER_CM = (140.0, 800.0)
COLOURS: Mapping[str, str] = dict(zip((*SPECIES, "Li2S"), (ORANGE, BLUE, GREEN, VERMILION, "0.35", "0.35")))


def crystals_panel(axis: Axes, data: xr.Dataset, records: xr.Dataset) -> None:
    """Amounts of the crystals of sulfur and Li2S."""
    _panel(axis, data, {"amount.S8": "S8", "amount.Li2S": "Li2S"}, "Crystals, of\nthe first S8")


def _panel(axis: Axes, data: xr.Dataset, names: Mapping[str, str], label: str) -> None:
    for name, species in names.items():
        value, sigma = np.asarray(data[name], float), np.asarray(data[f"{name}_sigma_stat"], float)
        style = {"fmt": "o", "ms": 2.2, "lw": 0.7, "color": COLOURS[species], "label": species}
        axis.errorbar(hours_of(data), value, yerr=sigma, **style)
    axis.set_ylabel(label)
    axis.legend(loc="best", fontsize=7, frameon=False, ncols=2)


def _species(axis: Axes, data: xr.Dataset, records: xr.Dataset, where: str, label: str) -> None:
    _panel(axis, data, {f"{where}.{name}": name for name in SPECIES}, label)


cathode_panel = partial(_species, where="cathode", label="Cathode\n(S per C)")
electrolyte_panel = partial(_species, where="electrolyte", label="Electrolyte\n(mol of S / L)")
