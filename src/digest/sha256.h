/*
 * SHA-256 (FIPS 180-4) as a value and as a stream, by OpenSSL.
 * Errors: only memory and a broken libcrypto; both end the stream, which then refuses to finish.
 */
#ifndef STIGMER_DIGEST_SHA256_H
#define STIGMER_DIGEST_SHA256_H

#include "base/err.h"
#include "base/str.h"

#define SHA256_LEN     32
#define SHA256_HEX_LEN 64

struct digest {
    uint8_t b[SHA256_LEN];
};

struct sha256; /* a running hash */

enum err sha256_new(struct sha256 **ret, struct error *e);
void sha256_free(struct sha256 *h);
enum err sha256_update(struct sha256 *h, const void *p, size_t len, struct error *e);
/* Ends the stream; sha256_reset makes it usable again. */
enum err sha256_finish(struct sha256 *h, struct digest *ret, struct error *e);
enum err sha256_reset(struct sha256 *h, struct error *e);

/* The hash of one piece of memory. */
enum err sha256_of(str data, struct digest *ret, struct error *e);
/* The hash of the first len bytes of a file, read with pread in bounded memory (256 KiB);
 * DATA_LOSS when the file is shorter. The descriptor's offset does not move. */
enum err sha256_of_file(int fd, uint64_t len, struct digest *ret, struct error *e);

bool digest_eq(const struct digest *a, const struct digest *b);
/* 64 lower-case digits and a NUL. */
void digest_to_hex(const struct digest *d, char out[SHA256_HEX_LEN + 1]);
/* Exactly 64 lower-case hex digits; anything else is false. */
bool digest_from_hex(str hex, struct digest *ret);

#endif
