#!/usr/bin/python3
"""stigmer audit: verdicts, their two forms, what is audited, and what cannot be."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from support.archives import make, skill_md
from support.check import check, contains, equal, lacks
from support.cli import Cli
from support.paths import CLI, ROOT
from support.tap import run, test

cli = Cli(address="127.0.0.1:1")  # offline: nothing listens there
GOOD = make()
BAD = make({"a.txt": "1", "A.txt": "2", "-x": "3"})  # name-unique, name-option
HIDDEN = make({"we ird\u202e.txt": "x"})


def directory(name, files):
    """A new directory of {path: bytes}."""
    target = cli.home / name
    for path, data in files.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(data)
    target.mkdir(exist_ok=True)
    return target


def audit(*args, code=0, stdin=None, **options):
    """Runs with --json; the objects. stdin: bytes."""
    if stdin is not None:
        (cli.home / "stdin").write_bytes(stdin)
        with open(cli.home / "stdin", "rb") as file:
            done = cli("audit", "--json", *args, stdin=file, **options)
    else:
        done = cli("audit", "--json", *args, **options)
    equal(done.code, code, done.err)
    return [json.loads(line) for line in done.out.splitlines()]


def verdicts(objects):
    return [o.get("verdict") or "error" for o in objects]


# --- verdicts ------------------------------------------------------------------------------------


@test
def an_accepted_archive_in_json():
    d = directory("accepted", {"good.zip": GOOD})
    text = skill_md().encode()
    equal(audit(d / "good.zip"),
          [{"file": f"{d}/good.zip", "verdict": "accept", "rules": [], "findings": [],
            "sha256": hashlib.sha256(GOOD).hexdigest(), "entries": 1, "uncompressed": len(text)}])


@test
def a_rejected_archive_in_json():
    d = directory("rejected", {"bad.zip": BAD})
    [o] = audit("bad.zip", cwd=d, code=1)
    equal(list(o), ["file", "verdict", "rules", "findings", "sha256", "entries", "uncompressed"])
    equal((o["file"], o["verdict"], o["rules"]),
          ("bad.zip", "reject", ["name-option", "name-unique"]))
    equal([list(f) for f in o["findings"]], [["rule", "entry", "offset", "message", "advice"]] * 2)
    option, unique = o["findings"]
    equal((option["rule"], option["entry"], option["advice"]), ("name-option", "-x", "rename the file"))
    equal(BAD[option["offset"]:][:4], b"PK\1\2")
    equal(option["message"], 'invalid ZIP file: the name "-x" begins with -')
    equal(unique["rule"], "name-unique")
    contains(unique["message"], '"A.txt" and "a.txt"')
    equal((o["sha256"], o["entries"]), (hashlib.sha256(BAD).hexdigest(), 4))


@test
def json_is_one_line_an_archive():
    d = directory("lines", {"a.zip": GOOD, "b.zip": BAD})
    out = cli("audit", "-j", d).out
    equal(out.count("\n"), 2)
    check(out.endswith("\n"))


@test
def text_for_people():
    d = directory("text", {"good.zip": GOOD, "bad.zip": BAD})
    done = cli("audit", "good.zip", cwd=d).ok()
    equal(done.out, f"accept good.zip (sha256 {hashlib.sha256(GOOD).hexdigest()}, 1 entries, "
                    f"{len(skill_md())} bytes)\n")
    done = cli("audit", "good.zip", "bad.zip", "none.zip", cwd=d)
    equal(done.code, 2)
    lines = done.out.splitlines()
    check(lines[1].startswith("reject bad.zip (sha256 "), lines[1])
    check(lines[2].startswith("  name-option at "), lines[2])
    check(lines[2].endswith(': invalid ZIP file: the name "-x" begins with -'), lines[2])
    equal(lines[3], "      rename the file")
    equal(lines[-1], "1 accepted, 1 rejected, 1 could not be read")
    equal(done.err, "Error: none.zip: No such file or directory\n")
    equal(cli("audit", "good.zip", "bad.zip", cwd=d).out.splitlines()[-1], "1 accepted, 1 rejected")


@test
def more_findings_than_are_kept():
    many = {f"-{i}": "" for i in range(150)}
    d = directory("many", {"many.zip": make({**many, "a?": "", "SKILL.md": b"\xff"})})
    [o] = audit(d, code=1)
    equal(o["rules"], ["name-option", "name-windows", "skill-md"])
    equal(len(o["findings"]), 102)
    contains(cli("audit", d).out, "  and 50 more\n")


@test
def archive_only_leaves_skill_md_out():
    d = directory("plain", {"plain.zip": make({"SKILL.md": ""}), "twin.zip": make({"skilI.md": "x"})})
    equal([o["rules"] for o in audit(d, code=1)], [["skill-md"], ["skill-md"]])
    equal(verdicts(audit("--archive-only", d)), ["accept", "accept"])


@test
def golden_archives_break_their_rules():
    d = directory("golden", {})
    subprocess.run([sys.executable, ROOT / "tests/golden/zip/make.py", d], check=True)
    rows = [line.split("\t") for line in (d / "expected.tsv").read_text().splitlines()]
    check(len(rows) > 400)
    paths = "".join(f"{d}/{name}.zip\n" for name, _ in rows).encode()
    objects = audit("--archive-only", "--files-from", "-", stdin=paths, code=1)
    equal(len(objects), len(rows))
    for (name, rules), o in zip(rows, objects):
        wanted = [r for r in rules.split(",") if r not in ("", "skill-md")]
        equal(o["rules"], wanted, name)
        equal(o["verdict"], "reject" if wanted else "accept", name)
        equal(o["rules"], sorted({f["rule"] for f in o["findings"]}), name)
        equal(o["sha256"], hashlib.sha256((d / f"{name}.zip").read_bytes()).hexdigest(), name)
    full = audit(*(d / f"{name}.zip" for name, _ in rows), code=1)
    equal([",".join(o["rules"]) for o in full], [rules for _, rules in rows])


# --- the text of SKILL.md ------------------------------------------------------------------------


def with_text(text, **files):
    return make({"SKILL.md": text, **files})


@test
def the_text_of_skill_md_is_judged_too():
    d = directory("words", {"a.zip": with_text("---\nname: x\ndescription: y\n---\nhi \u202ethere\n")})
    [o] = audit(d, code=1)
    equal((o["verdict"], o["rules"]), ("reject", ["skill-md-bidi"]))
    [f] = o["findings"]
    equal(list(f), ["rule", "entry", "offset", "message", "advice", "line", "column"])
    equal((f["entry"], f["offset"], f["line"], f["column"]), ("SKILL.md", 34, 5, 4))
    contains(f["message"], "U+202E")
    contains(cli("audit", d).out, "  skill-md-bidi at SKILL.md:5:4: bidirectional override")
    equal(verdicts(audit("--archive-only", d)), ["accept"])


@test
def warnings_about_the_text_reject_under_strict():
    d = directory("odd", {"odd.zip": with_text("---\nname: x\n---\n# a\u200bword\n")})
    [o] = audit(d)
    equal((o["verdict"], o["rules"], o["findings"]), ("accept", [], []))
    equal([(w["rule"], w["line"], w["column"]) for w in o["warnings"]],
          [("skill-md-front-matter", 1, 1), ("skill-md-hidden", 4, 4)])
    equal(list(o), ["file", "verdict", "rules", "findings", "sha256", "entries", "uncompressed",
                    "warnings"])
    contains(cli("audit", d).ok().out, "  warning: skill-md-hidden at SKILL.md:4:4: ")
    [strict] = audit("--strict", d, code=1)
    equal(strict["rules"], ["skill-md-front-matter", "skill-md-hidden"])
    equal(strict["findings"], o["warnings"])
    lacks(strict, "warnings")
    [plain] = audit("--archive-only", "--strict", d)
    equal(plain["verdict"], "accept")
    lacks(plain, "warnings")


@test
def a_directory_is_judged_by_its_text_too():
    d = cli.skill("forged", **{"SKILL.md": "---\nname: x\ndescription: y\n---\n### SKILL: z\n"})
    equal([o["rules"] for o in audit(d, code=1)], [["skill-md-forgery"]])


@test
def a_text_that_the_archive_rules_refuse_is_told_once():
    d = directory("once", {"a.zip": with_text(b"### SKILL: \xff"),
                           "b.zip": with_text("### SKILL: x", **{"-x": ""})})
    equal([o["rules"] for o in audit(d, code=1)], [["skill-md"], ["name-option", "skill-md-forgery"]])


# --- what is audited -----------------------------------------------------------------------------


@test
def a_directory_of_archives():
    d = directory("tree", {"b.zip": GOOD, "a/2.zip": BAD, "a-b.zip": GOOD, "a/deep/1.zip": GOOD,
                           ".hidden/x.zip": GOOD, "notes.txt": b"", "a/zip": b"", "x.zip.bak": b""})
    (d / "dir.zip").mkdir()
    (d / "dir.zip" / "in.zip").write_bytes(GOOD)
    (d / "link.zip").symlink_to(d / "b.zip")
    (d / "away").symlink_to(directory("elsewhere", {"c.zip": BAD}))
    os.mkfifo(d / "fifo.zip")
    names = [".hidden/x.zip", "a-b.zip", "a/2.zip", "a/deep/1.zip", "b.zip", "dir.zip/in.zip"]
    for operand in (d, f"{d}/"):
        objects = audit(operand, code=1)
        equal([o["file"] for o in objects], [f"{d}/{name}" for name in names])
        equal(verdicts(objects), ["accept", "accept", "reject", "accept", "accept", "accept"])


@test
def a_directory_with_nothing_to_audit():
    d = directory("nothing", {"notes.txt": b"", "sub/x.txt": b""})
    [o] = audit(d, code=2)
    equal(list(o), ["file", "error"])
    contains(o["error"], "no SKILL.md and no *.zip below it: name a skill's directory")
    contains(cli("audit", d).failed(2).err, f"Error: {d}: it has no SKILL.md")


@test
def a_directory_that_is_very_deep():
    d = directory("deep", {"z.zip": GOOD})
    here = os.open(d, os.O_RDONLY)
    for _ in range(140):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    deep, z = audit(d, code=2)
    equal(deep, {"file": f"{d}" + "/d" * 129, "error": "it is more than 128 directories deep"})
    equal(z["verdict"], "accept")


@test
def a_skill_is_packed_as_push_packs_it():
    d = cli.skill("packed", **{"run.sh": "echo\n", ".git/config": "x", "data.bin": b"\0" * 100000})
    [o] = audit(d)
    dry = json.loads(cli("skill", "push", "--dry-run", "--json", d).ok().out)
    equal((o["file"], o["verdict"], o["sha256"]), (str(d), "accept", dry["versionHash"]))
    equal(o["entries"], 3)
    lacks(o, "warnings")
    equal([o["file"] for o in audit(".", cwd=d)], ["."])


@test
def a_skill_that_cannot_be_packed():
    d = cli.skill("unpackable")
    (d / "link").symlink_to("SKILL.md")
    [o] = audit(d, code=1)
    equal((o["verdict"], o["rules"], o["sha256"], o["entries"]), ("reject", ["pack"], None, 0))
    [f] = o["findings"]
    equal((f["rule"], f["entry"], f["offset"]), ("pack", "", 0))
    contains(f["message"], '"link" is a symbolic link')
    contains(f["advice"], "push --dry-run")
    text = cli("audit", d).out
    check(text.startswith(f"reject {d}\n  pack at 0: \"link\" is a symbolic link"), text)
    (d / "link").unlink()
    (d / "a?b").touch()
    contains(audit("--archive-only", d, code=1)[0]["findings"][0]["message"], "[name-windows]")
    os.mkfifo(d / "fifo")
    equal(audit(d, code=1)[0]["rules"], ["pack"])


@test
def secrets_left_out_are_warnings_and_strictly_findings():
    d = cli.skill("secrets", **{"id_rsa": "key", ".npmrc": "token"})
    [o] = audit(d)
    equal((o["verdict"], o["rules"], o["findings"], o["entries"]), ("accept", [], [], 1))
    equal(sorted((w["rule"], w["entry"], w["message"]) for w in o["warnings"]),
          [("pack", name, f'"{name}" looks like a secret and is left out')
           for name in (".npmrc", "id_rsa")])
    contains(cli("audit", d).ok().out, '  warning: pack at 0: "id_rsa" looks like a secret')
    [o] = audit("--strict", d, code=1)
    equal((o["verdict"], o["rules"], len(o["findings"])), ("reject", ["pack"], 2))
    lacks(o, "warnings")
    equal(verdicts(audit("--strict", directory("clean", {"a.zip": GOOD}))), ["accept"])


# --- lists -----------------------------------------------------------------------------------------


@test
def lists_of_files():
    d = directory("lists", {"a b.zip": GOOD, "c.zip": BAD, " lead.zip": GOOD, "d.zip": GOOD})
    text = b"c.zip\n\n  \na b.zip\r\n lead.zip\nd.zip"
    (d / "list").write_bytes(text)
    names = ["c.zip", "a b.zip", " lead.zip", "d.zip"]
    equal([o["file"] for o in audit("--files-from", "list", cwd=d, code=1)], names)
    equal([o["file"] for o in audit("--files-from=-", cwd=d, stdin=text, code=1)], names)
    equal([o["file"] for o in audit("--files-from", "list", "d.zip", cwd=d, code=1)],
          ["d.zip", *names])


@test
def an_empty_list_is_no_failure():
    for text in (b"", b"\n\r\n"):
        equal(audit("--files-from", "-", stdin=text), [])


@test
def lists_that_cannot_be_read():
    cli("audit", "--files-from", cli.home / "no-list").failed(2, "no-list")
    cli("audit", "--files-from", cli.home).failed(2, "cannot read the list")


@test
def a_list_is_answered_line_by_line():
    d = directory("talk", {"a.zip": GOOD, "b.zip": BAD})
    with subprocess.Popen([CLI, "audit", "--json", "--files-from", "-"], cwd=d, env=cli.env,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for name in ("a.zip", "b.zip", "a.zip"):
            process.stdin.write(name.encode() + b"\n")
            process.stdin.flush()
            equal(json.loads(process.stdout.readline())["file"], name)
        process.stdin.close()
        equal(process.wait(60), 1)


@test
def a_thousand_archives_in_one_call():
    d = directory("thousand", {f"{i:04}.zip": BAD if i % 10 == 3 else make({"n": str(i)})
                               for i in range(1000)})
    paths = sorted(d.iterdir())
    objects = audit("--files-from", "-", stdin="".join(f"{p}\n" for p in paths).encode(), code=1)
    equal([o["file"] for o in objects], [str(p) for p in paths])
    equal(verdicts(objects), ["reject" if i % 10 == 3 else "accept" for i in range(1000)])
    equal([o["sha256"] for o in objects],
          [hashlib.sha256(p.read_bytes()).hexdigest() for p in paths])
    equal(verdicts(audit(*paths, code=1)), verdicts(objects))


# --- what cannot be audited ------------------------------------------------------------------------


@test
def one_that_cannot_be_read_stops_no_other():
    d = directory("unreadable", {"a.zip": GOOD, "z.zip": BAD})
    os.mkfifo(d / "fifo")
    (d / "sub").mkdir()
    (d / "to-sub").symlink_to("sub")
    (d / "dangling").symlink_to("nowhere")
    (d / "to-a").symlink_to("a.zip")
    wrong = {"missing": "No such file", "fifo": "neither a regular file", "/dev/zero": "neither",
             "to-sub": "symbolic link to a directory", "dangling": "No such file",
             "a.zip/x": "Not a directory", "n" * 300: "name too long"}
    done = cli("audit", "--json", "a.zip", *wrong, "to-a", "z.zip", cwd=d)
    equal(done.code, 2)
    objects = [json.loads(line) for line in done.out.splitlines()]
    equal(verdicts(objects), ["accept", *["error"] * len(wrong), "accept", "reject"])
    for (path, cause), o in zip(wrong.items(), objects[1:]):
        equal((list(o), o["file"]), (["file", "error"], path))
        contains(o["error"], cause)
        contains(done.err, f"Error: {path}: {o['error']}\n")
    equal(cli("audit", *wrong, cwd=d).out.splitlines(), ["0 accepted, 0 rejected, 7 could not be read"])


@test
def permissions():
    d = directory("locked", {"a.zip": GOOD, "b/c.zip": GOOD, "d.zip": GOOD})
    (d / "a.zip").chmod(0)
    (d / "b").chmod(0)
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []
    for parent in (cli.home, d):
        parent.chmod(0o755)
    done = subprocess.run([*user, CLI, "audit", "--json", d], env=cli.env, capture_output=True,
                          text=True, check=False)
    (d / "b").chmod(0o700)
    equal(done.returncode, 2, done.stderr)
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    equal([(o["file"], o.get("error", "")) for o in objects],
          [(f"{d}/a.zip", "Permission denied"), (f"{d}/b", "Permission denied"), (f"{d}/d.zip", "")])


@test
def a_path_with_a_nul_byte():
    [o] = audit("--files-from", "-", stdin=b"a\0b\n", code=2)
    equal(o, {"file": "a", "error": "a path cannot hold a NUL byte"})


@test
def wrong_usage():
    cli("audit").failed(2, "missing argument: FILE|DIR...")
    cli("audit", "--json").failed(2, "missing argument")
    cli("audit", "--rules", "x").failed(2, "unknown option --rules")
    cli("audit", "--files-from").failed(2, "--files-from needs a value")


# --- names and outputs -----------------------------------------------------------------------------


@test
def names_of_any_bytes():
    d = directory("bytes", {"ok.zip": GOOD})
    names = [b"caf\xe9.zip", b"a\x1b[31m.zip", 'u\u202e"\\.zip'.encode(), b"tab\t.zip", b"new\nline.zip"]
    for name in names:
        Path(os.fsdecode(bytes(d) + b"/" + name)).write_bytes(GOOD)
    done = cli("audit", "--json", d, text=False)
    equal(done.code, 0)
    files = [json.loads(line.decode("utf-8"))["file"][len(str(d)) + 1:]
             for line in done.out.split(b"\n")[:-1]]
    equal(files, ["a\x1b[31m.zip", "caf\\xe9.zip", "new\nline.zip", "ok.zip", "tab\t.zip",
                  'u\u202e"\\.zip'])
    text = cli("audit", d).ok().out
    for part in ("\x1b", "\u202e", "new\nline"):
        lacks(text, part)
    contains(text, "accept " + str(d) + "/caf\\xe9.zip (")
    [o] = audit("--files-from", "-", stdin=b"gone\xff.zip\n", code=2)
    equal(o["file"], "gone\\xff.zip")


@test
def entry_names_of_any_bytes():
    raw = make({"n" * 8: "x", "m" * 8: "y"})
    raw = raw.replace(b"n" * 8, b"\xff\x00\x1b\n\"\\\x7f\x80").replace(b"m" * 8, b"nul\0nul!")
    d = directory("entries", {"a.zip": raw, "b.zip": HIDDEN})
    a, b = audit(d, code=1)
    equal(a["rules"], ["name-utf8"])
    equal(sorted(f["entry"] for f in a["findings"]),
          ["\\xff\\x00\\x1b\\x0a\"\\\\\\x7f\\x80", "nul\0nul!"])
    equal(b["findings"][0]["entry"], "we ird\u202e.txt")
    contains(b["findings"][0]["message"], "we ird\\u{202e}.txt")
    lacks(cli("audit", d).out, "\u202e")


@test
def a_full_output_is_a_failure():
    d = directory("full", {"a.zip": GOOD, "b.zip": GOOD})
    for option in ([], ["--json"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([CLI, "audit", *option, d], env=cli.env, stdout=full,
                                  stderr=subprocess.PIPE, text=True, check=False)
        equal((done.returncode, done.stderr), (2, "Error: cannot write the output\n"))


@test
def a_reader_that_goes_away_ends_it():
    d = directory("gone", {f"{i}.zip": GOOD for i in range(3)})
    for ignored, code in ((False, -signal.SIGPIPE), (True, 2)):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([CLI, "audit", "--json", d], env=cli.env, stdout=writer,
                              stderr=subprocess.PIPE, check=False, restore_signals=not ignored)
        os.close(writer)
        equal(done.returncode, code, done.stderr)


@test
def on_a_terminal_foreign_text_stays_harmless():
    d = directory("screen", {"b.zip": HIDDEN})
    done = cli.terminal("audit", "--json", d)
    equal(done.code, 1)
    lacks(done.out, "\u202e")
    equal(json.loads(done.out)["findings"][0]["entry"], "we ird\u202e.txt")
    contains(cli.terminal("audit", d).out, "\x1b[1;31mreject\x1b[0m ")


@test
def no_name_of_a_packed_skill_is_left():
    equal([p.name for p in cli.home.iterdir() if p.name.startswith("stigmer")], [])


run()
