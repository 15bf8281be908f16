"""Published studies by name: each a data file and the analysis that looks for its finding."""

from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity
from intercalate_plans.studies.study import Settings, Study, StudyError, World, load_study, merged, studies

__all__ = [
    "Claim",
    "Finding",
    "Published",
    "Quantity",
    "Settings",
    "Study",
    "StudyError",
    "World",
    "load_study",
    "merged",
    "studies",
]
