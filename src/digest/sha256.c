#include "digest/sha256.h"

#include "base/hex.h"
#include "base/macro.h"
#include "base/sys.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

#define READ_CHUNK KIB(256)

struct sha256 {
    EVP_MD_CTX *ctx;
    bool running; /* libcrypto itself takes more bytes after the end */
};

/* Fetched once: an implicit fetch per hash takes a lock and a lookup (DESIGN.md 2.11). */
static EVP_MD *algorithm;
static pthread_once_t algorithm_once = PTHREAD_ONCE_INIT;

static void fetch_algorithm(void)
{
    algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static enum err fail_crypto(struct error *e)
{
    return FAIL(e, ERR_INTERNAL, "digest.libcrypto", "SHA-256 failed in libcrypto");
}

static enum err fail_ended(struct error *e)
{
    return FAIL(e, ERR_INTERNAL, "digest.ended", "a hash was continued after its end");
}

enum err sha256_reset(struct sha256 *h, struct error *e)
{
    pthread_once(&algorithm_once, fetch_algorithm);
    h->running = algorithm && EVP_DigestInit_ex2(h->ctx, algorithm, NULL) == 1;
    return h->running ? ERR_OK : fail_crypto(e);
}

enum err sha256_new(struct sha256 **ret, struct error *e)
{
    struct sha256 *h = calloc(1, sizeof *h);
    if (!h)
        return FAIL_NOMEM(e);
    h->ctx = EVP_MD_CTX_new();
    enum err err = h->ctx ? sha256_reset(h, e) : FAIL_NOMEM(e);
    if (err) {
        sha256_free(h);
        return err;
    }
    *ret = h;
    return ERR_OK;
}

void sha256_free(struct sha256 *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->ctx);
    free(h);
}

DEFINE_CLEANUP(struct sha256 *, sha256_free);

enum err sha256_update(struct sha256 *h, const void *p, size_t len, struct error *e)
{
    if (!h->running)
        return fail_ended(e);
    h->running = EVP_DigestUpdate(h->ctx, p, len) == 1;
    return h->running ? ERR_OK : fail_crypto(e);
}

enum err sha256_finish(struct sha256 *h, struct digest *ret, struct error *e)
{
    unsigned n = 0;
    if (!h->running)
        return fail_ended(e);
    h->running = false;
    if (EVP_DigestFinal_ex(h->ctx, ret->b, &n) != 1 || n != SHA256_LEN)
        return fail_crypto(e);
    return ERR_OK;
}

enum err sha256_of(str data, struct digest *ret, struct error *e)
{
    CLEANUP(sha256_freep) struct sha256 *h = NULL;
    TRY(sha256_new(&h, e));
    TRY(sha256_update(h, data.p, data.len, e));
    return sha256_finish(h, ret, e);
}

enum err sha256_of_file(int fd, uint64_t len, struct digest *ret, struct error *e)
{
    CLEANUP(sha256_freep) struct sha256 *h = NULL;
    CLEANUP(freep) char *chunk = malloc(READ_CHUNK);
    if (!chunk)
        return FAIL_NOMEM(e);
    TRY(sha256_new(&h, e));
    for (uint64_t off = 0; off < len;) {
        size_t n = (size_t)MIN(len - off, (uint64_t)READ_CHUNK);
        TRY(sys_pread_full(fd, chunk, n, off, e));
        TRY(sha256_update(h, chunk, n, e));
        off += n;
    }
    return sha256_finish(h, ret, e);
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
    return memcmp(a->b, b->b, SHA256_LEN) == 0;
}

void digest_to_hex(const struct digest *d, char out[SHA256_HEX_LEN + 1])
{
    hex_encode(d->b, SHA256_LEN, out);
}

bool digest_from_hex(str hex, struct digest *ret)
{
    return hex_decode(hex, ret->b, SHA256_LEN);
}
