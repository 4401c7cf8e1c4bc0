/* Archives by number: SKILL.md and a file of pseudo-random bytes, both stored. */
#include "lab.h"

#include <zlib.h>

enum { DATE = 0x21, MADE_BY_UNIX = 0x314, MODE = 0100644, UTF8 = 0x800 };

struct member {
    const char *name;
    str data;
    uint32_t offset;
};

static void add16(struct buf *b, unsigned v)
{
    buf_add_char(b, (char)(v & 0xff));
    buf_add_char(b, (char)(v >> 8));
}

static void add32(struct buf *b, uint32_t v)
{
    add16(b, v & 0xffff);
    add16(b, v >> 16);
}

/* The fields that local and central headers share. */
static void add_common(struct buf *b, const struct member *m)
{
    uint32_t crc = (uint32_t)crc32(0, (const Bytef *)m->data.p, (uInt)m->data.len);
    add16(b, 20);
    add16(b, UTF8);
    add16(b, 0);
    add16(b, 0);
    add16(b, DATE);
    add32(b, crc);
    add32(b, (uint32_t)m->data.len);
    add32(b, (uint32_t)m->data.len);
    add16(b, (unsigned)strlen(m->name));
    add16(b, 0);
}

static void add_local(struct buf *b, struct member *m)
{
    m->offset = (uint32_t)b->len;
    buf_add(b, STR("PK\3\4"));
    add_common(b, m);
    buf_add_c(b, m->name);
    buf_add(b, m->data);
}

static void add_central(struct buf *b, const struct member *m)
{
    buf_add(b, STR("PK\1\2"));
    add16(b, MADE_BY_UNIX);
    add_common(b, m);
    add16(b, 0);
    add16(b, 0);
    add16(b, 0);
    add32(b, (uint32_t)MODE << 16);
    add32(b, m->offset);
    buf_add_c(b, m->name);
}

static void add_end(struct buf *b, unsigned n, uint32_t start)
{
    uint32_t len = (uint32_t)b->len - start;
    buf_add(b, STR("PK\5\6"));
    add32(b, 0);
    add16(b, n);
    add16(b, n);
    add32(b, len);
    add32(b, start);
    add16(b, 0);
}

/* Most are a page or so; some take many. */
static size_t data_len(uint64_t *random)
{
    static const size_t bounds[] = {64, 512, 2048, 6000, 2048, 512, 12000, 40000};
    return 1 + lab_below(random, bounds[lab_below(random, ARRAY_SIZE(bounds))]);
}

void archive_make(uint64_t n, struct buf *out, struct digest *ret)
{
    static _Thread_local uint8_t data[40960];
    char md[200];
    struct error e;
    uint64_t random = n * 0x9e3779b97f4a7c15u + 1;
    size_t len = data_len(&random);
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(lab_random(&random) >> 32);
    (void)snprintf(md, sizeof md, "---\nname: lab\ndescription: Number %llu.\n---\n\n# Lab\n",
                   (unsigned long long)n);
    struct member members[] = {{"SKILL.md", str_c(md), 0}, {"data.bin", str_of(data, len), 0}};
    buf_clear(out);
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        add_local(out, &members[i]);
    uint32_t start = (uint32_t)out->len;
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        add_central(out, &members[i]);
    add_end(out, ARRAY_SIZE(members), start);
    if (buf_status(out, &e) != ERR_OK || sha256_of(buf_view(out), ret, &e) != ERR_OK)
        lab_die("archive %llu: %s", (unsigned long long)n, e.msg);
}
