"""Update rules: how bases and activations move towards a smaller divergence. One rule a file.

A rule is a final class whose ``start(problem, factors)`` makes its workspaces once and returns a motion: ``step()``
moves the factors, in place, by one iteration. It knows nothing of loops, of stopping or of people.
"""

from __future__ import annotations

from unweave.rules.extrapolated import Extrapolated
from unweave.rules.multiplicative import Multiplicative
from unweave.rules.problem import Factors, Motion, Problem, Rule

__all__ = ["RULES", "Extrapolated", "Factors", "Motion", "Multiplicative", "Problem", "Rule"]

RULES: dict[str, Rule] = {rule.name: rule for rule in (Extrapolated(), Multiplicative())}
"""Every rule by its name; the first is the default."""
