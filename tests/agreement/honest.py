"""Archives by honest tools, made here and now.

TOOLS pack a small tree, one shell command each; WRITERS are programs that make several archives
with a library. REFUSED are those that docs/ZIP_PROFILE.md refuses knowingly. Times are fixed, so
that the same machine gives the same archives.
"""

import os
import random
import shutil
import subprocess

import programs
from programs import HERE

TIME = 1704164646  # 2024-01-02 03:04:06
ENV = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC", "SOURCE_DATE_EPOCH": str(TIME)}

FILES = {
    "SKILL.md": b"---\nname: seed\ndescription: A seed.\n---\n\n# Seed\n\nSeed, seed, seed, seed.\n",
    "empty": b"",
    "scripts/run.sh": b"#!/bin/sh\necho run\n",
    "scripts/data.txt": b"".join(b"line %d\n" % n for n in range(40)),
    "with space.bin": random.Random(1).randbytes(40),
}
UNICODE = {"caf\u00e9/na\u00efve \u4f60\u597d.md": b"Names are bytes.\n"}

# name -> the command that makes "$Z" in a tree
TOOLS = {
    "infozip": 'zip -r "$Z" .',
    "infozip-bare": 'zip -X -D -r "$Z" .',
    "infozip-stored": 'zip -0 -r "$Z" .',
    "infozip-best": 'zip -9 -r "$Z" .',
    "infozip-comment": 'echo "a comment" | zip -z -r "$Z" .',
    "infozip-pipe": 'zip -r - . | cat >"$Z"',
    "infozip-pipe-files": 'zip -r - SKILL.md scripts | cat >"$Z"',
    "infozip-updated": 'zip -r "$Z" . && zip -d "$Z" empty && zip "$Z" SKILL.md',
    "infozip-zip64-off": 'zip -fz- -r "$Z" .',
    "7z": '7z a -tzip "$Z" .',
    "7z-stored": '7z a -tzip -mx=0 "$Z" .',
    "7z-best": '7z a -tzip -mx=9 "$Z" .',
    "bsdtar": 'bsdtar -a -cf "$Z" *',
    "bsdtar-stored": 'bsdtar --format zip --options zip:compression=store -cf "$Z" *',
    "bsdtar-attributes": 'bsdtar --format zip --options zip:experimental -cf "$Z" *',
    "cmake": 'cmake -E tar cf "$Z" --format=zip *',
    "jar": 'jar cMf "$Z" .',
    "jar-manifest": 'jar cf "$Z" .',
    "jar-stored": 'jar c0Mf "$Z" .',
    "git": 'COMMIT && git archive --format=zip -o "$Z" HEAD',
    "git-stored": 'COMMIT && git archive --format=zip -0 -o "$Z" HEAD',
    "minizip": 'minizip "$Z" SKILL.md empty scripts/run.sh scripts/data.txt "with space.bin"',
    "python-module": '/usr/bin/python3 -m zipfile -c "$Z" *',
}
# The same with names outside ASCII, as each tool writes them when it may.
UNICODE_TOOLS = {
    "infozip-unicode": 'zip -r "$Z" .',
    "infozip-unicode-c-locale": 'LC_ALL=C zip -r "$Z" .',
    "infozip-unicode-flag": 'zip -UN=UTF8 -r "$Z" .',
    "7z-unicode": '7z a -tzip -mcu=on "$Z" .',
    "bsdtar-unicode": 'bsdtar -a -cf "$Z" *',
    "cmake-unicode": 'cmake -E tar cf "$Z" --format=zip *',
    "jar-unicode": 'jar cMf "$Z" .',
    "git-unicode": 'COMMIT && git archive --format=zip -o "$Z" HEAD',
}
COMMIT = ("git init -q . && git add -A && GIT_AUTHOR_DATE='@{0} +0000' GIT_COMMITTER_DATE='@{0} "
          "+0000' git -c user.name=x -c user.email=x@y commit -qm x").format(TIME)

# Programs that are given the tree (with names outside ASCII) and a directory for their archives.
WRITERS = {
    "python": lambda: ["/usr/bin/python3", HERE / "writers/write.py"],
    "java": lambda: [*programs.JAVA, HERE / "writers/Write.java"],
    "go": lambda: [programs.go("writers/write.go")],
    "php": lambda: ["php", HERE / "writers/write.php"],
    "ruby": lambda: ["ruby", HERE / "writers/write.rb"],
    "perl": lambda: ["perl", HERE / "writers/write.pl"],
    "node": lambda: ["node", programs.js("write.mjs")],
}

# name -> (command, the rules that refuse it)
REFUSED = {
    "infozip-symlinks": ('ln -s SKILL.md link && zip -y -r "$Z" .', "special-file"),
    "infozip-zip64": ('zip -fz -r "$Z" SKILL.md', "no-zip64"),
    "infozip-encrypted": ('zip -P secret -r "$Z" SKILL.md', "flags"),
    "infozip-self-extractor": (
        'zip -r ../x.zip . && cat /bin/true ../x.zip >"$Z" && zip -A "$Z"',
        "starts-with-lfh"),
    "7z-lzma": ('7z a -tzip -mm=LZMA "$Z" scripts/data.txt SKILL.md', "method version"),
    "7z-deflate64": ('7z a -tzip -mm=Deflate64 "$Z" scripts/data.txt SKILL.md', "method"),
    "python-zip64-pipe-empty": ("""/usr/bin/python3 -c 'import sys, zipfile
z = zipfile.ZipFile(sys.stdout.buffer, "w", 8)
z.write("SKILL.md")
z.open("empty", "w", force_zip64=True).close()
z.close()' | cat >"$Z" """, "descriptor"),
    "ruby-zip64": ("""ruby -r zip -e 'Zip.write_zip64_support = true
Zip::File.open(ENV["Z"], Zip::File::CREATE) { |z| z.add("SKILL.md", "SKILL.md") }'""", "extra-allowed"),
    "php-phar": ("""php -r '(new PharData(getenv("Z")))->buildFromDirectory(".");'""", "extra-allowed"),
    "bsdtar-pipe": ('bsdtar --format zip -cf - * | cat >"$Z"', "one-eocd"),
    "bsdtar-dot": ('bsdtar -a -cf "$Z" .', "name-path skill-md"),
    "two-in-one": ('zip -r ../x.zip . && cat ../x.zip ../x.zip >"$Z"', "directory-extent"),
    "folder-above": ('cd .. && zip -r "$Z" tree', "skill-md"),
}


def plant(tree, files):
    """Writes the files, an empty directory beside them, and the same time everywhere."""
    (tree / "hollow").mkdir(parents=True)
    for name, content in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755 if content.startswith(b"#!") else 0o644)
    for path in [*tree.rglob("*"), tree]:
        os.utime(path, (TIME, TIME))


def _run(command, cwd=None, **env):
    done = subprocess.run(command, cwd=cwd, env={**ENV, **env}, capture_output=True, text=True,
                          errors="replace", timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}")


def pack(command, work, files=None):
    """The archive that a shell command makes of the files, in the empty directory `work`."""
    tree, out = work / "tree", work / "out.zip"
    plant(tree, files or FILES)
    _run(["sh", "-c", command.replace("COMMIT", COMMIT)], cwd=tree, Z=str(out))
    data = out.read_bytes()
    shutil.rmtree(work)
    return data


def write(name, work, files=None):
    """{name: archive} of a writer."""
    tree, out = work / "tree", work / "out"
    plant(tree, files or {**FILES, **UNICODE})
    out.mkdir()
    _run([str(part) for part in [*WRITERS[name](), tree, out]])
    found = {path.stem: path.read_bytes() for path in sorted(out.iterdir())}
    shutil.rmtree(work)
    return found


def everything(work):
    """{name: archive} of all honest tools."""
    found = {}
    for table, files in ((TOOLS, FILES), (UNICODE_TOOLS, {**FILES, **UNICODE})):
        for name, command in table.items():
            found[name] = pack(command, work / name, files)
    for name in WRITERS:
        found.update(write(name, work / name))
    return found
