"""Published studies by name: each a data file and the analysis that looks for its finding."""

from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity
from intercalate_plans.studies.measured import Cells, MeasuredCell, one_cell, only
from intercalate_plans.studies.study import Settings, Study, StudyError, World, load_study, merged, studies

__all__ = [
    "Cells",
    "Claim",
    "Finding",
    "MeasuredCell",
    "Published",
    "Quantity",
    "Settings",
    "Study",
    "StudyError",
    "World",
    "load_study",
    "merged",
    "one_cell",
    "only",
    "studies",
]
