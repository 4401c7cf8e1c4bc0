/* What a client's skills are: each change, and its effect by the rules of the API. */
#include "lab.h"

enum { PERCENT_MOVE = 15, PERCENT_DELETE = 6, PERCENT_SHARED = 20 };

static const struct world_version *newest(const struct world_skill *s)
{
    return &s->versions[s->n_versions - 1];
}

static bool has_room(const struct world_skill *s)
{
    return s->n_versions < LAB_VERSIONS;
}

/* A version of this life, or none. */
static const struct world_version *any_version(const struct world_skill *s, uint64_t *random)
{
    if (!s->live)
        return NULL;
    return &s->versions[s->first - 1 + lab_below(random, s->n_versions - s->first + 1)];
}

static void choose_push(unsigned client, uint64_t *random, struct op *op)
{
    CLEANUP(buf_deinit) struct buf scratch;
    buf_init(&scratch, KIB(64));
    bool shared = lab_below(random, 100) < PERCENT_SHARED;
    op->kind = OP_PUSH;
    op->tag = (unsigned)lab_below(random, LAB_TAGS);
    op->archive = shared ? lab_below(random, LAB_SHARED)
                         : (lab_random(random) << 8 | client) % UINT64_C(1000000000000000);
    archive_make(op->archive, &scratch, &op->digest);
}

bool world_choose(const struct world *w, unsigned client, uint64_t *random, struct op *ret)
{
    unsigned k = (unsigned)lab_below(random, LAB_SKILLS);
    for (unsigned i = 0; i < LAB_SKILLS && !has_room(&w->skills[k]); i++)
        k = (k + 1) % LAB_SKILLS;
    const struct world_skill *s = &w->skills[k];
    const struct world_version *v = any_version(s, random);
    uint64_t percent = lab_below(random, 100);
    *ret = (struct op){.skill = k};
    if (!has_room(s))
        return false;
    if (v && percent < PERCENT_MOVE) {
        ret->kind = OP_MOVE;
        ret->tag = 1 + (unsigned)lab_below(random, LAB_TAGS - 1);
        ret->digest = v->digest;
    } else if (v && percent < PERCENT_MOVE + PERCENT_DELETE) {
        ret->kind = OP_DELETE;
    } else {
        choose_push(client, random, ret);
    }
    return true;
}

static void apply_push(struct world_skill *s, const struct op *op)
{
    if (s->live) {
        const struct world_version *v = newest(s);
        if (digest_eq(&v->digest, &op->digest) && v->tag == op->tag &&
            (!op->tag || s->tags[op->tag] == s->n_versions))
            return;
    } else {
        s->first = s->n_versions + 1;
        s->live = true;
    }
    s->versions[s->n_versions++] = (struct world_version){op->digest, op->tag};
    if (op->tag)
        s->tags[op->tag] = s->n_versions;
}

/* A hash names the newest version of this life that has it. */
static void apply_move(struct world_skill *s, const struct op *op)
{
    for (unsigned n = s->n_versions; n >= s->first && n > 0; n--)
        if (digest_eq(&s->versions[n - 1].digest, &op->digest)) {
            s->tags[op->tag] = n;
            return;
        }
    lab_die("a tag moves to a version that is not there");
}

void world_apply(struct world *w, const struct op *op)
{
    struct world_skill *s = &w->skills[op->skill];
    switch (op->kind) {
    case OP_PUSH:
        apply_push(s, op);
        break;
    case OP_MOVE:
        apply_move(s, op);
        break;
    case OP_DELETE:
        s->live = false;
        break;
    }
}

/* Tags of an earlier life are out of reach. */
static unsigned tag_seen(const struct world_skill *s, unsigned tag)
{
    return s->live && s->tags[tag] >= s->first ? s->tags[tag] : 0;
}

bool world_skill_eq(const struct world_skill *a, const struct world_skill *b)
{
    if (a->n_versions != b->n_versions || a->live != b->live || (a->live && a->first != b->first))
        return false;
    for (unsigned i = 0; i < a->n_versions; i++)
        if (!digest_eq(&a->versions[i].digest, &b->versions[i].digest) ||
            a->versions[i].tag != b->versions[i].tag)
            return false;
    for (unsigned tag = 1; tag < LAB_TAGS; tag++)
        if (tag_seen(a, tag) != tag_seen(b, tag))
            return false;
    return true;
}

void world_skill_print(const char *label, const struct world_skill *s)
{
    char hex[SHA256_HEX_LEN + 1];
    printf("#     %s: %u versions, %s, life from %u, tags", label, s->n_versions,
           s->live ? "live" : "deleted", s->first);
    for (unsigned tag = 1; tag < LAB_TAGS; tag++)
        printf(" t%u=%u", tag, tag_seen(s, tag));
    for (unsigned i = s->n_versions > 3 ? s->n_versions - 3 : 0; i < s->n_versions; i++) {
        digest_to_hex(&s->versions[i].digest, hex);
        printf(" %u:%.8s/t%u", i + 1, hex, s->versions[i].tag);
    }
    printf("\n");
}
