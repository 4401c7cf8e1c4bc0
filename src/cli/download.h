/* An archive from the server into a file, verified. */
#ifndef STIGMER_CLI_DOWNLOAD_H
#define STIGMER_CLI_DOWNLOAD_H

#include "cli/cli.h"
#include "cli/skill.h"

/* Streams the archive of v into fd (empty, read-write) with progress, and checks that its bytes
 * hash to v->hash. DATA_LOSS when they do not, or when the pieces do not fit together. */
enum err download(struct cli *c, struct grpc_client *client, const struct skill_view *v, int fd,
                  uint64_t *ret_size, struct error *e);

#endif
