#!/usr/bin/python3
"""What the command line does without any server: help, usage errors, completion, manuals."""

import json
import os
import re
import shutil
import subprocess

from support.check import check, contains, equal, lacks
from support.cli import Cli
from support.paths import CLI, ROOT, run as run_program
from support.tap import run, skip, test

NOWHERE = "127.0.0.1:1"  # nothing listens there
cli = Cli(address=NOWHERE)
COMMANDS = ["apply", "audit", "skill push", "skill get", "skill list", "skill versions",
            "skill show", "skill files", "skill tag", "skill pull", "skill delete",
            "server start", "server stop",
            "server status", "server run", "agent resolve", "agent fetch",
            "agent mount", "agent unmount", "agent prompt", "agent exec", "agent run", "cache prune", "version", "completion", "help"]
TOP = ["apply", "audit", "skill", "agent", "cache", "server", "version", "completion", "help"]
GROUPS = ["skill", "agent", "cache", "server"]


def options_of(command):
    """The long options in a command's help."""
    return re.findall(r"^ .*?--([a-z-]+)", cli(*command.split(), "--help").ok().out, re.MULTILINE)


@test
def every_command_explains_itself():
    for command in COMMANDS + GROUPS:
        words = command.split()
        done = cli(*words, "--help").ok()
        equal(done.err, "", command)
        check(done.out.startswith(f"Usage: stigmer {command}"), done.out)
        contains(done.out, "Exit codes:")
        contains(done.out, "--help")
        equal(cli(*words, "-h").ok().out, done.out, command)
        equal(cli("help", *words).ok().out, done.out, command)
        check(all(len(line) <= 100 for line in done.out.splitlines()), f"{command}: long lines")


@test
def help_lists_every_command():
    text = cli("--help").ok().out + "".join(cli("help", group).ok().out for group in GROUPS)
    for command in COMMANDS:
        check(re.search(rf"^  {command.split()[-1]}\b", text, re.MULTILINE), command)


@test
def groups_alone_are_wrong_usage():
    for words in ([], *([group] for group in GROUPS)):
        done = cli(*words)
        equal((done.code, done.out), (2, ""))
        contains(done.err, "Usage: ")


@test
def version():
    check(re.fullmatch(r"stigmer \d+\.\d+\.\d+\n", cli("version").ok().out))
    equal(cli("--version").ok().out, cli("version").ok().out)
    equal(list(json.loads(cli("version", "--json").ok().out)), ["version"])


@test
def wrong_usage_says_what_and_where_to_look():
    for words, text in ((["nonsense"], 'unknown command "nonsense"'),
                        (["skill", "nonsense"], 'unknown command "nonsense"'),
                        (["help", "nonsense"], 'unknown command "nonsense"'),
                        (["--nonsense"], "unknown option --nonsense"),
                        (["skill", "list", "-x"], "unknown option -x"),
                        (["skill", "get"], "missing argument: REF"),
                        (["skill", "tag", "a"], "missing argument: REF NEW_TAG"),
                        (["apply", "a", "b"], 'superfluous argument "b"'),
                        (["skill", "list", "--limit", "101"], "from 1 to 100"),
                        (["skill", "list", "--limit"], "--limit needs a value"),
                        (["version", "--json=yes"], "--json takes no value"),
                        (["completion", "fish"], "bash or zsh"),
                        (["skill", "get", "No Skill"], "is not a skill"),
                        (["skill", "get", "a@123"], "64 digits"),
                        (["skill", "get", "@x/a", "--org", "y"], "differ"),
                        (["skill", "get", "a", "--org", "a b"], "is not an organization"),
                        (["skill", "tag", "a", "b c"], "is not a tag"),
                        (["skill", "tag", "a", "0" * 64], "version hash"),
                        (["skill", "files"], "missing argument: REF"),
                        (["skill", "files", "a", "--limit", "5"], "unknown option --limit"),
                        (["skill", "delete", "a:v1"], "leave out"),
                        (["skill", "versions", "a:v1"], "leave out"),
                        (["skill", "pull", "a", "d", "--zip", "f"], "not both"),
                        (["skill", "pull", "a", ".."], "name a new directory"),
                        (["skill", "list", "--server", "http://x"], "scheme"),
                        (["server", "start", "--server", "example.com:1"], "not this machine"),
                        (["server", "run", "--server", "example.com:1"], "not this machine")):
        done = cli(*words).failed(2, text)
        contains(done.err, "--help\".\n")
        equal(done.out, "")


@test
def what_a_person_typed_is_shown_safely():
    done = cli("skill", "get", "\x1b[31mred").failed(2)
    lacks(done.err, "\x1b")
    contains(done.err, "\\x1b[31mred")


@test
def no_server_says_how_to_start_one():
    for words in (["skill", "list"], ["skill", "get", "a"], ["skill", "versions", "a"],
                  ["skill", "show", "a"], ["skill", "files", "a"], ["skill", "tag", "a", "b"],
                  ["skill", "pull", "a"], ["skill", "delete", "a", "--yes"]):
        done = cli(*words).failed(1, "Cannot connect to stigmer-server")
        check(done.err.startswith("Error: Cannot connect to stigmer-server\n"), done.err)
        contains(done.err, "stigmer server start")
        contains(done.err, NOWHERE)
        equal(done.out, "", str(words))


@test
def no_server_elsewhere_says_to_check_the_address():
    done = cli("skill", "list", "--server", "127.0.0.2:1").failed(1, "Cannot connect")
    lacks(done.err, "stigmer server start")
    contains(done.err, "STIGMER_SERVER_ADDR")


@test
def a_full_output_is_a_failure():
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([str(CLI), "completion", "bash"], stdout=full, stderr=subprocess.PIPE,
                              text=True, check=False)
    equal(done.returncode, 1)
    contains(done.stderr, "Error: cannot write the output")


# --- completion ------------------------------------------------------------------------------------


def complete_bash(*words):
    """What bash offers for the last word."""
    quoted = " ".join(f"'{w}'" for w in ("stigmer", *words))
    script = (f"source <('{CLI}' completion bash)\nCOMP_WORDS=({quoted})\n"
              f"COMP_CWORD={len(words)}\n_stigmer\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n")
    done = run_program("bash", "-c", script, cwd=cli.home)
    equal((done.returncode, done.stderr), (0, ""))
    return done.stdout.split()


@test
def bash_completes_commands():
    equal(complete_bash(""), TOP)
    equal(complete_bash("s"), ["skill", "server"])
    equal(complete_bash("skill", "p"), ["push", "pull"])
    equal(complete_bash("server", "st"), ["start", "stop", "status"])
    equal(complete_bash("completion", ""), ["bash", "zsh"])


@test
def bash_completes_every_option():
    for command in COMMANDS:
        equal(sorted(complete_bash(*command.split(), "--")),
              sorted("--" + o for o in options_of(command)), command)


@test
def bash_completes_directories_and_files():
    (cli.home / "somedir").mkdir()
    (cli.home / "somefile").touch()
    equal(complete_bash("apply", "some"), ["somedir"])
    equal(sorted(complete_bash("apply", "--ca-file", "some")), ["somedir", "somefile"])
    equal(sorted(complete_bash("audit", "some")), ["somedir", "somefile"])
    equal(sorted(complete_bash("audit", "--files-from", "some")), ["somedir", "somefile"])
    equal(complete_bash("apply", "--tag", "some"), [])


@test
def zsh_script_is_valid_and_names_every_option():
    script = cli("completion", "zsh").ok().out
    check(script.startswith("#compdef stigmer\n"))
    for command in COMMANDS:
        start = script.index(f"({command.replace(' ', '-')})\n")
        block = script[start:script.index(";;", start)]
        for option in options_of(command):
            contains(block, "--" + option)
    if not shutil.which("zsh"):
        skip("zsh is not installed")
    done = subprocess.run(["zsh", "-n"], input=script, text=True, capture_output=True, check=False)
    equal((done.returncode, done.stderr), (0, ""))


def complete_zsh(*words):
    """What the script hands to zsh's completion functions for the last word."""
    quoted = " ".join(f"'{w}'" for w in ("stigmer", *words))
    script = ("compdef() { }\n_describe() { print -l -- ${(P)4} }\n_arguments() { print -l -- $@ }\n"
              f"source <('{CLI}' completion zsh)\nwords=({quoted})\nCURRENT={len(words) + 1}\n"
              "_stigmer\n")
    done = run_program("zsh", "-f", "-c", script, cwd=cli.home)
    equal((done.returncode, done.stderr), (0, ""))
    return done.stdout


@test
def zsh_completes_commands_and_options():
    if not shutil.which("zsh"):
        skip("zsh is not installed")
    for words, names in (([""], TOP),
                         (["skill", ""], ["push", "get", "list", "versions", "show", "files", "tag",
                                          "pull", "delete"]),
                         (["server", ""], ["start", "stop", "status", "run"])):
        equal([line.split(":")[0] for line in complete_zsh(*words).splitlines()], names)
    for command in COMMANDS:
        offered = complete_zsh(*command.split(), "")
        for option in options_of(command):
            contains(offered, f"--{option}")


# --- manuals ---------------------------------------------------------------------------------------

MANUALS = {"apply": ["stigmer.1"], "audit": ["stigmer.1"], "version": ["stigmer.1"], "completion": ["stigmer.1"],
           "help": ["stigmer.1"], "skill": ["stigmer.1", "stigmer-skill.1"],
           "server": ["stigmer.1", "stigmer-server.1"],
           "agent": ["stigmer.1", "stigmer-agent.1"], "cache": ["stigmer.1", "stigmer-agent.1"]}


def manual(name):
    return (ROOT / "docs" / "man" / name).read_text()


@test
def manuals_name_every_command_and_option():
    for command in COMMANDS:
        text = "".join(manual(name) for name in MANUALS[command.split()[0]])
        contains(text, f".It Cm {command.split()[-1]}")
        for option in options_of(command):
            contains(text, f"Fl Fl {option}")


@test
def manuals_are_well_formed():
    if not shutil.which("mandoc"):
        skip("mandoc is not installed")
    for page in sorted((ROOT / "docs" / "man").iterdir()):
        done = run_program("mandoc", "-T", "lint", "-W", "style", page)
        left = [line for line in (done.stdout + done.stderr).splitlines()
                if "referenced manual not found" not in line and "mandoc.db" not in line]
        equal(left, [], page.name)


@test
def nothing_was_written_to_the_home_directory():
    check(not os.path.exists(cli.home / ".stigmer"), "looking must not make directories")


run()
