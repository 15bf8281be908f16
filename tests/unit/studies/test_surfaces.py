"""Layers, elements and chemical states decide, each by its own error."""

import numpy as np
import pytest
import xarray as xr

from intercalate_plans.studies import MeasuredCell, load_study

from .made_up import Noise, records

S33 = load_study("S33")
CARBON = "film: adventitious carbon C 1s C-C"
CHARGE_EV = -0.7
HOSTS = {
    "graphite": ("C 1s",),
    "Li": ("Li 1s",),
    "LTO": ("Ti 2p",),
    "LFP": ("P 2p", "Fe 2p"),
    "LCO": ("Co 2p",),
    "NMC111": ("Mn 2p", "Co 2p", "Ni 2p"),
}
LAYERS = ("Li2O O 1s", "Li2CO3 C 1s", "Li3N N 1s")


def face(
    host: str, *, layers: float = 5.0, off_ev: float = 0.0, converged: bool = True, carbon: bool = True
) -> xr.Dataset:
    """One acquisition of a face whose lines lie where they are published, all shifted by electrons from the
    flood gun but on graphite.
    """
    flood_gun = "off" if host == "graphite" else "on"
    published = S33.about.published.numbers
    names, percent, binding = [CARBON], [10.0], [284.8]
    for level in HOSTS[host]:
        names.append(f"substrate: {host} {level}")
        percent.append(20.0)
        number = published.get(f"{host} {level}")
        binding.append(54.8 if number is None else number.value + off_ev)
    if host == "Li":
        names += [f"film: {one}" for one in LAYERS]
        percent += [layers] * 3
        binding += [528.5, 289.9, 395.3]
    dims = ("acquisition", "component")
    columns = {"component": ("component", np.array(names)), "converged": ("acquisition", [converged])}
    for name, values, sigma in (("percent", percent, 0.8), ("binding_ev", binding, 0.05)):
        row = np.array([values]) + (CHARGE_EV if name == "binding_ev" and flood_gun == "on" else 0.0)
        columns[f"component_{name}"] = (dims, row)
        for error in ("stat", "sys"):
            columns[f"component_{name}_sigma_{error}"] = (dims, np.full(row.shape, sigma))
    present = np.array([[carbon or name != CARBON for name in names]])
    columns["component_present"] = (dims, present)
    columns["analyser_flood_gun"] = ("frame", [flood_gun])
    for element in {level.split(" ")[0] for level in HOSTS[host]} | {"C", "O"}:
        for end, value in (("", 20.0), ("_sigma_stat", 1.0), ("_sigma_sys", 1.5)):
            columns[f"atomic_percent.{element}{end}"] = ("acquisition", [value])
    return xr.Dataset(columns)


def analysed(**others: xr.Dataset):
    course = records(staged=True, noise=Noise())
    faces = {host: face(host) for host in HOSTS} | others
    return S33.analyse({host: MeasuredCell(course, {"face": one}) for host, one in faces.items()})


def test_layers_and_states_are_found_whatever_the_charge() -> None:
    finding = analysed()
    assert finding.recovered, [str(one) for one in finding.claims]
    assert finding.quantity("ev_LTO_Ti 2p").value == pytest.approx(458.6)
    assert finding.quantity("layer_Li3N").value == 5.0
    assert finding.quantity("NMC111_Mn").unit == "at.%"


def test_lithium_without_its_layers_is_not_what_was_published() -> None:
    finding = analysed(Li=face("Li", layers=0.0))
    assert not finding.recovered
    assert "none of the layers" in finding.text


def test_another_chemical_state_is_not_what_was_published() -> None:
    finding = analysed(LTO=face("LTO", off_ev=-1.8))
    assert [one.text for one in finding.claims if not one.holds] == ["Ti 2p of LTO is in its chemical state"]


def test_without_carbon_nothing_is_known_of_a_state_on_an_insulator() -> None:
    finding = analysed(LTO=face("LTO", carbon=False), graphite=face("graphite", carbon=False))
    assert [one.text for one in finding.claims if not one.holds] == ["Ti 2p of LTO is in its chemical state"]
    assert np.isnan(finding.quantity("ev_LTO_Ti 2p").value)


def test_a_surface_whose_fit_failed_leaves_it_undetermined() -> None:
    finding = analysed(LCO=face("LCO", converged=False))
    assert not finding.recovered
    assert finding.text == "Nothing is known of the surface of LCO."
