"""Reference tables with their sources, shared by simulators and reduction; no models."""

from typing import TypeVar

from intercalate.materials.model import (
    CubicMetal,
    ElectrodeMaterial,
    Graphite,
    GraphiteStage,
    LatticePoint,
    LayeredOxide,
    Mark,
    Polymer,
    Reflection,
    Source,
    SpacingLine,
)
from intercalate.materials.tables import ELECTRODES, GRAPHITE, METALS, NMC811, POLYMERS

Phase = LayeredOxide | Graphite | CubicMetal | Polymer
Kind = TypeVar("Kind", CubicMetal, Polymer)

PHASES: dict[str, Phase] = {entry.key: entry for entry in (NMC811, GRAPHITE, *METALS, *POLYMERS)}
"""Diffracting phases by key: `NMC811`, `graphite`, `Li`, `Al`, `Cu`, `PE`, `Kapton`."""

_ELECTRODES = {entry.key: entry for entry in ELECTRODES}

__all__ = [
    "GRAPHITE",
    "NMC811",
    "PHASES",
    "CubicMetal",
    "ElectrodeMaterial",
    "Graphite",
    "GraphiteStage",
    "LatticePoint",
    "LayeredOxide",
    "Mark",
    "Phase",
    "Polymer",
    "Reflection",
    "Source",
    "SpacingLine",
    "electrode",
    "metal",
    "polymer",
]


def electrode(key: str) -> ElectrodeMaterial:
    """Active material of this key.

    Raises
    ------
    KeyError
        If the table has no such material; the message lists those it has.
    """
    if key not in _ELECTRODES:
        raise KeyError(f"no electrode material {key!r}; known materials: {', '.join(_ELECTRODES)}")
    return _ELECTRODES[key]


def metal(key: str) -> CubicMetal:
    """Cubic metal of this key.

    Raises
    ------
    KeyError
        If the table has no such metal.
    """
    return _of_kind(key, CubicMetal)


def polymer(key: str) -> Polymer:
    """Polymer of this key.

    Raises
    ------
    KeyError
        If the table has no such polymer.
    """
    return _of_kind(key, Polymer)


def _of_kind(key: str, kind: type[Kind]) -> Kind:
    entry = PHASES.get(key)
    if not isinstance(entry, kind):
        known = ", ".join(name for name, phase in PHASES.items() if isinstance(phase, kind))
        raise KeyError(f"no {kind.__name__} {key!r} in the tables; known keys: {known}")
    return entry
