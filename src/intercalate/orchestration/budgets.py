"""Budgets of measurements, checked before anything moves."""

import math

from intercalate.cell import Cell
from intercalate.devices.roles import KeepsDoses
from intercalate.dose import formula_of
from intercalate.orchestration.dosing import MGY, SpotBudget
from intercalate.orchestration.tasks import FramesTask, TasksError
from intercalate.problems import Problem

FORMULA_FIX = "give the formula of the working electrode in the cell's file, with numbers"


def spot_budget(one: FramesTask, cell: Cell, meter: KeepsDoses) -> SpotBudget | None:
    """Of the spots of a measurement; None where it is unlimited.

    Raises
    ------
    TasksError
        If nobody said of what the electrode is made, or the budget is less than one frame.
    """
    if math.isinf(one.budget_gy):
        return None
    where = f"{one.name}.budget_MGy"
    formula = formula_of(cell)
    if not formula:
        problem = Problem(where, one.budget_MGy, "nobody said of what the electrode is made", FORMULA_FIX)
        raise TasksError(f"cell {cell.name}", [problem])
    goes_on = one.at_budget == "next_spot"
    budget = SpotBudget(meter, cell.name, formula, one.exposure_s, one.budget_gy, goes_on=goes_on)
    expected_gy = budget.expected_gy()
    if expected_gy > one.budget_gy:
        limit = f"a single frame of {one.exposure_s:g} s gives {expected_gy / MGY:.4g} MGy"
        fix = "expose for a shorter time, close the attenuator, or give more"
        raise TasksError(f"cell {cell.name}", [Problem(where, one.budget_MGy, limit, fix)])
    return budget
