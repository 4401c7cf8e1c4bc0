/* A skill's directory as a sealed archive in an unnamed temporary file. */
#ifndef STIGMER_CLI_ARTIFACT_H
#define STIGMER_CLI_ARTIFACT_H

#include "cli/cli.h"
#include "digest/sha256.h"

struct artifact_file {
    int fd; /* unnamed: it vanishes with the process */
    uint64_t size;
    uint32_t n_files;
    struct digest hash;
    char hex[SHA256_HEX_LEN + 1];
};

#define ARTIFACT_FILE_INIT ((struct artifact_file){.fd = -1})

void artifact_file_deinit(struct artifact_file *a);
/* An unnamed file in $TMPDIR, else in /tmp. */
enum err artifact_temp(int *ret_fd, struct error *e);
/* Packs and audits dir (with progress on c->err, and a warning for each likely secret left out) and
 * hashes the result. */
enum err artifact_pack(struct cli *c, const char *dir, struct artifact_file *ret, struct error *e);

#endif
