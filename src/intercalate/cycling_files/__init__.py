"""Files of a cycler that nobody connected: BioLogic text exports and Battery Data Format."""

from intercalate.cycling_files.biologic import read_mpt
from intercalate.cycling_files.claims import Claim, claims_of
from intercalate.cycling_files.files import read_cycling_file, read_cycling_files
from intercalate.cycling_files.model import CyclingFile, CyclingFileError, CyclingSeries, Restart, stitch

__all__ = [
    "Claim",
    "CyclingFile",
    "CyclingFileError",
    "CyclingSeries",
    "Restart",
    "claims_of",
    "read_cycling_file",
    "read_cycling_files",
    "read_mpt",
    "stitch",
]
