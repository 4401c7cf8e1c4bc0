"""What /proc says about a process."""

import os
import socket
from pathlib import Path


def _status_kb(pid, field):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise LookupError(f"{field} is not in /proc/{pid}/status")


def rss_kib(pid):
    """Resident now."""
    return _status_kb(pid, "VmRSS")


def peak_kib(pid):
    """Resident at most since the start, or since reset_peak()."""
    return _status_kb(pid, "VmHWM")


def reset_peak(pid):
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def open_files(pid):
    """Descriptor -> what it points at."""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:  # closed meanwhile
            pass
    return found


def unlinked_files(pid, below):
    """Files without a name, below a directory, that the process keeps open: spools."""
    return [target for target in open_files(pid).values()
            if target.startswith(str(below)) and target.endswith("(deleted)")]


def sockets(pid):
    return [t for t in open_files(pid).values() if t.startswith("socket:")]


def listening(pid):
    """The addresses it listens on: [(host, port)...], sorted."""
    mine, found = set(sockets(pid)), []
    for table, family, size in (("tcp", socket.AF_INET, 4), ("tcp6", socket.AF_INET6, 16)):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] != "0A" or f"socket:[{fields[9]}]" not in mine:
                continue
            host, port = fields[1].split(":")
            words = [int(host[i:i + 8], 16).to_bytes(4, "little") for i in range(0, 2 * size, 8)]
            found.append((socket.inet_ntop(family, b"".join(words)), int(port, 16)))
    return sorted(found)


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def cpu_seconds(pid):
    """User and system time used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
