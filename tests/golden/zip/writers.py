"""Archives as programs write them that are not at hand when the tests run: their header bytes.

Each function is one program. What runs on Debian writes its own archives in tests/unit/zip.
"""

import struct
import zlib
from dataclasses import replace

from build import (DARWIN, DESCRIPTOR, DIR, FAT, MAX32, NTFS, REG, UNIX, Entry, archive, central, directory,
                   extra, local, zip64)
from cases import case

SKILL = b"# A skill\n\nIt does things.\n"
CODE = b"#!/bin/sh\necho hello, hello, hello, hello\n"
NTFS_TIMES = extra(0x000A, struct.pack("<IHH", 0, 1, 24) + \
                   struct.pack("<Q", 133444736000000000) * 3)
TIME = struct.pack("<I", 1700000000)


def honest(name, entries, order=None, **eocd):
    case("honest." + name, archive(*entries, skill=None, order=order, **eocd))


def tree(file, folder=None, text="caf\u00e9.txt", text_flags=0x800):
    """A small skill: what `file` makes of each file, and `folder` of each directory."""
    entries = [replace(file, name=b"SKILL.md", data=SKILL),
               replace(folder, name=b"scripts/") if folder else None,
               replace(file, name=b"scripts/run.sh", data=CODE),
               replace(file, name=b"empty", data=b""),
               replace(file, name=text.encode(), flags=file.flags | text_flags) if text else None]
    return [e for e in entries if e]


def wide_descriptor(e):
    """With 8-byte sizes, which only files that are not empty may have."""
    return replace(e, descriptor=DESCRIPTOR + struct.pack(
        "<IQQ", zlib.crc32(e.data), len(e.compressed()), len(e.data)))


def windows():
    file = Entry(b"", host=FAT, made=20, mode=0, dos=0x20)
    folder = directory(b"", host=FAT, made=20, mode=0)
    honest("explorer", tree(file, folder))
    honest("explorer-xp", tree(file, text=None))
    honest("explorer-stored", tree(replace(file, method=0, version=10), folder))
    winzip = replace(file, flags=2, extra=NTFS_TIMES)
    honest("winzip", tree(winzip, replace(folder, extra=NTFS_TIMES, version=10)))
    honest("winzip-times", tree(central(local(file, extra=extra(0x5455, b"\7" + TIME * 3)),
                                        extra=extra(0x5455, b"\7" + TIME)), folder))
    honest("winrar", tree(central(file, extra=NTFS_TIMES), central(folder, extra=NTFS_TIMES)))
    honest("winrar-comment", tree(replace(file, flags=4), folder), comment=b"made by WinRAR\r\n")
    seven = replace(file, made=63)
    honest("7zip", tree(central(seven, extra=NTFS_TIMES),
                        central(replace(folder, made=63), extra=NTFS_TIMES)))
    net = replace(file, dos=0)
    honest("dotnet-framework", tree(net))
    honest("dotnet-folders", tree(net, replace(folder, dos=0)))
    honest("dotnet-stream", tree(replace(net, flags=8)))
    honest("dotnet-unix", tree(replace(net, host=UNIX, mode=REG | 0o755), replace(folder, host=UNIX, dos=0)))
    honest("dotnetzip", tree(replace(file, made=45, extra=NTFS_TIMES),
           replace(folder, made=45, extra=NTFS_TIMES)))
    honest("python-on-windows", tree(replace(file, mode=REG | 0o666, dos=0),
                                     replace(folder, mode=DIR | 0o777)))
    honest("adm-zip-on-windows", tree(replace(file, host=NTFS, made=10, mode=REG | 0o644, dos=0, flags=0x800),
                                      replace(folder, host=NTFS, made=10, mode=DIR | 0o755)))


def macos():
    long, short = extra(0x5855, TIME * 2 + b"\xf5\1\x14\0"), extra(0x5855, TIME * 2)
    file = central(local(Entry(b"", made=21, flags=8), extra=long), extra=short)
    folder = central(local(directory(b"", made=21, version=10, dos=0), extra=long), extra=short)
    double = Entry(b"", b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(60), made=21, flags=8)
    mac = [replace(folder, name=b"__MACOSX/"), replace(double, name=b"__MACOSX/._SKILL.md"),
           replace(double, name=b"__MACOSX/scripts/._run.sh"),
           replace(file, name=b".DS_Store", data=bytes(range(256)) * 24)]
    for what, text in (("", "caf\u00e9.txt"), ("-decomposed", "cafe\u0301.txt")):
        honest("finder" + what, tree(file, folder, text=text, text_flags=0) + mac)
    late = extra(0x5455, b"\1" + TIME) + extra(0x7875, b"\1\4\xf5\1\0\0\4\x14\0\0\0")
    honest("finder-later", tree(replace(file, extra=late, lfh={}, cdh={}),
                                replace(folder, extra=late, lfh={}, cdh={}), text_flags=0) + mac)
    honest("host-19", tree(Entry(b"", host=DARWIN, made=20), text_flags=0))


def unix():
    times = dict(l=extra(0x5455, b"\3" + TIME * 2), c=extra(0x5455, b"\3" + TIME))
    ux = extra(0x7875, b"\1\4\xe8\3\0\0\4\xe8\3\0\0")
    file = central(local(Entry(b""), extra=times["l"] + ux), extra=times["c"] + ux, internal=1)
    folder = central(local(directory(b"", version=10),
                     extra=times["l"] + ux), extra=times["c"] + ux)
    honest("infozip-3", tree(file, folder))
    honest("infozip-3-bare", tree(file, folder, text_flags=0))
    honest("infozip-3-piped", tree(replace(file, flags=8), folder), comment=b"a comment\n")
    old = dict(l=extra(0x5455, b"\3" + TIME * 2) + extra(0x7855, b"\xe8\3\xe8\3"),
               c=extra(0x5455, b"\3" + TIME) + extra(0x7855, b""))
    honest("infozip-2", tree(central(local(Entry(b"", made=23), extra=old["l"]), extra=old["c"]),
                             central(local(directory(b"", made=23, version=10),
                                     extra=old["l"]), extra=old["c"]),
                             text_flags=0))
    honest("infozip-unicode-comment", tree(central(file, extra=extra(0x6375, b"\1\0\0\0\0"))))
    honest("gzip-like-owner", tree(replace(Entry(b""), extra=extra(0x000D, TIME * 2 + b"\xe8\3\xe8\3"))))
    honest("libarchive", tree(replace(file, flags=8, made=20), replace(folder, flags=8, made=20)))
    honest("git-archive", tree(replace(Entry(b""), host=FAT, made=0, mode=0, version=10,
                                       extra=extra(0x5455, b"\1" + TIME))), comment=b"5" * 40)
    honest("minizip", tree(Entry(b"", host=FAT, made=0, mode=0), text=None))
    unknown = [wide_descriptor(local(e, extra=zip64(0, 0), csize=MAX32, usize=MAX32))
               for e in tree(Entry(b"", made=45, version=45, flags=8)) if e.data]
    honest("minizip-ng-stream", unknown)
    honest("php-libzip", tree(Entry(b"", version=20), directory(b"", dos=0)))
    honest("rubyzip", tree(Entry(b"", made=52, extra=extra(0x5455, b"\1" + TIME))))
    honest("perl-archive-zip", tree(Entry(b"", made=20), directory(b"", made=20, version=10)))


def languages():
    net = Entry(b"", host=FAT, made=20, mode=0)
    honest("python-2", tree(replace(net, host=UNIX, mode=0o600), directory(b"", made=20)))
    values = [local(e, extra=zip64(len(e.data), len(e.compressed())))
                    for e in tree(replace(net, version=45))]
    honest("python-3.6-zip64", values)
    honest("commons-compress-zip64", [local(e, need=45) for e in values])
    sentinels = [local(e, csize=MAX32, usize=MAX32) for e in values]
    honest("python-3.11-zip64", sentinels)
    stream = [wide_descriptor(local(replace(e, flags=e.flags | 8), extra=zip64(0, 0)))
              for e in values if e.data]
    honest("python-3.6-zip64-stream", stream)
    java = replace(net, flags=0x808)
    entries = tree(java, replace(java, method=8, data=b"", version=10))
    entries[0] = replace(entries[0], extra=extra(0xCAFE, b""))
    honest("jar", entries)
    honest("java-8", tree(replace(java, flags=8), replace(java, flags=8, data=b"")))
    honest("java-aligned", [local(e, extra=extra(0xD935, b"\4\0" + bytes(3)))
           for e in tree(replace(net, method=0))])
    honest("commons-compress-aligned",
           [local(e, extra=extra(0xA11E, b"\4\x80" + bytes(5))) for e in tree(replace(net, method=0))])
    go = replace(net, flags=8)
    honest("go", tree(go, directory(b"", host=FAT, made=20, mode=0, dos=0)))
    honest("go-modes", tree(replace(go, host=UNIX, mode=REG | 0o755, extra=extra(0x5455, b"\1" + TIME)),
                            directory(b"", made=20)))
    honest("go-1.6", tree(go, directory(b"", host=FAT, made=20, mode=0, dos=0, flags=8)))
    honest("jszip", [replace(e, extra=extra(0x7075, struct.pack("<BI", 1, zlib.crc32(e.name)) + e.name))
                     if not e.name.isascii() else e
                     for e in tree(replace(net, version=10), directory(b"", host=FAT, made=20, mode=0))])
    honest("yazl", tree(Entry(b"", made=63, flags=0x808), directory(b"", made=63, flags=0x800)))
    honest("archiver", tree(Entry(b"", made=45, flags=8), directory(b"", made=45, flags=8)))
    honest("zip.js", tree(replace(net, flags=0x808, extra=NTFS_TIMES + extra(0x5455, b"\7" + TIME * 3)),
                          replace(net, flags=0x808, method=0, dos=0x10, data=b"")))
    honest("client-zip", tree(Entry(b"", made=45, version=45, flags=0x808, method=0),
                              directory(b"", made=45, version=45, flags=0x808)))
    honest("fflate", tree(replace(net, flags=2)))


def make():
    for programs in (windows, macos, unix, languages):
        programs()
