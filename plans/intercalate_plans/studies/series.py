"""Scans and images of what is on the stage of a microscope, under voltage, without a cell on channels."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from intercalate.nanobattery_results import NANOBATTERY
from intercalate.strict_model import StrictModel
from intercalate_plans.transmission import BiasedImageRequest, LossScanRequest

MODE, IMAGES_MODE = "scans under bias", "images under bias"
"""Of the files of such studies."""
LIQUID_CELL = "liquid cell"
"""Content of the place on the stage."""

APART_MM = 0.002
"""Between areas of the battery: each is fresh to the beam."""

Positive = Annotated[float, Field(gt=0)]


class BiasSeries(StrictModel):
    """What is scanned: the battery at each voltage, after references of known compounds.

    Attributes
    ----------
    step_nm, row_step_nm
        Of scans of the battery.
    exposure_s
        Of a scan, of a reference as well.
    biases_v
        Between the electrodes, one scan each.
    """

    mode: Literal["scans under bias"]
    step_nm: Positive
    row_step_nm: Positive
    exposure_s: Positive
    stage_c: float
    biases_v: Annotated[tuple[float, ...], Field(min_length=1)]

    @property
    def scans(self) -> list[LossScanRequest]:
        """All scans."""
        return [
            LossScanRequest(
                content=NANOBATTERY,
                step_nm=self.step_nm,
                row_step_nm=self.row_step_nm,
                bias_v=bias_v,
                beside_mm=APART_MM * number,
            )
            for number, bias_v in enumerate(self.biases_v)
        ]


class ImageSeries(StrictModel):
    """What is imaged of a liquid cell, at one voltage after the other.

    Attributes
    ----------
    biases_v
        Of the gold against lithium: below 0 lithium grows on it, above it leaves.
    places
        How many are imaged at each voltage, along the electrode from its middle to both sides: the same first
        ones each time.
    """

    mode: Literal["images under bias"]
    exposure_s: Positive
    stage_c: float
    biases_v: Annotated[tuple[float, ...], Field(min_length=1)]
    places: Annotated[tuple[Annotated[int, Field(ge=1, le=48)], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if len(self.places) != len(self.biases_v):
            raise ValueError(
                f"{len(self.places)} numbers of places at {len(self.biases_v)} voltages; give one for each"
            )
        return self

    @property
    def scans(self) -> list[BiasedImageRequest]:
        """All images."""
        return [
            BiasedImageRequest(content=LIQUID_CELL, bias_v=bias_v, beside_mm=_along_mm(place))
            for bias_v, count in zip(self.biases_v, self.places)
            for place in range(count)
        ]


def _along_mm(place: int) -> float:
    """Of a place: 0, one step to one side, one to the other, and so on."""
    steps = (place + 1) // 2
    return round(APART_MM * (steps if place % 2 else -steps), 6)
