"""Quantities from the records of a cycler and from impedance spectra, each with its uncertainty."""

from intercalate.reduction.electrochemistry.cycles import CycleSummary, cycles
from intercalate.reduction.electrochemistry.differential import Differential, Peak, dq_dv, dv_dq, peaks
from intercalate.reduction.electrochemistry.formation_lag import FormationLag, formation_lag
from intercalate.reduction.electrochemistry.gitt import GittPulse, gitt
from intercalate.reduction.electrochemistry.impedance import (
    CircuitFit,
    KramersKronig,
    circuit_impedance,
    fit_circuit,
    kramers_kronig,
)
from intercalate.reduction.electrochemistry.pitt import PittStep, pitt
from intercalate.reduction.electrochemistry.records import Accuracy, sweep
from intercalate.reduction.electrochemistry.state_of_charge import Anchor, state_of_charge

__all__ = [
    "Accuracy",
    "Anchor",
    "CircuitFit",
    "CycleSummary",
    "Differential",
    "FormationLag",
    "GittPulse",
    "KramersKronig",
    "Peak",
    "PittStep",
    "circuit_impedance",
    "cycles",
    "dq_dv",
    "dv_dq",
    "fit_circuit",
    "formation_lag",
    "gitt",
    "kramers_kronig",
    "peaks",
    "pitt",
    "state_of_charge",
    "sweep",
]
