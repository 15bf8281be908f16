"""What may go wrong without the plan being wrong."""

from bluesky.utils import FailedStatus

from intercalate.devices.channel_access import CHANNEL_ACCESS_ERRORS

FAILURES = (FailedStatus, RuntimeError, OSError, *CHANNEL_ACCESS_ERRORS)
"""Raised where a device does not do what it was told."""


def cause_of(error: BaseException) -> BaseException:
    """What a status failed with; any other error itself."""
    return error.__cause__ or error if isinstance(error, FailedStatus) else error
