/*
 * The rules of the canonical profile, one row each: name, id, what must hold, what it stops, what
 * to do about it. docs/ZIP_PROFILE.md explains them for people who make archives.
 */
#ifndef STIGMER_ZIP_RULES_H
#define STIGMER_ZIP_RULES_H

#include "zip/zip.h"

#define REPACK "pack the files again with `stigmer skill push` or `zip -r -X`"

#define ZIP_RULES(X)                                                                               \
    /* container */                                                                                \
    X(SIZE, "size", "the file has 22 bytes to 100 MiB", "truncated files, exhaustion",             \
      "leave out what the skill does not need; large data belongs elsewhere")                      \
    X(STARTS_WITH_LFH, "starts-with-lfh",                                                          \
      "the file starts with a local file header and is no tar or ISO 9660 archive, too",           \
      "prefixes, self-extractors, polyglots", "send the plain .zip; " REPACK)                      \
    X(ONE_EOCD, "one-eocd",                                                                        \
      "exactly one end record, the last one, whose comment ends at the end of the file",           \
      "concatenated archives, suffixes, comment-length games",                                     \
      "send one whole archive with nothing after it; " REPACK)                                     \
    X(NO_STRAY_SIGNATURE, "no-stray-signature",                                                    \
      "no second end record behind the directory, no ZIP signature in a comment",                  \
      "hidden second directories", REPACK)                                                         \
    X(NO_ENTRY_COMMENT, "no-entry-comment", "entries have no comments",                            \
      "data that only some readers see", "remove the entries' comments; " REPACK)                  \
    X(COUNTS, "counts", "disk fields are 0 and both counts equal the headers, 1 to 10,000",        \
      "counts that some readers take modulo 65,536",                                               \
      "put 1 to 10,000 files into one archive of one part; " REPACK)                               \
    X(DIRECTORY_EXTENT, "directory-extent",                                                        \
      "the central directory ends where the end record begins, its headers fill it exactly",       \
      "readers that look for the directory in different places", REPACK)                           \
    X(NO_ZIP64, "no-zip64", "no zip64 records, sentinels or central zip64 fields",                 \
      "two directories in one file", "switch zip64 off (`zip -fz-`): these limits never need it")  \
    X(TILING, "tiling", "records follow each other without gap or overlap, one for each entry",    \
      "overlapping bombs, gaps, hidden entries", REPACK)                                           \
    /* entry */                                                                                    \
    X(METHOD, "method", "method 0 (store) or 8 (deflate), the same in both headers",               \
      "methods that few readers know", "compress with deflate: `zip`, `7z -mm=Deflate`")           \
    X(FLAGS, "flags", "only flag bits 1, 2, 3 and 11, the same in both headers",                   \
      "encryption, patch data, masked headers", "pack without encryption; " REPACK)                \
    X(LFH_NAME, "lfh-name", "both headers give the same name bytes",                               \
      "one name for the reviewer, another for the extractor", REPACK)                              \
    X(LFH_FIELDS, "lfh-fields", "both headers give the same CRC, sizes, date and time",            \
      "readers that trust one header or the other", REPACK)                                        \
    X(DESCRIPTOR, "descriptor",                                                                    \
      "a data descriptor, with signature and the directory's values, exactly when bit 3 is set",   \
      "stream readers and directory readers seeing different sizes", REPACK)                       \
    X(STORED_DESCRIPTOR_SCAN, "stored-descriptor-scan",                                            \
      "a stored entry with a data descriptor holds no ZIP signature in its data",                  \
      "stream readers losing step", "write the archive to a file instead of a pipe, or deflate")   \
    X(LFH_ZIP64, "lfh-zip64",                                                                      \
      "a local zip64 field has both sizes, equal to the directory's, and both sentinels or none",  \
      "sizes that only some readers believe", REPACK)                                              \
    X(EXTRA_FORM, "extra-form", "extra fields are whole id-length-data triples, no id twice",      \
      "fields that only some readers find", REPACK)                                                \
    X(EXTRA_ALLOWED, "extra-allowed", "only extra fields that change nothing",                     \
      "encryption, link targets, second names and attributes", "strip extra fields: `zip -X`")     \
    X(UNICODE_PATH, "unicode-path",                                                                \
      "a Unicode path field repeats a name that is flagged as UTF-8",                              \
      "a second name for some readers", "name files in UTF-8; " REPACK)                            \
    X(VERSION, "version", "version needed is at most 4.5 for a system that all readers know",      \
      "readers that skip what they think is too new", REPACK)                                      \
    X(INFLATE, "inflate", "data inflates to exactly the declared size and CRC, all of it used",    \
      "understated sizes, lying headers, trailing garbage",                                        \
      "the archive is damaged or was altered; " REPACK)                                            \
    X(DIRECTORY, "directory", "a name that ends in / has no data",                                 \
      "data that only some readers see", REPACK)                                                   \
    X(TYPE_CONTRADICTION, "type-contradiction", "name and attributes agree on file or directory",  \
      "a file for some readers, a directory for others", REPACK)                                   \
    X(SPECIAL_FILE, "special-file", "only regular files and directories",                          \
      "symbolic links, devices and reparse points that some readers make",                         \
      "replace links by what they point to: `zip -r` without -y")                                  \
    X(SETID, "setid", "no setuid, setgid or sticky bit on a file", "privilege bits",               \
      "chmod a-s,-t the file and pack again")                                                      \
    /* names */                                                                                    \
    X(NAME_UTF8, "name-utf8",                                                                      \
      "names are UTF-8 without control characters, within 1,024 bytes and 32 levels of 255",       \
      "terminal escapes, overlong forms", "rename the file")                                       \
    X(NAME_PATH, "name-path", "names are relative and without . or .. or empty parts",             \
      "writing outside the target directory",                                                      \
      "pack from inside the directory: `zip -r ../skill.zip *`, not `./` or absolute paths")       \
    X(NAME_WINDOWS, "name-windows", "names mean the same on Windows",                              \
      "alternate streams, devices, 8.3 aliases",                                                   \
      "rename the file: none of :<>\"|?*, no final dot or space, no CON, NUL, A~1")                \
    X(NAME_HIDDEN, "name-hidden", "no invisible, unassigned or private characters in names",       \
      "names that look like others", "rename the file without invisible characters")               \
    X(NAME_ENCODING, "name-encoding",                                                              \
      "a name outside ASCII says that it is UTF-8, or means one file however it is decoded",       \
      "readers that take the name for CP437", "pack with the UTF-8 flag: 7z -mcu, or `stigmer`")   \
    X(NAME_UNIQUE, "name-unique", "names differ, also when case and form are ignored",             \
      "duplicates: some readers take the first, some the last",                                    \
      "rename or remove one of the two files")                                                     \
    X(NAME_PREFIX, "name-prefix", "no file is also the parent of another entry",                   \
      "a file for some readers, a directory for others", "rename one of the two")                  \
    X(NAME_GIT, "name-git", "no .git in any spelling", "hooks that run on checkout",               \
      "leave the .git directory out")                                                              \
    X(NAME_OPTION, "name-option",                                                                  \
      "no path begins with - or ~, none ends like a version number of VMS, none is __proto__",     \
      "names that commands and JavaScript objects take for something else", "rename the file")     \
    /* content and limits */                                                                       \
    X(SKILL_MD, "skill-md",                                                                        \
      "one SKILL.md at the root: a file of 1 byte to 1 MiB of UTF-8, and no look-alike",           \
      "a prompt that is missing, truncated or another than the one reviewed",                      \
      "put SKILL.md at the top level of the archive, not into a folder")                           \
    X(TOTAL, "total", "at most 500 MiB when unpacked", "bombs",                                    \
      "leave out what the skill does not need")                                                    \
    X(RATIO, "ratio", "no file grows more than a hundredfold", "bombs",                            \
      "store such a file without compression: `zip -n`, or generate it in a script")               \
    X(EXPANSION, "expansion", "deflated data is hardly larger than the file",                      \
      "padding that costs time and hides data", REPACK)                                            \
    X(CPU, "cpu", "inflating takes a bounded number of deflate blocks", "time bombs", REPACK)

enum zip_rule_id {
#define X(name, id, title, stops, advice) ZIP_RULE_##name,
    ZIP_RULES(X)
#undef X
        ZIP_N_RULES
};

const struct zip_rule *zip_rule(enum zip_rule_id id);

#endif
