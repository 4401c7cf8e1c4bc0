/* Skill archives made in memory: cheap enough to be made between two calls. */
#include "load/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <zlib.h>

#define LOCAL_LEN   30
#define CENTRAL_LEN 46
#define OVERHEAD    (2 * (LOCAL_LEN + CENTRAL_LEN) + 2 * 16 + 22 + 120)

struct entry {
    str name, data;
    uint32_t crc, offset;
};

static void add_u16(struct buf *b, uint16_t v)
{
    buf_add_char(b, (char)v);
    buf_add_char(b, (char)(v >> 8));
}

static void add_u32(struct buf *b, uint32_t v)
{
    add_u16(b, (uint16_t)v);
    add_u16(b, (uint16_t)(v >> 16));
}

/* What a local header and a central one have in common (APPNOTE.TXT 4.3.7). */
static void add_fields(struct buf *b, const struct entry *n)
{
    add_u16(b, 20);     /* version needed */
    add_u16(b, 0);      /* flags */
    add_u16(b, 0);      /* stored */
    add_u16(b, 0);      /* 00:00:00 */
    add_u16(b, 0x0021); /* 1980-01-01 */
    add_u32(b, n->crc);
    add_u32(b, (uint32_t)n->data.len);
    add_u32(b, (uint32_t)n->data.len);
    add_u16(b, (uint16_t)n->name.len);
    add_u16(b, 0); /* extra */
}

static void add_local(struct buf *b, struct entry *n, size_t start)
{
    n->crc = (uint32_t)crc32(0, (const Bytef *)n->data.p, (uInt)n->data.len);
    n->offset = (uint32_t)(b->len - start);
    buf_add(b, STR("PK\3\4"));
    add_fields(b, n);
    buf_add(b, n->name);
    buf_add(b, n->data);
}

static void add_central(struct buf *b, const struct entry *n)
{
    buf_add(b, STR("PK\1\2"));
    add_u16(b, 3 << 8 | 20); /* made on Unix */
    add_fields(b, n);
    add_u16(b, 0); /* comment */
    add_u16(b, 0); /* disk */
    add_u16(b, 0); /* internal attributes */
    add_u32(b, 0100644u << 16);
    add_u32(b, n->offset);
    buf_add(b, n->name);
}

static void add_end(struct buf *b, size_t directory, size_t start)
{
    size_t len = b->len - directory;
    buf_add(b, STR("PK\5\6"));
    add_u32(b, 0); /* disks */
    add_u16(b, 2);
    add_u16(b, 2);
    add_u32(b, (uint32_t)len);
    add_u32(b, (uint32_t)(directory - start));
    add_u16(b, 0); /* comment */
}

/* Incompressible bytes that n determines (splitmix64). */
static void fill(char *to, size_t len, uint64_t n)
{
    uint64_t state = n;
    for (size_t at = 0; at < len; at += sizeof state) {
        uint64_t v = state += 0x9e3779b97f4a7c15;
        v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9;
        v = (v ^ v >> 27) * 0x94d049bb133111eb;
        v ^= v >> 31;
        memcpy(to + at, &v, MIN(sizeof v, len - at));
    }
}

void make_archive(struct buf *to, uint64_t n, size_t size)
{
    char text[160], data[KIB(64)];
    size_t start = to->len, len = MIN(sizeof data, size > OVERHEAD ? size - OVERHEAD : 8);
    (void)snprintf(
        text, sizeof text,
        "---\nname: load\ndescription: Number %" PRIu64 ".\n---\n\n# Load\n\nMeasures.\n", n);
    fill(data, len, n);
    struct entry entries[] = {{STR("SKILL.md"), str_c(text), 0, 0},
                              {STR("data.bin"), str_of(data, len), 0, 0}};
    add_local(to, &entries[0], start);
    add_local(to, &entries[1], start);
    size_t directory = to->len;
    add_central(to, &entries[0]);
    add_central(to, &entries[1]);
    add_end(to, directory, start);
}
