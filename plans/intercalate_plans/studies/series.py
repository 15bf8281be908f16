"""Scans of a thin battery on the stage of a microscope, under voltage: a study without a cell on channels."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from intercalate.nanobattery_results import NANOBATTERY
from intercalate_plans.transmission import LossScanRequest

FILMS = ("CoO", "Co3O4", "LiCoO2", "Li0.5CoO2", "Li2O", "Li2O2", "LiPON")
"""Compounds that the profile of the battery is made of, and CoO for the scale of valences."""

MODE = "scans under bias"
"""Of the file of such a study."""

APART_MM = 0.002
"""Between areas of the battery: each is fresh to the beam."""

Positive = Annotated[float, Field(gt=0)]


class BiasSeries(BaseModel):
    """What is scanned, in this order: films of known compounds, then the battery at each voltage.

    Attributes
    ----------
    film_nm, film_sigma
        Thickness of the films as their maker tells it, and its standard error, relative.
    step_nm, row_step_nm
        Of scans of the battery; steps of films are `film_step_nm`, by which hardly any dose is put into one.
    biases_v
        Between the electrodes, one scan each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mode: Literal["scans under bias"]
    film_nm: Positive
    film_sigma: Positive
    film_step_nm: Positive
    step_nm: Positive
    row_step_nm: Positive
    exposure_s: Positive
    stage_c: float
    biases_v: Annotated[tuple[float, ...], Field(min_length=1)]

    @property
    def scans(self) -> list[LossScanRequest]:
        """All scans."""
        step_nm = self.film_step_nm
        films = [LossScanRequest(content=one, step_nm=step_nm, row_step_nm=step_nm) for one in FILMS]
        return films + [
            LossScanRequest(
                content=NANOBATTERY,
                step_nm=self.step_nm,
                row_step_nm=self.row_step_nm,
                bias_v=bias_v,
                beside_mm=APART_MM * number,
            )
            for number, bias_v in enumerate(self.biases_v)
        ]

    @property
    def films(self) -> dict[str, Any]:
        """As the start document says it."""
        return {"thickness_nm": self.film_nm, "thickness_sigma": self.film_sigma}
