/* The smallest archive that is a skill: one stored entry, SKILL.md (APPNOTE 4.3.7, 4.3.12,
 * 4.3.16). */
#ifndef STIGMER_TESTS_API_ARCHIVE_H
#define STIGMER_TESTS_API_ARCHIVE_H

#include "base/buf.h"
#include "base/macro.h"

#include <zlib.h>

static inline void archive_u16(struct buf *b, unsigned v)
{
    buf_add_char(b, (char)(v & 0xff));
    buf_add_char(b, (char)(v >> 8 & 0xff));
}

static inline void archive_u32(struct buf *b, unsigned long v)
{
    archive_u16(b, (unsigned)(v & 0xffff));
    archive_u16(b, (unsigned)(v >> 16 & 0xffff));
}

/* version needed … extra length, as both headers have them */
static inline void archive_common(struct buf *b, str text)
{
    archive_u16(b, 20);
    archive_u16(b, 0);    /* flags */
    archive_u16(b, 0);    /* stored */
    archive_u16(b, 0);    /* time */
    archive_u16(b, 0x21); /* 1980-01-01 */
    archive_u32(b, crc32(0, (const Bytef *)text.p, (uInt)text.len));
    archive_u32(b, text.len);
    archive_u32(b, text.len);
    archive_u16(b, 8); /* "SKILL.md" */
    archive_u16(b, 0);
}

/* Into an empty buffer. */
static inline void archive_make(struct buf *b, str skill_md)
{
    buf_init(b, MIB(2));
    buf_add(b, STR("PK\x03\x04"));
    archive_common(b, skill_md);
    buf_add(b, STR("SKILL.md"));
    buf_add(b, skill_md);
    size_t directory = b->len;
    buf_add(b, STR("PK\x01\x02"));
    archive_u16(b, 3 << 8 | 20); /* made on Unix */
    archive_common(b, skill_md);
    archive_u16(b, 0);
    archive_u16(b, 0);
    archive_u16(b, 0);
    archive_u32(b, 0100644ul << 16);
    archive_u32(b, 0);
    buf_add(b, STR("SKILL.md"));
    size_t end = b->len;
    buf_add(b, STR("PK\x05\x06"));
    archive_u32(b, 0);
    archive_u16(b, 1);
    archive_u16(b, 1);
    archive_u32(b, end - directory);
    archive_u32(b, directory);
    archive_u16(b, 0);
}

#endif
