"""Which pace comes next: plain steps first, then momentum that builds up, and anew where what is lowered has risen.

The paces are those of `unweave.rules.extrapolated`, which has the reasons and the numbers; here they are given out one
by one, for steps that are none of a rule's.

Reference: docs/decisions/0001-extrapolated-updates.md.
"""

from __future__ import annotations

from unweave.rules.drift import STILL, Pace
from unweave.rules.extrapolated import PLAIN, PLAIN_LOW, SETTLING, pace_at

__all__ = ["Pacing"]


class Pacing:
    """The pace of every iteration of a run.

    Parameters
    ----------
    beta : float
        Below 1 more plain steps come first: there are more basins.
    momentum : bool
        Without it all steps are plain ones.
    """

    def __init__(self, beta: float, *, momentum: bool = True) -> None:
        self.momentum = momentum
        self.age = -(PLAIN if beta >= 1 else PLAIN_LOW)  # iterations since momentum began to build up

    def following(self) -> Pace:
        """The pace of the next iteration."""
        age, self.age = self.age, self.age + 1
        return pace_at(age) if self.momentum else STILL

    def restart(self) -> None:
        """What is lowered has risen: momentum begins anew."""
        self.age = -SETTLING
