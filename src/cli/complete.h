/* Shell completion, generated from the command tables. */
#ifndef STIGMER_CLI_COMPLETE_H
#define STIGMER_CLI_COMPLETE_H

#include "cli/cli.h"

/* A script for bash 4.1 or newer; needs no bash-completion package. */
void complete_print_bash(const struct term *t);
/* A script for zsh's completion system, to be a file _stigmer in $fpath, or sourced. */
void complete_print_zsh(const struct term *t);

#endif
