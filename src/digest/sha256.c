/* libcrypto's low-level functions, deprecated as they are: the first EVP_MD_fetch of a process
 * reads openssl.cnf and sets up providers and tables of names, 1.4 ms, which is a third of what
 * `stigmer agent fetch` takes. Both run the same code on the bytes. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "digest/sha256.h"

#include "base/hex.h"
#include "base/macro.h"
#include "base/sys.h"

#include <openssl/sha.h>
#include <stdlib.h>

#define READ_CHUNK KIB(256)

struct sha256 {
    SHA256_CTX ctx;
    bool running; /* libcrypto itself takes more bytes after the end */
};

static enum err fail_ended(struct error *e)
{
    return FAIL(e, ERR_INTERNAL, "digest.ended", "a hash was continued after its end");
}

static enum err fail_crypto(struct error *e)
{
    return FAIL(e, ERR_INTERNAL, "digest.libcrypto", "SHA-256 failed in libcrypto");
}

enum err sha256_reset(struct sha256 *h, struct error *e)
{
    h->running = SHA256_Init(&h->ctx) == 1;
    return h->running ? ERR_OK : fail_crypto(e);
}

enum err sha256_new(struct sha256 **ret, struct error *e)
{
    struct sha256 *h = malloc(sizeof *h);
    if (!h)
        return FAIL_NOMEM(e);
    enum err err = sha256_reset(h, e);
    if (err == ERR_OK)
        *ret = h;
    else
        free(h);
    return err;
}

void sha256_free(struct sha256 *h)
{
    free(h);
}

enum err sha256_update(struct sha256 *h, const void *p, size_t len, struct error *e)
{
    if (!h->running)
        return fail_ended(e);
    h->running = SHA256_Update(&h->ctx, p, len) == 1;
    return h->running ? ERR_OK : fail_crypto(e);
}

enum err sha256_finish(struct sha256 *h, struct digest *ret, struct error *e)
{
    if (!h->running)
        return fail_ended(e);
    h->running = false;
    return SHA256_Final(ret->b, &h->ctx) == 1 ? ERR_OK : fail_crypto(e);
}

enum err sha256_of(str data, struct digest *ret, struct error *e)
{
    struct sha256 h;
    TRY(sha256_reset(&h, e));
    TRY(sha256_update(&h, data.p, data.len, e));
    return sha256_finish(&h, ret, e);
}

enum err sha256_of_file(int fd, uint64_t len, struct digest *ret, struct error *e)
{
    struct sha256 h;
    CLEANUP(freep) char *chunk = malloc(READ_CHUNK);
    if (!chunk)
        return FAIL_NOMEM(e);
    TRY(sha256_reset(&h, e));
    for (uint64_t off = 0; off < len;) {
        size_t n = (size_t)MIN(len - off, (uint64_t)READ_CHUNK);
        TRY(sys_pread_full(fd, chunk, n, off, e));
        TRY(sha256_update(&h, chunk, n, e));
        off += n;
    }
    return sha256_finish(&h, ret, e);
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
