/*
 * Files of references, JSON and YAML: whatever the bytes, what is taken are references, each of
 * which is the same when it is written and read again. Input: a file for --refs-file.
 */
#include "fuzz.h"

#include "agent/pin.h"
#include "agent/refs_file.h"
#include "base/macro.h"
#include "base/utf8.h"

static void check_ref(const struct ref *r, struct arena *a)
{
    str text;
    struct ref again;
    struct error e;
    FUZZ_CHECK(r->slug.len > 0 && utf8_valid(r->slug));
    if (!pin_reference(r, a, &text))
        return; /* memory */
    FUZZ_CHECK(ref_parse(text, &again, &e) == ERR_OK);
    FUZZ_CHECK(str_eq(again.slug, r->slug) && str_eq(again.org, r->org));
    FUZZ_CHECK(str_eq(again.version, r->version) || str_eq(r->version, STR("latest")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct error e;
    struct ref *refs = NULL;
    size_t n = 0;
    arena_init(&a, MIB(4));
    enum err err = refs_parse(str_of(data, size), &a, &refs, &n, &e);
    if (err == ERR_OK) {
        FUZZ_CHECK(n <= REFS_MAX);
        for (size_t i = 0; i < n; i++)
            check_ref(&refs[i], &a);
    } else {
        FUZZ_CHECK(e.msg[0] != '\0' && utf8_valid(str_c(e.msg)));
    }
    arena_deinit(&a);
    return 0;
}
