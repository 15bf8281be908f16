"""The dose of every exposure, whatever plan it belongs to, and budgets that end measuring at a spot."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bluesky.utils import Msg, MsgGenerator

from intercalate.devices.channel_access import CHANNEL_ACCESS_ERRORS
from intercalate.devices.roles import LEAVES_SHUTTER, KeepsDoses, MeasuresCells
from intercalate.orchestration.waiting import in_thread
from intercalate.techniques import table

SpotMm = tuple[float, float]


class MilledSpotError(RuntimeError):
    """A measurement that needs an untouched surface was asked for where ions have milled."""


class SpotBudget:
    """Most that a spot of one cell may get of one measurement's beam.

    Parameters
    ----------
    meter
        Keeps the account.
    cell, formula
        Its name, and the material whose dose counts.
    exposure_s
        Of a frame.
    budget
        For the life of the cell, in the unit of the meter's accounts.
    offsets_mm
        Points around a spot that are exposed at one visit.
    goes_on
        To the next spot of a list at the end of the budget of one; otherwise spots are taken in turn, and one
        whose budget is spent gets no further frame.
    """

    def __init__(
        self,
        meter: KeepsDoses,
        cell: str,
        formula: str,
        exposure_s: float,
        budget: float,
        *,
        goes_on: bool,
        offsets_mm: Sequence[SpotMm] = ((0.0, 0.0),),
    ):
        self._meter = meter
        self._cell = cell
        self._formula = formula
        self._exposure_s = exposure_s
        self._budget = budget
        self._goes_on = goes_on
        self._offsets_mm = tuple(offsets_mm)

    def expected(self) -> float:
        """Dose of one frame with all the beam there should be."""
        return self._meter.expected(self._formula, self._exposure_s)

    def _spent(self, spot_mm: SpotMm, offset_mm: SpotMm) -> float:
        here = self._meter.spot_at(spot_mm[0] + offset_mm[0], spot_mm[1] + offset_mm[1])
        return self._meter.account(self._cell, self._formula, here)

    def choose(self, turn: SpotMm, spots_mm: Sequence[SpotMm]) -> tuple[SpotMm, str]:
        """A spot with room for one more frame, and why there is none, if so.

        Parameters
        ----------
        turn
            The one whose turn it is.
        spots_mm
            All of them, in the order in which they are used up.
        """
        expected, scale = self.expected(), self._meter.scale
        spent = {}
        for spot_mm in spots_mm if self._goes_on else (turn,):
            spent[spot_mm] = max(self._spent(spot_mm, offset_mm) for offset_mm in self._offsets_mm)
            if spent[spot_mm] + expected <= self._budget:
                return spot_mm, ""
        words = ", ".join(
            f"{x:g}, {y:g} mm got {scale.shown(dose)} {scale.name}" for (x, y), dose in spent.items()
        )
        return turn, (
            f"no dose left: {words}, one more frame gives {scale.shown(expected)}, "
            f"the budget is {scale.shown(self._budget)}"
        )


Preprocessor = Callable[[MsgGenerator[Any]], MsgGenerator[Any]]


def with_dose_accounts(stations: Iterable[MeasuresCells]) -> Preprocessor:
    """Preprocessor that reserves the dose of each exposure, commits it afterwards and puts it into its event.

    Parameters
    ----------
    stations
        Whose detectors are watched.
    """
    by_detector = {id(one.detector): one for one in stations}

    def account(plan: MsgGenerator[Any]) -> MsgGenerator[Any]:
        return _Accounting(by_detector).watch(plan)

    return account


def _begin(station: MeasuresCells, run: str) -> None:
    try:
        exposes = station.detector.shutter_mode.get(as_string=True) != LEAVES_SHUTTER
        exposure_s = float(station.detector.exposure_s.get())
    except CHANNEL_ACCESS_ERRORS as error:
        raise RuntimeError(f"{station.detector.name} does not answer: {error}") from error
    if exposes:
        _require_untouched(station)
        station.dose.begin(exposure_s, run)


def _require_untouched(station: MeasuresCells) -> None:
    """Refuse a frame of what ions have removed, by a technique that assumes that they have not.

    Raises
    ------
    MilledSpotError
        If they have.
    """
    why = table().techniques[station.technique].untouched
    if why is None:
        return
    cell, deep_um = station.dose.milled_here()
    if deep_um > 0:
        raise MilledSpotError(
            f"ions have milled {deep_um:.3g} um deep into {cell} where {station.name} would measure: {why}; "
            "take another spot"
        )


class _Accounting:
    """Of one plan: which runs are open, and which events hold a frame."""

    def __init__(self, by_detector: Mapping[int, MeasuresCells]):
        self._by_detector = by_detector
        self._runs: dict[Any, str] = {}
        self._event: dict[Any, list[MeasuresCells]] = {}

    def watch(self, plan: MsgGenerator[Any]) -> MsgGenerator[Any]:
        answer: Any = None
        failure: BaseException | None = None
        while True:
            try:
                msg = plan.send(answer) if failure is None else plan.throw(failure)
            except StopIteration as end:
                return end.value
            answer, failure = None, None
            try:
                yield from self._before(msg)
                answer = yield msg
                self._after(msg, answer)
            except GeneratorExit:
                plan.close()
                raise
            except BaseException as error:  # noqa: BLE001 - it is the plan's to deal with
                failure = error

    def _before(self, msg: Msg) -> MsgGenerator[None]:
        station = self._by_detector.get(id(msg.obj))
        if msg.command == "trigger" and station is not None:
            yield from in_thread(lambda: _begin(station, self._runs.get(msg.run, "")))
        elif msg.command == "save":
            for one in self._event.pop(msg.run, ()):
                yield from in_thread(one.dose.end)
                yield Msg("read", one.dose, run=msg.run)

    def _after(self, msg: Msg, answer: Any) -> None:
        if msg.command == "open_run":
            self._runs[msg.run] = str(answer)
        elif msg.command == "read" and (station := self._by_detector.get(id(msg.obj))) is not None:
            self._event.setdefault(msg.run, []).append(station)
        elif msg.command in ("create", "drop"):
            self._event.pop(msg.run, None)
