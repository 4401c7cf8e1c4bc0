#!/usr/bin/python3
"""The example skill does its work: the calculator and its wrapper, as an agent would run them."""

import json
import math
import os
import random
import re
import subprocess

from support import tap
from support.check import check, contains, equal
from support.paths import ROOT, run
from support.tap import test

SKILL = ROOT / "examples" / "calculator"
CALC, WRAPPER = SKILL / "scripts" / "calc.py", SKILL / "scripts" / "calc.sh"


def calc(*arguments, tool=CALC, **options):
    return run(tool, *arguments, **options)


def result(expression, *options):
    done = calc(*options, expression)
    equal((done.returncode, done.stderr), (0, ""), expression)
    return done.stdout.strip()


def results(pairs):
    """Many expressions in one run."""
    done = calc("-", input="\n".join(expression for expression, _ in pairs))
    equal((done.returncode, done.stderr), (0, ""))
    got = done.stdout.splitlines()
    equal(list(zip((expression for expression, _ in pairs), got)), list(pairs))


def refused(expression, code, *words):
    done = calc("--json", expression)
    equal(done.returncode, code, expression)
    answer = json.loads(done.stdout)
    equal(answer["ok"], False)
    equal(answer["error"]["kind"], {3: "syntax", 4: "math"}[code], expression)
    for word in words:
        contains(answer["error"]["message"], word)
    return answer["error"]["position"]


@test
def front_matter_is_as_agentskills_wants_it():
    text = (SKILL / "SKILL.md").read_text()
    front = re.match(r"---\n(.*?)\n---\n", text, re.S).group(1)
    name = re.search(r"^name: (.*)$", front, re.M).group(1)
    description = re.search(r"^description: (.*)$", front, re.M).group(1)
    equal(name, SKILL.name)
    check(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) and len(name) <= 64, "name")
    check(1 <= len(description) <= 1024, "description")
    for link in re.findall(r"\]\(([^)]+)\)", text):
        check((SKILL / link).is_file(), f"{link} exists")


@test
def documented_commands_work():
    text = (SKILL / "SKILL.md").read_text()
    commands = re.findall(r"`calc\.py (.*?)`", text)
    check(len(commands) >= 5, "the table has examples")
    for command in commands:
        command = command.replace("expressions.txt", "<(echo 1 + 1)")
        done = subprocess.run(["bash", "-c", f"{CALC} {command}"], capture_output=True, text=True,
                              check=False)
        check(done.returncode == 0 and done.stdout, f"{command}\n{done.stderr}")


@test
def exact_decimals():
    results((
            ("(2 + 3) * 7", "35"), ("0.1 + 0.2", "0.3"), ("1 / 3", "0.333333333333333"),
            ("2^3^2", "512"), ("-2^2", "-4"), ("2^-1", "0.5"), ("7 // -2", "-4"), ("7 % -2", "-1"),
            ("1_000 * 3", "3000"), ("6.02e23 / 2", "301000000000000000000000"),
            ("6.02e53 / 2", "3.01e+53"), ("5!", "120"), ("3!!", "720"),
            ("-3!", "-6"), ("2 ** 10", "1024"), ("10 - 4 - 3", "3"), ("2 * 3 % 4", "2"),
            ("99999999999999999999 + 1", "100000000000000000000"), ("--4", "4"), ("0", "0"),
            ("-0.0", "0")))


@test
def functions():
    results((
            ("sqrt(16^2 + 9^2)", "18.3575597506858"), ("cbrt(-27)", "-3"), ("root(81, 4)", "3"),
            ("log2(1024)", "10"), ("log(8, 2)", "3"), ("log10(0.001)", "-3"), ("ln(e)", "1"),
            ("sin(radians(30))", "0.5"), ("cos(pi)", "-1"), ("degrees(pi)", "180"),
            ("mean(3, 8, 9, 12)", "8"), ("median(3, 8, 9, 12)", "8.5"),
            ("stdev(2, 4)", "1.4142135623731"),
            ("gcd(12, 18)", "6"), ("lcm(4, 6)", "12"), ("comb(49, 6)", "13983816"),
            ("round(2.5)", "2"), ("round(-1.25, 1)", "-1.2"), ("floor(-1.5)", "-2"),
            ("ceil(1.2)", "2"), ("trunc(-1.9)", "-1"), ("hypot(3, 4)", "5"), ("max(1, 3, 2)", "3"),
            ("sum(0.1, 0.2, 0.3)", "0.6"), ("exp(0)", "1"), ("atan2(1, 1) * 4", "3.14159265358979")))


@test
def agrees_with_another_implementation():
    """Python's own operators, in exact fractions, over random expressions."""
    from fractions import Fraction
    rng = random.Random(20240)

    def build(depth):
        if depth == 0:
            n = rng.randint(0, 99)
            return str(n), Fraction(n)
        (left, a), (right, b) = build(depth - 1), build(rng.randint(0, depth - 1))
        op = rng.choice("+-*" if b == 0 else "+-*/")
        value = {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else a}[op]
        return f"({left} {op} {right})", value

    pairs = [build(rng.randint(1, 5)) for _ in range(200)]
    done = calc("-", "--digits", "40", input="\n".join(e for e, _ in pairs))
    equal(done.returncode, 0, done.stderr)
    for (expression, exact), line in zip(pairs, done.stdout.splitlines()):
        got = Fraction(line)
        check(abs(got - exact) <= abs(exact) / 10 ** 38, f"{expression} = {exact}, got {line}")


@test
def malformed_expressions_point_at_the_fault():
    equal(refused("1 +* 2", 3, "expected a value", "*"), 3)
    equal(refused("2 $ 3", 3, "unexpected character"), 2)
    equal(refused("(1", 3, "expected ')'"), 2)
    equal(refused("1 2", 3, "expected an operator"), 2)
    equal(refused("max()", 3, "takes 1 to"), 0)
    equal(refused("sqrt(1, 2)", 3, "takes 1 values, 2 given"), 0)
    equal(refused("1 + foo", 3, "unknown name 'foo'"), 4)
    equal(refused("Sqrt(4)", 3, "did you mean 'sqrt'?"), 0)
    refused("", 3, "expected a value")
    refused("(" * 65 + "1" + ")" * 65, 3, "nested")
    refused("1+" * 3000 + "1", 3, "at most 4096")


@test
def values_that_do_not_exist():
    equal(refused("1 / 0", 4, "division by zero"), 2)
    for expression in ("5 % 0", "5 // 0", "0^-1"):
        refused(expression, 4, "zero")
    refused("sqrt(-1)", 4, "negative")
    refused("ln(0)", 4, "logarithm")
    refused("(-8)^0.5", 4, "fractional power")
    refused("asin(2)", 4, "no such value")
    refused("9^9^9^9", 4, "too large")
    refused("1001!", 4, "too large")
    refused("2.5!", 4, "whole numbers")
    refused("gcd(1.5, 2)", 4, "whole numbers")
    refused("stdev(1, 1) / stdev(1, 1)", 4, "division by zero")


@test
def code_is_not_evaluated():
    for attack in ("__import__('os').system('true')", "open('/etc/passwd')", "().__class__",
                   "lambda: 1", "1 if 1 else 2", "[1]", "'a' * 9", "pi.real", "exec"):
        refused(attack, 3)


@test
def names_and_output_forms():
    equal(result("net * 1.19", "--set", "net=84.50", "--places", "2"), "100.56")
    equal(result("b", "--set", "a=2", "--set", "b=a^3"), "8")
    equal(result("2 / 3", "--digits", "4"), "0.6667")
    equal(result("1 / 3", "--places", "0"), "0")
    done = calc("--json", "2 + 2", "1 / 0", "3")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    equal([line["ok"] for line in lines], [True, False, True])
    equal(lines[0], {"ok": True, "expression": "2 + 2", "result": "4"})
    equal(done.returncode, 4)
    equal(calc("-", input="1+1\n# a remark\n\n2*3\n").stdout, "2\n6\n")
    equal(calc("-2 + 3").stdout, "1\n")


@test
def wrong_command_lines():
    for arguments in ((), ("--nope", "1"), ("--digits", "0", "1"), ("--places", "x", "1"),
                      ("--set", "1=2", "1"), ("--set", "pi=3", "1"), ("--set", "sqrt=3", "1"),
                      ("--set", "a=1/0", "a"), ("--set", "a", "1")):
        done = calc(*arguments)
        equal((done.returncode, done.stdout), (2, ""), str(arguments))
        contains(done.stderr, "calc.py: error:")


@test
def help_and_version():
    done = calc("--help")
    equal(done.returncode, 0)
    for word in ("--set", "--json", "stdev", "exit codes"):
        contains(done.stdout, word)
    contains(calc("--version").stdout, "calc.py 1.")


@test
def the_wrapper_passes_everything_on():
    equal(calc("2 * 21", tool=WRAPPER).stdout, "42\n")
    equal(calc("--json", "1 / 0", tool=WRAPPER).returncode, 4)
    equal(calc("-", tool=WRAPPER, input="1 + 1\n").stdout, "2\n")
    nowhere = run("/bin/sh", WRAPPER, "1", env={"PATH": str(SKILL)})
    check(nowhere.returncode != 0, "without Python it fails")
    equal(calc("1", tool=WRAPPER, env={**os.environ, "PYTHON": "/usr/bin/python3"}).stdout, "1\n")


@test
def no_expression_takes_long():
    worst = ["9^9999", "1000! / 999!", "0.1^9999", "exp(20000)", "1.0000001^99999999", "log2(9^9999)",
             "root(2, 10^40)", "comb(1000, 500)", "+".join(["sqrt(2)"] * 500)]
    for expression in worst:
        done = calc("--json", expression, timeout=10)
        check(done.returncode in (0, 4), expression)
    check(math.isclose(float(result("exp(10)")), math.exp(10)), "exp")


if __name__ == "__main__":
    tap.run()
