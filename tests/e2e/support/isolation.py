"""The sandbox of `stigmer agent exec`: who runs it, and whether this machine can."""

import json
import os
import shutil
import subprocess

from .check import equal
from .cli import Cli
from .paths import run
from .tap import skip

ORDINARY = 12345  # a user that nobody is


def need_sandbox(leave=skip):
    """leave: tap.skip within a test, tap.skip_all for a whole file."""
    if not shutil.which("bwrap"):
        leave("no bubblewrap here")
    if run("bwrap", "--unshare-user", "--unshare-net", "--ro-bind", "/", "/", "true").returncode:
        leave("no user namespaces here")


class Agent(Cli):
    """Somebody who runs skills; user: as whom, when the tests run as root."""

    def __init__(self, server, user=None):
        super().__init__(server)
        self.user = user if os.getuid() == 0 else None
        if self.user:
            os.chown(self.home, self.user, self.user)

    def prefix(self):
        if not self.user:
            return []
        return ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"]

    def command(self, args):
        return [*self.prefix(), *super().command(args)]

    def run(self, reference, *command, options=(), **more):
        return self("agent", "exec", reference, *options, "--", *command, **more)

    def result(self, reference, *command, options=(), **more):
        """What --json tells; the exit code is the same."""
        done = self.run(reference, *command, options=["--json", *options], **more)
        told = json.loads(done.out)
        equal(told["exitCode"], done.code)
        return told

    def directory(self, name):
        made = self.home / name
        made.mkdir()
        if self.user:
            os.chown(made, self.user, self.user)
        return made


def users():
    """Root and an ordinary user, or whoever runs the tests."""
    return [None, ORDINARY] if os.getuid() == 0 else [None]


def processes(marker):
    """How many processes have that in their command line."""
    done = subprocess.run(["pgrep", "-fc", marker], capture_output=True, text=True, check=False)
    return int(done.stdout or 0)
