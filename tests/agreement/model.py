"""A ZIP archive taken apart, field by field, and put together again just as it is.

    parse(bytes) -> Archive     of an archive without gaps, as honest tools make them
    Archive.emit() -> bytes     what the fields say, true or not
    Archive.fix()               makes lengths, offsets and counts true again

Written from APPNOTE.TXT alone and without a look at src/zip: it must not share its mistakes.
"""

import struct
import zlib

# name -> (struct format of each field behind the signature)
LFH = dict(need="H", flags="H", method="H", time="H", date="H", crc="I", csize="I", usize="I",
           name_len="H", extra_len="H")
CDH = dict(made="H", need="H", flags="H", method="H", time="H", date="H", crc="I", csize="I",
           usize="I", name_len="H", extra_len="H", comment_len="H", disk="H", internal="H",
           external="I", offset="I")
EOCD = dict(disk="H", cd_disk="H", n_disk="H", n_total="H", cd_size="I", cd_offset="I",
            comment_len="H")
DESCRIPTOR = dict(crc="I", csize="I", usize="I")
WIDE_DESCRIPTOR = dict(crc="I", csize="Q", usize="Q")

UTF8, STREAM = 1 << 11, 1 << 3  # flags: the name is UTF-8; a descriptor follows


class Record:
    """A signature and the fields behind it."""

    __slots__ = ("sig", "format", "fields")

    def __init__(self, sig, layout, values):
        self.sig = sig
        self.format = "<" + "".join(layout.values())
        self.fields = dict(zip(layout, values))

    @classmethod
    def read(cls, data, at, sig, layout):
        if data[at:at + 4] != sig:
            raise ValueError(f"no {sig!r} at {at}")
        return cls(sig, layout, struct.unpack_from("<" + "".join(layout.values()), data, at + 4))

    def __getitem__(self, field):
        return self.fields[field]

    def __setitem__(self, field, value):
        self.fields[field] = value

    def __len__(self):
        return 4 + struct.calcsize(self.format)

    def copy(self):
        new = Record.__new__(Record)
        new.sig, new.format, new.fields = self.sig, self.format, dict(self.fields)
        return new

    def bits(self, field):
        """How wide the field is."""
        return {"H": 16, "I": 32, "Q": 64}[self.format[1 + list(self.fields).index(field)]]

    def bytes(self):
        return self.sig + struct.pack(self.format, *self.fields.values())


def read_extras(blob):
    """[(id, data)...] and what is left over."""
    fields = []
    while len(blob) >= 4:
        tag, size = struct.unpack_from("<HH", blob)
        if len(blob) < 4 + size:
            break
        fields.append((tag, blob[4:4 + size]))
        blob = blob[4 + size:]
    return fields, blob


def write_extras(fields, rest=b""):
    return b"".join(struct.pack("<HH", tag, len(data)) + data for tag, data in fields) + rest


class Entry:
    """A file: its local record, as it stands, and its header in the directory."""

    __slots__ = ("before", "lfh", "name", "extra", "data", "descriptor", "cdh", "cname", "cextra",
                 "comment")

    def __init__(self, **parts):
        for part in self.__slots__:
            setattr(self, part, parts[part])

    def copy(self):
        new = Entry.__new__(Entry)
        for part in self.__slots__:
            setattr(new, part, getattr(self, part))
        new.lfh, new.cdh = self.lfh.copy(), self.cdh.copy()
        new.descriptor = self.descriptor and self.descriptor.copy()
        return new

    def local(self):
        tail = self.descriptor.bytes() if self.descriptor else b""
        return self.lfh.bytes() + self.name + self.extra + self.data + tail

    def central(self):
        return self.cdh.bytes() + self.cname + self.cextra + self.comment

    def records(self):
        """Its records, each with the name of its kind."""
        found = [("lfh", self.lfh), ("cdh", self.cdh)]
        return found + [("descriptor", self.descriptor)] if self.descriptor else found

    def set(self, field, value):
        """In every header that has the field. Where a streamed entry has 0 for "see below", the
        local header keeps it."""
        streamed = self.lfh["flags"] & STREAM and field in DESCRIPTOR
        for _, record in self.records():
            if field in record.fields and not (streamed and record is self.lfh):
                record[field] = value

    def rename(self, name):
        self.name = self.cname = name

    def directory(self):
        return self.cname.endswith(b"/")

    def content(self):
        """What it unpacks to, as far as it does."""
        if self.cdh["method"] == 0:
            return self.data
        try:
            return zlib.decompress(self.data, -15)
        except zlib.error:
            return self.data

    def fill(self, content, method, data=None):
        """Gives it other content: data is the compressed form."""
        if data is None:
            data = raw_deflate(content) if method else content
        self.data = data
        self.lfh["method"] = self.cdh["method"] = method
        for field, value in (("crc", zlib.crc32(content)), ("csize", len(data)),
                             ("usize", len(content))):
            self.set(field, value)

    def stream(self, wide=False):
        """Makes it one whose sizes follow its data."""
        self.lfh["flags"] |= STREAM
        self.cdh["flags"] |= STREAM
        values = [self.cdh[f] for f in DESCRIPTOR]
        self.descriptor = Record(b"PK\7\x08", WIDE_DESCRIPTOR if wide else DESCRIPTOR, values)
        for field in DESCRIPTOR:
            self.lfh[field] = 0

    def unstream(self):
        self.lfh["flags"] &= ~STREAM
        self.cdh["flags"] &= ~STREAM
        self.descriptor = None
        for field in DESCRIPTOR:
            self.lfh[field] = self.cdh[field]


def raw_deflate(content, level=6, strategy=zlib.Z_DEFAULT_STRATEGY):
    z = zlib.compressobj(level, zlib.DEFLATED, -15, 8, strategy)
    return z.compress(content) + z.flush()


class Archive:
    """entries in the order of their local records; `order` is that of the directory."""

    __slots__ = ("entries", "order", "before_cd", "before_eocd", "eocd", "comment", "after")

    def __init__(self, entries, order, eocd, comment):
        self.entries, self.order, self.eocd, self.comment = entries, order, eocd, comment
        self.before_cd = self.before_eocd = self.after = b""

    def copy(self):
        new = Archive([e.copy() for e in self.entries], list(self.order), self.eocd.copy(),
                      self.comment)
        new.before_cd, new.before_eocd = self.before_cd, self.before_eocd
        new.after = self.after
        return new

    def emit(self):
        parts = []
        for e in self.entries:
            parts += [e.before, e.local()]
        parts.append(self.before_cd)
        parts += [self.entries[i].central() for i in self.order]
        parts += [self.before_eocd, self.eocd.bytes(), self.comment, self.after]
        return b"".join(parts)

    def fix(self):
        at = 0
        for e in self.entries:
            e.lfh["name_len"], e.lfh["extra_len"] = len(e.name), len(e.extra)
            e.cdh["name_len"], e.cdh["extra_len"] = len(e.cname), len(e.cextra)
            e.cdh["comment_len"] = len(e.comment)
            e.cdh["offset"] = at + len(e.before)
            at += len(e.before) + len(e.local())
        eocd = self.eocd
        eocd["cd_offset"] = at + len(self.before_cd)
        eocd["cd_size"] = sum(len(self.entries[i].central()) for i in self.order)
        eocd["n_disk"] = eocd["n_total"] = len(self.order)
        eocd["comment_len"] = len(self.comment)
        return self


def _read_central(data, at):
    cdh = Record.read(data, at, b"PK\1\2", CDH)
    at += len(cdh)
    parts = []
    for field in ("name_len", "extra_len", "comment_len"):
        parts.append(data[at:at + cdh[field]])
        at += cdh[field]
    return (cdh, *parts), at


def _read_descriptor(blob):
    if not blob:
        return None
    return Record.read(blob, 0, b"PK\7\x08", WIDE_DESCRIPTOR if len(blob) == 24 else DESCRIPTOR)


def _read_local(data, header, end):
    """The entry of a central header, whose local record ends at `end`."""
    cdh, cname, cextra, comment = header
    lfh = Record.read(data, cdh["offset"], b"PK\3\4", LFH)
    name_at = cdh["offset"] + len(lfh)
    extra_at = name_at + lfh["name_len"]
    data_at = extra_at + lfh["extra_len"]
    tail_at = data_at + cdh["csize"]
    return Entry(before=b"", lfh=lfh, name=data[name_at:extra_at], extra=data[extra_at:data_at],
                 data=data[data_at:tail_at], descriptor=_read_descriptor(data[tail_at:end]),
                 cdh=cdh, cname=cname, cextra=cextra, comment=comment)


def parse(data):
    """Raises ValueError when the archive is not of one piece."""
    end = data.rindex(b"PK\5\6")
    eocd = Record.read(data, end, b"PK\5\6", EOCD)
    headers, at = [], eocd["cd_offset"]
    for _ in range(eocd["n_total"]):
        header, at = _read_central(data, at)
        headers.append(header)
    by_offset = sorted(range(len(headers)), key=lambda i: headers[i][0]["offset"])
    ends = [headers[i][0]["offset"] for i in by_offset[1:]] + [eocd["cd_offset"]]
    entries = [_read_local(data, headers[i], e) for i, e in zip(by_offset, ends)]
    order = [by_offset.index(i) for i in range(len(headers))]
    archive = Archive(entries, order, eocd, data[end + len(eocd):])
    if archive.emit() != data:
        raise ValueError("the archive has bytes that no record explains")
    return archive


def archive_of(data):
    """The archive, or None when it is not of one piece."""
    try:
        return parse(data)
    except (ValueError, struct.error):
        return None
