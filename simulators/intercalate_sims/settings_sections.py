"""What all sections of the simulator's settings share."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Port = Annotated[int, Field(ge=1024, le=65535)]
Prefix = Annotated[str, Field(pattern=":$")]
Positive = Annotated[float, Field(gt=0)]


class HolderSettings(Section):
    """One place of the sample changer, with the position that its users are told."""

    x_mm: float
    y_mm: float
    content: str
