"""Faces that a cell may show to a photoelectron spectrometer in the place of those that its model has."""

from enum import StrEnum


class Face(StrEnum):
    """What is in the beam."""

    IRREGULAR_ALLOY = "irregular LiAl"
    """An alloy of lithium and aluminium with places that lack lithium."""
    EVEN_ALLOY = "even LiAl"
    """The same without such places."""
