#include "skill/token.h"

#include "base/hex.h"

#include <xxhash.h>

#define SUM_LEN      sizeof(XXH64_canonical_t)
#define POSITION_MAX 512

static XXH64_canonical_t checksum(str position, str question)
{
    XXH64_canonical_t c;
    uint64_t seed = XXH3_64bits(question.p, question.len);
    XXH64_canonicalFromHash(&c, XXH3_64bits_withSeed(position.p, position.len, seed));
    return c;
}

enum err token_make(str position, str question, struct arena *a, str *ret, struct error *e)
{
    XXH64_canonical_t sum = checksum(position, question);
    char *text = arena_alloc(a, 2 * (SUM_LEN + position.len) + 1);
    if (!text)
        return FAIL_NOMEM(e);
    hex_encode(sum.digest, SUM_LEN, text);
    hex_encode((const uint8_t *)position.p, position.len, text + 2 * SUM_LEN);
    *ret = str_c(text);
    return ERR_OK;
}

enum err token_refuse(struct error *e)
{
    return FAIL(e, ERR_INVALID_ARGUMENT, "skill.page_token",
                "page_token: not a token of this list; use next_page_token of the page before, "
                "with the same question, or start again without one");
}

enum err token_read(str token, str question, struct arena *a, str *ret_position, struct error *e)
{
    size_t len = token.len / 2;
    uint8_t *bytes = len <= SUM_LEN + POSITION_MAX ? arena_alloc(a, len) : NULL;
    if (bytes && len > SUM_LEN && hex_decode(token, bytes, len)) {
        *ret_position = str_of(bytes + SUM_LEN, len - SUM_LEN);
        XXH64_canonical_t sum = checksum(*ret_position, question);
        if (memcmp(sum.digest, bytes, SUM_LEN) == 0)
            return ERR_OK;
    }
    return token_refuse(e);
}
