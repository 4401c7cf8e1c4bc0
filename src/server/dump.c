/* stigmer-server dump: every record, for people or as JSON lines. */
#include "skill/dump.h"
#include "base/clock.h"
#include "base/macro.h"
#include "base/utf8.h"
#include "meta/meta.h"
#include "server/command.h"
#include "store/store.h"

#include <jansson.h>
#include <stdio.h>

DEFINE_CLEANUP(struct meta *, meta_close);

/* One record as text: its SKILL.md of 1 MiB, escaped. */
#define RECORD_MAX MIB(16)

static const char *scope_name(enum skill_scope scope)
{
    switch (scope) {
    case SKILL_SCOPE_PLATFORM:
        return "platform";
    case SKILL_SCOPE_ORGANIZATION:
        return "organization";
    case SKILL_SCOPE_IDENTITY_ACCOUNT:
        return "identity_account";
    case SKILL_SCOPE_UNSPECIFIED:
        break;
    }
    return "api_resource_owner_scope_unspecified";
}

/* The texts of a record that have to be made. */
struct texts {
    char hash[SHA256_HEX_LEN + 1];
    char key[STORE_KEY_MAX];
    char created[CLOCK_RFC3339_MAX], updated[CLOCK_RFC3339_MAX];
};

static struct texts texts_of(const struct skill *s)
{
    struct texts t;
    digest_to_hex(&s->hash, t.hash);
    store_key(&s->hash, t.key);
    clock_format_rfc3339(s->created_at_ns, t.created);
    clock_format_rfc3339(s->updated_at_ns, t.updated);
    return t;
}

/* --- for people --- */

static void add_named(struct buf *out, const char *name, str value)
{
    buf_addf(out, "  %-11s", name);
    utf8_add_escaped(out, value);
    buf_add_char(out, '\n');
}

static enum err add_text(struct buf *out, str key, const struct skill *s, struct error *e)
{
    struct texts t = texts_of(s);
    utf8_add_escaped(out, key);
    buf_addf(out, "\n  %-11s%llu%s\n", "version", (unsigned long long)s->version_no,
             s->deleted ? " (deleted)" : "");
    add_named(out, "name", s->name);
    add_named(out, "tag", s->tag);
    add_named(out, "hash", str_c(t.hash));
    buf_addf(out, "  %-11s%llu bytes, SKILL.md %zu bytes\n", "size", (unsigned long long)s->size,
             s->skill_md.len);
    buf_addf(out, "  %-11s%s by %.*s\n", "created", t.created, STR_ARG(s->created_by));
    buf_addf(out, "  %-11s%s by %.*s (%.*s)\n\n", "changed", t.updated, STR_ARG(s->updated_by),
             STR_ARG(s->event));
    return buf_status(out, e);
}

/* --- as JSON: the shape of the Skill message, with what it lacks beside it --- */

static json_t *json_str(str s)
{
    return json_stringn(s.p ? s.p : "", s.len);
}

static json_t *json_audit(const struct skill *s, const struct texts *t)
{
    return json_pack("{s:{s:o},s:s,s:{s:o},s:s,s:o}", "created_by", "id", json_str(s->created_by),
                     "created_at", t->created, "updated_by", "id", json_str(s->updated_by),
                     "updated_at", t->updated, "event", json_str(s->event));
}

static json_t *json_skill(const struct skill *s, const struct texts *t)
{
    return json_pack("{s:s,s:s,s:{s:o,s:o,s:o,s:o,s:s},s:{s:o,s:o},s:{s:s,s:s,s:s,s:{s:o,s:o}}}",
                     "api_version", "agentic.stigmer.ai/v1", "kind", "Skill", "metadata", "name",
                     json_str(s->name), "slug", json_str(s->slug), "id", json_str(s->id), "org",
                     json_str(s->org), "owner_scope", scope_name(s->scope), "spec", "skill_md",
                     json_str(s->skill_md), "tag", json_str(s->tag), "status", "version_hash",
                     t->hash, "artifact_storage_key", t->key, "state", "SKILL_STATE_READY", "audit",
                     "spec_audit", json_audit(s, t), "status_audit", json_audit(s, t));
}

static enum err add_json(struct buf *out, str key, const struct skill *s, struct error *e)
{
    struct texts t = texts_of(s);
    json_t *line = json_pack("{s:o,s:I,s:I,s:b,s:b,s:o}", "key", json_str(key), "version",
                             (json_int_t)s->version_no, "size", (json_int_t)s->size, "current",
                             s->current, "deleted", s->deleted, "record", json_skill(s, &t));
    char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
    json_decref(line);
    if (!text)
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "dump.json",
                    "out of memory, or a text of %.*s is "
                    "not UTF-8",
                    STR_ARG(key));
    buf_add_c(out, text);
    buf_add_char(out, '\n');
    free(text);
    return buf_status(out, e);
}

/* --- the command --- */

struct dump {
    bool json;
    uint64_t n;
};

static enum err print_record(void *ctx, str key, const struct skill *s, struct error *e)
{
    struct dump *d = ctx;
    CLEANUP(buf_deinit) struct buf out;
    buf_init(&out, RECORD_MAX);
    TRY(d->json ? add_json(&out, key, s, e) : add_text(&out, key, s, e));
    d->n++;
    if (fwrite(out.p, 1, out.len, stdout) != out.len)
        return FAIL(e, ERR_INTERNAL, "dump.write", "cannot write to standard output");
    return ERR_OK;
}

static enum err open_beside(const struct config *c, struct meta **ret, struct error *e)
{
    const struct meta_lmdb_options options = {.read_only = true};
    enum err r = meta_open_lmdb(c->db_path, &options, ret, e);
    if (r == ERR_NOT_FOUND)
        return FAIL(e, r, "dump.no_database", "there is no database at DB_PATH=%s", c->db_path);
    return r == ERR_OK ? r : err_wrap(e, "DB_PATH=%s", c->db_path);
}

enum err command_dump(const struct config *c, bool json, struct error *e)
{
    CLEANUP(meta_closep) struct meta *meta = NULL;
    struct dump d = {.json = json};
    TRY(open_beside(c, &meta, e));
    TRY(skill_dump_each(meta, print_record, &d, e));
    if (!json && d.n == 0)
        (void)fputs("no records\n", stdout);
    if (fflush(stdout) != 0)
        return FAIL(e, ERR_INTERNAL, "dump.write", "cannot write to standard output");
    return ERR_OK;
}
