#!/usr/bin/python3
"""Writes the first corpora of the agent's parsers: corpus/lockfile, corpus/refs, corpus/manifest."""

import json
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"
HASH, OTHER = "0123456789abcdef" * 4, "fedcba9876543210" * 4


def pin(reference, hash_=HASH, **more):
    slug = reference.split("/")[-1].split(":")[0].split("@")[0]
    org = reference[1:].split("/")[0] if reference.startswith("@") else ""
    return {"reference": reference, "hash": hash_, "name": "Calculator", "org": org, "slug": slug,
            "tag": "", "pushedAt": "2026-01-25T09:48:50Z", "pushedBy": "system",
            "resolvedAt": "2026-02-01T10:00:00.123456789Z", **more}


def lock(*pins, **more):
    return json.dumps({"version": 1, "skills": pins, **more}, indent=2, ensure_ascii=False) + "\n"


LOCKFILE = {
    "none": lock(),
    "one": lock(pin("@local/calculator:v1", tag="v1")),
    "forms": lock(pin("@a/x"), pin("@a/x:t", tag="t"), pin(f"b@{OTHER}", OTHER), pin("b", org="c")),
    "unsorted": lock(pin("b"), pin("a")),
    "twice": lock(pin("a"), pin("a")),
    "unicode": lock(pin("a", name="\u4f60\u597d \U0001f469\u200d\U0001f4bb", pushedBy="\u00fc@x")),
    "hidden": lock(pin("a", name="a\u202eb")),
    "lines": lock(pin("a", name="a\n### SKILL: b")),
    "latest": lock(pin("a:latest")),
    "another_hash": lock(pin(f"b@{OTHER}")),
    "another_slug": lock(pin("a", slug="b")),
    "times": lock(pin("a", pushedAt="2026-02-31T00:00:00Z")),
    "no_times": lock({k: v for k, v in pin("a").items() if not k.endswith("At")}),
    "version": lock(version=2),
    "nul": lock(pin("a", name="a\0b")),
    "deep": "[" * 3000,
    "not_json": "skills:\n  - a\n",
    "duplicate": '{"version": 1, "version": 1, "skills": []}',
}
REFS = {
    "texts": json.dumps(["@local/a:v1", "b", f"c@{HASH}"]),
    "objects": json.dumps([{"scope": 2, "org": "local", "kind": 43, "slug": "a", "version": "v1"}]),
    "names": json.dumps({"skillRefs": [{"scope": "organization", "org": "o", "kind": "skill", "slug": "a"}]}),
    "spec": json.dumps({"spec": {"skill_refs": ["a"]}}),
    "none": "[]",
    "empty": "",
    "yaml": "# x\nkind: Agent\nspec:\n  instructions: |\n    a\n    b\n  skills:\n    - '@local/a:v1'\n"
            "    - slug: b\n      org: c\n      version: \"1.0\"\n",
    "flow": "{skills: [a, {slug: b, scope: platform}]}",
    "alias": "a: &x [a]\nskills: *x\n",
    "merge": "skills:\n  - <<: &y {slug: a}\n",
    "tagged": "skills: !!set {a, b}\n",
    "deep": "skills: " + "[" * 40 + "]" * 40,
    "documents": "skills: [a]\n---\nskills: [b]\n",
    "directive": "%YAML 1.2\n---\nskills: [a]\n",
    "bom": "\ufeffskills: [a]\n",
    "long": "- " + "a" * 1100,
    "control": 'skills: ["a\\x1b"]\n',
    "twice": "skills: []\nskills: []\n",
    "numbers": "skills: [1, 2.5, true, null, ~]\n",
    "binary": "\x00\x01\x02",
}
MANIFEST = {
    "one": f"f 0644 12 {HASH} SKILL.md\n",
    "tree": f"f 0644 1 {HASH} SKILL.md\nd empty/\nf 0755 0 {OTHER} scripts/run.sh\n",
    "order": f"f 0644 1 {HASH} b\nf 0644 1 {HASH} a\n",
    "mode": f"f 0777 1 {HASH} a\n",
    "size": f"f 0644 18446744073709551615 {HASH} a\nf 0644 1 {HASH} b\n",
    "slash": f"f 0644 1 {HASH} a/\n",
    "root": "d /\n",
    "spaces": f"f 0644 1 {HASH} a b  c\n",
    "cut": f"f 0644 1 {HASH} a",
    "nothing": "",
    "whole": "stigmer-manifest 1\nsha256 " + "0" * 64 + "\n",
}


def main():
    for name, seeds in (("lockfile", LOCKFILE), ("refs", REFS), ("manifest", MANIFEST)):
        (CORPUS / name).mkdir(exist_ok=True)
        for seed, text in seeds.items():
            (CORPUS / name / seed).write_text(text)


if __name__ == "__main__":
    main()
