/*
 * Lock files: whatever the text, what is taken keeps the rules of pins, and is the same when it is
 * printed and read again. Input: a skills.lock.
 */
#include "fuzz.h"

#include "agent/lockfile.h"
#include "base/macro.h"
#include "base/utf8.h"

static void check_pin(const struct agent_pin *p)
{
    struct ref r;
    struct error e;
    struct digest exact;
    FUZZ_CHECK(ref_parse(p->reference, &r, &e) == ERR_OK);
    FUZZ_CHECK(str_eq(r.slug, p->slug) && (r.org.len == 0 || str_eq(r.org, p->org)));
    FUZZ_CHECK(!digest_from_hex(r.version, &exact) || digest_eq(&exact, &p->hash));
    FUZZ_CHECK(pin_name_is_safe(p->name) && utf8_valid(p->pushed_by));
    FUZZ_CHECK(p->org.len == 0 || str_is_label(p->org));
    FUZZ_CHECK(p->tag.len == 0 || str_is_label(p->tag));
}

static bool same_pin(const struct agent_pin *a, const struct agent_pin *b)
{
    return str_eq(a->reference, b->reference) && digest_eq(&a->hash, &b->hash) &&
           str_eq(a->name, b->name) && str_eq(a->org, b->org) && str_eq(a->slug, b->slug) &&
           str_eq(a->tag, b->tag) && str_eq(a->pushed_by, b->pushed_by) &&
           a->pushed_ns == b->pushed_ns && a->resolved_ns == b->resolved_ns;
}

static void check_round_trip(struct lockfile *l)
{
    struct error e;
    struct lockfile again;
    CLEANUP(buf_deinit) struct buf text;
    buf_init(&text, 2 * (size_t)LOCKFILE_MAX);
    FUZZ_CHECK(lockfile_print(l->pins, l->n_pins, &text, &e) == ERR_OK);
    FUZZ_CHECK(lockfile_parse(buf_view(&text), &again, &e) == ERR_OK);
    FUZZ_CHECK(again.n_pins == l->n_pins);
    for (size_t i = 0; i < l->n_pins; i++)
        FUZZ_CHECK(same_pin(&l->pins[i], &again.pins[i]));
    lockfile_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lockfile l;
    struct error e;
    if (lockfile_parse(str_of(data, size), &l, &e) != ERR_OK)
        return 0;
    FUZZ_CHECK(l.n_pins <= LOCKFILE_PINS_MAX);
    for (size_t i = 0; i < l.n_pins; i++) {
        check_pin(&l.pins[i]);
        FUZZ_CHECK(lockfile_find(&l, l.pins[i].reference) == &l.pins[i]);
    }
    check_round_trip(&l);
    lockfile_deinit(&l);
    return 0;
}
