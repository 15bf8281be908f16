"""The runs of this beamline, as a device that a plan asks what there was."""

from pathlib import Path
from typing import Any

from ophyd import Device

from intercalate.catalog.journal import ProgramRun, latest_runs


class Archive(Device):
    """Knows the runs whose journals are here; needs no catalog.

    Parameters
    ----------
    folder
        Of the journals.
    """

    def __init__(self, *, name: str, folder: Path, **kwargs: Any):
        super().__init__("", name=name, **kwargs)
        self.folder = folder

    def latest_runs(self, uid: str | None = None) -> list[ProgramRun]:
        """The latest run of every program of an experiment; see `intercalate.catalog.journal.latest_runs`."""
        return latest_runs(self.folder, uid)
