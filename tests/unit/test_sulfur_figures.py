"""Figures and reductions of cells of sulfur show what was found, and say what they cannot read."""

import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt

from intercalate.cell import Cell
from intercalate.config import EXAMPLES
from intercalate.materials.raman_sulfur import SPECIES
from intercalate.raman_results import electrolyte_of
from intercalate.views.operando import operando_figure
from intercalate.views.raman import raman_figure

FRAMES = 6


def records() -> xr.Dataset:
    columns = {"test_time_second": 600.0, "voltage_volt": 2.1, "current_ampere": -4e-4}
    return xr.Dataset({name: ("record", np.linspace(0.5, 1.0, 20) * one) for name, one in columns.items()})


def reduced(names: list[str], axis: str) -> xr.Dataset:
    draw = np.random.default_rng(1)
    columns = {}
    for name in names:
        for end in ("", "_sigma_stat", "_sigma_sys"):
            columns[f"{name}{end}"] = ("frame", draw.uniform(0.1, 1.0, FRAMES))
    x = np.linspace(130.0, 900.0, 80) if axis == "shift" else np.linspace(4.0, 26.0, 80)
    columns["intensity"] = (("frame", axis), draw.uniform(10.0, 20.0, (FRAMES, x.size)))
    return xr.Dataset(columns, {"test_time_second": ("frame", 60.0 * np.arange(FRAMES)), axis: x})


def test_species_on_cathode_and_in_electrolyte_are_shown():
    names = [f"{where}.{one}" for where in ("cathode", "electrolyte") for one in SPECIES]
    figure = raman_figure(reduced(names, "shift"), records(), "title")
    labels = {text.get_text() for axis in figure.axes if axis.legend_ for text in axis.legend_.texts}
    assert labels == set(SPECIES)
    plt.close(figure)


def test_amounts_of_both_crystals_are_shown():
    figure = operando_figure(reduced(["amount.S8", "amount.Li2S"], "two_theta"), records(), "title")
    labels = {text.get_text() for axis in figure.axes if axis.legend_ for text in axis.legend_.texts}
    assert labels == {"S8", "Li2S"}
    plt.close(figure)


def test_an_electrolyte_without_bands_is_refused_with_those_that_have_some():
    cell = Cell.from_file(EXAMPLES / "cells" / "sulfur_ether_lithium_optical.toml")
    assert electrolyte_of(cell).anion == "TFSI-"
    assert cell.electrolyte is not None
    other = cell.model_copy(
        update={"electrolyte": cell.electrolyte.model_copy(update={"name": "LiPF6 in EC"})}
    )
    with pytest.raises(
        ValueError, match=r"electrolyte.name .* is 'LiPF6 in EC'; known are LiTFSI in DOL:DME"
    ):
        electrolyte_of(other)
