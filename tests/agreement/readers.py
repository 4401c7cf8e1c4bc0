"""What every reader sees in a list of archives.

    read_all(paths) -> {reader: [Seen...]}

A library is asked by a driver that reads the whole list in one process and prints one JSON object
for each archive and reader: {"reader": …, "tree": [[name, type, sha256]…]} or {"error": …}. A
command-line tool unpacks each archive into a directory of its own, which is then looked at.
"""

import concurrent.futures
import hashlib
import json
import os
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import programs
from programs import HERE

ENV = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
LIBRARIES = {
    "python": lambda: [HERE / "readers/read.py"],
    "node": lambda: ["node", programs.js("read.mjs")],
    "java": lambda: [*programs.JAVA, "-cp", programs.java("readers/Read.java"), "Read"],
    "go": lambda: [programs.go("readers/read.go")],
}
TOOLS = ["unzip", "bsdtar", "bsdtar-pipe", "busybox", "7z"]
READERS = ["unzip", "python", "bsdtar", "bsdtar-pipe", "7z", "busybox", "java-file", "java-stream",
           "yauzl", "fflate", "jszip", "go"]


@dataclass(frozen=True)
class Seen:
    """What one reader makes of one archive: {path: type and content}, where the content of a file
    is its SHA-256 and that of a directory is empty; and an error or None."""

    tree: dict
    error: str = None


def _of_driver(said):
    if "error" in said:
        return Seen({}, said["error"])
    tree = {}
    for name, kind, content in said["tree"]:
        path = name[:-1] if kind == "d" and name.endswith("/") else name
        if path in tree:
            return Seen({}, f"it gives {path!r} twice")
        tree[path] = (kind, content or "")
    return Seen(tree)


def _library(name, paths):
    command = [str(part) for part in LIBRARIES[name]()]
    done = subprocess.run(command, input="".join(f"{p}\n" for p in paths), env=ENV, text=True,
                          capture_output=True, timeout=600 + len(paths), check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: exit code {done.returncode}\n{done.stderr}")
    found = {}
    for line in filter(None, done.stdout.split("\n")):
        said = json.loads(line)
        found.setdefault(said["reader"], []).append(_of_driver(said))
    return found


def _content(path, mode):
    if stat.S_ISREG(mode):
        os.chmod(path, 0o600)
        with open(path, "rb") as f:
            return "f", hashlib.sha256(f.read()).hexdigest()
    if stat.S_ISLNK(mode):
        return "link", os.fsdecode(os.readlink(path))
    return f"type {stat.S_IFMT(mode):o}", ""


def _look(directory, prefix="", tree=None):
    """The tree below a directory, whatever modes an archive gave it."""
    tree = {} if tree is None else tree
    os.chmod(directory, 0o700)
    for item in os.scandir(directory):
        mode = item.stat(follow_symlinks=False).st_mode
        path = prefix + item.name
        if stat.S_ISDIR(mode):
            tree[path] = ("d", "")
            _look(item.path, path + "/", tree)
        else:
            tree[path] = _content(item.path, mode)
    return tree


def _7z_at_once(paths, out):
    """Unpacks N.zip into out/N in one process. False when anything was wrong with any of them."""
    names = out / "names"
    names.write_text("".join(f"{p}\n" for p in paths), encoding="utf-8")
    done = subprocess.run(["7z", "x", "-y", "-bd", "-bso0", "-an", f"-ai@{names}", f"-o{out}/*"],
                          env=ENV, capture_output=True, timeout=600 + len(paths), check=False)
    return done.returncode == 0


def _unpack(name, paths, out):
    """Runs the tool; one exit code for each archive."""
    done = subprocess.run([HERE / "readers/extract.sh", name, out], env=ENV, text=True,
                          input="".join(f"{p}\n" for p in paths), capture_output=True,
                          timeout=600 + 10 * len(paths), check=False)
    codes = [int(line) for line in done.stdout.split()]
    if done.returncode or len(codes) != len(paths):
        raise RuntimeError(f"{name}: {done.stderr}")
    return codes


def _seen(out, path, code):
    error = None
    if code:
        said = (out / f"{path.stem}.log").read_text(errors="backslashreplace").strip()
        error = f"exit code {code}: {said}"
    return Seen(_look(out / path.stem), error)


def _tool(name, paths, scratch):
    out = Path(tempfile.mkdtemp(prefix=name, dir=scratch))
    if name == "7z" and _7z_at_once(paths, out):
        codes = [0] * len(paths)
    else:
        shutil.rmtree(out)
        out.mkdir()
        codes = _unpack(name, paths, out)
    seen = [_seen(out, path, code) for path, code in zip(paths, codes)]
    shutil.rmtree(out)
    return {name: seen}


def read_all(paths, scratch, jobs):
    """The paths' names are different and end in .zip. scratch: a directory for what is unpacked,
    better in memory. jobs: processes at once."""
    found = {}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        tasks = [pool.submit(_tool, name, paths, scratch) for name in TOOLS]
        tasks += [pool.submit(_library, name, paths) for name in LIBRARIES]
        for task in tasks:
            found.update(task.result())
    return {name: found[name] for name in READERS}
