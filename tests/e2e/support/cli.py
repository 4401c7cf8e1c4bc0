"""The command line under test: run to its end, without a terminal or on one."""

import errno
import os
import pty
import select
import subprocess
import time

from .check import equal
from .paths import CLI, PATIENCE, discard, scratch
from .server import REPORTS
from .tap import skip

KEPT = ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS", "LANG")


class Result:
    """How it ended: code, out, err. On a terminal out and err are one stream, in out."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err
        for text in (out, err):
            text = text if isinstance(text, str) else text.decode(errors="replace")
            if REPORTS.search(text):
                raise AssertionError("a report by a sanitizer:\n" + text[-6000:])

    def ok(self):
        if self.code != 0:
            raise AssertionError(f"exit {self.code}\nstdout: {self.out}\nstderr: {self.err}")
        return self

    def failed(self, code=1, text=""):
        """Ended with this code and "Error: ..." holding text."""
        if self.code != code or "Error: " not in self.err or text not in self.err:
            raise AssertionError(f"expected exit {code} with {text!r}, got exit {self.code}\n"
                                 f"stdout: {self.out}\nstderr: {self.err}")
        return self


class Cli:
    """A person with a home directory of their own. server: whose address to use."""

    def __init__(self, server=None, address=None, **env):
        self.home = scratch("cli")
        self.env = {k: os.environ[k] for k in KEPT if k in os.environ}
        self.env.update(HOME=str(self.home), TERM="xterm", TMPDIR=str(self.home))
        if server:
            address = server.address("localhost")
        if address:
            self.env["STIGMER_SERVER_ADDR"] = address
        self.env.update(env)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        discard(self.home)

    def command(self, args):
        return [str(CLI), *map(str, args)]

    def environment(self, env):
        """The person's, changed by env; a value of None takes a variable away."""
        merged = {**self.env, **(env or {})}
        return {k: v for k, v in merged.items() if v is not None}

    def __call__(self, *args, cwd=None, env=None, stdin=subprocess.DEVNULL, timeout=60, text=True):
        done = subprocess.run(self.command(args), cwd=cwd or self.home, env=self.environment(env),
                              stdin=stdin, capture_output=True, timeout=timeout * PATIENCE,
                              check=False)
        if text:
            return Result(done.returncode, done.stdout.decode(), done.stderr.decode())
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *args, cwd=None, env=None):
        return subprocess.Popen(self.command(args), cwd=cwd or self.home,
                                env=self.environment(env), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def terminal(self, *args, cwd=None, env=None, answer=b"", timeout=60):
        """On a terminal of 100 columns; answer is typed when a question is asked."""
        try:
            pid, fd = pty.fork()
        except OSError:
            skip("no pseudo terminals here (is /dev/pts mounted?)")
        if pid == 0:
            os.chdir(cwd or self.home)
            os.execve(str(CLI), self.command(args), {**self.environment(env), "COLUMNS": "100"})
        out, asked = b"", False
        end = time.monotonic() + timeout * PATIENCE
        while time.monotonic() < end:
            if not select.select([fd], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(fd, 65536)
            except OSError as error:  # the other side is closed
                equal(error.errno, errno.EIO)
                break
            if not data:
                break
            out += data
            if answer and not asked and b"? " in out:
                asked = True
                os.write(fd, answer)
        else:
            os.kill(pid, 9)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(fd)
        return Result(code, out.decode(errors="replace").replace("\r\n", "\n"), "")

    def skill(self, name="my-skill", **files):
        """A directory with a SKILL.md and more files (name -> text or bytes)."""
        directory = self.home / name
        directory.mkdir(parents=True)
        files.setdefault("SKILL.md", f"---\nname: {name}\ndescription: A test.\n---\n\n# {name}\n")
        for path, content in files.items():
            target = directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return directory
