/* The recorded messages of tests/golden/wire.json; its path is in the environment. */
#ifndef STIGMER_TESTS_API_GOLDEN_H
#define STIGMER_TESTS_API_GOLDEN_H

#include "base/hex.h"
#include "test.h"

#include <jansson.h>
#include <stdlib.h>

/* All of them; to be released with json_decref. */
static inline json_t *golden_load(void)
{
    json_error_t je;
    json_t *all = json_load_file(getenv("GOLDEN_WIRE"), 0, &je);
    if (!all)
        test_fail(__FILE__, __LINE__, "%s", je.text);
    return all;
}

/* The bytes of one item, to be freed. */
static inline str golden_bytes(const json_t *item)
{
    str hex = str_c(json_string_value(json_object_get(item, "hex")));
    CHECK(hex.len >= 2);
    uint8_t *bytes = malloc(hex.len / 2);
    CHECK(bytes && hex_decode(hex, bytes, hex.len / 2));
    return str_of(bytes, hex.len / 2);
}

/* The bytes of the message with that name, to be freed. */
static inline str golden_named(const char *name)
{
    json_t *all = golden_load(), *item;
    str found = STR_NULL;
    size_t i;
    json_array_foreach(all, i,
                       item) if (str_eq(str_c(json_string_value(json_object_get(item, "name"))),
                                        str_c(name))) found = golden_bytes(item);
    json_decref(all);
    CHECK(found.p);
    return found;
}

#endif
