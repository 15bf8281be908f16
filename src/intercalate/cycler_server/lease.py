"""Who may command a channel, and for how long without a sign of life (wall time)."""

import time
from collections.abc import Callable

SHORTEST_S = 1.0
LONGEST_S = 3600.0


class LeaseRefused(ValueError):
    """The lease belongs to somebody else, or cannot be given as asked."""


class Lease:
    """At most one owner at a time; an owner that does not renew in time loses it.

    Parameters
    ----------
    monotonic
        Wall clock in seconds; injected in tests.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic):
        self._monotonic = monotonic
        self.owner = ""
        self._duration_s = 0.0
        self._until = 0.0

    @property
    def remaining_s(self) -> float:
        """Wall seconds left; 0 without an owner."""
        return max(0.0, self._until - self._monotonic()) if self.owner else 0.0

    def take(self, owner: str, duration_s: float) -> None:
        """Take the lease, or take it again with another duration."""
        if not owner:
            raise LeaseRefused("a lease needs an owner's name")
        if not SHORTEST_S <= duration_s <= LONGEST_S:
            raise LeaseRefused(
                f"a lease lasts {SHORTEST_S:g} to {LONGEST_S:g} s, asked for were {duration_s} s"
            )
        if self.owner and self.owner != owner and self.remaining_s > 0:
            raise LeaseRefused(
                f"the channel is leased to {self.owner!r} for another {self.remaining_s:.0f} s; "
                "wait for it to end, or ask its owner to let go"
            )
        self.owner, self._duration_s = owner, duration_s
        self._until = self._monotonic() + duration_s

    def renew(self, owner: str) -> None:
        """Show a sign of life."""
        self.require(owner)
        self._until = self._monotonic() + self._duration_s

    def drop(self, owner: str) -> None:
        """Give the lease back."""
        if self.owner == owner:
            self.owner = ""

    def require(self, owner: str) -> None:
        """Refuse whoever does not hold the lease."""
        if not self.owner or self.remaining_s <= 0:
            raise LeaseRefused(f"{owner!r} holds no lease of this channel; take it first")
        if owner != self.owner:
            raise LeaseRefused(f"the channel is leased to {self.owner!r}, not to {owner!r}")

    def expire(self) -> str | None:
        """Name of an owner whose time has just run out; the lease is then free."""
        if self.owner and self.remaining_s <= 0:
            gone, self.owner = self.owner, ""
            return gone
        return None
