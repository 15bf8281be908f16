"""States of cells for the tests of probes."""

import numpy as np

from intercalate_sims.cell.interface import ElectrodeState, ProbeState


def electrode(material: str, x: float, spread: float = 0.01, slices: int = 5) -> ElectrodeState:
    layers = {
        "NMC811": (18.0, 65.0),
        "Li-rich NMC": (10.4, 45.0),
        "graphite": (11.0, 75.0),
        "LFP": (7.3, 45.0),
    }
    loading, thickness = layers[material]
    return ElectrodeState(material, (x,) * slices, (spread,) * slices, thickness, loading)


LITHIUM = ElectrodeState("Li", (), (), 100.0, 5.0)


def full_cell_state(
    x_positive: float, x_negative: float, spread: float = 0.01, **others: float
) -> ProbeState:
    settings = {"time_s": 0.0, "temperature_c": 25.0, "plated_li_ah": 0.0, "sei_charge_ah": 0.0} | others
    return ProbeState(
        positive=electrode("NMC811", x_positive, spread),
        negative=electrode("graphite", x_negative, spread),
        **settings,
    )


def half_cell_state(material: str, x: float) -> ProbeState:
    return ProbeState(0.0, 25.0, electrode(material, x), LITHIUM, 0.0, 0.0)


def angle_deg(d_angstrom: float, wavelength_angstrom: float) -> float:
    return float(np.degrees(2 * np.arcsin(wavelength_angstrom / 2 / d_angstrom)))
