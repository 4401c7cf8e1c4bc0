"""ZIP archives for tests: small ones, and large ones that share their bulk."""

import hashlib
import io
import random
import struct
import zipfile
import zlib

MIB = 1 << 20
DOS_EPOCH = (1980, 1, 1, 0, 0, 0)


def skill_md(name="demo", text="Does a thing."):
    return f"---\nname: {name}\ndescription: {text}\n---\n\n# {name}\n\n{text}\n"


def make(files=None, **more):
    """A deflated archive of {name: text or bytes}; without SKILL.md a plain one is added."""
    files = dict(files or {}, **more)
    files.setdefault("SKILL.md", skill_md())
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, DOS_EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o100644 << 16
            z.writestr(info, files[name])
    return out.getvalue()


def numbered(n, size=0):
    """Archive number n: different bytes for each n, with size random bytes beside SKILL.md."""
    files = {"SKILL.md": skill_md("numbered", f"Number {n}.")}
    if size:
        files["data.bin"] = random.Random(n).randbytes(size)
    return make(files)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Bulk:
    """Incompressible bytes made once, from which many large archives are built without copying."""

    def __init__(self, size, seed=1):
        self.data = random.Random(seed).randbytes(size)
        self.crc = zlib.crc32(self.data)

    def parts(self, text):
        """An archive of SKILL.md (holding text) and bulk.bin, both stored: [head, bulk, tail]."""
        md = skill_md("bulk", text).encode()
        entries = [(b"SKILL.md", md, zlib.crc32(md)), (b"bulk.bin", self.data, self.crc)]
        head, directory, offset = b"", b"", 0
        for name, data, crc in entries:
            fields = struct.pack("<HHHHHIIIHH", 20, 0x800, 0, 0, 0x21, crc, len(data), len(data),
                                 len(name), 0)
            local = b"PK\3\4" + fields + name
            directory += (b"PK\1\2" + struct.pack("<H", 0x314) + fields
                          + struct.pack("<HHHII", 0, 0, 0, 0o100644 << 16, offset) + name)
            head += local + (data if data is md else b"")
            offset += len(local) + len(data)
        end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 2, 2, len(directory), offset, 0)
        return [head, self.data, directory + end]

    def archive(self, text):
        return b"".join(self.parts(text))


def bulk_of_archive(size):
    """A Bulk whose archives have about `size` bytes, a little less."""
    return Bulk(size - 1024)


def push_frame_parts(name, archive_parts, org=""):
    """A gRPC message frame of PushSkillRequest, as [bytes...] around the shared bulk."""
    def field(number, value):
        return varint(number << 3 | 2) + varint(len(value)) + value
    size = sum(map(len, archive_parts))
    head = field(1, name.encode()) + (field(3, org.encode()) if org else b"")
    head += varint(4 << 3 | 2) + varint(size)
    return [struct.pack(">BI", 0, len(head) + size) + head, *archive_parts]


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)
