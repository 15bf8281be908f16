"""When an acquisition started: local time in one of several orders, without a zone."""

import re
from datetime import UTC, datetime, tzinfo

from intercalate.cycling_files.model import CyclingFileError

_DATE = re.compile(
    r"(\d{1,4})([/.-])(\d{1,2})\2(\d{1,4})[ T]+(\d{1,2}):(\d{2}):(\d{2})(?:[.,](\d{1,6}))?\s*([AaPp][Mm])?"
)

FIRST_YEAR, LAST_YEAR = 1990, 2100
"""Of a file that this software wrote."""


def parse_started(
    source: str, line: int, text: str, *, day_first: bool | None = None
) -> tuple[datetime, str]:
    """Local time from the header of a file.

    Parameters
    ----------
    source, line
        For the message.
    text
        `07/26/2022 22:38:30.190`, `26.07.2022 22:38:30`, `2022-07-26 22:38:30`, with AM or PM where so.
    day_first
        Order of day and month where both are possible; None for that of the instrument's own software:
        month first, but day first between points.

    Returns
    -------
    datetime
        Without a zone.
    str
        What was assumed; empty if nothing.

    Raises
    ------
    CyclingFileError
        If it is no date and time.
    """

    def refused(limit: str, fix: str) -> CyclingFileError:
        return CyclingFileError(source, f"line {line}", text, limit, fix)

    match = _DATE.fullmatch(text.strip())
    if match is None:
        raise refused("is no date and time", "correct it, such as 07/26/2022 22:38:30.190")
    first, mark, second, third, hour, minute, seconds, fraction, half = match.groups()
    note = ""
    if len(first) == 4 and len(third) <= 2:
        year, month, day = int(first), int(second), int(third)
    elif len(third) == 4 and len(first) <= 2:
        year, one, other = int(third), int(first), int(second)
        by_day, note = _order(one, other, mark, day_first)
        day, month = (one, other) if by_day else (other, one)
    else:
        raise refused("has no year of four digits", "write the year in full")
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise refused(f"the year must be {FIRST_YEAR} to {LAST_YEAR}", "correct it")
    hours = int(hour)
    if half is not None:
        if not 1 <= hours <= 12:
            raise refused("has no hour from 1 to 12 before AM or PM", "correct it")
        hours = hours % 12 + (12 if half.lower() == "pm" else 0)
    microsecond = int((fraction or "0").ljust(6, "0"))
    try:
        return datetime(year, month, day, hours, int(minute), int(seconds), microsecond), note
    except ValueError as error:
        fix = "correct it, or say which of both numbers is the day (day first or month first)"
        raise refused(f"is no date and time: {error}", fix) from None


def _order(one: int, other: int, mark: str, day_first: bool | None) -> tuple[bool, str]:
    """Whether the first number is the day, and what was assumed."""
    if day_first is not None:
        return day_first, ""
    if one > 12 or other > 12 or one == other:
        return one > 12, ""
    by_day = mark == "."
    said = "day" if by_day else "month"
    return by_day, f"of {one}{mark}{other} the first number is taken as the {said}"


def unix_time(source: str, line: int, local: datetime, zone: tzinfo | None) -> tuple[float, str]:
    """Unix time of a local time in a zone; None is the zone of this machine.

    Returns
    -------
    float
        Unix time in s.
    str
        What was assumed; empty if nothing.

    Raises
    ------
    CyclingFileError
        If the clocks of that zone skipped this time.
    """
    aware = local.astimezone() if zone is None else local.replace(tzinfo=zone)
    back = aware.astimezone(UTC).astimezone(aware.tzinfo).replace(tzinfo=None)
    if back != local:
        limit = f"the clocks of {aware.tzinfo} skipped this time when summer began"
        raise CyclingFileError(source, f"line {line}", str(local), limit, "name the zone of the cycler's PC")
    note = ""
    if zone is None:
        note = f"local time is taken as that of this machine ({aware.tzname()}); say --timezone to be sure"
    elif local.replace(tzinfo=zone, fold=1).utcoffset() != aware.utcoffset():
        note = "this local time came twice, as summer ended; the first is taken"
    return aware.timestamp(), note
