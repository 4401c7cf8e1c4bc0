#!/usr/bin/python3
"""The recorded messages of existing clients, against our .proto files in Python's protobuf."""

import json

from google.protobuf import json_format

from support import tap, wire
from support.check import equal
from support.paths import ROOT
from support.tap import test

RECORDED = json.loads((ROOT / "tests" / "golden" / "wire.json").read_text())


def class_of(entry):
    return wire.message(entry["type"])


@test
def there_are_twelve():
    equal(len(RECORDED), 12)


@test
def each_decodes_to_what_it_says():
    for entry in RECORDED:
        decoded = class_of(entry).FromString(bytes.fromhex(entry["hex"]))
        as_json = json_format.MessageToDict(decoded, preserving_proto_field_name=True,
                                            descriptor_pool=wire.pool)
        equal(as_json, entry["json"], entry["name"])
        equal(decoded.ByteSize(), len(entry["hex"]) // 2, entry["name"])


@test
def each_encodes_byte_for_byte():
    for entry in RECORDED:
        made = json_format.ParseDict(entry["json"], class_of(entry)(), descriptor_pool=wire.pool)
        equal(made.SerializeToString(deterministic=True).hex(), entry["hex"], entry["name"])


@test
def unknown_fields_are_skipped():
    for entry in RECORDED:
        cls = class_of(entry)
        more = bytes.fromhex(entry["hex"]) + bytes.fromhex("fa7f03616263")
        known = cls.FromString(more)
        known.DiscardUnknownFields()
        equal(known, cls.FromString(bytes.fromhex(entry["hex"])), entry["name"])


if __name__ == "__main__":
    tap.run()
