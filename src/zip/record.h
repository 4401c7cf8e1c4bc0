/*
 * The records of APPNOTE.TXT 4.3, each written down once as a list of its fields: the struct, the
 * decoder and the encoder come from that list. Decoders take the record's fixed part, its
 * signature included; who calls has made sure that all of it is there.
 */
#ifndef STIGMER_ZIP_RECORD_H
#define STIGMER_ZIP_RECORD_H

#include "base/str.h"

/* APPNOTE 4.3.7, 4.3.9.3, 4.3.11, 4.3.12, 4.3.13, 4.3.14, 4.3.15, 4.3.16, and 8.5.4 */
enum {
    SIG_LFH = 0x04034b50,
    SIG_CDH = 0x02014b50,
    SIG_EOCD = 0x06054b50,
    SIG_DESCRIPTOR = 0x08074b50,
    SIG_EXTRA_DATA = 0x08064b50,
    SIG_DIGITAL = 0x05054b50,
    SIG_ZIP64_EOCD = 0x06064b50,
    SIG_ZIP64_LOCATOR = 0x07064b50,
    SIG_SPANNED = 0x30304b50,
};

#define SENTINEL_16 0xffffu /* "look in the zip64 record", APPNOTE 4.4.1.4 */
#define SENTINEL_32 0xffffffffu

/* The fixed parts, in the order of their bytes after the signature (APPNOTE 4.3.7, .12, .16). */
/* clang-format off */
#define LFH_FIELDS(U16, U32)                                                                       \
    U16(version_needed) U16(flags) U16(method) U16(time) U16(date)                                 \
    U32(crc) U32(csize) U32(usize)                                                                 \
    U16(name_len) U16(extra_len)

#define CDH_FIELDS(U16, U32)                                                                       \
    U16(version_made) U16(version_needed) U16(flags) U16(method) U16(time) U16(date)               \
    U32(crc) U32(csize) U32(usize)                                                                 \
    U16(name_len) U16(extra_len) U16(comment_len) U16(disk) U16(internal_attr)                     \
    U32(external_attr) U32(lfh_offset)

#define EOCD_FIELDS(U16, U32)                                                                      \
    U16(disk) U16(cd_disk) U16(n_disk) U16(n_total)                                                \
    U32(cd_size) U32(cd_offset)                                                                    \
    U16(comment_len)
/* clang-format on */

#define LFH_LEN           30
#define CDH_LEN           46
#define EOCD_LEN          22
#define ZIP64_LOCATOR_LEN 20
#define DESCRIPTOR_LEN    16 /* with signature and 4-byte sizes */
#define DESCRIPTOR_LEN_64 24

#define DECLARE_U16(field) uint16_t field;
#define DECLARE_U32(field) uint32_t field;
struct lfh {
    LFH_FIELDS(DECLARE_U16, DECLARE_U32)
};
struct cdh {
    CDH_FIELDS(DECLARE_U16, DECLARE_U32)
};
struct eocd {
    EOCD_FIELDS(DECLARE_U16, DECLARE_U32)
};
#undef DECLARE_U16
#undef DECLARE_U32

struct descriptor {
    uint32_t crc;
    uint64_t csize, usize;
};

void lfh_decode(const uint8_t *p, struct lfh *ret);
void cdh_decode(const uint8_t *p, struct cdh *ret);
void eocd_decode(const uint8_t *p, struct eocd *ret);
void lfh_encode(const struct lfh *r, uint8_t *p);
void cdh_encode(const struct cdh *r, uint8_t *p);
void eocd_encode(const struct eocd *r, uint8_t *p);
/* wide: 8-byte sizes, DESCRIPTOR_LEN_64 bytes. */
void descriptor_decode(const uint8_t *p, bool wide, struct descriptor *ret);

static inline uint16_t le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t le32(const uint8_t *p)
{
    return (uint32_t)le16(p) | (uint32_t)le16(p + 2) << 16;
}

/* Writes v at *p and moves *p behind it. */
static inline void put16(uint8_t **p, uint16_t v)
{
    *(*p)++ = (uint8_t)v;
    *(*p)++ = (uint8_t)(v >> 8);
}

static inline void put32(uint8_t **p, uint32_t v)
{
    put16(p, (uint16_t)v);
    put16(p, (uint16_t)(v >> 16));
}

static inline uint64_t le64(const uint8_t *p)
{
    return (uint64_t)le32(p) | (uint64_t)le32(p + 4) << 32;
}

/* The first offset >= from in p[0..len) where one of the n signatures stands, or len. */
size_t sig_find(const uint8_t *p, size_t len, size_t from, const uint32_t *sigs, size_t n);

/* General purpose flags, APPNOTE 4.4.4. */
enum { FLAG_ENCRYPTED = 1, FLAG_DESCRIPTOR = 1 << 3, FLAG_UTF8 = 1 << 11 };
enum { METHOD_STORE = 0, METHOD_DEFLATE = 8 };
/* The upper byte of version made by, APPNOTE 4.4.2. */
enum { HOST_FAT = 0, HOST_UNIX = 3, HOST_HPFS = 6, HOST_NTFS = 11, HOST_DARWIN = 19 };
/* MS-DOS and Windows attributes in the low half of the external attributes. */
enum { DOS_VOLUME = 0x08, DOS_DIRECTORY = 0x10, DOS_REPARSE_POINT = 0x400 };

#endif
