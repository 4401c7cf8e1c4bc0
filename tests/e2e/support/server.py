"""A private stigmer-server: own directories, a free port, stopped by its pid."""

import atexit
import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import grpc

from . import wire
from .paths import PATIENCE, SERVER, discard, scratch

REPORTS = re.compile(r"(Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|runtime error:"
                     r"|Assertion .* failed|\*\*\* stack smashing")
_running = set()


@atexit.register
def _kill_rest():
    for process in _running:
        process.kill()


# meson ends a test that takes too long with SIGTERM: leave through atexit then, too.
signal.signal(signal.SIGTERM, lambda *_: os.sys.exit(143))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def accepts(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """Use as a context manager: leaving it stops the server and checks that it ended cleanly.

    env: more variables for the server; with a LOG_LEVEL that hides the start, a port is chosen
    beforehand. tls: a wire.Certificate to serve with. max_files: how many descriptors it may have.
    disks: {"storage", "skills" or "db": mount options}: a tmpfs of its own there, which only the server sees
    (and inside() from without).
    """

    def __init__(self, env=None, tls=None, max_files=None, disks=None):
        self.home = scratch("server")
        self.storage = self.home / "storage"
        self.skills = self.storage / "skills"
        self.db = self.home / "stigmer.db"
        self.log_path = self.home / "server.log"
        self.tls = tls
        self.max_files = max_files
        self.disks = dict(disks or {})
        self.more_env = dict(env or {})
        self.quiet = self.more_env.get("LOG_LEVEL") in ("warn", "error")
        if self.quiet:
            self.more_env["GRPC_PORT"] = str(free_port())
        self.process = None
        self.port = None
        self.channels = []

    # --- life ---

    def environment(self):
        kept = ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS", "LANG")
        env = {k: os.environ[k] for k in kept if k in os.environ}
        env.update(HOME=str(self.home), GRPC_PORT="0", DB_PATH=str(self.db),
                   STORAGE_PATH=str(self.storage))
        if self.tls:
            env.update(TLS_CERT_FILE=str(self.tls.cert), TLS_KEY_FILE=str(self.tls.key))
        env.update(self.more_env)
        return env

    def start(self):
        self._log_from = self.log_path.stat().st_size if self.log_path.exists() else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self._limit(), *self._mounts(), str(SERVER)], env=self.environment(),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        _running.add(self.process)
        self.port = self._wait_for_port()
        return self

    def _limit(self):
        """A program that limits itself and becomes the server: grpcio does not survive a fork."""
        return ["prlimit", f"--nofile={self.max_files}:{self.max_files}"] if self.max_files else []

    def _mounts(self):
        """The same, in a mount namespace of its own."""
        if not self.disks:
            return []
        script = "set -e; "
        for name, options in self.disks.items():
            place = getattr(self, name)
            script += f"mkdir -p {place}; mount -t tmpfs -o {options} none {place}; "
        return ["unshare", "--mount", "--propagation=private", "sh", "-c", script + 'exec "$@"', "sh"]

    def inside(self, path):
        """The path as the server sees it."""
        return Path(f"/proc/{self.pid}/root") / Path(path).relative_to("/")

    def remount(self, name, options):
        """Changes the options of one of its disks."""
        subprocess.run(["nsenter", f"--mount=/proc/{self.pid}/ns/mnt", "mount", "-o",
                        f"remount,{options}", str(getattr(self, name))], check=True)

    def _wait_for_port(self):
        end = time.monotonic() + 20 * PATIENCE
        while time.monotonic() < end:
            for line in self.events():
                if line.get("port"):
                    return int(line["port"])
            if self.quiet and accepts(int(self.more_env["GRPC_PORT"])):
                return int(self.more_env["GRPC_PORT"])
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}\n"
                                     + self.log())
            time.sleep(0.01)
        raise AssertionError("the server did not log its port\n" + self.log())

    def stop(self, sig=signal.SIGTERM):
        """Asks it to stop; it must drain, end with 0 and have nothing to report."""
        for channel in self.channels:
            channel.close()
        self.channels = []
        self.process.send_signal(sig)
        self.wait()

    def wait(self):
        """Waits for the clean end of a server that was asked to stop."""
        try:
            code = self.process.wait(45 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("the server did not stop\n" + self.log()[-4000:]) from None
        finally:
            _running.discard(self.process)
        self.check_log()
        if code != 0:
            raise AssertionError(f"the server ended with {code}\n" + self.log()[-4000:])

    def kill(self):
        """As a crash or the OOM killer would."""
        self.process.kill()
        self.process.wait()
        _running.discard(self.process)

    def restart(self):
        self.stop()
        return self.start()

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        try:
            if self.process.poll() is None:
                self.stop()
            else:
                _running.discard(self.process)
                self.check_log()
        finally:
            if kind is not None:
                print("# server log (end):")
                for line in self.log()[-3000:].splitlines():
                    print("#   " + line)
            discard(self.home)

    # --- what it says and holds ---

    def log(self):
        return self.log_path.read_text(errors="replace")

    def events(self):
        """The log lines since the last start, as objects."""
        with open(self.log_path, errors="replace") as log:
            log.seek(self._log_from)
            for line in log:
                try:
                    yield json.loads(line)
                except ValueError:
                    pass

    def check_log(self):
        found = REPORTS.search(self.log())
        if found:
            raise AssertionError("the log holds a report:\n" + self.log()[found.start():][:6000])

    @property
    def pid(self):
        return self.process.pid

    def address(self, host="127.0.0.1"):
        return f"{host}:{self.port}"

    def artifacts(self):
        return sorted(p.name for p in (self.storage / "skills").iterdir())

    def stored_files(self):
        """Every file below the storage directory."""
        return sorted(str(p.relative_to(self.storage))
                      for p in self.storage.rglob("*") if p.is_file())

    # --- clients ---

    def channel(self, options=(), **more):
        """A connection of its own (grpcio shares them otherwise), closed when the server stops."""
        usual = {"grpc.use_local_subchannel_pool": 1, "grpc.max_receive_message_length": -1,
                 "grpc.max_send_message_length": -1}
        options = list({**usual, **dict(options)}.items())
        if self.tls:
            credentials = grpc.ssl_channel_credentials(self.tls.cert.read_bytes())
            made = grpc.secure_channel(f"localhost:{self.port}", credentials, options, **more)
        else:
            made = grpc.insecure_channel(self.address(), options, **more)
        self.channels.append(made)
        return made

    def client(self, *args, **kwargs):
        return wire.Client(self.channel(*args, **kwargs))
