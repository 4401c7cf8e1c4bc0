#!/usr/bin/python3
"""Skills that people published, applied with the CLI, pulled again and compared file by file.

They come from npm when the test runs, in fixed versions whose checksums are given here. Without a
network, STIGMER_OFFLINE=1 says so and skips.
"""

import base64
import fnmatch
import hashlib
import json
import os
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path

from support import tap
from support.check import check, equal
from support.paths import BUILD, CLI, ROOT, discard, run, scratch
from support.server import Server
from support.tap import test

PACKAGES = {
    "@houseofwolvesllc/claude-scrum-skill@2.8.1":
        "3yZIUVEnvYiGbwaxm6eRQHfCN6swJoEiPyRd/JngKzK4tLnI+gu6p6axAy1Xl7x0TzAJ9goCW3PMx6vyJs1uBw==",
    "@ant-design/x-skill@2.9.0":
        "YKnJvF52xq/KLqrnhaWuv+XWaBIaLFuDXy0Z3I1AEXdtMZ6k7egsat9MhbWm/+XLja7dpPCxiIfUdgjuzPmClA==",
    "@ckelsoe/claude-skill-prompt-architect@2.1.4":
        "mojBO7UbTLCh4kst5IUqWaXpP5KMbl80nZYgDS5orcXWUZ/7F/aXAs2Unyc49bxFmOT0He5LJ8PnEjQOuAkcyg==",
}
# What the CLI leaves out of an archive, from API.md section 6.
LEFT_OUT_DIRECTORIES = {".git", "node_modules", ".venv", "venv", "__pycache__", ".pytest_cache",
                        ".idea", ".vscode"}
LEFT_OUT_FILES = [".DS_Store", "Thumbs.db", "*.py[cod]", "*.so", "*.dylib", "*.dll", "*.class",
                  "*.log", "*.swp", "*.swo", "*~", ".env", ".env.*"]
SCRIPTS = (".sh", ".py", ".js", ".ts", ".rb", ".pl")

server = Server().start()
work = scratch("real")
environment = {"PATH": os.environ["PATH"], "HOME": str(work), "NO_COLOR": "1",
               "STIGMER_SERVER_ADDR": server.address()}


def stigmer(*arguments, **options):
    done = run(CLI, *arguments, env=environment, **options)
    check(done.returncode == 0, f"stigmer {arguments}:\n{done.stdout}{done.stderr}")
    return done.stdout


def stigmer_bytes(*arguments, **options):
    done = subprocess.run([str(CLI), *arguments], env=environment, capture_output=True, check=False,
                          **options)
    check(done.returncode == 0, done.stderr.decode())
    return done.stdout


def fetched(name, sha512):
    """The unpacked package; the downloaded file is kept in the build directory."""
    cache = BUILD / "e2e-npm"
    cache.mkdir(exist_ok=True)
    file = cache / (name.strip("@").replace("/", "-").replace("@", "-") + ".tgz")
    if not file.exists():
        if os.environ.get("STIGMER_OFFLINE"):
            tap.skip("STIGMER_OFFLINE is set")
        done = run("npm", "pack", "--silent", "--pack-destination", cache, name, timeout=300)
        check(done.returncode == 0, f"npm pack {name}:\n{done.stderr}")
    digest = base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()
    equal(digest, sha512, f"sha512 of {file}")
    target = work / file.stem
    with tarfile.open(file) as archive:
        archive.extractall(target)  # its checksum was compared: nothing unforeseen is in it
    return target


def expected_files(skill):
    """What must come back: {path: (bytes, mode)}."""
    found = {}
    for path, directories, files in os.walk(skill):
        directories[:] = [d for d in directories if d not in LEFT_OUT_DIRECTORIES]
        for name in files:
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in LEFT_OUT_FILES):
                continue
            file = Path(path, name)
            data = file.read_bytes()
            runs = (name.endswith(SCRIPTS) or data.startswith(b"#!")
                    or file.stat().st_mode & stat.S_IXUSR)
            found[str(file.relative_to(skill))] = (data, 0o755 if runs else 0o644)
    return found


def pulled_files(directory):
    return {str(f.relative_to(directory)): (f.read_bytes(), stat.S_IMODE(f.lstat().st_mode))
            for f in directory.rglob("*") if not f.is_dir()}


def same_tree(got, expected, what):
    equal(sorted(got), sorted(expected), f"{what}: files")
    for path, (data, mode) in expected.items():
        check(got[path][0] == data, f"{what}: {path} differs")
        equal(oct(got[path][1]), oct(mode), f"{what}: mode of {path}")


def same_manifest(reference, expected):
    """What `skill files` lists is what sha256sum, wc and ls say of the directory."""
    listed = json.loads(stigmer("skill", "files", reference, "--json"))
    equal({f["path"]: (f["size"], f["sha256"], oct(f["mode"])) for f in listed["items"]},
          {path: (len(data), hashlib.sha256(data).hexdigest(), oct(mode))
           for path, (data, mode) in expected.items()}, f"manifest of {reference}")
    equal([f["path"] for f in listed["items"]], sorted(expected, key=str.encode), "order")
    equal((listed["total"], listed["totalSize"]),
          (len(expected), sum(len(data) for data, _ in expected.values())))


pushed = {}  # reference -> directory


def round_trip(skill, org):
    """Push, look at the record, pull by hash and by tag, compare; the second push is the same."""
    pushed[f"@{org}/{skill.name}:v1"] = skill
    stigmer("skill", "push", skill, "--org", org, "--tag", "v1")
    record = json.loads(stigmer("skill", "get", f"@{org}/{skill.name}", "--json"))
    hashed = record["status"]["versionHash"]
    equal(record["spec"]["skillMd"], (skill / "SKILL.md").read_text(encoding="utf-8"), "SKILL.md")
    for n, reference in enumerate((f"@{org}/{skill.name}@{hashed}", f"@{org}/{skill.name}:v1")):
        target = work / f"pulled-{org}-{skill.name}-{n}"
        stigmer("skill", "pull", reference, target)
        same_tree(pulled_files(target), expected_files(skill), reference)
    same_manifest(f"@{org}/{skill.name}:v1", expected_files(skill))
    stigmer("skill", "push", skill, "--org", org, "--tag", "v1")
    again = json.loads(stigmer("skill", "get", f"@{org}/{skill.name}", "--json"))
    equal(again, record, "pushed again: the same record")


def package_test(name, sha512, org):
    def body():
        skills = sorted({f.parent for f in fetched(name, sha512).rglob("SKILL.md")})
        check(skills, f"{name} holds skills")
        for skill in skills:
            round_trip(skill, f"{org}-{skill.parent.name.strip('.')}")
        tap.note(f"{len(skills)} skills")
    body.__name__ = "skills of " + name
    return test(body)


for index, (package, checksum) in enumerate(PACKAGES.items()):
    package_test(package, checksum, f"org{index}")


HEAD = ("\n\n## Available Skills\n\nThe following skills provide specialized capabilities. Each skill "
        "includes instructions and executable tools.\n")


def section(hashes):
    """What the prompt must say, from the published files."""
    parts = []
    for reference, hashed in hashes.items():
        text = (pushed[reference] / "SKILL.md").read_bytes().decode()
        parts.append(f"\n### SKILL: {pushed[reference].name}\nLOCATION: /bin/skills/{hashed}/\n\n{text}\n")
    return HEAD + "".join(parts)


def agents_files(root, hashes):
    """Mounted below root without write bits: the published files, byte for byte."""
    for reference, hashed in hashes.items():
        expected = {path: (data, mode & ~0o222) for path, (data, mode)
                    in expected_files(pushed[reference]).items()}
        same_tree(pulled_files(root / "bin" / "skills" / hashed), expected, reference)


@test
def agents_get_the_published_skills_and_keep_them():
    """Resolved by tag, locked, fetched, mounted, prompted; then an update behind the tag."""
    if not pushed:
        tap.skip("no skill was fetched")
    pushed["@local/calculator:v1"] = ROOT / "examples" / "calculator"
    stigmer("skill", "push", ROOT / "examples" / "calculator", "--tag", "v1")
    home = {"cwd": work / "agent"}
    home["cwd"].mkdir()
    resolved = stigmer("agent", "resolve", *pushed, **home)
    hashes = {r: h for h, r in (line.split() for line in resolved.splitlines())}
    equal(list(hashes), list(pushed), "in order")
    locked = (work / "agent" / "skills.lock").read_bytes()
    for line, reference in zip(stigmer("agent", "fetch", *pushed, **home).splitlines(), pushed):
        same_tree(pulled_files(Path(line)), expected_files(pushed[reference]), reference)
    stigmer("agent", "mount", "--copy", "--root", work / "one", "--frozen", *pushed, **home)
    agents_files(work / "one", hashes)
    prompt = stigmer_bytes("agent", "prompt", *pushed, **home)
    equal(prompt.decode(), section(hashes), "the prompt, byte for byte")
    for n, (reference, skill) in enumerate(list(pushed.items())[:3]):
        newer = work / f"newer-{n}" / skill.name
        shutil.copytree(skill, newer)
        (newer / "SKILL.md").write_text("# Another one\n")
        stigmer("skill", "push", newer, "--org", reference[1:].split("/")[0], "--tag", "v1")
    stigmer("agent", "mount", "--copy", "--root", work / "two", "--frozen", **home)
    agents_files(work / "two", hashes)
    equal(stigmer_bytes("agent", "prompt", "--frozen", *pushed, **home), prompt, "unchanged")
    equal(stigmer("agent", "resolve", "--frozen", *pushed, **home), resolved, "unchanged")
    equal((work / "agent" / "skills.lock").read_bytes(), locked, "unchanged")
    moved = json.loads(stigmer("agent", "resolve", "--json", *pushed, **home))["moves"]
    equal(sorted(m["reference"] for m in moved), sorted(list(pushed)[:3]), "without --frozen they move")
    equal({m["old"]["versionHash"] for m in moved}, {hashes[r] for r in list(pushed)[:3]})
    for root in ("one", "two"):
        stigmer("agent", "unmount", "--root", work / root, **home)
    tap.note(f"{len(hashes)} skills")


@test
def apply_in_the_directory_itself():
    skill = next((work.glob("*prompt-architect*/**/SKILL.md"))).parent
    output = stigmer("apply", cwd=skill)
    for line in ("Detected SKILL.md - entering Artifact Mode", f"Skill name: {skill.name}",
                 "Skill artifact uploaded successfully", "Skill uploaded successfully!"):
        check(line in output, f"{line!r} in\n{output}")
    target = work / "applied"
    stigmer("skill", "pull", f"@local/{skill.name}", target)
    same_tree(pulled_files(target), expected_files(skill), "applied")


@test
def the_example_skill_comes_back_and_still_runs():
    stigmer("skill", "push", ROOT / "examples" / "calculator")
    target = work / "calculator-pulled"
    stigmer("skill", "pull", "calculator", target)
    same_tree(pulled_files(target), expected_files(ROOT / "examples" / "calculator"), "example")
    equal(run(target / "scripts" / "calc.sh", "6 * 7").stdout, "42\n")


@test
def modes_follow_the_rules():
    skill = work / "moded"
    contents = {"SKILL.md": "---\nname: moded\ndescription: Modes.\n---\n", "run.sh": "true\n",
                "tool": "#!/bin/sh\n", "binary": "\x7fELF", "notes.txt": "notes\n", "a/b.py": "1\n",
                "a/c.rb": "", "a/data.json": "{}"}
    for path, text in contents.items():
        file = skill / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o600)
    (skill / "binary").chmod(0o700)
    stigmer("skill", "push", skill)
    target = work / "moded-pulled"
    stigmer("skill", "pull", "moded", target)
    same_tree(pulled_files(target), expected_files(skill), "modes")
    same_manifest("moded", pulled_files(target))
    runnable = {p for p, (_, mode) in pulled_files(target).items() if mode == 0o755}
    equal(runnable, {"run.sh", "tool", "binary", "a/b.py", "a/c.rb"})


def the_server_ends_cleanly():
    server.stop()
    discard(server.home)
    discard(work)


if __name__ == "__main__":
    tap.run(cleanup=the_server_ends_cleanly)
