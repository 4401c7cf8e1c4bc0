#!/usr/bin/python3
"""`stigmer agent` against a real server: references and the lock file, mounts, the prompt."""

import json
import os
import stat
import subprocess
import threading

from support import archives, isolation, tap
from support.agents import Agent, remove
from support.check import check, contains, equal, lacks
from support.isolation import users
from support.paths import discard
from support.server import Server
from support.tap import test

HEAD = ("\n\n## Available Skills\n\nThe following skills provide specialized capabilities. Each skill "
        "includes instructions and executable tools.\n")
NOBODY = {"STIGMER_SERVER_ADDR": "127.0.0.1:1"}

server = Server().start()
client = server.client()
agent = Agent(server)
LOCK = agent.home / "skills.lock"


def push(name, files=None, org="local", tag="v1"):
    """The version's hash."""
    return client.push(name, archives.make(files or {}), org=org, tag=tag).status.version_hash


def pins():
    return {p["reference"]: p for p in json.loads(LOCK.read_text())["skills"]}


def unlock():
    LOCK.unlink(missing_ok=True)


# --- references ------------------------------------------------------------------------------------


@test
def every_form_of_a_reference_in_order():
    one = push("Forms", {"a": "1"})
    two = push("Forms", {"a": "2"}, tag="v2")
    other = push("Forms Two", {"a": "3"}, org="acme")
    rows = [("@local/forms:v1", one), ("forms", two), ("@local/forms:latest", two),
            (f"forms@{one}", one), ("@acme/forms-two", other), ("forms-two", other)]
    out = agent.agent("resolve", *[r for r, _ in rows]).ok().out
    said = [line.split() for line in out.splitlines()]
    equal([h for h, _ in said], [h for _, h in rows])
    equal([r for _, r in said], [r.replace(":latest", "") for r, _ in rows])
    equal(list(pins()), sorted(set(r.replace(":latest", "") for r, _ in rows)), "in byte order")
    unlock()
    answer = agent.json("agent", "resolve", "@local/forms:v1")
    pin = answer["skills"][0]
    equal({k: pin[k] for k in ("reference", "versionHash", "name", "org", "slug", "tag", "pushedBy")},
          {"reference": "@local/forms:v1", "versionHash": one, "name": "Forms", "org": "local",
           "slug": "forms", "tag": "v1", "pushedBy": "system"})
    equal((answer["moves"], answer["lock"]), ([], "skills.lock"))
    unlock()
    out = agent.agent("resolve", "--org", "acme", "forms-two", "@local/forms").ok().out
    equal(sorted(pins()), ["@acme/forms-two", "@local/forms"])
    contains(out, other)
    unlock()


@test
def what_is_no_reference():
    for bad in ("", "A b", "@local", "a@0123", "a:v 1", "../a"):
        agent.agent("resolve", bad).failed(2)
    agent.agent("resolve", "--org", "a/b", "forms").failed(2, "is not an organization")
    done = agent.agent("resolve")
    check(done.code == 2 and "give a REF or --refs-file" in done.err, done.err)
    check(not LOCK.exists(), "nothing is locked")


@test
def each_missing_one_is_named_and_nothing_is_locked():
    push("There")
    done = agent.agent("resolve", "absent-a", "there", "@acme/absent-b:v1", "there:none").failed(
        1, "3 of 4 references cannot be resolved:")
    for part in ("  absent-a: skill not found: absent-a", "  @acme/absent-b:v1: ",
                 "  there:none: skill version not found: there:none"):
        contains(done.err, part)
    lacks(done.err, "  there: ")
    check(not LOCK.exists())
    push("Twice", org="one")
    push("Twice", org="two")
    done = agent.agent("resolve", "twice").failed(1)
    contains(done.err, "one")
    contains(done.err, "two")
    agent.agent("resolve", "there", env=NOBODY).failed(1, "Cannot connect")
    agent.agent("resolve", "there", "--offline").failed(1, "offline")
    check(not LOCK.exists())


def with_refs(text, *args, name="refs", **options):
    file = agent.home / name
    file.write_text(text if isinstance(text, str) else json.dumps(text))
    try:
        return agent.agent("resolve", "--refs-file", file, *args, **options)
    finally:
        unlock()


@test
def references_from_files():
    a, b = push("File A", {"x": "a"}), push("File B", {"x": "b"}, org="acme")
    wanted = f"{a}  @local/file-a:v1\n{b}  @acme/file-b\n"
    objects = [{"scope": "organization", "org": "local", "kind": "skill", "slug": "file-a", "version": "v1"},
               {"scope": 2, "org": "acme", "kind": 43, "slug": "file-b"}]
    texts = ["@local/file-a:v1", "@acme/file-b"]
    for content in (objects, texts, [objects[0], texts[1]], {"skills": texts}, {"skillRefs": objects},
                    {"spec": {"skill_refs": objects}}, {"skills": texts, "name": "x"},
                    "skills:\n  - '@local/file-a:v1'\n  - slug: file-b\n    org: acme\n",
                    "# agent\nkind: Agent\nspec:\n  instructions: |\n    a\n  skills: [\"@local/file-a:v1\", "
                    "{slug: file-b, org: acme, scope: organization}]\n"):
        equal(with_refs(content).ok().out, wanted, str(content))
    equal(with_refs(texts[1:], texts[0]).ok().out, wanted, "words come first")
    done = subprocess.run(agent.command(["agent", "resolve", "-f", "-"]), input=json.dumps(texts),
                          text=True, capture_output=True, env=agent.env, cwd=agent.home, check=False)
    equal(done.stdout, wanted, done.stderr)
    unlock()
    equal(with_refs([]).ok().out, "", "none")


@test
def files_of_references_that_are_refused():
    for content, part in (
            ("", "no list"), ("[", "not JSON"), ("{}", "no list"), ("skills: x\n", "no list"),
            ('["a",]', "not JSON: line 1"), ("a: [\n", "not YAML"), ("skills: *x\n", ""),
            (["no such"], "skill 1 of the list"), ([{"slug": "a"}, {}], "skill 2 of the list: it has no slug"),
            ([{"slug": "a", "kind": 44}], "its kind is not skill"),
            ([{"slug": "a", "kind": "agent"}], "its kind is not skill"),
            ([{"slug": "a", "scope": 3}], "its scope is neither"),
            ([{"slug": "a", "scope": "organization"}], "scope organization needs an org"),
            ([{"slug": "a", "scope": "platform", "org": "x"}], "scope platform has no org"),
            ([{"slug": "a", "more": "x"}], "a field that no reference has"),
            ([{"slug": "a", "version": ["x"]}], "a field of it is no text"),
            ([{"slug": "a:v1"}], "its slug is none"), ([{"slug": "a", "version": "x y"}], "not a tag"),
            ([[]], "neither a text nor a reference"), ([1], "neither a text nor a reference"),
            (["a" * 1100], "neither a text nor a reference"), ([{"slug": "a" * 1100}], "too long"),
            ({"skills": {"a": 1}}, "no list"), ('{"skills": [], "skills": []}', "not JSON"),
            ('["a\\u001b[31m"]', ""), (["x"] * 1001, "at most 1000"), ("#" * ((1 << 20) + 1), "1048576 bytes"),
            ("skills: " + "[" * 40 + "]" * 40, "too many levels"),
            ("skills: []\nskills: []\n", "twice"), ("? [a]\n: b\n", "a key that is no text")):
        done = with_refs(content)
        check(done.code in (1, 2) and part in done.err, f"{part!r} in exit {done.code} {done.err}")
        lacks(done.err, "\x1b")
    agent.agent("resolve", "-f", agent.home / "absent").failed(1, "No such file")


# --- the lock file ---------------------------------------------------------------------------------


@test
def a_moved_tag_is_shown_with_both_versions_and_locked():
    old = push("Moving", {"a": "1"}, tag="stable")
    agent.agent("resolve", "@local/moving:stable").ok()
    before = LOCK.read_text()
    agent.agent("resolve", "@local/moving:stable").ok()
    equal(LOCK.read_text(), before, "unchanged when nothing changed")
    new = push("Moving", {"a": "2"}, tag="stable")
    for command in ("fetch", "prompt"):
        done = agent.agent(command, "--json", "@local/moving:stable").ok()
        contains(done.out, old)
        lacks(done.out, new)
    equal(LOCK.read_text(), before, "only resolve writes")
    done = agent.agent("resolve", "--frozen").ok()
    equal(done.out, f"{old}  @local/moving:stable\n")
    for part in ("Moved: @local/moving:stable\n", f"  old {old}, pushed 20", f"  new {new}, pushed 20",
                 "  moved 20", " UTC by system\n"):
        contains(done.err, part)
    equal(LOCK.read_text(), before, "--frozen changes nothing")
    done = agent.agent("resolve").ok()
    equal(done.out, f"{new}  @local/moving:stable\n")
    contains(done.err, f"  old {old}, pushed 20")
    equal(pins()["@local/moving:stable"]["hash"], new)
    client.move_tag("moving", old, "stable", org="local")
    done = agent.agent("resolve").failed(1, "went back to a version that was pushed before")
    contains(done.err, "--allow-backward")
    equal(pins()["@local/moving:stable"]["hash"], new)
    move = agent.json("agent", "resolve", "--allow-backward")["moves"][0]
    equal((move["reference"], move["old"]["versionHash"], move["new"]["versionHash"], move["backward"]),
          ("@local/moving:stable", new, old, True))
    equal(move["movedBy"], "system")
    check(move["movedAt"] > move["old"]["pushedAt"] > move["new"]["pushedAt"], "moved after both pushes")
    equal(pins()["@local/moving:stable"]["hash"], old)
    unlock()


@test
def frozen_takes_nothing_that_is_not_locked():
    hash_ = push("Frozen")
    for command in ("resolve", "fetch", "prompt"):
        agent.agent(command, "--frozen", "frozen").failed(1, "there is no lock file skills.lock")
    agent.agent("resolve", "frozen").ok()
    before = LOCK.read_text()
    for command in ("resolve", "fetch", "prompt"):
        agent.agent(command, "--frozen", "frozen", "other").failed(
            1, "1 of 2 references cannot be resolved")
        agent.agent(command, "--frozen", f"frozen@{hash_}").failed(1, "not in the lock file")
    agent.agent("fetch", "--frozen").ok()
    equal(agent.agent("resolve", "--frozen", "--offline").ok().out, f"{hash_}  frozen\n")
    equal(agent.agent("resolve", "--frozen", env=NOBODY).ok().out, f"{hash_}  frozen\n",
          "what moved is told as far as a server answers")
    client.delete("org/local/skill/frozen")
    agent.agent("prompt", "--frozen", env=NOBODY).ok()
    equal(LOCK.read_text(), before)
    unlock()


@test
def the_lock_file_has_a_place_of_its_own():
    hash_ = push("Placed")
    named = agent.home / "sub" / "my.lock"
    agent.agent("resolve", "--lock", named, "placed").failed(1, "No such file")
    named.parent.mkdir()
    agent.agent("fetch", "--lock", named, "placed").failed(1, "there is no lock file")
    agent.agent("resolve", "-l", named, "placed").ok()
    check(not LOCK.exists())
    equal(agent.agent("resolve", "-l", named, "--frozen").ok().out, f"{hash_}  placed\n")
    equal(sorted(os.listdir(named.parent)), ["my.lock"], "nothing beside it")
    agent.agent("resolve", "-l", named.parent, "placed").failed(1)
    agent.agent("resolve", "-l", f"{named.parent}/", "placed").failed(1, "Is a directory")


@test
def lock_files_that_are_refused():
    agent.agent("resolve", f"forms@{push('Forms', {'a': '1'})}", "@local/forms").ok()
    good = json.loads(LOCK.read_text())

    def changed(**fields):
        entry = {**good["skills"][0], **fields}
        return {**good, "skills": [{k: v for k, v in entry.items() if v is not None}]}

    for content in ("", "[]", "{}", "{", json.dumps({**good, "version": 2}), json.dumps({"version": 1}),
                    json.dumps({**good, "skills": {}}), json.dumps({**good, "skills": [1]}),
                    json.dumps(changed(hash="0")), json.dumps(changed(hash=None)),
                    json.dumps(changed(reference="a b")), json.dumps(changed(reference="@local/forms:latest")),
                    json.dumps(changed(slug="other")), json.dumps(changed(org="other")),
                    json.dumps(changed(name="a\nb")), json.dumps(changed(name=None)),
                    json.dumps(changed(tag="x y")), json.dumps(changed(pushedAt="yesterday")),
                    json.dumps(changed(pushedBy=1)), json.dumps(changed(pushedBy="x" * 2000)),
                    json.dumps({**good, "skills": good["skills"] * 2}), "x" * (17 << 20)):
        LOCK.write_text(content)
        for command in ("resolve", "fetch", "prompt"):
            agent.agent(command, "@local/forms").failed(1, "skills.lock cannot be used")
        equal(LOCK.read_text(), content, "left alone")
    unlock()
    os.mkfifo(LOCK)
    agent.agent("fetch", "@local/forms").failed(1)
    unlock()


@test
def many_write_the_lock_file_at_once():
    names = [f"lock-{n}" for n in range(12)]
    for name in names:
        push(name)
    started = [agent.start("agent", "resolve", f"@local/{name}") for name in names]
    for process in started:
        equal(process.communicate(timeout=60)[1], b"")
    equal(sorted(pins()), sorted(f"@local/{n}" for n in names), "none is lost")
    equal([n for n in os.listdir(agent.home) if n.startswith(".skills-lock")], [])
    unlock()


# --- mounts ----------------------------------------------------------------------------------------


def modes(directory):
    return {str(p.relative_to(directory)): oct(stat.S_IMODE(p.lstat().st_mode))
            for p in directory.rglob("*")}


@test
def two_versions_of_one_skill_side_by_side():
    one = push("Sides", {"run.sh": "echo 1\n", "lib/x": "1"})
    two = push("Sides", {"run.sh": "echo 2\n", "lib/x": "2"}, tag="v2")
    refs = ("@local/sides:v1", "@local/sides:v2", f"@local/sides@{one}")
    for more, kinds in (((), ("bind", "copy")), (("--copy",), ("copy",))):
        answer = agent.json("agent", "mount", "--root", agent.root, *more, *refs)
        equal([m["path"] for m in answer], [f"{agent.root}/bin/skills/{h}" for h in (one, two, one)])
        check(all(m["kind"] in kinds for m in answer), str(answer))
        equal(agent.mounted(), sorted([one, two]))
        for hash_, text in ((one, "1"), (two, "2")):
            place = agent.root / "bin" / "skills" / hash_
            equal((place / "lib" / "x").read_text(), text)
            try:
                (place / "more").write_text("x")
                written = True
            except OSError:
                written = False
            check(not written or answer[0]["kind"] == "copy", "read-only")  # root may write to copies
            if written:
                (place / "more").unlink()
            if answer[0]["kind"] == "copy":
                equal(modes(place), {"SKILL.md": "0o444", "run.sh": "0o555", "lib": "0o555", "lib/x": "0o444"})
                equal(oct(stat.S_IMODE(place.stat().st_mode)), "0o555")
        plain = agent.agent("mount", "--root", agent.root, *more, *refs).ok().out
        equal(plain.split(), [m["path"] for m in answer])
        agent.unmount()


@test
def what_is_mounted_already_is_verified():
    hash_ = push("Again", {"run.sh": "echo\n", "d/x": "1"})
    place = agent.root / "bin" / "skills" / hash_

    def loosen():
        subprocess.run(["chmod", "-R", "u+w", str(place)], check=True)

    for damage in (lambda: (place / "run.sh").write_text("evil\n"), lambda: (place / "d" / "x").unlink(),
                   lambda: (place / "d" / "y").write_text(""), lambda: None,
                   lambda: ((place / "run.sh").unlink(), (place / "run.sh").symlink_to("/bin/sh"))):
        agent.agent("mount", "--copy", "--root", agent.root, "again").ok()
        loosen()
        damage()
        (agent.root / "bin" / "skills" / ".copy-0").mkdir()
        agent.agent("mount", "--copy", "--root", agent.root, "again").ok()
        equal(modes(place), {"SKILL.md": "0o444", "run.sh": "0o555", "d": "0o555", "d/x": "0o444"})
        equal(agent.mounted(), [hash_], "and what was cut off is gone")
    agent.unmount()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("a file")
    agent.agent("mount", "--copy", "--root", agent.root, "again").ok()
    check(place.is_dir())
    agent.unmount()


@test
def no_link_below_the_root_is_followed():
    push("Linked")
    outside = agent.home / "outside"
    outside.mkdir()
    for name in ("bin", "bin/skills"):
        root = agent.home / f"link-{name.count('/')}"
        (root / name).parent.mkdir(parents=True)
        (root / name).symlink_to(outside)
        for command in (("mount", "--copy", "linked"), ("mount", "linked"), ("unmount",)):
            agent.agent(*command, "--root", root).failed(1, "no skills can be put below")
        equal(os.listdir(outside), [])
    agent.agent("mount", "--root", "/dev/null/x", "linked").failed(1)
    for command in ("mount", "unmount"):
        done = agent.agent(command)
        check(done.code == 2 and "--root DIR is needed" in done.err, done.err)


@test
def unmounting_one_or_all():
    one, two = push("Un A", {"x": "1"}), push("Un B", {"x": "2"})
    agent.agent("mount", "--root", agent.root, "un-a").ok()
    agent.agent("mount", "--copy", "--root", agent.root, "un-b").ok()
    agent.agent("unmount", "--root", agent.root, one).ok()
    equal(agent.mounted(), [two])
    agent.agent("unmount", "--root", agent.root, one).failed(1, f"{one} is not below")
    done = agent.agent("unmount", "--root", agent.root, "../x")
    check(done.code == 2 and "is not a version hash" in done.err, done.err)
    agent.agent("unmount", "--root", agent.root).ok()
    equal(agent.mounted(), [])
    equal(agent.agent("fetch", "--offline", f"un-a@{one}").ok().err, "", "the cache is as it was")


@test
def who_may_not_mount_gets_copies():
    """An ordinary user: the same files, which their owner cannot write to either."""
    hash_ = push("Ordinary", {"run.sh": "echo\n", "d/x": "1"})
    user = isolation.Agent(server, users()[-1])
    try:
        place = user.directory("own") / "root"
        answer = json.loads(user("agent", "mount", "--json", "--root", place, "ordinary").ok().out)
        equal([m["kind"] for m in answer], ["copy"])
        equal(modes(place / "bin" / "skills" / hash_),
              {"SKILL.md": "0o444", "run.sh": "0o555", "d": "0o555", "d/x": "0o444"})
        user("agent", "mount", "--root", place, "ordinary").ok()
        user("agent", "mount", "--root", "/proc/x", "ordinary").failed(1, "no skills can be put below")
        user("agent", "unmount", "--root", place).ok()
        equal(os.listdir(place / "bin" / "skills"), [])
    finally:
        remove(user.home)


@test
def many_mount_the_same_at_once():
    hashes = [push(f"Race {n}", {"x": str(n)}) for n in range(4)]
    refs = [f"@local/race-{n}" for n in range(4)]
    started = [agent.start("agent", "mount", "--copy", "--root", agent.root, *refs) for _ in range(8)]
    for process in started:
        equal(process.communicate(timeout=60)[1], b"")
        equal(process.returncode, 0)
    equal(agent.mounted(), sorted(hashes))
    agent.unmount()


# --- the prompt ------------------------------------------------------------------------------------


def part(name, location, text):
    return f"\n### SKILL: {name}\nLOCATION: {location}/\n\n{text}\n"


MARKDOWN = ("---\nname: md\ndescription: \"Marks: all\"\n---\n\n# Title\n\n* a\n  1. b  \n\n```sh\n\techo `x` $Y %s \\n\n"
            "```\r\n<b>&amp;</b>\n\n\n| t |\n|---|\n\u4f60\u597d \U0001f469\u200d\U0001f4bb \\ \"q\" 'q'")


@test
def the_section_for_none_one_and_many():
    equal(with_none(), b"", "no skills, no section")
    one = push("Md Skill", {"SKILL.md": MARKDOWN})
    two = push("Md Skill", {"SKILL.md": "# 2\n"}, tag="v2")
    first = part("Md Skill", f"/bin/skills/{one}", MARKDOWN)
    second = part("Md Skill", f"/bin/skills/{two}", "# 2\n")

    def prompt(*args):
        return agent.agent("prompt", *args, text=False).ok().out.decode()

    equal(prompt("md-skill:v1"), HEAD + first)
    equal(prompt("md-skill:v2", "md-skill:v1"), HEAD + second + first, "in the order given")
    equal(prompt("md-skill:v1", f"md-skill@{one}"), HEAD + first, "one version once")
    equal(prompt("--root", "/srv/x", "md-skill:v1"),
          HEAD + part("Md Skill", f"/srv/x/bin/skills/{one}", MARKDOWN))
    agent.agent("mount", "--copy", "--root", agent.root, "md-skill:v1").ok()
    location = prompt("--root", str(agent.root), "md-skill:v1").split("LOCATION: ")[1].split("\n")[0]
    equal(open(location + "SKILL.md", encoding="utf-8", newline="").read(), MARKDOWN, "LOCATION is true")
    agent.unmount()


def with_none():
    (agent.home / "none").write_text("[]")
    return agent.agent("prompt", "-f", agent.home / "none", text=False).ok().out


@test
def the_section_as_json():
    one = push("Js Skill", {"SKILL.md": "# \u4f60 x\n"})
    for options in (("--format", "json"), ("--json",)):
        answer = json.loads(agent.agent("prompt", *options, "@local/js-skill:v1").ok().out)
        section = HEAD + part("Js Skill", f"/bin/skills/{one}", "# \u4f60 x\n")
        equal(answer["prompt"], section)
        skill = answer["skills"][0]
        tokens = skill.pop("tokens")
        equal(skill, {"reference": "@local/js-skill:v1", "name": "Js Skill", "versionHash": one,
                      "location": f"/bin/skills/{one}/", "skillMd": "# \u4f60 x\n", "org": "local"})
        text = part("Js Skill", f"/bin/skills/{one}", "# \u4f60 x\n")
        equal(tokens, (len(text) - 1 + 3) // 4 + 1, "a quarter of the ASCII, and one")
        equal(answer["tokens"], (len(section) - 1 + 3) // 4 + 1)
    done = agent.agent("prompt", "--format", "xml", "js-skill")
    check(done.code == 2 and "--format is text or json" in done.err, done.err)
    equal(agent.agent("prompt", "--format", "text", "js-skill").ok().out, answer["prompt"])
    none = json.loads(agent.agent("prompt", "--json", "-f", agent.home / "none").ok().out)
    equal(none, {"skills": [], "prompt": "", "tokens": 0})


@test
def a_budget_names_the_largest():
    for n in range(7):
        push(f"Size {n}", {"SKILL.md": "".join(map(str, range(1000, 1250 * (n + 1))))})
    refs = [f"size-{n}" for n in range(7)]
    done = agent.agent("prompt", "--budget", "7000", *refs).failed(1, "more than the budget of 7000")
    equal(done.out, "")
    named = [line.split()[-1] for line in done.err.splitlines() if " tokens  " in line]
    equal(named, ["size-6", "size-5", "size-4", "size-3", "size-2"])
    needed = json.loads(agent.agent("prompt", "--json", *refs).ok().out)["tokens"]
    agent.agent("prompt", "--budget", needed, *refs).ok()
    agent.agent("prompt", "--budget", needed - 1, *refs).failed(1, "1 more than the budget")
    for bad in ("0", "x", "-1", "1000000001"):
        equal(agent.agent("prompt", "--budget", bad, "size-0").code, 2, bad)


@test
def a_terminal_sees_no_control_characters():
    push("Term", {"SKILL.md": "# a\n\x1b[31mred \u2066x\n"})
    shown = agent.terminal("agent", "prompt", "term").ok().out
    lacks(shown, "\x1b[31m")
    contains(shown, "\\x1b[31mred")
    contains(agent.agent("prompt", "term").ok().out, "\x1b[31mred \u2066x\n")


@test
def a_call_that_is_asked_of_many_threads_is_one_answer():
    """Prompts made at the same time, with an empty cache, are the same."""
    agent.forget()
    push("Same", {"SKILL.md": "# Same\n"})
    found = []
    threads = [threading.Thread(target=lambda: found.append(agent.agent("prompt", "same").ok().out))
               for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal(len(set(found)), 1)


def clean_up():
    agent.remove()
    server.stop()
    discard(server.home)


if __name__ == "__main__":
    tap.run(cleanup=clean_up)
