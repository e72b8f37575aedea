"""Claims taken apart: what they ask and say in cases that today's records do not come to."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from measure.tell.folklore import Claim, Facts, Say, Told


def rule_parts(claim: Claim) -> Iterator[Callable[[Facts, Say], Told]]:
    """Each outcome of a claim as a rule of its own, which asks for all conditions first. Fails for other statements."""
    conditions, outcomes = [], []
    for statement in claim.parsed.body:
        if isinstance(statement, ast.If):
            conditions += list(statement.test.values) if isinstance(statement.test, ast.BoolOp) else [statement.test]
        (outcome,) = statement.body if isinstance(statement, ast.If) else [statement]
        assert isinstance(outcome, ast.Return), f"{claim.id} has more than conditions and outcomes"
        outcomes.append(outcome.value)

    def compiled(one: ast.expr) -> Callable[[Facts, Say], Told]:
        code = compile(ast.fix_missing_locations(ast.Expression(one)), claim.id, "eval")
        return lambda facts, say: eval(code, claim.rule.__globals__, {"facts": facts, "say": say})

    for outcome in map(compiled, outcomes):
        yield lambda facts, say, outcome=outcome: [
            *(bool(one(facts, say)) for one in map(compiled, conditions)), outcome(facts, say)
        ][-1]  # fmt: skip
