/* What the records say of each other: every reference resolves, in both directions, and the events
 * tell the same story as the state. */
#include "check/impl.h"

#include "base/macro.h"
#include "stigmer/storage/v1/record.pb-c.h"

#include <stdlib.h>
#include <string.h>

typedef Stigmer__Storage__V1__SkillRecord skill_record;
typedef Stigmer__Storage__V1__VersionRecord version_record;
typedef Stigmer__Storage__V1__TagRecord tag_record;
typedef Stigmer__Storage__V1__SlugRecord slug_record;
typedef Stigmer__Storage__V1__ArtifactRecord artifact_record;
typedef Stigmer__Storage__V1__FilesRecord files_record;
typedef Stigmer__Storage__V1__EventRecord event_record;
typedef Stigmer__Storage__V1__CountRecord count_record;
typedef Stigmer__Storage__V1__ClockRecord clock_record;
typedef Stigmer__Storage__V1__SchemaRecord schema_record;

#define TYPE(name) (&stigmer__storage__v1__##name##_record__descriptor)

static void message_freep(void *p)
{
    ProtobufCMessage *m = *(ProtobufCMessage **)p;
    if (m)
        protobuf_c_message_free_unpacked(m, NULL);
}

static void *unpack(struct check *c, enum meta_table table, str payload,
                    const ProtobufCMessageDescriptor *type)
{
    void *m = protobuf_c_message_unpack(type, NULL, payload.len, (const uint8_t *)payload.p);
    if (!m)
        found(c, "record", NULL, "a record of table %s cannot be read", meta_table_name(table));
    return m;
}

/* --- keys ------------------------------------------------------------------------------------- */

static struct meta_key key_of(str s)
{
    struct meta_key k = META_KEY_INIT;
    key_add(&k, s);
    return k;
}

static struct meta_key version_key(uint64_t number, uint64_t seq)
{
    struct meta_key k = META_KEY_INIT;
    key_add_u64(&k, number);
    key_add_u64(&k, seq);
    return k;
}

static bool has(struct check *c, enum meta_table table, const struct meta_key *key)
{
    str payload;
    return record_read(c, table, key, &payload);
}

static bool as_digest(ProtobufCBinaryData b, struct digest *ret)
{
    if (b.len != sizeof ret->b)
        return false;
    memcpy(ret->b, b.data, sizeof ret->b);
    return true;
}

static struct skill_state *by_number(struct check *c, uint64_t number)
{
    const uint64_t *at = number ? map_find(&c->by_number, number) : NULL;
    return at ? &c->skills[*at - 1] : NULL;
}

static int compare_id(const void *key, const void *s)
{
    return str_cmp(*(const str *)key, str_c(((const struct skill_state *)s)->id));
}

static struct skill_state *by_id(struct check *c, str id)
{
    return c->n_skills ? bsearch(&id, c->skills, c->n_skills, sizeof *c->skills, compare_id) : NULL;
}

/* A version that there must be. */
static bool version_exists(struct check *c, uint64_t number, uint64_t seq)
{
    struct meta_key key = version_key(number, seq);
    return has(c, META_VERSIONS, &key);
}

/* --- skills, live, slugs ---------------------------------------------------------------------- */

static struct meta_key slug_key(const skill_record *m)
{
    struct meta_key k = META_KEY_INIT;
    key_add(&k, str_of(m->slug.data, m->slug.len));
    key_add_byte(&k, 0);
    key_add_byte(&k, (uint8_t)m->scope);
    key_add(&k, str_of(m->org.data, m->org.len));
    return k;
}

static bool slug_leads_to(struct check *c, const struct meta_key *key, str id)
{
    CLEANUP(message_freep) slug_record *m = record_message(c, META_SLUGS, key, TYPE(slug));
    return m && str_eq(str_of(m->id.data, m->id.len), id);
}

static enum err count_live(struct check *c, const struct skill_state *s, struct error *e)
{
    c->n_live += s->live;
    if (!s->live || !s->org)
        return ERR_OK;
    uint64_t *n = map_at(&c->live, s->org);
    if (!n)
        return FAIL_NOMEM(e);
    ++*n;
    return ERR_OK;
}

static void check_history(struct check *c, const struct skill_state *s)
{
    bool sensible = s->last_seq > 0 && s->first_seq > 0 && s->first_seq <= s->last_seq &&
                    s->purged_seq <= s->last_seq && (!s->live || s->purged_seq < s->first_seq);
    if (!sensible) {
        found(c, "record", s->name, "the numbers of %s's versions make no sense", s->name);
        return;
    }
    for (uint64_t seq = s->purged_seq + 1; seq <= s->last_seq; seq++)
        if (!version_exists(c, s->number, seq)) {
            const char *name = version_name(c, s->number, seq);
            found(c, "reference", name, "the record of %s is missing", name);
        }
}

static enum err check_skill(struct check *c, str id, str payload, struct error *e)
{
    struct skill_state *s = by_id(c, id);
    CLEANUP(message_freep) skill_record *m = unpack(c, META_SKILLS, payload, TYPE(skill));
    if (!m || !s)
        return ERR_OK;
    struct meta_key key = key_of(id), slug = slug_key(m);
    if (has(c, META_LIVE, &key) != s->live)
        found(c, "reference", s->name, "%s is %s the list of live skills", s->name,
              s->live ? "not in" : "deleted and in");
    if (slug_leads_to(c, &slug, id) != s->live)
        found(c, "reference", s->name, "%s is %s by its slug", s->name,
              s->live ? "not found" : "deleted and found");
    check_history(c, s);
    return count_live(c, s, e);
}

static enum err check_live(struct check *c, str id, str payload, struct error *e)
{
    (void)payload, (void)e;
    if (!by_id(c, id))
        found(c, "reference", NULL, "the list of live skills has one that there is not");
    return ERR_OK;
}

static enum err check_slug(struct check *c, str key, str payload, struct error *e)
{
    (void)key, (void)e;
    CLEANUP(message_freep) slug_record *m = unpack(c, META_SLUGS, payload, TYPE(slug));
    if (m && !by_id(c, str_of(m->id.data, m->id.len)))
        found(c, "reference", NULL, "a slug leads to a skill that there is not");
    return ERR_OK;
}

/* --- versions and what leads to them ---------------------------------------------------------- */

static void check_archive_of(struct check *c, const char *name, const version_record *v,
                             const struct digest *d)
{
    struct meta_key key = META_KEY_INIT;
    key_add_digest(&key, d);
    CLEANUP(message_freep)
    artifact_record *a = record_message(c, META_ARTIFACTS, &key, TYPE(artifact));
    if (!a)
        found(c, "reference", name, "%s: its archive is not recorded", name);
    else if (a->state != 1)
        found(c, "reference", name, "%s: its archive is recorded as garbage", name);
    else if (a->size != v->size)
        found(c, "reference", name, "%s: its archive is recorded with another size", name);
}

static void check_ways(struct check *c, const char *name, uint64_t number, uint64_t seq,
                       const struct digest *archive)
{
    struct meta_key hash = META_KEY_INIT, ref = META_KEY_INIT;
    key_add_u64(&hash, number);
    key_add_digest(&hash, archive);
    key_add_u64(&hash, ~seq);
    key_add_digest(&ref, archive);
    key_add_u64(&ref, number);
    key_add_u64(&ref, seq);
    if (!has(c, META_HASHES, &hash))
        found(c, "reference", name, "%s is not found by its hash", name);
    if (!has(c, META_REFS, &ref))
        found(c, "reference", name, "%s: its archive does not know of it", name);
}

static version_record *version_at(struct check *c, uint64_t number, uint64_t seq)
{
    struct meta_key key = version_key(number, seq);
    return record_message(c, META_VERSIONS, &key, TYPE(version));
}

static uint64_t text_seq_of(const version_record *v, uint64_t seq)
{
    return v->text_seq ? v->text_seq : seq;
}

/* Whether the version before, if it is not purged, has the text of text_seq, too. */
static bool shares_text(struct check *c, const struct skill_state *s, uint64_t text_seq,
                        uint64_t seq)
{
    if (text_seq >= seq)
        return false;
    CLEANUP(message_freep) version_record *before = version_at(c, s->number, seq - 1);
    return before ? text_seq_of(before, seq - 1) == text_seq : seq - 1 <= s->purged_seq;
}

/* It has its text, or shares that of the version before. */
static enum err check_text_of(struct check *c, const char *name, const struct skill_state *s,
                              uint64_t seq, const version_record *v, struct error *e)
{
    struct digest d;
    str text;
    struct meta_key key = version_key(s->number, text_seq_of(v, seq));
    if (!record_read(c, META_TEXTS, &key, &text)) {
        found(c, "reference", name, "%s: its SKILL.md is missing", name);
        return ERR_OK;
    }
    if (v->text_seq && !shares_text(c, s, v->text_seq, seq))
        found(c, "reference", name, "%s shares the SKILL.md of a version that is not before it",
              name);
    TRY(sha256_of(text, &d, e));
    if (memcmp(v->text.data, d.b, sizeof d.b) != 0)
        found(c, "record", name, "%s: its SKILL.md has another hash", name);
    return ERR_OK;
}

static bool event_matches(struct check *c, const version_record *v, const char *id, uint64_t seq)
{
    struct meta_key key = META_KEY_INIT;
    key_add_u64(&key, v->sequence);
    CLEANUP(message_freep) event_record *m = record_message(c, META_EVENTS, &key, TYPE(event));
    return m && m->seq == seq && str_eq(str_of(m->id.data, m->id.len), str_c(id));
}

static enum err check_version(struct check *c, str key, str payload, struct error *e)
{
    struct digest archive, text;
    CLEANUP(message_freep) version_record *v = unpack(c, META_VERSIONS, payload, TYPE(version));
    c->report->versions++;
    if (!v)
        return ERR_OK;
    if (key.len != 16) {
        found(c, "record", NULL, "the record of a version has a key that no server makes");
        return ERR_OK;
    }
    uint64_t number = key_get_u64(key.p), seq = key_get_u64(key.p + 8);
    struct skill_state *s = by_number(c, number);
    const char *name = version_name(c, number, seq);
    if (!s || seq > s->last_seq || seq <= s->purged_seq) {
        found(c, "reference", name, "there is a record of %s, and no such version", name);
        return ERR_OK;
    }
    if (!as_digest(v->artifact, &archive) || !as_digest(v->text, &text)) {
        found(c, "record", name, "the record of %s cannot be read", name);
        return ERR_OK;
    }
    check_archive_of(c, name, v, &archive);
    check_ways(c, name, number, seq, &archive);
    if (!event_matches(c, v, s->id, seq))
        found(c, "event", name, "%s: no event tells of it", name);
    return check_text_of(c, name, s, seq, v, e);
}

static bool version_has(struct check *c, uint64_t number, uint64_t seq, const char *archive)
{
    struct meta_key key = version_key(number, seq);
    CLEANUP(message_freep)
    version_record *v = record_message(c, META_VERSIONS, &key, TYPE(version));
    return v && v->artifact.len == sizeof(struct digest) &&
           memcmp(v->artifact.data, archive, sizeof(struct digest)) == 0;
}

static enum err check_hash(struct check *c, str key, str payload, struct error *e)
{
    const size_t len = 8 + sizeof(struct digest) + 8;
    (void)payload, (void)e;
    if (key.len != len ||
        !version_has(c, key_get_u64(key.p), ~key_get_u64(key.p + len - 8), key.p + 8))
        found(c, "reference", NULL, "a hash leads to a version that does not have it");
    return ERR_OK;
}

static enum err check_ref(struct check *c, str key, str payload, struct error *e)
{
    const size_t at = sizeof(struct digest);
    (void)payload, (void)e;
    if (key.len != at + 16 ||
        !version_has(c, key_get_u64(key.p + at), key_get_u64(key.p + at + 8), key.p))
        found(c, "reference", NULL, "an archive is said to be held by a version that does not");
    return ERR_OK;
}

/* --- archives, manifests, texts --------------------------------------------------------------- */

/* Files and bytes of a manifest's parts. */
static bool read_manifest(struct check *c, const struct meta_key *digest, uint32_t n_files,
                          uint64_t *ret_n, uint64_t *ret_size)
{
    *ret_n = *ret_size = 0;
    for (uint64_t part = 0; *ret_n < n_files; part++) {
        struct meta_key key = *digest;
        key_add_u64(&key, part);
        CLEANUP(message_freep) files_record *m = record_message(c, META_FILES, &key, TYPE(files));
        if (!m || m->n_items == 0)
            return false;
        *ret_n += m->n_items;
        for (size_t i = 0; i < m->n_items; i++)
            *ret_size += m->items[i]->size;
    }
    return true;
}

static void check_manifest(struct check *c, const struct digest *d, const struct meta_key *key,
                           const artifact_record *m)
{
    uint64_t n, size;
    if (m->n_files == 0) /* not recorded */
        return;
    if (!read_manifest(c, key, m->n_files, &n, &size) || n != m->n_files || size != m->files_size)
        found(c, "reference", holder_names(c, d), "the list of an archive's files is incomplete");
}

static enum err check_artifact(struct check *c, str key, str payload, struct error *e)
{
    struct digest d;
    CLEANUP(message_freep) artifact_record *m = unpack(c, META_ARTIFACTS, payload, TYPE(artifact));
    (void)e;
    if (!m)
        return ERR_OK;
    if (key.len != sizeof d.b || m->state < 1 || m->state > 3) {
        found(c, "record", NULL, "the record of an archive makes no sense");
        return ERR_OK;
    }
    memcpy(d.b, key.p, sizeof d.b);
    struct meta_key digest = key_of(key);
    check_manifest(c, &d, &digest, m);
    return ERR_OK;
}

static enum err check_files(struct check *c, str key, str payload, struct error *e)
{
    struct meta_key digest = key_of(str_head(key, sizeof(struct digest)));
    (void)payload, (void)e;
    if (key.len != sizeof(struct digest) + 8 || !has(c, META_ARTIFACTS, &digest))
        found(c, "reference", NULL, "there is a list of files of an archive that is not recorded");
    return ERR_OK;
}

/* It is of that version or, once that is purged, of the first that is left. */
static enum err check_text(struct check *c, str key, str payload, struct error *e)
{
    (void)payload, (void)e;
    const struct skill_state *s = by_number(c, key_get_u64(key.p));
    uint64_t seq = key.len == 16 ? key_get_u64(key.p + 8) : 0;
    uint64_t first = s ? MAX(seq, s->purged_seq + 1) : 0;
    CLEANUP(message_freep) version_record *v = s ? version_at(c, s->number, first) : NULL;
    if (!v || text_seq_of(v, first) != seq)
        found(c, "reference", NULL, "there is a SKILL.md that no version has");
    return ERR_OK;
}

/* --- events ----------------------------------------------------------------------------------- */

static enum err tell_tag(struct check *c, const struct skill_state *s, const event_record *m,
                         struct error *e)
{
    str tag = str_of(m->detail.data, m->detail.len);
    if (tag.len == 0 || str_eq(tag, STR("latest")))
        return ERR_OK;
    uint64_t *at = map_at(&c->tags, map_hash(s->number, tag));
    if (!at)
        return FAIL_NOMEM(e);
    *at = m->seq;
    return ERR_OK;
}

/* What the event does to the skill; false: it cannot happen to it. */
static bool tell(struct skill_state *s, str what, uint64_t seq)
{
    if (str_eq(what, STR("created")) || str_eq(what, STR("updated"))) {
        bool right = seq == s->told_last_seq + 1 && s->told_live == (what.p[0] == 'u');
        s->told_live = true;
        s->told_last_seq = seq;
        return right;
    }
    if (str_eq(what, STR("deleted"))) {
        bool right = s->told_live && seq == s->told_last_seq;
        s->told_live = false;
        return right;
    }
    if (str_eq(what, STR("purged"))) {
        bool right = seq > s->told_purged_seq && seq <= s->told_last_seq;
        s->told_purged_seq = seq;
        return right;
    }
    return str_eq(what, STR("tagged")) && s->told_live && seq <= s->told_last_seq;
}

static void check_order(struct check *c, uint64_t sequence, const event_record *m)
{
    if (sequence != c->last_event + 1)
        found(c, "event", NULL, "events %llu to %llu are missing",
              (unsigned long long)c->last_event + 1, (unsigned long long)sequence - 1);
    if (m->time_ns <= c->last_time_ns)
        found(c, "event", NULL, "event %llu is not later than the one before",
              (unsigned long long)sequence);
    c->last_event = sequence;
    c->last_time_ns = m->time_ns;
}

static enum err check_event(struct check *c, str key, str payload, struct error *e)
{
    CLEANUP(message_freep) event_record *m = unpack(c, META_EVENTS, payload, TYPE(event));
    if (!m)
        return ERR_OK;
    uint64_t sequence = key_get_u64(key.p);
    check_order(c, sequence, m);
    str what = str_of(m->what.data, m->what.len);
    struct skill_state *s = by_id(c, str_of(m->id.data, m->id.len));
    if (!s) {
        found(c, "event", NULL, "event %llu is about a skill that there is not",
              (unsigned long long)sequence);
        return ERR_OK;
    }
    if (!tell(s, what, m->seq))
        found(c, "event", s->name, "event %llu cannot have happened to %s then",
              (unsigned long long)sequence, s->name);
    return str_eq(what, STR("purged")) || str_eq(what, STR("deleted")) ? ERR_OK
                                                                       : tell_tag(c, s, m, e);
}

/* The state of each skill is what its events make. */
static void compare_told(struct check *c)
{
    for (size_t i = 0; i < c->n_skills; i++) {
        const struct skill_state *s = &c->skills[i];
        if (s->live != s->told_live || s->last_seq != s->told_last_seq ||
            s->purged_seq != s->told_purged_seq)
            found(c, "event", s->name, "%s is not what its events tell", s->name);
    }
}

/* --- tags ------------------------------------------------------------------------------------- */

static enum err check_tag(struct check *c, str key, str payload, struct error *e)
{
    uint64_t number = key_get_u64(key.p);
    str tag = str_skip(key, 8);
    CLEANUP(message_freep) tag_record *m = unpack(c, META_TAGS, payload, TYPE(tag));
    (void)e;
    if (!m)
        return ERR_OK;
    struct meta_key back = META_KEY_INIT;
    key_add_u64(&back, number);
    key_add_u64(&back, m->seq);
    key_add(&back, tag);
    const char *name = version_name(c, number, m->seq);
    const uint64_t *told = map_find(&c->tags, map_hash(number, tag));
    if (!version_exists(c, number, m->seq))
        found(c, "reference", name, "a tag points at %s, which there is not", name);
    if (!has(c, META_TAGGED, &back))
        found(c, "reference", name, "%s does not know a tag that points at it", name);
    if (!told || *told != m->seq)
        found(c, "event", name, "no event tells that a tag points at %s", name);
    return ERR_OK;
}

static enum err check_tagged(struct check *c, str key, str payload, struct error *e)
{
    struct meta_key tag = key_of(str_head(key, 8));
    (void)payload, (void)e;
    key_add(&tag, str_skip(key, 16));
    CLEANUP(message_freep) tag_record *m = record_message(c, META_TAGS, &tag, TYPE(tag));
    if (key.len < 16 || !m || m->seq != key_get_u64(key.p + 8))
        found(c, "reference", NULL, "a version knows a tag that does not point at it");
    return ERR_OK;
}

/* Every tag that events tell of is there, but for those of purged versions. That is seen by
 * counting: each tag that is there was told. */
static enum err count_tag_events(struct check *c, str key, str payload, struct error *e)
{
    CLEANUP(message_freep) event_record *m = unpack(c, META_EVENTS, payload, TYPE(event));
    str tag = m ? str_of(m->detail.data, m->detail.len) : STR_NULL;
    struct skill_state *s = m ? by_id(c, str_of(m->id.data, m->id.len)) : NULL;
    (void)key, (void)e;
    if (!s || tag.len == 0 || str_eq(tag, STR("latest")) || m->seq <= s->purged_seq)
        return ERR_OK;
    struct meta_key k = META_KEY_INIT;
    key_add_u64(&k, s->number);
    key_add(&k, tag);
    const uint64_t *told = map_find(&c->tags, map_hash(s->number, tag));
    if (told && *told == m->seq && !has(c, META_TAGS, &k)) {
        const char *name = version_name(c, s->number, m->seq);
        found(c, "event", name, "a tag that points at %s is missing", name);
    }
    return ERR_OK;
}

/* --- info ------------------------------------------------------------------------------------- */

static void check_count(struct check *c, str org, uint64_t n)
{
    const uint64_t *want = org.len ? map_find(&c->live, map_hash(0, org)) : &c->n_live;
    if (n != (want ? *want : 0))
        found(c, "counter", NULL, "the number of live skills is recorded wrongly");
}

static enum err check_info(struct check *c, str key, str payload, struct error *e)
{
    (void)e;
    if (str_eq(key, STR("clock"))) {
        CLEANUP(message_freep) clock_record *m = unpack(c, META_INFO, payload, TYPE(clock));
        if (m && (m->sequence != c->last_event || m->time_ns < c->last_time_ns))
            found(c, "counter", NULL, "the last sequence number is not that of the last event");
    } else if (str_starts_with(key, STR("live"))) {
        CLEANUP(message_freep) count_record *m = unpack(c, META_INFO, payload, TYPE(count));
        if (m)
            check_count(c, str_skip(key, MIN(key.len, sizeof "live/" - 1)), m->n);
    }
    return ERR_OK;
}

/* What must be there. */
static void check_info_exists(struct check *c)
{
    struct meta_key clock = key_of(STR("clock")), live = key_of(STR("live"));
    if (c->last_event && !has(c, META_INFO, &clock))
        found(c, "counter", NULL, "the last sequence number is missing");
    if (c->n_live && !has(c, META_INFO, &live))
        found(c, "counter", NULL, "the number of live skills is missing");
}

static enum err check_schema(struct check *c, struct error *e)
{
    struct meta_key key = key_of(STR("schema"));
    CLEANUP(message_freep) schema_record *m = record_message(c, META_INFO, &key, TYPE(schema));
    if (!m) {
        found(c, "record", NULL, "the version of the database's schema is missing");
        return ERR_OK;
    }
    if (m->version == CHECK_SCHEMA)
        return ERR_OK;
    return FAIL(e, ERR_FAILED_PRECONDITION, "check.schema",
                "the database has schema %u and this program checks schema %u; use the version of "
                "stigmer-server that wrote it, or start this server once",
                m->version, CHECK_SCHEMA);
}

enum err check_records(struct check *c, struct error *e)
{
    static const struct {
        enum meta_table table;
        enum err (*fn)(struct check *c, str key, str payload, struct error *e);
    } steps[] = {
        {META_SKILLS, check_skill},       {META_LIVE, check_live},   {META_SLUGS, check_slug},
        {META_VERSIONS, check_version},   {META_HASHES, check_hash}, {META_REFS, check_ref},
        {META_ARTIFACTS, check_artifact}, {META_FILES, check_files}, {META_TEXTS, check_text},
        {META_EVENTS, check_event},       {META_TAGS, check_tag},    {META_TAGGED, check_tagged},
        {META_EVENTS, count_tag_events},  {META_INFO, check_info},
    };
    TRY(check_schema(c, e));
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
        TRY(each_record(c, steps[i].table, steps[i].fn, e));
    compare_told(c);
    check_info_exists(c);
    return ERR_OK;
}
