#include "cli/download.h"

#include "base/sys.h"
#include "cli/progress.h"
#include "cli/remote.h"
#include "digest/sha256.h"
#include "zip/zip.h"

struct download {
    int fd;
    uint64_t size; /* bytes so far */
    struct sha256 *hash;
    struct progress progress;
};

static void download_deinit(struct download *d)
{
    sha256_free(d->hash);
}

static enum err add_chunk(struct download *d, const PB_SKILL(ArtifactChunk) * chunk,
                          struct error *e)
{
    uint64_t total = (uint64_t)MAX(chunk->total, 0);
    if (chunk->offset != (int64_t)d->size || total > zip_limits_default.max_size ||
        chunk->data.len > total - MIN(d->size, total))
        return FAIL(e, ERR_DATA_LOSS, "download.order",
                    "the server sent pieces that do not fit together");
    TRY(sys_write_full(d->fd, chunk->data.data, chunk->data.len, e));
    TRY(sha256_update(d->hash, chunk->data.data, chunk->data.len, e));
    d->size += chunk->data.len;
    progress_update(&d->progress, d->size, total);
    return ERR_OK;
}

static enum err on_message(void *ctx, str message, struct error *e)
{
    PB_SKILL(ArtifactChunk) *chunk = NULL;
    TRY(remote_unpack(message, &pb_skill(artifact_chunk__descriptor), &chunk, e));
    enum err err = add_chunk(ctx, chunk, e);
    protobuf_c_message_free_unpacked(&chunk->base, NULL);
    return err;
}

static enum err check_hash(struct download *d, str want, struct error *e)
{
    struct digest got;
    char hex[SHA256_HEX_LEN + 1];
    TRY(sha256_finish(d->hash, &got, e));
    digest_to_hex(&got, hex);
    if (!str_eq(str_c(hex), want))
        return FAIL(e, ERR_DATA_LOSS, "download.hash",
                    "the archive is damaged: its bytes hash to %s, not to the version's %.*s", hex,
                    STR_ARG(str_head(want, SHA256_HEX_LEN)));
    return ERR_OK;
}

static enum err stream(struct download *d, struct cli *c, struct grpc_client *client, str key,
                       struct error *e)
{
    CLEANUP(buf_deinit) struct buf request;
    CLEANUP(freep) char *key_c = str_dup_c(key);
    PB_SKILL(GetArtifactRequest) r = PB_SKILL_C(GET_ARTIFACT_REQUEST__INIT);
    buf_init(&request, MIB(8));
    if (!key_c)
        return FAIL_NOMEM(e);
    r.artifact_storage_key = key_c;
    TRY(remote_pack(&r.base, &request, e));
    struct grpc_request call = {
        .path = REMOTE_QUERY("streamArtifact"),
        .head = buf_view(&request),
        .fd = -1,
        .timeout_ms = remote_timeout_ms(c, REMOTE_TRANSFER_TIMEOUT_S),
    };
    return grpc_client_stream(client, &call, on_message, d, e);
}

enum err download(struct cli *c, struct grpc_client *client, const struct skill_view *v, int fd,
                  uint64_t *ret_size, struct error *e)
{
    CLEANUP(download_deinit) struct download d = {.fd = fd};
    TRY(sha256_new(&d.hash, e));
    progress_begin(&d.progress, &c->err, "Downloading");
    enum err err = stream(&d, c, client, v->storage_key, e);
    progress_end(&d.progress);
    TRY(err);
    *ret_size = d.size;
    return check_hash(&d, v->hash, e);
}
