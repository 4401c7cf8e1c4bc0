/* A new database from the sound records of a damaged one. */
#include "meta/artifact.h"
#include "meta/codec.h"
#include "meta/record.h"

#define SALVAGE_ARENA_MAX MIB(16)

static struct meta_key key_of(str s)
{
    struct meta_key k = META_KEY_INIT;
    key_add(&k, s);
    return k;
}

static enum err take_raw(struct meta_txn *t, enum meta_table table, str key, str payload,
                         struct error *e)
{
    struct meta_key k = key_of(key);
    return record_put(t, table, &k, payload, e);
}

/* NULL: it cannot be read. */
static void *unpack(const ProtobufCMessageDescriptor *type, str payload, struct arena *a)
{
    void *m;
    struct error ignored;
    return record_unpack(payload, type, a, &m, &ignored) == ERR_OK ? m : NULL;
}

#define UNPACK(name, payload, a)                                                                   \
    ((name##_record *)unpack(&stigmer__storage__v1__##name##_record__descriptor, (payload), (a)))

static enum err take_skill(struct meta_txn *t, str key, str payload, struct arena *a,
                           struct error *e)
{
    struct meta_skill s;
    const skill_record *m = UNPACK(skill, payload, a);
    if (!m || !m->number || !m->slug.len)
        return ERR_OK;
    codec_skill_from(m, key, &s);
    return meta_skill_put(t, &s, e);
}

static enum err take_version(struct meta_txn *t, str key, str payload, struct arena *a,
                             struct error *e)
{
    struct meta_version v;
    struct error ignored;
    const version_record *m = key.len == 16 ? UNPACK(version, payload, a) : NULL;
    bool sound = m && codec_version_from(m, key_get_u64(key.p + 8), a, &v, &ignored) == ERR_OK;
    return sound ? meta_version_add(t, key_get_u64(key.p), &v, e) : ERR_OK;
}

static enum err take_tag(struct meta_txn *t, str key, str payload, struct arena *a, struct error *e)
{
    const tag_record *m = key.len > 8 ? UNPACK(tag, payload, a) : NULL;
    if (!m)
        return ERR_OK;
    const struct meta_tag tag = {m->seq, m->moved_at_ns, str_of_bin(m->moved_by)};
    return meta_tag_set(t, key_get_u64(key.p), str_skip(key, 8), &tag, e);
}

static enum err take_artifact(struct meta_txn *t, str key, str payload, struct arena *a,
                              struct error *e)
{
    const artifact_record *m =
        key.len == sizeof(struct digest) ? UNPACK(artifact, payload, a) : NULL;
    return m ? take_raw(t, META_ARTIFACTS, key, payload, e) : ERR_OK;
}

static enum err take_text(struct meta_txn *t, str key, str payload, struct error *e)
{
    return key.len == 16 ? take_raw(t, META_TEXTS, key, payload, e) : ERR_OK;
}

/* Counters follow from skills, the version of the schema is this server's. */
static enum err take_info(struct meta_txn *t, str key, str payload, struct error *e)
{
    return str_eq(key, STR("clock")) ? take_raw(t, META_INFO, key, payload, e) : ERR_OK;
}

static enum err take(struct meta_txn *t, enum meta_table table, str key, str payload,
                     struct arena *a, struct error *e)
{
    switch (table) {
    case META_SKILLS:
        return take_skill(t, key, payload, a, e);
    case META_VERSIONS:
        return take_version(t, key, payload, a, e);
    case META_TAGS:
        return take_tag(t, key, payload, a, e);
    case META_ARTIFACTS:
        return take_artifact(t, key, payload, a, e);
    case META_TEXTS:
        return take_text(t, key, payload, e);
    case META_INFO:
        return take_info(t, key, payload, e);
    case META_EVENTS:
    case META_FILES:
        return take_raw(t, table, key, payload, e);
    case META_LIVE:
    case META_SLUGS:
    case META_HASHES:
    case META_TAGGED:
    case META_REFS:
    case META_N_TABLES:
        break;
    }
    return ERR_OK;
}

enum err meta_salvage(struct meta_txn *t, enum meta_table table, str key, str payload,
                      struct error *e)
{
    CLEANUP(arena_deinit) struct arena a;
    arena_init(&a, SALVAGE_ARENA_MAX);
    return take(t, table, key, payload, &a, e);
}

/* NOT_FOUND: there is none. */
static enum err last_event(struct meta_txn *t, struct arena *a, struct meta_event *ret,
                           struct error *e)
{
    CLEANUP(scan_close) struct scan s = SCAN_INIT;
    struct meta_key all = META_KEY_INIT, end = META_KEY_INIT;
    key_add_u64(&end, UINT64_MAX);
    TRY(scan_open(&s, t, META_EVENTS, &all, e));
    TRY(scan_seek_before(&s, &end, e));
    return meta_event_get(t, key_get_u64(s.key.p), a, ret, e);
}

enum err meta_salvage_end(struct meta_txn *t, struct error *e)
{
    struct meta_event last;
    struct meta_key key = key_of(STR("clock"));
    clock_record m = STIGMER__STORAGE__V1__CLOCK_RECORD__INIT;
    CLEANUP(arena_deinit) struct arena a;
    arena_init(&a, SALVAGE_ARENA_MAX);
    enum err err = last_event(t, &a, &last, e);
    if (err != ERR_OK)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    m.sequence = last.sequence;
    m.time_ns = last.time_ns;
    return record_put_message(t, META_INFO, &key, &m.base, e);
}
