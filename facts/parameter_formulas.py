"""The formulas of parameter values, such as `LEAST({DBInstanceClassMemory/9531392},5000)`.

Grammar (AWS, "Specifying DB parameters"): numbers; variables and arithmetic inside braces; the
functions GREATEST, LEAST, SUM and log. A division gives a whole number, rounded down.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping

# AWS, "DB parameter formula variables".
VARIABLES = ("DBInstanceClassMemory", "DBInstanceVCPU", "AllocatedStorage", "EndPointPort")

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def _log(value: float) -> float:
    return math.log2(value) if value > 0 else -math.inf


_FUNCTIONS: dict[str, Callable[..., float]] = {
    "GREATEST": max,
    "LEAST": min,
    "SUM": lambda *terms: sum(terms),
    "log": _log,
}


class FormulaError(ValueError):
    """The text is no formula of RDS."""


def is_formula(value: str) -> bool:
    """Whether a parameter value has to be computed."""
    return "{" in value or "(" in value


def evaluate(formula: str, variables: Mapping[str, int]) -> int:
    """Compute a formula. Raises FormulaError for anything outside the grammar."""
    text = formula.replace("{", "(").replace("}", ")").replace("$", "")
    try:
        tree = ast.parse(text.strip(), mode="eval")
        return math.floor(_value(tree.body, variables))
    except (SyntaxError, ZeroDivisionError, OverflowError, TypeError) as error:
        raise FormulaError(f"{formula!r} is no valid formula: {error}") from error


def _value(node: ast.expr, variables: Mapping[str, int]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name) if name in variables:
            return variables[name]
        case ast.BinOp(left=left, op=kind, right=right) if type(kind) in _OPERATORS:
            return _OPERATORS[type(kind)](_value(left, variables), _value(right, variables))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(argument, variables) for argument in arguments))
        case _:
            raise FormulaError(
                f"{ast.unparse(node)!r} may not stand in a formula; known are numbers, + - * /, "
                f"{', '.join(_FUNCTIONS)} and the variables {', '.join(variables)}"
            )
