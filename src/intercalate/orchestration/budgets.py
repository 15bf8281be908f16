"""Budgets of measurements, checked before anything moves."""

import math
from collections.abc import Sequence
from typing import Any

from intercalate.cell import Cell
from intercalate.devices.roles import KeepsDoses
from intercalate.dose import formula_of
from intercalate.orchestration.dosing import SpotBudget
from intercalate.orchestration.tasks import FramesTask, TasksError
from intercalate.problems import Problem

FORMULA_FIX = "give the formula of the working electrode in the cell's file, with numbers"


def dose_so_far(meter: KeepsDoses, cell: Cell) -> dict[str, Any]:
    """What the beam of a technique has done to a cell, for a start document."""
    formula, scale = formula_of(cell), meter.scale
    is_known = bool(formula) or not scale.needs_formula
    return {
        "technique": meter.technique,
        scale.most: meter.account(cell.name, formula) if is_known else None,
    }


def is_exposed(meter: KeepsDoses, cell: Cell, spot_mm: tuple[float, float]) -> bool:
    """Whether the account of a spot says that it had any of this beam."""
    here = meter.spot_at(*spot_mm)
    return any(one.amount > 0 for one in meter.ledger.totals(cell.name, meter.technique, here))


def spot_budget(
    one: FramesTask,
    cell: Cell,
    meter: KeepsDoses,
    points_um: Sequence[tuple[float, float]] = (),
) -> SpotBudget | None:
    """Of the spots of a measurement, or of the points around each; None where it is unlimited.

    Raises
    ------
    TasksError
        If the budget is in the unit of another technique or less than one frame, or nobody said of what the
        electrode is made where that matters.
    """
    where, scale = f"{one.name}.{one.budget_key}", meter.scale
    if one.budget_key != scale.budget:
        limit = f"doses of {meter.technique} are in {scale.name}"
        raise TasksError(f"cell {cell.name}", [Problem(where, one.said, limit, f"give {scale.budget}")])
    most = one.budget(scale)
    if math.isinf(most):
        return None
    formula = formula_of(cell)
    if scale.needs_formula and not formula:
        problem = Problem(where, one.said, "nobody said of what the electrode is made", FORMULA_FIX)
        raise TasksError(f"cell {cell.name}", [problem])
    goes_on = one.at_budget == "next_spot"
    offsets_mm = [(x_um / 1000.0, y_um / 1000.0) for x_um, y_um in points_um] or [(0.0, 0.0)]
    budget = SpotBudget(
        meter,
        cell.name,
        formula,
        one.exposure_s * max(1, len(one.regions)),
        most,
        goes_on=goes_on,
        offsets_mm=offsets_mm,
    )
    expected = budget.expected()
    if expected > most:
        regions = len(one.regions)
        given = (
            f"{one.exposure_s:g} s {'give' if regions > 1 else 'gives'} {scale.shown(expected)} {scale.name}"
        )
        limit = f"{f'{regions} regions' if regions > 1 else 'a single frame'} of {given}"
        fix = "expose for a shorter time, attenuate the beam, or give more"
        raise TasksError(f"cell {cell.name}", [Problem(where, one.said, limit, fix)])
    return budget
