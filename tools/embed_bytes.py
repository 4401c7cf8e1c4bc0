#!/usr/bin/env python3
"""Turns a file into a C array: embed_bytes.py INPUT OUTPUT.c NAME

Defines `const unsigned char NAME[]` and `const size_t NAME_len`.
"""
import sys


def main(source, target, name):
    with open(source, "rb") as f:
        data = f.read()
    rows = [
        "    " + ", ".join(f"0x{b:02x}" for b in data[i : i + 16]) + ","
        for i in range(0, len(data), 16)
    ]
    with open(target, "w", encoding="ascii") as f:
        f.write("#include <stddef.h>\n\n")
        f.write(f"extern const unsigned char {name}[];\nextern const size_t {name}_len;\n\n")
        f.write(f"const unsigned char {name}[] = {{\n" + "\n".join(rows) + "\n};\n")
        f.write(f"const size_t {name}_len = sizeof({name});\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
