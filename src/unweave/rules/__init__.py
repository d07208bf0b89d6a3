"""Update rules: how bases and activations move towards a smaller divergence. One rule a file.

A rule is a final class whose ``start(problem, factors)`` makes its workspaces once and returns a motion: ``step()``
moves the factors, in place, by one iteration. It knows nothing of loops, of stopping or of people. Some are made for
some β only and say so (``supports``); `default_rule` names the one that is fastest to a given divergence.
"""

from __future__ import annotations

from unweave.divergence import EUCLIDEAN
from unweave.errors import InvalidInput
from unweave.rules.extrapolated import Extrapolated
from unweave.rules.hals import Hals
from unweave.rules.joint import Joint
from unweave.rules.multiplicative import Multiplicative
from unweave.rules.newton import Newton
from unweave.rules.penalties import Penalties
from unweave.rules.problem import Factors, Motion, Problem, Rule

__all__ = [
    "RULES",
    "Extrapolated",
    "Factors",
    "Hals",
    "Joint",
    "Motion",
    "Multiplicative",
    "Newton",
    "Penalties",
    "Problem",
    "Rule",
    "chosen_rule",
    "default_rule",
]

RULES: dict[str, Rule] = {rule.name: rule for rule in (Extrapolated(), Multiplicative(), Hals(), Joint(), Newton())}
"""Every rule by its name."""


def default_rule(beta: float, *, constrained: bool = False) -> Rule:
    """The rule that is fastest to a given divergence: `Hals` for β = 2, else `Extrapolated` (decision 0007).

    Where there are penalties, weights or bases that are let go slowly, `Extrapolated` for every β.
    """
    return RULES["hals" if beta == EUCLIDEAN and not constrained else "extrapolated"]


def chosen_rule(rule: Rule | None, beta: float, *, constrained: bool = False) -> Rule:
    """``rule``, or the default for this β; refuses a rule that is not made for it, or knows no constraints."""
    if rule is None:
        return default_rule(beta, constrained=constrained)
    if not rule.supports(beta):
        fit = ", ".join(name for name, other in RULES.items() if other.supports(beta))
        raise InvalidInput(f"rule {rule.name} is for {rule.betas}, not for beta={beta:g}: one of {fit} is.")
    if constrained and not rule.constraints:
        fit = ", ".join(name for name, other in RULES.items() if other.constraints)
        raise InvalidInput(f"rule {rule.name} knows no penalties, weights or adapt: one of {fit} does.")
    return rule
