#include "zip/record.h"

static uint16_t take16(const uint8_t **p)
{
    uint16_t v = le16(*p);
    *p += 2;
    return v;
}

static uint32_t take32(const uint8_t **p)
{
    uint32_t v = le32(*p);
    *p += 4;
    return v;
}

#define TAKE_U16(field) ret->field = take16(&p);
#define TAKE_U32(field) ret->field = take32(&p);
#define PUT_U16(field)  put16(&p, r->field);
#define PUT_U32(field)  put32(&p, r->field);

#define RECORD(name, SIG, FIELDS)                                                                  \
    void name##_decode(const uint8_t *p, struct name *ret)                                         \
    {                                                                                              \
        p += 4; /* the signature */                                                                \
        FIELDS(TAKE_U16, TAKE_U32)                                                                 \
    }                                                                                              \
    void name##_encode(const struct name *r, uint8_t *p)                                           \
    {                                                                                              \
        put32(&p, SIG);                                                                            \
        FIELDS(PUT_U16, PUT_U32)                                                                   \
    }

RECORD(lfh, SIG_LFH, LFH_FIELDS)
RECORD(cdh, SIG_CDH, CDH_FIELDS)
RECORD(eocd, SIG_EOCD, EOCD_FIELDS)

void descriptor_decode(const uint8_t *p, bool wide, struct descriptor *ret)
{
    ret->crc = le32(p + 4);
    ret->csize = wide ? le64(p + 8) : le32(p + 8);
    ret->usize = wide ? le64(p + 16) : le32(p + 12);
}

static bool is_one_of(uint32_t sig, const uint32_t *sigs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (sigs[i] == sig)
            return true;
    return false;
}

/* Every signature starts with "PK": memchr finds the candidates at memory speed. */
size_t sig_find(const uint8_t *p, size_t len, size_t from, const uint32_t *sigs, size_t n)
{
    while (len >= 4 && from <= len - 4) {
        const uint8_t *at = memchr(p + from, 'P', len - 3 - from);
        if (!at)
            break;
        if (at[1] == 'K' && is_one_of(le32(at), sigs, n))
            return (size_t)(at - p);
        from = (size_t)(at - p) + 1;
    }
    return len;
}
