"""Finding runs among many: the server is asked, and answers with one page, however many runs there are."""

import difflib
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from intercalate.catalog.client import CatalogError
from intercalate.catalog.lost_runs import LOST_REASON
from intercalate.catalog.run_table import STATUSES
from intercalate.catalog.summaries import SUMMARY, TECHNIQUES

Moment = str | float | date | datetime
"""A date means its whole day; times without a zone are UTC, as listed; `3 d`, `12 h`: so long ago."""

Range = float | tuple[float, float]

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*(min|h|d|w)")
_UNITS_S = {"min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_FEW = 12
"""Names that an error lists."""


def find(
    catalog: Any,
    *,
    sample: str | None = None,
    technique: str | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    cycle: Range | None = None,
    voltage: Range | None = None,
    plan: str | None = None,
    status: str | None = None,
) -> Any:
    """Runs that are all of what is asked for.

    Parameters
    ----------
    catalog
        As `open_catalog` or `open_exported` give it, or what was found before.
    sample, plan
        Its name; with `*` for any characters.
    technique
        One of `TECHNIQUES`: the run has frames of it, or records of a cycler or of impedance.
    since, until
        When it was started, see `Moment`; both inclusive.
    cycle, voltage
        The records of its cycler, from the lowest to the highest, hold this cycle, or voltage in V, or some
        of this range.
    status
        One of `STATUSES`.

    Returns
    -------
    catalog
        As the one given, with these runs only: `runs` lists it, `find_run` and `.values()` give its runs.

    Raises
    ------
    CatalogError
        If a name is not known; it lists those that are. If a time or a range cannot be read.
    """
    narrowed = catalog
    if technique is not None:
        _known(technique, TECHNIQUES, "technique")
        narrowed = _searched(narrowed, _present(f"{SUMMARY}.techniques.{technique}"))
    if status is not None:
        _known(status, STATUSES, "status")
        for query in _of_status(status):
            narrowed = _searched(narrowed, query)
    for name, key, value in (("sample", "start.sample", sample), ("plan", "start.plan_name", plan)):
        if value is not None:
            _require_any(catalog, name, key, value)
            narrowed = _searched(narrowed, _named(key, value))
    for moment, operator, at_end in ((since, "ge", False), (until, "le", True)):
        if moment is not None:
            narrowed = _searched(narrowed, _compared(operator, "start.time", unix_s(moment, at_end=at_end)))
    for name, wanted, low_key, high_key in (
        ("cycle", cycle, "cycle_min", "cycle_max"),
        ("voltage", voltage, "voltage_min_V", "voltage_max_V"),
    ):
        if wanted is not None:
            low, high = _ends(name, wanted)
            narrowed = _searched(narrowed, _compared("le", f"{SUMMARY}.{low_key}", high))
            narrowed = _searched(narrowed, _compared("ge", f"{SUMMARY}.{high_key}", low))
    return narrowed


def unix_s(moment: Moment, *, at_end: bool = False, now: Callable[[], datetime] | None = None) -> float:
    """Unix time of a moment.

    Parameters
    ----------
    at_end
        Of a date, take the end of its day.

    Raises
    ------
    CatalogError
        If it is none.
    """
    if isinstance(moment, str):
        text = moment.strip()
        if ago := _AGO.fullmatch(text):
            present = datetime.now(UTC) if now is None else now()
            return present.timestamp() - float(ago[1]) * _UNITS_S[ago[2]]
        try:
            day = re.fullmatch(r"\d{4}-\d{2}-\d{2}", text)
            moment = date.fromisoformat(text) if day else datetime.fromisoformat(text)
        except ValueError:
            raise CatalogError(
                f"{text!r} is no time; write 2026-05-03, '2026-05-03 14:30' (UTC), with a zone "
                "2026-05-03T14:30+02:00, or so long ago: 30 min, 12 h, 3 d, 2 w"
            ) from None
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if isinstance(moment, date):
        begin = datetime.combine(moment, time(), UTC)
        return (begin + timedelta(days=1, microseconds=-1) if at_end else begin).timestamp()
    return float(moment)


def _ends(name: str, wanted: Range) -> tuple[float, float]:
    low, high = wanted if isinstance(wanted, Sequence) else (wanted, wanted)
    if not float(low) <= float(high):
        raise CatalogError(f"{name}: {low:g} to {high:g} is no range; give its lower end first")
    return float(low), float(high)


def _known(name: str, known: Sequence[str], what: str) -> None:
    if name not in known:
        raise CatalogError(f"no {what} is called {name!r}; there are {', '.join(known)}")


def _require_any(catalog: Any, what: str, key: str, value: str) -> None:
    """Tell a name that no run has from one whose runs are not among those asked for."""
    if len(_searched(catalog, _named(key, value)).keys().head(1)):
        return
    found = catalog.distinct(key)["metadata"].get(key, [])
    names = sorted({str(one["value"]) for one in found if one["value"]})
    close = difflib.get_close_matches(value, names, n=_FEW, cutoff=0.5)
    shown = close or names[:_FEW]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    raise CatalogError(f"no run has the {what} {value!r}; there are {', '.join(shown) or 'none'}{more}")


def _named(key: str, value: str) -> Any:
    from tiled.queries import Eq, Like

    if "*" not in value:
        return Eq(key, value)
    return Like(key, value.replace("*", "%"))


def _of_status(status: str) -> list[Any]:
    from tiled.queries import Eq, NotEq

    ends = {"complete": "success", "failed": "fail", "aborted": "abort"}
    if status == "running":
        return [_present("stop", exists=False), _present("writer.alive", exists=False)]
    if status == "lost":
        return [Eq("writer.alive", False)]
    found: list[Any] = [Eq("stop.exit_status", ends[status])]
    return [*found, NotEq("stop.reason", LOST_REASON)] if status == "aborted" else found


def _compared(operator: str, key: str, value: float) -> Any:
    from tiled.queries import Comparison

    return Comparison(operator, key, value)


def _present(key: str, *, exists: bool = True) -> Any:
    from tiled.queries import KeyPresent

    return KeyPresent(key, exists)


def _searched(catalog: Any, query: Any) -> Any:
    """Runs of a catalog by a query of any metadata; the client's own `search` asks start documents alone."""
    from tiled.client.container import Container

    return Container.search(catalog, query) if isinstance(catalog, Container) else catalog.search(query)
