/* --help, generated from the command tables. */
#ifndef STIGMER_CLI_HELP_H
#define STIGMER_CLI_HELP_H

#include "cli/cli.h"

/* path: "stigmer skill push". */
void help_print(const struct term *t, const struct command *cmd, const char *path);

#endif
