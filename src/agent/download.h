/*
 * An archive from the server into a file, hashed while it comes.
 *
 * What the server says is only believed as far as it can be checked: pieces must follow each other
 * without gaps, never empty, never beyond the size announced first, which is at most that of the
 * profile; and at the end the bytes must hash to the version's hash.
 */
#ifndef STIGMER_AGENT_DOWNLOAD_H
#define STIGMER_AGENT_DOWNLOAD_H

#include "digest/sha256.h"
#include "grpc/client.h"

struct agent_download {
    struct grpc_client *client;
    int64_t timeout_ms;
    struct digest hash; /* of the version */
    int fd;             /* read-write; borrowed */
    uint64_t have; /* bytes in fd from an attempt that was interrupted: the rest is asked for */
    void (*progress)(void *ctx, uint64_t done, uint64_t total); /* may be NULL */
    void *ctx;
};

/* *ret_size: bytes of the whole archive. fd holds exactly those.
 * DATA_LOSS: other bytes than the hash says, or pieces that do not fit together: what is in fd is
 * of no use. Other errors are the call's: what is in fd may be continued. */
enum err agent_download(const struct agent_download *d, uint64_t *ret_size, struct error *e);

#endif
