#!/usr/bin/python3
"""Makes the golden archives of the profile's rules.

    make.py DIR          writes DIR/<case>.zip, and DIR/expected.tsv: "<case>\t<ids, sorted, comma>"
    make.py --expected   prints expected.tsv only

No ids: the archive must be accepted. cases.py says how the cases are named.
"""

import sys
from pathlib import Path

import container
import content
import entries
import names
import skill
import writers
from cases import cases

BLOCK = 1 << 16


def write(path, data):
    """Zeros become holes: the largest archives are hardly anything else."""
    with open(path, "wb") as out:
        for at in range(0, len(data), BLOCK):
            block = data[at:at + BLOCK]
            if block.count(0) < len(block):
                out.seek(at)
                out.write(block)
        out.truncate(len(data))


def main():
    for module in (container, entries, content, names, skill, writers):
        module.make()
    expected = "".join(f"{name}\t{','.join(rules)}\n" for name, (_, rules) in cases.items())
    if sys.argv[1:] == ["--expected"]:
        sys.stdout.write(expected)
        return
    out = Path(sys.argv[1])
    for name, (data, _) in cases.items():
        write(out / (name + ".zip"), data() if callable(data) else data)
    (out / "expected.tsv").write_text(expected)


if __name__ == "__main__":
    main()
