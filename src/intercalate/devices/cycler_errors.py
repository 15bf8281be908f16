"""What goes wrong with a cycler."""

from intercalate.devices.statuses import NoAnswer


class CyclerError(RuntimeError):
    """The cycler refused a command, or a program did not end as it should."""


class CyclerSilent(CyclerError, NoAnswer):
    """The cycler server did not answer: what the cell does is unknown until it does."""
