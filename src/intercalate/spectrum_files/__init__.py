"""Files of spectra: VAMAS (ISO 14976), the exchange format of surface analysis."""

from intercalate.spectrum_files.model import (
    MISSING,
    Abscissa,
    CorrespondingVariable,
    NumericalParameter,
    SputteringIon,
    SputteringSource,
    VamasBlock,
    VamasError,
    VamasFile,
)
from intercalate.spectrum_files.vamas import parse_vamas, read_vamas, vamas_text, write_vamas

__all__ = [
    "MISSING",
    "Abscissa",
    "CorrespondingVariable",
    "NumericalParameter",
    "SputteringIon",
    "SputteringSource",
    "VamasBlock",
    "VamasError",
    "VamasFile",
    "parse_vamas",
    "read_vamas",
    "vamas_text",
    "write_vamas",
]
