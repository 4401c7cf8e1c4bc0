#include "agent/download.h"

#include "agent/remote.h"
#include "base/macro.h"
#include "base/sys.h"
#include "pb.h"
#include "zip/zip.h"

struct receiver {
    const struct agent_download *d;
    uint64_t size;  /* bytes so far */
    uint64_t total; /* as the first piece said; 0 = none came yet */
    struct sha256 *hash;
};

static void receiver_deinit(struct receiver *r)
{
    sha256_free(r->hash);
}

/* A server that cannot continue starts over, and so do we. */
static enum err start_over(struct receiver *r, struct error *e)
{
    r->size = 0;
    TRY(sys_ftruncate(r->d->fd, 0, e));
    return sha256_reset(r->hash, e);
}

static enum err check_chunk(const struct receiver *r, const PB_SKILL(ArtifactChunk) * chunk,
                            struct error *e)
{
    uint64_t total = (uint64_t)MAX(chunk->total, 0);
    bool fits = chunk->offset == (int64_t)r->size && chunk->data.len > 0 &&
                total <= zip_limits_default.max_size &&
                chunk->data.len <= total - MIN(r->size, total) &&
                (r->total == 0 || total == r->total);
    if (fits)
        return ERR_OK;
    return FAIL(e, ERR_DATA_LOSS, "download.order",
                "the server sent pieces that do not fit together");
}

static enum err add_chunk(struct receiver *r, const PB_SKILL(ArtifactChunk) * chunk,
                          struct error *e)
{
    if (r->total == 0 && r->size > 0 && chunk->offset == 0)
        TRY(start_over(r, e));
    TRY(check_chunk(r, chunk, e));
    TRY(sys_pwrite_full(r->d->fd, chunk->data.data, chunk->data.len, r->size, e));
    TRY(sha256_update(r->hash, chunk->data.data, chunk->data.len, e));
    r->total = (uint64_t)chunk->total;
    r->size += chunk->data.len;
    if (r->d->progress)
        r->d->progress(r->d->ctx, r->size, r->total);
    return ERR_OK;
}

static enum err on_message(void *ctx, str message, struct error *e)
{
    PB_SKILL(ArtifactChunk) *chunk = NULL;
    TRY(message_unpack(message, &pb_skill(artifact_chunk__descriptor), &chunk, e));
    enum err err = add_chunk(ctx, chunk, e);
    protobuf_c_message_free_unpacked(&chunk->base, NULL);
    return err;
}

static enum err check_hash(struct receiver *r, struct error *e)
{
    struct digest got;
    char is[SHA256_HEX_LEN + 1], want[SHA256_HEX_LEN + 1];
    TRY(sha256_finish(r->hash, &got, e));
    if (digest_eq(&got, &r->d->hash))
        return ERR_OK;
    digest_to_hex(&got, is);
    digest_to_hex(&r->d->hash, want);
    return FAIL(e, ERR_DATA_LOSS, "download.hash",
                "the archive is damaged: its bytes hash to %s, not to the version's %s", is, want);
}

static enum err stream(struct receiver *r, struct error *e)
{
    CLEANUP(buf_deinit) struct buf request;
    char hex[SHA256_HEX_LEN + 1], key[SHA256_HEX_LEN + 16];
    PB_SKILL(GetArtifactRequest) m = PB_SKILL_C(GET_ARTIFACT_REQUEST__INIT);
    buf_init(&request, KIB(4));
    digest_to_hex(&r->d->hash, hex);
    (void)snprintf(key, sizeof key, "skills/%s.zip", hex);
    m.artifact_storage_key = key;
    m.offset = (int64_t)r->size;
    TRY(message_pack(&m.base, &request, e));
    struct grpc_request call = {
        .path = AGENT_QUERY("streamArtifact"),
        .head = buf_view(&request),
        .fd = -1,
        .timeout_ms = r->d->timeout_ms,
    };
    return grpc_client_stream(r->d->client, &call, on_message, r, e);
}

/* What an earlier attempt left is hashed again: its bytes were never believed. */
static enum err hash_what_is_there(struct receiver *r, struct error *e)
{
    CLEANUP(freep) char *piece = malloc(KIB(128));
    if (!piece)
        return FAIL_NOMEM(e);
    while (r->size < r->d->have) {
        size_t n = (size_t)MIN(r->d->have - r->size, (uint64_t)KIB(128));
        TRY(sys_pread_full(r->d->fd, piece, n, r->size, e));
        TRY(sha256_update(r->hash, piece, n, e));
        r->size += n;
    }
    return ERR_OK;
}

enum err agent_download(const struct agent_download *d, uint64_t *ret_size, struct error *e)
{
    CLEANUP(receiver_deinit) struct receiver r = {.d = d};
    TRY(sha256_new(&r.hash, e));
    TRY(hash_what_is_there(&r, e));
    TRY(stream(&r, e));
    if (r.size < r.total)
        return FAIL(e, ERR_DATA_LOSS, "download.short",
                    "the archive is damaged: %llu bytes were announced, %llu came",
                    (unsigned long long)r.total, (unsigned long long)r.size);
    TRY(check_hash(&r, e));
    *ret_size = r.size;
    return ERR_OK;
}
