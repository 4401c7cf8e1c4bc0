/* Packing a directory and pushing it: the job of `apply` and `skill push`. */
#ifndef STIGMER_CLI_PUSH_H
#define STIGMER_CLI_PUSH_H

#include "cli/cli.h"

/* The directory is the first argument, or "."; what to say first on stdout, or NULL. Prints the
 * text of API.md section 6, or with --json one object. */
enum err push_run(struct cli *c, const char *announce, struct error *e);

#endif
