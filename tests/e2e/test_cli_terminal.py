#!/usr/bin/python3
"""The command line on a terminal: colours, progress, questions, and foreign text."""

import json
import os
import re

from support import archives
from support.check import check, contains, equal, lacks
from support.cli import Cli
from support.paths import discard
from support.server import Server
from support.tap import run, test

server = Server().start()
cli = Cli(server)
ESC = "\x1b"
HOSTILE = "na\x1b[31mme\x07\u202eflip\u200b\x9b"


@test
def colours_on_a_terminal_only():
    directory = cli.skill("colours")
    contains(cli.terminal("apply", directory).ok().out, f"{ESC}[32m✓{ESC}[0m Artifact created")
    lacks(cli("apply", directory).ok().out, ESC)
    contains(cli.terminal("skill", "get", "missing").out, f"{ESC}[1;31mError:{ESC}[0m ")
    contains(cli.terminal("help").ok().out, f"{ESC}[1mUsage:{ESC}[0m")


@test
def no_colour_when_it_is_not_wanted():
    directory = cli.skill("no-colours")
    done = cli.terminal("apply", directory, env={"NO_COLOR": "1"}).ok()
    check(not re.search(ESC + r"\[[0-9;]*m", done.out), "no colours with NO_COLOR")
    contains(done.out, "Uploading   [")
    lacks(cli.terminal("apply", directory, env={"TERM": "dumb"}).ok().out, ESC)
    contains(cli.terminal("apply", directory, env={"NO_COLOR": ""}).ok().out, f"{ESC}[32m")


@test
def progress_for_packing_uploading_and_downloading():
    directory = cli.skill("progress", **{"bulk.bin": os.urandom(6 << 20)})
    done = cli.terminal("apply", directory).ok()
    for label in ("Packing", "Uploading"):
        check(re.search(rf"\r{label} +\[#*\.*\] +\d+%  \d.* of 6\.0 MB", done.out), label)
    done = cli.terminal("skill", "pull", "progress", "progress-copy").ok()
    for label in ("Downloading", "Unpacking"):
        check(re.search(rf"\r{label} +\[#*\.*\] +\d+%  \d.* of 6\.0 MB", done.out), label)
    bars = re.findall(r"\r[^\r\n]*%[^\r\n]*", done.out)
    check(all(len(bar) < 110 for bar in bars), "a bar fits into its line")
    check(f"\r{ESC}[K" in done.out, "the bar is taken away")


@test
def no_progress_without_a_terminal():
    directory = cli.skill("quiet")
    done = cli("apply", directory).ok()
    equal(done.err, "")
    lacks(done.out, "\r")


@test
def json_on_a_terminal_is_json():
    cli("apply", cli.skill("json-on-tty"), "--name", "Jsön 🚀 on tty").ok()
    done = cli.terminal("skill", "get", "jsn-on-tty", "--json").ok()
    equal(json.loads(done.out)["metadata"]["name"], "Jsön 🚀 on tty")
    check(done.out.isascii(), "nothing but ASCII")


@test
def foreign_names_are_shown_safely():
    server.client().push(HOSTILE + "nameless", archives.numbered(1), org="hostile", scope=2)
    slug = json.loads(cli("skill", "list", "--org", "hostile", "--json").ok().out)
    slug = slug["items"][0]["metadata"]["slug"]
    for words in (["skill", "list", "--org", "hostile"], ["skill", "get", f"@hostile/{slug}"]):
        for done in (cli.terminal(*words, env={"NO_COLOR": "1"}).ok(), cli(*words).ok()):
            for bad in (ESC, "\x07", "\u202e", "\u200b", "\x9b"):
                lacks(done.out, bad)
            contains(done.out, "na\\x1b[31mme\\x07\\u{202e}flip\\u{200b}\\u{9b}")
    raw = json.loads(cli("skill", "get", f"@hostile/{slug}", "--json").ok().out)
    equal(raw["metadata"]["name"], HOSTILE + "nameless")
    on_tty = cli.terminal("skill", "get", f"@hostile/{slug}", "--json").ok().out
    lacks(on_tty, ESC)
    equal(json.loads(on_tty)["metadata"]["name"], HOSTILE + "nameless")


@test
def skill_md_is_shown_safely_on_a_terminal_and_raw_in_a_pipe():
    text = f"# Title\r\n\tcode \\n\n{ESC}]0;owned\x07{ESC}[2Jgone\u2067\nlast"
    server.client().push("hostile-text", archives.make({"SKILL.md": text}), org="local", scope=2)
    equal(cli("skill", "show", "hostile-text", text=False).ok().out, text.encode())
    done = cli.terminal("skill", "show", "hostile-text").ok()
    shown = done.out.replace("        ", "\t")
    equal(shown, "# Title\n\tcode \\n\n\\x1b]0;owned\\x07\\x1b[2Jgone\\u{2067}\nlast\n")


@test
def file_names_are_shown_safely():
    directory = cli.skill("bad-name")
    (directory / f"x{ESC}[31m").write_text("x")
    for done in (cli.terminal("apply", directory, env={"NO_COLOR": "1"}), cli("apply", directory)):
        equal(done.code, 1)
        lacks(re.sub(ESC + r"\[K", "", done.out + done.err), ESC)


@test
def deleting_asks():
    for answer, deleted in ((b"n\n", False), (b"\n", False), (b"\x04", False), (b"yes\n", True)):
        cli("apply", cli.home / "asked" if (cli.home / "asked").exists() else cli.skill("asked")).ok()
        done = cli.terminal("skill", "delete", "asked", answer=answer)
        contains(done.out, "Delete @local/asked? ")
        equal(done.code, 0 if deleted else 1, done.out)
        equal(cli("skill", "get", "asked").code, 1 if deleted else 0)
        if not deleted:
            contains(done.out, "not deleted")
    cli("apply", cli.home / "asked").ok()
    lacks(cli.terminal("skill", "delete", "asked", "--yes").ok().out, "?")


def clean_up():
    server.stop()
    discard(server.home)
    discard(cli.home)


run(clean_up)
