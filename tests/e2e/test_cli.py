#!/usr/bin/python3
"""Every command of the command line against a real server (API.md, section 6)."""

import json
import os
import re
import stat
import zipfile

from support import archives
from support.check import check, contains, equal, lacks
from support.cli import Cli
from support.paths import discard, scratch
from support.server import Server
from support.tap import run, test
from support.wire import Certificate

server = Server().start()
cli = Cli(server)
HASH = r"[0-9a-f]{64}"


def pushed(name, *args, **files):
    """Applies a skill; its version hash."""
    directory = cli.home / name if (cli.home / name).exists() else cli.skill(name, **files)
    return json.loads(cli("apply", directory, "--json", *args).ok().out)["versionHash"]


def tree(directory):
    """{path: (bytes, whether it may be executed)}"""
    return {str(p.relative_to(directory)): (p.read_bytes(), bool(p.stat().st_mode & stat.S_IXUSR))
            for p in sorted(directory.rglob("*")) if p.is_file()}


# --- apply and push --------------------------------------------------------------------------------


@test
def apply_prints_what_the_interface_says():
    directory = cli.skill("first-skill", **{"notes.txt": "x" * 3000})
    done = cli("apply", cwd=directory).ok()
    found = re.fullmatch(
        "Detected SKILL.md - entering Artifact Mode\n"
        "\n"
        "Skill name: first-skill\n"
        "Creating skill artifact...\n"
        r"✓ Artifact created \((?P<size>\d+ B|\d+\.\d KB)\)" "\n"
        f"Version hash: (?P<hash>{HASH})\n"
        "Uploading skill artifact...\n"
        "✓ Skill artifact uploaded successfully\n"
        "\n"
        "🚀 Skill uploaded successfully!\n"
        "\n"
        "Skill Details:\n"
        "  Name:         first-skill\n"
        "  Version Hash: (?P=hash)\n"
        "  Tag:          latest\n"
        "  Size:         (?P=size)\n"
        "\n"
        "Next steps:\n"
        "(  - .+\n)+", done.out)
    check(found, done.out)
    equal(done.err, "")
    answer = server.client().resolve("first-skill", org="local", scope=2)
    equal((answer.metadata.name, answer.metadata.org, answer.spec.tag, answer.status.version_hash),
          ("first-skill", "local", "latest", found["hash"]))


@test
def push_is_the_same_job():
    directory = cli.skill("second-skill")
    done = cli("skill", "push", directory).ok()
    check(done.out.startswith("Skill name: second-skill\n"), done.out)
    contains(done.out, "Skill Details:\n")
    equal(pushed("second-skill"), re.search(f"Version hash: ({HASH})", done.out)[1])


@test
def options_of_a_push():
    directory = cli.skill("some-directory")
    done = cli("skill", "push", directory, "--name", "Other Name", "--org", "acme", "-t", "v1.0").ok()
    contains(done.out, "  Name:         Other Name\n")
    contains(done.out, "  Tag:          v1.0\n")
    contains(done.out, "@acme/other-name")
    answer = server.client().resolve("other-name", org="acme", scope=2)
    equal((answer.metadata.name, answer.spec.tag), ("Other Name", "v1.0"))


@test
def apply_as_json():
    directory = cli.skill("json-skill")
    done = cli("apply", directory, "--json").ok()
    answer = json.loads(done.out)
    equal([answer[k] for k in ("name", "org", "tag", "files", "dryRun")],
          ["json-skill", "local", "latest", 1, False])
    equal(answer["skill"]["status"]["versionHash"], answer["versionHash"])
    equal(answer["skill"]["status"]["state"], "SKILL_STATE_READY")
    equal(answer["skill"]["metadata"]["ownerScope"], "organization")
    check(re.match(r"\d{4}-\d\d-\d\dT", answer["skill"]["status"]["audit"]["specAudit"]["createdAt"]))


@test
def the_name_is_that_of_the_resolved_directory():
    directory = cli.skill("real-name")
    (cli.home / "link-name").symlink_to(directory)
    for words in (["link-name"], ["link-name/."], ["real-name/../link-name/"]):
        contains(cli("apply", *words, "--dry-run").ok().out, "Skill name: real-name\n")
    contains(cli("apply", "--dry-run", cwd=cli.home / "link-name").ok().out, "Skill name: real-name\n")


@test
def a_dry_run_needs_no_server_and_sends_nothing():
    directory = cli.skill("dry-skill")
    done = cli("apply", directory, "--dry-run", "--server", "127.0.0.1:1").ok()
    contains(done.out, "Dry run: 1 files are ready, nothing was sent.\n")
    lacks(done.out, "Uploading")
    answer = json.loads(cli("apply", directory, "--dry-run", "--json").ok().out)
    equal((answer["dryRun"], answer["skill"], answer["files"]), (True, None, 1))
    cli("skill", "get", "dry-skill").failed(1, "skill not found: dry-skill")


@test
def what_cannot_be_applied():
    empty = cli.home / "no-skill"
    empty.mkdir()
    cli("apply", empty).failed(1, "no SKILL.md in ")
    cli("apply", cli.home / "missing").failed(1, "No such file")
    linked = cli.skill("linked")
    (linked / "link").symlink_to("SKILL.md")
    cli("apply", linked).failed(1, "link")
    blank = cli.skill("blank", **{"SKILL.md": ""})
    cli("apply", blank).failed(1, "SKILL.md is empty")
    cli("apply", blank, "--dry-run").failed(1, "SKILL.md is empty")
    nameless = cli.skill("fine")
    cli("apply", nameless, "--name", "!!!").failed(1, "invalid skill name: !!!")
    cli("apply", nameless, "--tag", "a b").failed(1, "validation error: tag")
    cli("apply", nameless, "--org", "a b").failed(1, "validation error: org")


@test
def secrets_are_left_out_with_a_warning():
    directory = cli.skill("secretive", **{"id_rsa": "x", "sub/.npmrc": "x", "kept.txt": "x"})
    done = cli("apply", directory, "--json").ok()
    equal(json.loads(done.out)["files"], 2)
    contains(done.err, "Warning: left out, it looks like a secret: id_rsa\n")
    contains(done.err, "Warning: left out, it looks like a secret: sub/.npmrc\n")


@test
def warnings_about_skill_md_are_told_and_refuse_nothing():
    directory = cli.skill("warned", **{"SKILL.md": "---\nname: Warned\ndescription: d\n---\n"
                                                   "pass\u200bword\n"})
    for words in ((), ("--dry-run",), ("--json",)):
        equal(cli("apply", directory, *words).ok().err,
              "Warning: SKILL.md:2:7: name should be 1 to 64 of a-z, 0-9 and single hyphens inside "
              "[skill-md-front-matter]\n"
              "Warning: SKILL.md:5:5: invisible character U+200B (ZERO WIDTH SPACE) in "
              '"pass\\u{200b}word" [skill-md-hidden]\n')
    contains(cli("skill", "show", "warned").ok().out, "pass\u200bword")


@test
def of_many_warnings_a_few_are_told():
    directory = cli.skill("many-warnings", **{"SKILL.md": "a\u200b\n" * 5})
    equal(len(cli("apply", directory, "--dry-run").ok().err.splitlines()), 5)
    for lines in (6, 500):
        (directory / "SKILL.md").write_text("a\u200b\n" * lines)
        told = cli("apply", directory, "--dry-run").ok().err.splitlines()
        equal((len(told), told[-1]), (6, f"Warning: SKILL.md: and {lines - 5} more"))


@test
def strict_takes_warnings_as_errors():
    directory = cli.skill("strict", **{"SKILL.md": "# No front matter\n"})
    cli("apply", directory, "--strict").ok()
    (directory / "SKILL.md").write_text("---\nname: strict\n---\n")
    for words in (("apply",), ("skill", "push"), ("apply", "--dry-run")):
        done = cli(*words, directory, "--strict").failed(1, "Error: SKILL.md has 1 warning, which "
                                                            "--strict takes as errors\n")
        contains(done.err, "Warning: SKILL.md:1:1: the front matter has no description")
        lacks(done.out, "Uploading")
    (directory / "SKILL.md").write_text("---\n---\n")
    cli("apply", directory, "--strict").failed(1, "SKILL.md has 2 warnings")
    equal(len(json.loads(cli("skill", "versions", "strict", "--json").ok().out)["items"]), 1)


@test
def what_the_server_would_refuse_is_not_sent():
    tags = "".join(chr(0xE0000 + ord(c)) for c in "obey")
    for text, reason in (("a\n### SKILL: b\n", 'line 2 starts with "### SKILL:"'),
                         ("a\u202eb", "U+202E"), ("a" + tags, 'hide "obey"')):
        directory = cli.skill(f"refused-{len(text)}", **{"SKILL.md": text + "\u200b"})
        for words in ((), ("--dry-run",), ("--strict",)):
            done = cli("apply", directory, *words, "--server", "127.0.0.1:1").failed(1, reason)
            contains(done.err, "Error: SKILL.md is refused: ")
            lacks(done.out, "Uploading")


# --- reading ---------------------------------------------------------------------------------------

one = pushed("read-me", "--tag", "v1", **{"SKILL.md": "# One\n\ttab \\ and no end"})
(cli.home / "read-me" / "SKILL.md").write_text("# Two\r\n")
two = pushed("read-me", "--tag", "v2")


@test
def get_by_every_kind_of_reference():
    for words, want in ((["read-me"], two), (["@local/read-me"], two), (["read-me:latest"], two),
                        (["read-me:v1"], one), (["@local/read-me:v2"], two),
                        ([f"read-me@{one}"], one), (["read-me", "--org", "local"], two),
                        (["@local/read-me", "-olocal"], two)):
        done = cli("skill", "get", *words).ok()
        contains(done.out, f"Version Hash: {want}\n")
        contains(done.out, "Reference:    @local/read-me\n")
        answer = json.loads(cli("skill", "get", *words, "--json").ok().out)
        equal((answer["status"]["versionHash"], answer["kind"]), (want, "Skill"))


@test
def what_is_not_there():
    cli("skill", "get", "missing").failed(1, "skill not found: missing")
    cli("skill", "get", "@acme/read-me").failed(1, "skill not found: read-me")
    cli("skill", "get", "read-me:v9").failed(1, "skill version not found: read-me:v9")
    cli("skill", "get", "read-me@" + "0" * 64).failed(1, "skill version not found: read-me:0")
    for words in (["show", "missing"], ["versions", "missing"], ["files", "missing"],
                  ["tag", "missing", "x"], ["pull", "missing"], ["delete", "missing", "--yes"]):
        cli("skill", *words).failed(1, "not found")


@test
def a_name_in_two_organizations_needs_one():
    directory = cli.skill("twice")
    cli("apply", directory, "--org", "east").ok()
    cli("apply", directory, "--org", "west").ok()
    done = cli("skill", "get", "twice").failed(1)
    contains(done.err, "east")
    contains(done.err, "west")
    contains(cli("skill", "get", "@west/twice").ok().out, "@west/twice")


@test
def show_prints_the_bytes():
    equal(cli("skill", "show", "read-me:v1", text=False).ok().out, b"# One\n\ttab \\ and no end")
    equal(cli("skill", "show", "read-me", text=False).ok().out, b"# Two\r\n")
    answer = json.loads(cli("skill", "show", "read-me:v1", "--json").ok().out)
    equal(answer, {"versionHash": one, "skillMd": "# One\n\ttab \\ and no end"})


@test
def files_of_a_version():
    directory = cli.skill("listed", **{"SKILL.md": "# Listed\n", "scripts/run.sh": "true\n",
                                       "data.bin": bytes(2048)})
    (directory / "ünï code").write_text("x")
    version = pushed("listed", "--tag", "v1")
    lines = cli("skill", "files", "listed").ok().out.splitlines()
    hashes = {f: archives.sha256(f.read_bytes()) for f in directory.rglob("*") if f.is_file()}
    equal([line.split(None, 4 if "KB" in line or " B" in line else 3) for line in lines], [
        ["MODE", "SIZE", "SHA-256", "PATH"],
        ["0644", "9", "B", hashes[directory / "SKILL.md"][:12], "SKILL.md"],
        ["0644", "2.0", "KB", hashes[directory / "data.bin"][:12], "data.bin"],
        ["0755", "5", "B", hashes[directory / "scripts/run.sh"][:12], "scripts/run.sh"],
        ["0644", "1", "B", hashes[directory / "ünï code"][:12], "ünï code"]])
    for words in (["listed"], ["@local/listed:v1"], [f"listed@{version}"], ["listed", "-o", "local"]):
        answer = json.loads(cli("skill", "files", *words, "--json").ok().out)
        equal((answer["versionHash"], answer["total"], answer["totalSize"]),
              (version, 4, 9 + 2048 + 5 + 1))
        equal([(f["path"], f["size"], f["sha256"], f["mode"]) for f in answer["items"]],
              [(str(f.relative_to(directory)), f.stat().st_size, hashes[f],
                0o755 if f.suffix == ".sh" else 0o644)
               for f in sorted(hashes, key=lambda f: str(f.relative_to(directory)).encode())])


@test
def versions_newest_first():
    lines = cli("skill", "versions", "read-me").ok().out.splitlines()
    check(lines[0].startswith("NO"), lines[0])
    check(re.match(f"2 +{two} +v2 .* current$", lines[1]), lines[1])
    check(re.match(f"1 +{one} +v1 .* -$", lines[2]), lines[2])
    answer = json.loads(cli("skill", "versions", "read-me", "--json").ok().out)
    equal([(v["number"], v["versionHash"], v["tags"], v["current"]) for v in answer["items"]],
          [(2, two, ["v2"], True), (1, one, ["v1"], False)])
    equal((answer["total"], answer["nextPageToken"]), (2, ""))


@test
def pages_of_versions():
    first = cli("skill", "versions", "read-me", "--limit", "1").ok()
    equal(len(first.out.splitlines()), 2)
    token = re.search("1 of 2 versions. The rest: --all, or --page-token (.+)\n", first.err)[1]
    rest = cli("skill", "versions", "read-me", "--limit", "1", "--page-token", token).ok()
    contains(rest.out, one)
    equal(rest.err, "")
    equal(len(cli("skill", "versions", "read-me", "--limit=1", "--all").ok().out.splitlines()), 3)
    cli("skill", "versions", "read-me", "--page-token", "nonsense").failed(1)


@test
def pages_of_skills():
    for n in range(5):
        server.client().push(f"page-{n}", archives.numbered(n), org="pages", scope=2)
    lines = cli("skill", "list", "--org", "pages").ok().out.splitlines()
    equal([line.split()[0] for line in lines], ["SKILL"] + [f"@pages/page-{n}" for n in range(5)])
    page = cli("skill", "list", "--org", "pages", "--limit", "2", "--json").ok()
    answer = json.loads(page.out)
    equal((len(answer["items"]), answer["total"]), (2, 5))
    more = json.loads(cli("skill", "list", "-o", "pages", "--limit", "2", "--json",
                          "--page-token", answer["nextPageToken"]).ok().out)
    equal([i["metadata"]["slug"] for i in more["items"]], ["page-2", "page-3"])
    everything = json.loads(cli("skill", "list", "--org", "pages", "--limit", "2", "--all",
                                "--json").ok().out)
    equal((len(everything["items"]), everything["nextPageToken"]), (5, ""))
    contains(cli("skill", "list", "--org", "pages", "--limit", "2").ok().err, "2 of 5 skills")


@test
def an_empty_list():
    equal(cli("skill", "list", "--org", "nobody").ok().out, "No skills.\n")
    equal(json.loads(cli("skill", "list", "--org", "nobody", "--json").ok().out)["items"], [])


# --- tag, pull, delete -----------------------------------------------------------------------------


@test
def tags_move():
    done = cli("skill", "tag", "read-me:v1", "stable").ok()
    equal(done.out, f"✓ @local/read-me:stable is now {one}\n")
    contains(cli("skill", "get", "read-me:stable").ok().out, one)
    answer = json.loads(cli("skill", "tag", f"read-me@{two}", "stable", "--json").ok().out)
    equal(answer["status"]["versionHash"], two)
    contains(cli("skill", "get", "read-me:stable").ok().out, two)
    cli("skill", "tag", "read-me", "latest").failed(1, "latest")


@test
def pull_gives_back_the_files():
    directory = cli.skill("round-trip", **{"run.sh": "#!/bin/sh\n", "deep/er/data.bin": bytes(range(256)),
                                           "empty": "", "ünï.txt": "x"})
    (directory / "run.sh").chmod(0o755)
    (directory / "tool").write_text("tool")
    (directory / "tool").chmod(0o700)
    version = pushed("round-trip")
    done = cli("skill", "pull", "round-trip", "out/../copy").failed(1)
    done = cli("skill", "pull", "round-trip", "copy").ok()
    equal(done.out.splitlines()[1], f"Version hash: {version}")
    equal(tree(cli.home / "copy"), tree(directory))
    modes = {stat.S_IMODE(p.stat().st_mode) for p in (cli.home / "copy").rglob("*") if p.is_file()}
    equal(modes, {0o644, 0o755})
    equal(pushed("copy"), version, "the copy packs to the same version")


@test
def pull_into_the_default_directory_once():
    work = cli.home / "work"
    work.mkdir()
    cli("skill", "pull", "@local/read-me:v1", cwd=work).ok()
    equal((work / "read-me" / "SKILL.md").read_text(), "# One\n\ttab \\ and no end")
    cli("skill", "pull", "@local/read-me:v2", cwd=work).failed(1, "read-me exists already")
    equal((work / "read-me" / "SKILL.md").read_text(), "# One\n\ttab \\ and no end")
    cli("skill", "pull", "read-me", "no/such/parent", cwd=work).failed(1, "No such file")
    equal(sorted(os.listdir(work)), ["read-me"])


@test
def pull_the_sealed_archive():
    done = cli("skill", "pull", "read-me:v1", "--zip", "sealed.zip", "--json").ok()
    answer = json.loads(done.out)
    data = (cli.home / "sealed.zip").read_bytes()
    equal(archives.sha256(data), one)
    equal((answer["versionHash"], answer["size"], answer["path"]), (one, len(data), "sealed.zip"))
    equal(zipfile.ZipFile(cli.home / "sealed.zip").namelist(), ["SKILL.md"])
    equal(stat.S_IMODE((cli.home / "sealed.zip").stat().st_mode) & 0o600, 0o600)
    cli("skill", "pull", "read-me:v2", "--zip", "sealed.zip").failed(1, "exists already")
    equal((cli.home / "sealed.zip").read_bytes(), data)


@test
def large_archives_both_ways():
    directory = cli.skill("large", **{"bulk.bin": os.urandom(24 << 20)})
    version = pushed("large")
    cli("skill", "pull", "large", "large-copy", timeout=120).ok()
    equal(tree(cli.home / "large-copy"), tree(directory))
    contains(cli("skill", "versions", "large").ok().out, "24.0 MB")
    check(version)


@test
def delete_asks_unless_told():
    pushed("doomed", **{"SKILL.md": "# Doomed\n"})
    cli("skill", "delete", "doomed").failed(2, "give --yes")
    contains(cli("skill", "get", "doomed").ok().out, "@local/doomed")
    equal(cli("skill", "delete", "doomed", "--yes").ok().out, "✓ Deleted @local/doomed\n")
    cli("skill", "get", "doomed").failed(1, "not found")
    cli("skill", "versions", "@local/doomed").failed(1, "not found")
    contains(cli("skill", "versions", "@local/doomed", "--deleted").ok().out, "deleted")
    pushed("doomed")
    answer = json.loads(cli("skill", "delete", "doomed", "-y", "--json").ok().out)
    equal(answer["metadata"]["slug"], "doomed")


# --- the way to the server -------------------------------------------------------------------------


@test
def addresses():
    plain = {"STIGMER_SERVER_ADDR": None}
    port = {**plain, "GRPC_PORT": str(server.port)}
    cli("skill", "list", "--server", server.address("localhost"), env=plain).ok()
    cli("skill", "list", "-s", server.address("127.0.0.1"), env=plain).ok()
    cli("skill", "list", "--server", server.address("[::1]"), env=plain).ok()
    cli("skill", "list", env=port).ok()
    cli("skill", "list", env={**port, "STIGMER_SERVER_ADDR": "127.0.0.1:1"}).failed(1, "Cannot connect")


@test
def tls():
    home = scratch("tls")
    certificate, stranger = Certificate(home), Certificate(home, "stranger")
    with Server(tls=certificate) as secure, Cli(secure) as person:
        directory = person.skill("tls-skill")
        person("apply", directory, "--ca-file", certificate.cert).ok()
        person("skill", "list", "--tls", env={"SSL_CERT_FILE": str(certificate.cert)}).ok()
        person("skill", "list", "--tls").failed(1, "Cannot connect")
        person("skill", "list", "--ca-file", stranger.cert).failed(1, "Cannot connect")
        person("skill", "list", "--ca-file", home / "missing.pem").failed(1)
        person("skill", "list").failed(1)
        cli("skill", "list", "--tls", "--ca-file", certificate.cert).failed(1)
    discard(home)


@test
def concurrent_pushes():
    running = [cli.start("apply", cli.skill(f"many-{n}"), "--name", "many", "--tag", f"t{n}")
               for n in range(6)]
    for process in running:
        out, err = process.communicate(timeout=60)
        equal(process.returncode, 0, (out + err).decode())
    answer = json.loads(cli("skill", "versions", "many", "--json").ok().out)
    equal(sorted(t for v in answer["items"] for t in v["tags"]), [f"t{n}" for n in range(6)])


@test
def nothing_is_left_behind():
    left = [p.name for p in cli.home.iterdir() if p.name.startswith("stigmer-")]
    equal(left, [], "temporary files")
    check(not (cli.home / ".stigmer").exists(), "no local server was started")


def clean_up():
    server.stop()
    discard(server.home)
    discard(cli.home)


run(clean_up)
