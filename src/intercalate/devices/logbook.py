"""The shift log as a device, so that plans can write to it and runs can hold its entries."""

from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, Kind, Signal

from intercalate.shift_log import Entry, ShiftLog


class Logbook(Device):
    """Writes to the shift log; reading it gives the entry made last through it.

    Attributes
    ----------
    shift_log
        On disk.
    who, comment, entry_time
        Of the last entry.
    """

    who = Cpt(Signal, value="", kind=Kind.normal)
    comment = Cpt(Signal, value="", kind=Kind.normal)
    entry_time = Cpt(Signal, value="", kind=Kind.normal)

    def __init__(self, *, name: str, shift_log: ShiftLog, **kwargs: Any):
        super().__init__("", name=name, **kwargs)
        self.shift_log = shift_log

    def add(self, comment: str, who: str | None = None, *, source: str = "ipython") -> Entry:
        """Write an entry; see `ShiftLog.add`."""
        entry = self.shift_log.add(comment, who, source=source)
        self.who.put(entry.who)
        self.comment.put(entry.comment)
        self.entry_time.put(entry.time)
        return entry
