/* The files of a version: pages of its archive's manifest. */
#include "skill/manifest.h"
#include "skill/record.h"
#include "skill/token.h"
#include "store/store.h"

/* What a page is of, and where it starts. */
struct page {
    str question; /* of its tokens */
    struct digest archive;
    uint64_t first;
};

static enum err check_page_size(uint32_t n, struct error *e)
{
    if (n < 1 || n > SKILL_FILES_PAGE_MAX)
        return FAIL(e, ERR_INVALID_ARGUMENT, "skill.page_size", "page_size: 1 to %d",
                    SKILL_FILES_PAGE_MAX);
    return ERR_OK;
}

static enum err question_of(const struct meta_skill *head, str version, struct arena *a, str *ret,
                            struct error *e)
{
    char *text = arena_printf(a, "files %.*s %.*s", STR_ARG(head->id), STR_ARG(version));
    *ret = str_c(text);
    return text ? ERR_OK : FAIL_NOMEM(e);
}

/* A position is "<hash>/<number>": a token leads on in the version that the list began with,
 * whatever the reference means by now. */
static enum err read_position(str token, struct arena *a, struct page *p, str *ret_version,
                              struct error *e)
{
    str position, number;
    TRY(token_read(token, p->question, a, &position, e));
    if (!str_cut(position, '/', ret_version, &number) || !record_is_hash(*ret_version) ||
        !str_to_u64(number, &p->first))
        return token_refuse(e);
    return ERR_OK;
}

static enum err make_position(const struct page *p, uint64_t next, struct arena *a, str *ret_token,
                              struct error *e)
{
    char hash[SHA256_HEX_LEN + 1];
    digest_to_hex(&p->archive, hash);
    char *position = arena_printf(a, "%s/%llu", hash, (unsigned long long)next);
    return position ? token_make(str_c(position), p->question, a, ret_token, e) : FAIL_NOMEM(e);
}

static enum err find_page(struct skill_service *s, const struct skill_files *q, struct arena *a,
                          struct page *ret, struct error *e)
{
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    struct skill_ref ref = q->ref;
    struct meta_skill head;
    struct skill version;
    uint64_t seq;
    ret->first = 0;
    TRY(meta_read_begin(s->meta, &t, e));
    TRY(record_find(&t, &ref, false, a, &head, e));
    TRY(question_of(&head, ref.version, a, &ret->question, e));
    if (q->token.len)
        TRY(read_position(q->token, a, ret, &ref.version, e));
    TRY(record_find_version(&t, &head, &ref, &seq, e));
    TRY(record_load(&t, &head, seq, 0, a, &version, e));
    ret->archive = version.hash;
    return ERR_OK;
}

/* --- versions pushed before manifests were kept --- */

struct late_manifest {
    const struct digest *archive;
    struct manifest manifest;
};

static void late_manifest_deinit(struct late_manifest *m)
{
    manifest_deinit(&m->manifest);
}

static enum err put_txn(struct meta_txn *t, void *arg, struct error *e)
{
    struct late_manifest *m = arg;
    return manifest_put(t, m->archive, &m->manifest, e);
}

static enum err audit_stored(const struct artifact *artifact, struct zip_report *ret,
                             struct error *e)
{
    const struct zip_audit_options o = {.flags = ZIP_AUDIT_DIGESTS};
    TRY(zip_audit(artifact->fd, artifact->len, &o, ret, e));
    if (zip_report_accepted(ret))
        return ERR_OK;
    const char *reason = zip_report_reason(ret);
    return reason ? FAIL(e, ERR_FAILED_PRECONDITION, "skill.archive_refused",
                         "the files of this version cannot be listed, its archive does not pass "
                         "the audit of this server: %s",
                         reason)
                  : FAIL_NOMEM(e);
}

/* Audits the stored archive once and for all. */
static enum err make_manifest(struct skill_service *s, const struct digest *archive,
                              struct error *e)
{
    CLEANUP(artifact_deinit) struct artifact artifact = ARTIFACT_INIT;
    CLEANUP(zip_report_deinit) struct zip_report report = {0};
    CLEANUP(late_manifest_deinit)
    struct late_manifest late = {.archive = archive, .manifest = MANIFEST_INIT};
    char key[STORE_KEY_MAX];
    bool ready;
    store_key(archive, key);
    TRY(skill_open_artifact(s, str_c(key), false, &ready, &artifact, e));
    TRY(audit_stored(&artifact, &report, e));
    TRY(manifest_of(&report, artifact.fd, artifact.len, &late.manifest, e));
    return meta_write(s->meta, put_txn, &late, e);
}

static enum err get_artifact(struct meta_txn *t, const struct digest *archive,
                             struct meta_artifact *ret, struct error *e)
{
    enum err err = meta_artifact_get(t, archive, ret, e);
    if (err != ERR_NOT_FOUND)
        return err;
    return FAIL(e, ERR_DATA_LOSS, "skill.record_missing",
                "an archive's record is missing from the server's database; restore it from a "
                "backup");
}

static enum err need_manifest(struct skill_service *s, const struct digest *archive,
                              struct error *e)
{
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    struct meta_artifact artifact;
    TRY(meta_read_begin(s->meta, &t, e));
    TRY(get_artifact(&t, archive, &artifact, e));
    meta_read_end(&t); /* before the disk is waited for */
    return artifact.n_files ? ERR_OK : make_manifest(s, archive, e);
}

/* --- pages --- */

static enum err load_files(struct meta_txn *t, const struct page *p, uint32_t n, struct arena *a,
                           struct skill_file_list *ret, struct error *e)
{
    struct meta_file *files = arena_calloc(a, n, sizeof *files);
    ret->items = arena_calloc(a, n, sizeof *ret->items);
    if (!files || !ret->items)
        return FAIL_NOMEM(e);
    TRY(meta_files_get(t, &p->archive, (uint32_t)p->first, n, a, files, e));
    for (uint32_t i = 0; i < n; i++)
        ret->items[i] =
            (struct skill_file){files[i].path, files[i].size, files[i].sha256, files[i].mode};
    ret->n_items = n;
    return ERR_OK;
}

static enum err load_page(struct skill_service *s, const struct page *p, uint32_t page_size,
                          struct arena *a, struct skill_file_list *ret, struct error *e)
{
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    struct meta_artifact artifact;
    TRY(meta_read_begin(s->meta, &t, e));
    TRY(get_artifact(&t, &p->archive, &artifact, e));
    if (p->first >= artifact.n_files)
        return token_refuse(e);
    uint32_t n = MIN(page_size, artifact.n_files - (uint32_t)p->first);
    *ret = (struct skill_file_list){
        .hash = p->archive,
        .total = artifact.n_files,
        .total_size = artifact.files_size,
    };
    TRY(load_files(&t, p, n, a, ret, e));
    uint64_t next = p->first + n;
    return next < ret->total ? make_position(p, next, a, &ret->next_token, e) : ERR_OK;
}

enum err skill_files(struct skill_service *s, const struct skill_files *q, struct arena *a,
                     struct skill_file_list *ret, struct error *e)
{
    struct page p;
    TRY(check_page_size(q->page_size, e));
    TRY(find_page(s, q, a, &p, e));
    TRY(need_manifest(s, &p.archive, e));
    return load_page(s, &p, q->page_size, a, ret, e);
}
