"""Other servers to compare with: Debian's nginx and docker-registry, each with a directory of its own on loopback."""

import shutil
import subprocess
import time

from common import discard, process, scratch
from support.server import accepts, free_port

NGINX = """
daemon off;
pid {dir}/pid;
error_log {dir}/error.log;
worker_processes 2;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile {sendfile};
    keepalive_requests 100000000;
    client_max_body_size 200m;
    client_body_temp_path {dir}/body;
    fastcgi_temp_path {dir}/x; proxy_temp_path {dir}/x; scgi_temp_path {dir}/x; uwsgi_temp_path {dir}/x;
    server {{
        listen 127.0.0.1:{port} {listen} http2;
        {more}
        root {dir}/files;
        location / {{ dav_methods PUT; create_full_put_path on; }}
    }}
}}
"""

REGISTRY = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {dir}/files}}, maintenance: {{uploadpurging: {{enabled: false}}}}}}
http:
  addr: 127.0.0.1:{port}
  tls: {{certificate: {cert}, key: {key}}}
  http2: {{disabled: false}}
"""


class Peer:
    """A process with a directory; `with` starts and ends it. The directory is removed at the end."""

    program = None  # its name

    def __init__(self, certificate=None):
        self.dir, self.port, self.certificate, self.process = scratch(self.program), free_port(), certificate, None
        (self.dir / "files").mkdir()

    @classmethod
    def missing(cls):
        """The Debian package to install, or None."""
        return None if shutil.which(cls.program) else cls.package

    def address(self):
        return f"127.0.0.1:{self.port}"

    def __enter__(self):
        with (self.dir / "log").open("w") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        for _ in range(500):
            if accepts(self.port):
                return self
            time.sleep(0.02)
        raise SystemExit(f"{self.program} does not start: {(self.dir / 'log').read_text()}")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        discard(self.dir)

    def pids(self):
        """Of the process and its children, which do the work."""
        found = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False)
        return [self.process.pid, *map(int, found.stdout.split())]

    def cpu_seconds(self):
        return sum(map(process.cpu_seconds, self.pids()))


class Nginx(Peer):
    """Serves files/ by GET and takes files by WebDAV's PUT; h2c, or TLS with a certificate."""

    program, package = "nginx", "nginx-light"

    def __init__(self, certificate=None, sendfile=True):
        super().__init__(certificate)
        self.sendfile = "on" if sendfile else "off"

    def command(self):
        tls = self.certificate
        more = f"ssl_certificate {tls.cert}; ssl_certificate_key {tls.key};" if tls else ""
        self.dir.chmod(0o755)  # its workers are nobody when it is started by root
        (self.dir / "files").chmod(0o777)
        config = self.dir / "nginx.conf"
        config.write_text(NGINX.format(dir=self.dir, port=self.port, sendfile=self.sendfile, listen="ssl" if tls else "", more=more))
        return ["nginx", "-p", self.dir, "-c", config]


class Registry(Peer):
    """HTTP/2 needs TLS there."""

    program, package = "docker-registry", "docker-registry"

    def command(self):
        config = self.dir / "config.yml"
        config.write_text(REGISTRY.format(dir=self.dir, port=self.port, cert=self.certificate.cert,
                                          key=self.certificate.key))
        return ["docker-registry", "serve", config]
