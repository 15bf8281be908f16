"""Where a program stood that was interrupted, in spite of what the server that ran it did not live to say."""

from typing import Any

from intercalate.contract import RECORD_COLUMNS
from intercalate.cycler_server.ledger import ProgramEntry
from intercalate.cycler_server.records import RecordFile
from intercalate.protocol import Beginning

_COLUMNS = {
    "charging_ah": "charging_capacity_ah",
    "discharging_ah": "discharging_capacity_ah",
    "charging_wh": "charging_energy_wh",
    "discharging_wh": "discharging_energy_wh",
}


def left_by_record(entry: ProgramEntry, records: RecordFile) -> dict[str, Any] | None:
    """Where a program stood at its last record, after the death of the server.

    Time that its segment was held counts as passed. None where it stood nowhere.
    """
    if entry.left is None or len(records) <= entry.first_record:
        return entry.left
    row = dict(zip(RECORD_COLUMNS, records.read(len(records) - 1, 1)[0].tolist(), strict=True))
    if row["step_count"] != entry.left["step_count"]:
        # It died before the first record of its segment: nothing of that had passed.
        return entry.left
    passed_s = max(entry.left["passed_s"], row["unix_time_second"] - entry.entered_unix_s)
    return {**entry.left, "passed_s": passed_s} | {name: row[one] for name, one in _COLUMNS.items()}


def settled_left(entry: ProgramEntry, counter_ah: float) -> dict[str, Any] | None:
    """Where a program stood, with all charge that the channel's counter has when the current has ceased.

    What it has more than the records took its time too, at the mean current of the segment.
    """
    if entry.left is None:
        return None
    left = Beginning.model_validate(entry.left)
    missing_ah = entry.before_ah + counter_ah - entry.counter_from_ah - left.net_ah
    passed_ah = counter_ah - entry.entered_ah
    recorded_ah = passed_ah - missing_ah
    since_s = left.passed_s * missing_ah / recorded_ah if missing_ah * recorded_ah > 0 else 0.0
    way = "charging_ah" if missing_ah > 0 else "discharging_ah"
    found = {
        way: getattr(left, way) + abs(missing_ah),
        "passed_ah": passed_ah,
        "passed_s": left.passed_s + since_s,
    }
    return left.model_copy(update=found).model_dump(mode="json")


def why_not_the_rest(begin: Beginning, last: ProgramEntry | None) -> str | None:
    """Why nothing may begin there; None where that is what is left of the channel's last program.

    So what is left is executed once: after it, the last program is another.
    """
    if last is None or last.program_id != begin.program_id:
        known = "there was none" if last is None else f"the last was {last.program_id!r}"
        return (
            f"the program goes on with {begin.program_id!r}, but on this channel {known}; start what is left "
            "as a new protocol"
        )
    if last.left != begin.model_dump(mode="json"):
        return f"the program does not begin where {begin.program_id!r} ended; ask again where that is"
    return None
