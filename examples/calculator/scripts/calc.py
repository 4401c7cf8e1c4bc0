#!/usr/bin/env python3
"""Evaluates arithmetic expressions exactly, in decimal, without eval().

An expression is cut into tokens, parsed by operator precedence and computed while it is parsed.
Everything that could grow without bound (length, nesting, magnitude, factorials) has a limit, so
that no expression takes noticeable time.
"""

import argparse
import decimal
import json
import math
import re
import sys
from decimal import Decimal
from functools import reduce

EXIT_USAGE, EXIT_SYNTAX, EXIT_MATH = 2, 3, 4

PRECISION = 50
MAX_LENGTH = 4096
MAX_DEPTH = 64
MAX_EXPONENT = 10000
MAX_FACTORIAL = 1000

WORK = decimal.Context(
    prec=PRECISION, Emax=MAX_EXPONENT, Emin=-MAX_EXPONENT, rounding=decimal.ROUND_HALF_EVEN,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow])


class CalcError(Exception):
    """What is wrong with an expression, and where it is (None: all of it)."""

    kind, exit_code = "math", EXIT_MATH

    def __init__(self, message, position=None):
        super().__init__(message)
        self.message = message
        self.position = position


class SyntaxFault(CalcError):
    kind, exit_code = "syntax", EXIT_SYNTAX


# --- functions ---------------------------------------------------------------------------------


def whole(x, what):
    """x as an int, when it is one."""
    if x != x.to_integral_value():
        raise CalcError(f"{what} needs whole numbers, not {show(x)}")
    if abs(x) >= Decimal(10) ** PRECISION:
        raise CalcError(f"{what} needs numbers below 10^{PRECISION}")
    return int(x)


def factorial(x):
    n = whole(x, "factorial")
    if n < 0:
        raise CalcError(f"factorial of a negative number ({n})")
    if n > MAX_FACTORIAL:
        raise CalcError(f"factorial of {n} is too large (at most {MAX_FACTORIAL})")
    return Decimal(math.factorial(n))


def choose(function, name):
    def apply(n, k):
        n, k = whole(n, name), whole(k, name)
        if n < 0 or k < 0:
            raise CalcError(f"{name} needs numbers from 0 up")
        if n > MAX_FACTORIAL:
            raise CalcError(f"{name} of {n} is too large (at most {MAX_FACTORIAL})")
        return Decimal(function(n, k))
    return apply


def by_float(function):
    """Through binary floating point: 15 digits are right, the rest is cut off."""
    def apply(*values):
        result = function(*(float(v) for v in values))
        if abs(result) < 1e-15:  # sin(pi) is zero for a person
            result = 0.0
        return Decimal(f"{result:.15g}")
    return apply


def sqrt(x):
    if x < 0:
        raise CalcError(f"square root of a negative number ({show(x)})")
    return x.sqrt(WORK)


def root(x, n):
    degree = whole(n, "root")
    if degree < 1:
        raise CalcError("root needs a degree from 1 up")
    if x < 0 and degree % 2 == 0:
        raise CalcError(f"even root of a negative number ({show(x)})")
    value = WORK.power(abs(x), WORK.divide(Decimal(1), Decimal(degree))) if x else Decimal(0)
    nearest = value.to_integral_value()
    if abs(value - nearest) < Decimal("1e-40") and nearest ** degree == abs(x):
        value = nearest
    return -value if x < 0 else value


def log_of(x):
    if x <= 0:
        raise CalcError(f"logarithm of {show(x)}: only positive numbers have one")
    return WORK.ln(x)


def log10(x):
    log_of(x)
    return WORK.log10(x)


def log(x, base):
    if base == 1:
        raise CalcError("logarithm to base 1 does not exist")
    value = WORK.divide(log_of(x), log_of(base))
    nearest = value.to_integral_value()
    return nearest if abs(value - nearest) < Decimal("1e-45") else value


def round_to(x, places=Decimal(0)):
    n = whole(places, "round")
    if not -PRECISION < n < PRECISION:
        raise CalcError(f"round: decimals must lie between -{PRECISION - 1} and {PRECISION - 1}")
    step = Decimal(1).scaleb(-n)
    if x.adjusted() + n >= PRECISION - 1:
        return x
    return x.quantize(step, rounding=decimal.ROUND_HALF_EVEN, context=WORK)


def to_whole(rounding):
    return lambda x: x.to_integral_value(rounding=rounding)


def total(*values):
    return reduce(WORK.add, values, Decimal(0))


def mean(*values):
    return WORK.divide(total(*values), Decimal(len(values)))


def median(*values):
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(values) % 2 else mean(ordered[middle - 1], ordered[middle])


def variance(*values):
    if len(values) < 2:
        raise CalcError("var and stdev need at least two values")
    center = mean(*values)
    return WORK.divide(total(*((v - center) ** 2 for v in values)), Decimal(len(values) - 1))


def greatest_divisor(*values):
    return Decimal(reduce(math.gcd, (whole(v, "gcd") for v in values)))


def least_multiple(*values):
    def step(a, b):
        return abs(a * b) // math.gcd(a, b) if a and b else 0
    return Decimal(reduce(step, (whole(v, "lcm") for v in values)))


PI = Decimal("3.1415926535897932384626433832795028841971693993751058209749445923")
CONSTANTS = {"pi": PI, "tau": 2 * PI, "e": Decimal(1).exp(WORK)}
MANY = 1000  # arguments of a function at most

# name: (function, fewest arguments, most arguments)
FUNCTIONS = {
    "abs": (abs, 1, 1),
    "sign": (lambda x: Decimal((x > 0) - (x < 0)), 1, 1),
    "floor": (to_whole(decimal.ROUND_FLOOR), 1, 1),
    "ceil": (to_whole(decimal.ROUND_CEILING), 1, 1),
    "trunc": (to_whole(decimal.ROUND_DOWN), 1, 1),
    "round": (round_to, 1, 2),
    "sqrt": (sqrt, 1, 1),
    "cbrt": (lambda x: root(x, Decimal(3)), 1, 1),
    "root": (root, 2, 2),
    "exp": (WORK.exp, 1, 1),
    "ln": (log_of, 1, 1),
    "log10": (log10, 1, 1),
    "log2": (lambda x: log(x, Decimal(2)), 1, 1),
    "log": (log, 2, 2),
    "sin": (by_float(math.sin), 1, 1),
    "cos": (by_float(math.cos), 1, 1),
    "tan": (by_float(math.tan), 1, 1),
    "asin": (by_float(math.asin), 1, 1),
    "acos": (by_float(math.acos), 1, 1),
    "atan": (by_float(math.atan), 1, 1),
    "atan2": (by_float(math.atan2), 2, 2),
    "radians": (lambda x: WORK.divide(WORK.multiply(x, PI), Decimal(180)), 1, 1),
    "degrees": (lambda x: WORK.divide(WORK.multiply(x, Decimal(180)), PI), 1, 1),
    "hypot": (lambda *v: sqrt(total(*(WORK.multiply(x, x) for x in v))), 1, MANY),
    "min": (min, 1, MANY),
    "max": (max, 1, MANY),
    "sum": (total, 1, MANY),
    "mean": (mean, 1, MANY),
    "median": (median, 1, MANY),
    "var": (variance, 2, MANY),
    "stdev": (lambda *v: sqrt(variance(*v)), 2, MANY),
    "gcd": (greatest_divisor, 1, MANY),
    "lcm": (least_multiple, 1, MANY),
    "comb": (choose(math.comb, "comb"), 2, 2),
    "perm": (choose(math.perm, "perm"), 2, 2),
}

# --- tokens ------------------------------------------------------------------------------------

TOKEN = re.compile(
    r"(?P<number>(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d{1,6})?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<op>\*\*|//|[-+*/%^!(),])", re.ASCII)


def tokens_of(text):
    """(kind, text, position) of each token, then ("end", "", length)."""
    if len(text) > MAX_LENGTH:
        raise SyntaxFault(f"the expression has {len(text)} characters (at most {MAX_LENGTH})")
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        match = TOKEN.match(text, position)
        if not match:
            raise SyntaxFault(f"unexpected character {text[position]!r}", position)
        op = "^" if match.group() == "**" else match.group()
        yield match.lastgroup, op, position
        position = match.end()
    yield "end", "", len(text)


# --- parsing by precedence ---------------------------------------------------------------------

BINARY = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2, "^": 4}
SIGN_STRENGTH = 3


def divide(a, b):
    if b == 0:
        raise CalcError("division by zero")
    return WORK.divide(a, b)


def floor_divide(a, b):
    return divide(a, b).to_integral_value(rounding=decimal.ROUND_FLOOR)


def power(a, b):
    if a == 0 and b < 0:
        raise CalcError("zero to a negative power is a division by zero")
    if a < 0 and b != b.to_integral_value():
        raise CalcError(f"negative number ({show(a)}) to a fractional power")
    return Decimal(1) if b == 0 else WORK.power(a, b)


OPERATORS = {
    "+": WORK.add,
    "-": WORK.subtract,
    "*": WORK.multiply,
    "/": divide,
    "//": floor_divide,
    "%": lambda a, b: WORK.subtract(a, WORK.multiply(b, floor_divide(a, b))),
    "^": power,
}


class Parser:
    def __init__(self, text, names):
        self.tokens = list(tokens_of(text))
        self.names = names
        self.next = 0
        self.depth = 0

    def peek(self):
        return self.tokens[self.next]

    def take(self):
        token = self.tokens[self.next]
        self.next += token[0] != "end"
        return token

    def take_op(self, op):
        if self.peek()[:2] != ("op", op):
            return False
        self.next += 1
        return True

    def expect(self, op):
        if not self.take_op(op):
            _, text, position = self.peek()
            raise SyntaxFault(f"expected '{op}', found {found(text)}", position)

    def parse(self):
        value = self.expression(0)
        kind, text, position = self.peek()
        if kind != "end":
            raise SyntaxFault(f"expected an operator, found {found(text)}", position)
        return value

    def expression(self, strength):
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise SyntaxFault(f"nested more than {MAX_DEPTH} levels deep", self.peek()[2])
        value = self.signed()
        while True:
            kind, op, position = self.peek()
            binds = BINARY.get(op, 0) if kind == "op" else 0
            if binds <= strength:
                break
            self.take()
            # '^' groups from the right: its right side may hold another '^'.
            right = self.expression(binds - 1 if op == "^" else binds)
            value = compute(OPERATORS[op], (value, right), position)
        self.depth -= 1
        return value

    def signed(self):
        if self.take_op("-"):
            return -self.expression(SIGN_STRENGTH)
        if self.take_op("+"):
            return self.expression(SIGN_STRENGTH)
        return self.postfix()

    def postfix(self):
        value = self.primary()
        while self.peek()[:2] == ("op", "!"):
            value = compute(factorial, (value,), self.take()[2])
        return value

    def primary(self):
        kind, text, position = self.take()
        if kind == "number":
            return compute(WORK.create_decimal, (text.replace("_", ""),), position)
        if kind == "name":
            return self.named(text, position)
        if (kind, text) == ("op", "("):
            value = self.expression(0)
            self.expect(")")
            return value
        raise SyntaxFault(f"expected a value, found {found(text)}", position)

    def named(self, name, position):
        if name in FUNCTIONS:
            return self.call(name, position)
        if name in self.names:
            return self.names[name]
        raise SyntaxFault(f"unknown name '{name}'" + suggestion(name, self.names), position)

    def call(self, name, position):
        function, fewest, most = FUNCTIONS[name]
        self.expect("(")
        values = [] if self.peek()[:2] == ("op", ")") else self.arguments()
        self.expect(")")
        if not fewest <= len(values) <= most:
            wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
            raise SyntaxFault(f"{name} takes {wanted} values, {len(values)} given", position)
        return compute(function, values, position)

    def arguments(self):
        values = [self.expression(0)]
        while self.take_op(","):
            values.append(self.expression(0))
        return values


def compute(function, values, position):
    """function(*values), with every way to fail said in words."""
    try:
        return function(*values)
    except CalcError as fault:
        fault.position = position
        raise
    except (decimal.Overflow, OverflowError):
        raise CalcError(f"the result is too large (at most 10^{MAX_EXPONENT})", position) from None
    except (decimal.InvalidOperation, ValueError):
        raise CalcError("no such value in the real numbers", position) from None


def found(text):
    return f"'{text}'" if text else "the end"


def suggestion(name, names):
    lower = name.lower()
    if lower in FUNCTIONS or lower in names:
        return f"; did you mean '{lower}'?"
    return "; --help lists the functions, --set defines a name"


def evaluate(text, names=None):
    """The value of an expression as a Decimal. names: what identifiers stand for."""
    with decimal.localcontext(WORK):
        return Parser(text, CONSTANTS if names is None else names).parse()


# --- output ------------------------------------------------------------------------------------


def show(x, digits=15, places=None):
    """x in plain decimals, or with an exponent where that would be longer than a person reads."""
    with decimal.localcontext(WORK) as context:
        if places is not None and x.adjusted() + places < PRECISION - 1:
            return f"{x.quantize(Decimal(1).scaleb(-places)):f}"
        if x == x.to_integral_value() and abs(x) < Decimal(10) ** PRECISION:
            return f"{x.to_integral_value() + 0:f}"
        context.prec = digits
        x = (+x).normalize()
    return f"{x:f}" if -7 <= x.adjusted() < 21 else f"{x:e}"


def report(options, text, value=None, fault=None):
    if fault is None:
        result = show(value, options.digits, options.places)
        line = {"ok": True, "expression": text, "result": result}
        print(json.dumps(line, ensure_ascii=False) if options.json else result)
        return 0
    error = {"kind": fault.kind, "message": fault.message, "position": fault.position}
    if options.json:
        print(json.dumps({"ok": False, "expression": text, "error": error}, ensure_ascii=False))
        return fault.exit_code
    print(f"calc: {fault.message}", file=sys.stderr)
    if fault.position is not None and "\n" not in text and len(text) <= 200:
        print(f"  {text}\n  {' ' * fault.position}^", file=sys.stderr)
    return fault.exit_code


# --- command line ------------------------------------------------------------------------------


def between(low, high):
    def parse(text):
        number = int(text)
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"must lie between {low} and {high}")
        return number
    parse.__name__ = "whole number"
    return parse


def parser_of_arguments():
    p = argparse.ArgumentParser(
        prog="calc.py", description="Evaluates arithmetic expressions exactly, in decimal.",
        epilog="functions: " + " ".join(sorted(FUNCTIONS)) + ". exit codes: 0 all evaluated, "
        "2 wrong usage, 3 not well formed, 4 no value (division by zero, too large).")
    p.add_argument("expression", nargs="+", help="'(2 + 3) * 7'; - reads one a line from stdin")
    p.add_argument("--set", action="append", default=[], metavar="NAME=EXPRESSION", dest="names",
                   help="define a name for the expressions")
    p.add_argument("--digits", type=between(1, PRECISION), default=15, metavar="N",
                   help="significant digits of results (default 15)")
    p.add_argument("--places", type=between(0, PRECISION - 10), metavar="N",
                   help="exactly N decimals instead")
    p.add_argument("--json", action="store_true", help="one JSON object a line")
    p.add_argument("--version", action="version", version="calc.py 1.0")
    return p


def define(definitions, usage_error):
    names = dict(CONSTANTS)
    for definition in definitions:
        name, equals, text = definition.partition("=")
        name = name.strip()
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII):
            usage_error(f"--set wants NAME=EXPRESSION, not '{definition}'")
        if name in FUNCTIONS or name in CONSTANTS:
            usage_error(f"--set: '{name}' is taken")
        try:
            names[name] = evaluate(text, names)
        except CalcError as fault:
            usage_error(f"--set {name}: {fault.message}")
    return names


def expressions_of(arguments):
    for text in arguments:
        if text != "-":
            yield text
            continue
        for line in sys.stdin:
            line = line.strip()
            if line and not line.startswith("#"):
                yield line


def glue_negative(argv):
    """'-2 + 3' is an expression, though it starts like an option."""
    return [f" {a}" if re.match(r"-+[\d.(]", a) else a for a in argv]


def main(argv):
    parser = parser_of_arguments()
    options = parser.parse_args(glue_negative(argv))
    names = define(options.names, parser.error)
    status = 0
    for text in expressions_of(options.expression):
        text = text.strip()
        try:
            failed = report(options, text, evaluate(text, names))
        except CalcError as fault:
            failed = report(options, text, fault=fault)
        status = status or failed
    return status


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:  # `calc.py ... | head`
        sys.exit(0)
