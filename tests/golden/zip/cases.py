"""The list of golden archives: a name, the bytes (or a function that makes them), the ids expected.

For a rule there are archives that fail it, `<rule>.<what>`, and near misses, `<rule>.near-<what>`,
that come as close as an accepted archive can. Other names stand for archives as programs write them.
"""

cases = {}


def case(name, data, *rules):
    assert name not in cases, name
    cases[name] = (data, sorted(set(rules)))


class Rule:
    """The cases of one rule."""

    def __init__(self, rule_id):
        self.id = rule_id

    def fails(self, what, data, *also):
        """Fails this rule, and those in `also` because one flaw breaks them all."""
        case(f"{self.id}.{what}", data, self.id, *also)

    def near(self, what, data):
        case(f"{self.id}.near-{what}", data)
