"""What the tests of `stigmer agent` share: a person with a cache, and looks into it."""

import json
import os
import subprocess

from .check import equal
from .cli import Cli


class Agent(Cli):
    """`stigmer agent` with a cache below the person's home; mounts are taken away when it ends."""

    def __init__(self, server=None, **more):
        super().__init__(server, **more)
        self.cache = self.home / ".cache" / "stigmer"
        self.root = self.home / "root"

    def agent(self, *args, **options):
        return self("agent", *args, **options)

    def json(self, *args, **options):
        return json.loads(self(*args, "--json", **options).ok().out)

    def entries(self, part):
        """Names in a part of the cache: skills, manifests, downloads, trash."""
        directory = self.cache / part
        return sorted(os.listdir(directory)) if directory.is_dir() else []

    def mounted(self, root=None):
        directory = (root or self.root) / "bin" / "skills"
        return sorted(os.listdir(directory)) if directory.is_dir() else []

    def unmount(self, root=None):
        if (root or self.root).is_dir():
            self.agent("unmount", "--root", root or self.root).ok()
            equal(self.mounted(root), [])

    def forget(self):
        """An empty cache and nothing mounted."""
        self.unmount()
        remove(self.cache)

    def remove(self):
        self.unmount()
        remove(self.home)


def remove(directory):
    """Also what has no write bits."""
    if directory.is_dir():
        subprocess.run(["chmod", "-R", "u+rwX", str(directory)], check=False, capture_output=True)
        subprocess.run(["rm", "-rf", str(directory)], check=True)
