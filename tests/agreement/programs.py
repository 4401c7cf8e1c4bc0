"""The drivers in other languages, built once for each version of their source."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from support.npm import packages  # noqa: E402 (needs the path above)
from support.paths import BUILD  # noqa: E402

# Starting is what takes the time of a short program.
JAVA = ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1"]
DEBIAN_GO = Path("/usr/lib/go/bin/go")


def _built(source, make):
    """The directory where make(directory) has built the source file."""
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    target = BUILD / "agreement" / f"{source.stem}-{digest}"
    target.mkdir(parents=True, exist_ok=True)
    with open(target / "lock", "w", encoding="ascii") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (target / "built").exists():
            make(target)
            (target / "built").touch()
    return target


def _run(*command, **env):
    done = subprocess.run([str(c) for c in command], env={**os.environ, **env}, timeout=600,
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: exit code {done.returncode}\n{done.stderr}")


def go(name):
    """The program built from a Go file."""
    source = HERE / name
    compiler = DEBIAN_GO if DEBIAN_GO.exists() else "go"
    cache = BUILD / "agreement" / "go-cache"
    return _built(source, lambda to: _run(
        compiler, "build", "-o", to / source.stem, source, GO111MODULE="off", GOFLAGS="",
        GOCACHE=str(cache), GOTOOLCHAIN="local")) / source.stem


def java(name):
    """The directory of the classes of a Java file."""
    source = HERE / name
    return _built(source, lambda to: _run("javac", "-d", to, source))


def js(name):
    """A script in a place where it finds the packages of js/package-lock.json."""
    script = packages(HERE / "js").parent / name
    copy = script.with_suffix(f".{os.getpid()}")
    shutil.copy(HERE / "js" / name, copy)
    copy.rename(script)
    return script
