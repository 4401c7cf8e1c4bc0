#include "zip/unicode.h"

#include "zip/names.h"

#include <stdlib.h>
#include <unicode/uchar.h>
#include <unicode/ucnv.h>
#include <unicode/unorm2.h>
#include <unicode/uspoof.h>
#include <unicode/ustring.h>

/* U+FDFA becomes 18 code units under NFKC, the longest expansion there is (Unicode FAQ). */
#define EXPANSION 18
#define UNITS_MAX (NAME_PATH_MAX * EXPANSION)
#define BYTES_MAX (UNITS_MAX * 3)

struct icu {
    const UNormalizer2 *fold; /* ICU's own, never closed */
    UConverter *cp437;        /* opened when needed */
    USpoofChecker *spoof;     /* opened when needed */
    UChar in[NAME_PATH_MAX];
    UChar folded[UNITS_MAX];
};

void unicode_init(struct unicode *u)
{
    *u = (struct unicode){0};
    buf_init(&u->out, BYTES_MAX);
}

void unicode_deinit(struct unicode *u)
{
    if (u->icu) {
        ucnv_close(u->icu->cp437);
        uspoof_close(u->icu->spoof);
    }
    free(u->icu);
    u->icu = NULL;
    buf_deinit(&u->out);
}

bool str_is_ascii(str s)
{
    uint8_t all = 0;
    for (size_t i = 0; i < s.len; i++)
        all |= (uint8_t)s.p[i];
    return all < 0x80;
}

static enum err icu_fail(UErrorCode status, struct error *e)
{
    if (status == U_MEMORY_ALLOCATION_ERROR)
        return FAIL_NOMEM(e);
    return FAIL(e, ERR_INTERNAL, "zip.unicode", "the Unicode library failed: %s",
                u_errorName(status));
}

static enum err icu_open(struct unicode *u, struct error *e)
{
    UErrorCode status = U_ZERO_ERROR;
    if (u->icu)
        return ERR_OK;
    u->icu = calloc(1, sizeof *u->icu);
    if (!u->icu)
        return FAIL_NOMEM(e);
    u->icu->fold = unorm2_getNFKCCasefoldInstance(&status);
    return U_FAILURE(status) ? icu_fail(status, e) : ERR_OK;
}

static uint8_t to_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static enum err fold_ascii(struct unicode *u, str name, str *ret, struct error *e)
{
    buf_clear(&u->out);
    for (size_t i = 0; i < name.len; i++)
        buf_add_char(&u->out, (char)to_lower((uint8_t)name.p[i]));
    *ret = buf_view(&u->out);
    return buf_status(&u->out, e);
}

/* Folds the n code units in icu->in. */
static enum err fold_units(struct unicode *u, int32_t n, str *ret, struct error *e)
{
    UErrorCode status = U_ZERO_ERROR;
    int32_t len = 0;
    struct icu *icu = u->icu;
    int32_t folded = unorm2_normalize(icu->fold, icu->in, n, icu->folded, UNITS_MAX, &status);
    buf_clear(&u->out);
    char *to = buf_reserve(&u->out, BYTES_MAX);
    if (!to)
        return buf_status(&u->out, e);
    u_strToUTF8(to, BYTES_MAX, &len, icu->folded, folded, &status);
    if (U_FAILURE(status))
        return icu_fail(status, e);
    *ret = str_of(to, (size_t)len);
    return ERR_OK;
}

enum err unicode_fold(struct unicode *u, str name, str *ret, struct error *e)
{
    UErrorCode status = U_ZERO_ERROR;
    int32_t n = 0;
    if (str_is_ascii(name))
        return fold_ascii(u, name, ret, e);
    TRY(icu_open(u, e));
    u_strFromUTF8(u->icu->in, NAME_PATH_MAX, &n, name.p, (int32_t)name.len, &status);
    if (U_FAILURE(status))
        return icu_fail(status, e);
    return fold_units(u, n, ret, e);
}

enum err unicode_fold_cp437(struct unicode *u, str name, str *ret, struct error *e)
{
    UErrorCode status = U_ZERO_ERROR;
    TRY(icu_open(u, e));
    if (!u->icu->cp437)
        u->icu->cp437 = ucnv_open("ibm-437", &status);
    int32_t n = U_FAILURE(status) ? 0
                                  : ucnv_toUChars(u->icu->cp437, u->icu->in, NAME_PATH_MAX, name.p,
                                                  (int32_t)name.len, &status);
    if (U_FAILURE(status))
        return icu_fail(status, e);
    return fold_units(u, n, ret, e);
}

/* For the bytes from 0x80 on (UnZip 6.0, ebcdic.h). */
static const uint8_t oem_to_iso[128] = {
    0xc7, 0xfc, 0xe9, 0xe2, 0xe4, 0xe0, 0xe5, 0xe7, 0xea, 0xeb, 0xe8, 0xef, 0xee, 0xec, 0xc4, 0xc5,
    0xc9, 0xe6, 0xc6, 0xf4, 0xf6, 0xf2, 0xfb, 0xf9, 0xff, 0xd6, 0xdc, 0xf8, 0xa3, 0xd8, 0xd7, 0x83,
    0xe1, 0xed, 0xf3, 0xfa, 0xf1, 0xd1, 0xaa, 0xba, 0xbf, 0xae, 0xac, 0xbd, 0xbc, 0xa1, 0xab, 0xbb,
    0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xc1, 0xc2, 0xc0, 0xa9, 0xa6, 0xa6, 0x2b, 0x2b, 0xa2, 0xa5, 0x2b,
    0x2b, 0x2d, 0x2d, 0x2b, 0x2d, 0x2b, 0xe3, 0xc3, 0x2b, 0x2b, 0x2d, 0x2d, 0xa6, 0x2d, 0x2b, 0xa4,
    0xf0, 0xd0, 0xca, 0xcb, 0xc8, 0x69, 0xcd, 0xce, 0xcf, 0x2b, 0x2b, 0xa6, 0x5f, 0xa6, 0xcc, 0xaf,
    0xd3, 0xdf, 0xd4, 0xd2, 0xf5, 0xd5, 0xb5, 0xfe, 0xde, 0xda, 0xdb, 0xd9, 0xfd, 0xdd, 0xaf, 0xb4,
    0xad, 0xb1, 0x3d, 0xbe, 0xb6, 0xa7, 0xf7, 0xb8, 0xb0, 0xa8, 0xb7, 0xb9, 0xb3, 0xb2, 0xa6, 0xa0,
};

enum err unicode_fold_oem(struct unicode *u, str name, str *ret, struct error *e)
{
    buf_clear(&u->out);
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = (uint8_t)name.p[i];
        uint8_t iso = c < 0x80 ? to_lower(c) : oem_to_iso[c - 0x80];
        if (iso != 0xff) /* unzip leaves it out */
            buf_add_char(&u->out, (char)iso);
    }
    *ret = buf_view(&u->out);
    return buf_status(&u->out, e);
}

enum err unicode_fold_latin1(struct unicode *u, str name, str *ret, struct error *e)
{
    TRY(icu_open(u, e));
    for (size_t i = 0; i < name.len; i++)
        u->icu->in[i] = (uint8_t)name.p[i];
    return fold_units(u, (int32_t)name.len, ret, e);
}

enum err unicode_skeleton(struct unicode *u, str name, str *ret, struct error *e)
{
    UErrorCode status = U_ZERO_ERROR;
    TRY(icu_open(u, e));
    if (!u->icu->spoof)
        u->icu->spoof = uspoof_open(&status);
    buf_clear(&u->out);
    char *to = buf_reserve(&u->out, BYTES_MAX);
    if (!to)
        return buf_status(&u->out, e);
    int32_t len = U_FAILURE(status)
                      ? 0
                      : uspoof_getSkeletonUTF8(u->icu->spoof, 0, name.p, (int32_t)name.len, to,
                                               BYTES_MAX, &status);
    if (U_FAILURE(status))
        return icu_fail(status, e);
    *ret = str_of(to, (size_t)len);
    return ERR_OK;
}

const char *unicode_hidden(uint32_t cp)
{
    UChar32 c = (UChar32)cp;
    if (cp < 0x80)
        return NULL;
    if (u_hasBinaryProperty(c, UCHAR_BIDI_CONTROL))
        return "bidirectional control";
    if (u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT))
        return "invisible character";
    switch (u_charType(c)) {
    case U_LINE_SEPARATOR:
    case U_PARAGRAPH_SEPARATOR:
        return "line separator";
    case U_UNASSIGNED:
        return "unassigned character";
    case U_PRIVATE_USE_CHAR:
        return "private-use character";
    default:
        return cp >= 0xfff9 && cp <= 0xfffb ? "invisible character" : NULL; /* annotations */
    }
}
