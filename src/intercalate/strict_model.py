"""What all data that people or programs write is checked by."""

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """Values that stay as they were checked; unknown keys and numbers that are not finite are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)
