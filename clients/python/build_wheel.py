"""A build backend (PEP 517) for one pure package: a wheel is an archive of its files.

It needs nothing but Python, so that `pip install` works from the tree without a network.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = "stigmer_skills"
EPOCH = (1980, 1, 1, 0, 0, 0)


def _field(name: str) -> str:
    found = re.search(rf'^{name} = "(.*)"$', (HERE / "pyproject.toml").read_text(), re.M)
    if not found:
        raise RuntimeError(f"pyproject.toml has no {name}")
    return found[1]


def _dependencies() -> list[str]:
    found = re.search(r"^dependencies = \[(.*)\]$", (HERE / "pyproject.toml").read_text(), re.M)
    return re.findall(r'"(.*?)"', found[1]) if found else []


def _metadata() -> bytes:
    lines = ["Metadata-Version: 2.1", f"Name: {_field('name')}", f"Version: {_field('version')}",
             f"Summary: {_field('description')}", f"Requires-Python: {_field('requires-python')}",
             *(f"Requires-Dist: {d}" for d in _dependencies()),
             "Description-Content-Type: text/markdown"]
    return ("\n".join(lines) + "\n\n" + (HERE / "README.md").read_text()).encode()


def _record_line(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):  # noqa: ARG001
    """Writes the wheel into wheel_directory and returns its name."""
    stem = f"{PACKAGE}-{_field('version')}"
    files = {f"{PACKAGE}/{p.name}": p.read_bytes() for p in sorted((HERE / PACKAGE).iterdir())
             if p.suffix == ".py" or p.name == "py.typed"}
    files[f"{stem}.dist-info/METADATA"] = _metadata()
    files[f"{stem}.dist-info/WHEEL"] = (b"Wheel-Version: 1.0\nGenerator: build_wheel\n"
                                        b"Root-Is-Purelib: true\nTag: py3-none-any\n")
    record = "".join(_record_line(name, data) for name, data in files.items())
    files[f"{stem}.dist-info/RECORD"] = (record + f"{stem}.dist-info/RECORD,,\n").encode()
    name = f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory, name), "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, data in files.items():
            info = zipfile.ZipInfo(path, EPOCH)
            info.external_attr = 0o100644 << 16
            wheel.writestr(info, data, zipfile.ZIP_DEFLATED)
    return name


def build_sdist(sdist_directory, config_settings=None):
    """Not made: the tree is the source."""
    raise NotImplementedError("install from the tree: pip install ./clients/python")
