/* Starting the local server, by `server start` or because a command needs it. */
#ifndef STIGMER_CLI_START_H
#define STIGMER_CLI_START_H

#include "cli/address.h"
#include "cli/cli.h"
#include "cli/daemon.h"

enum { START_TIMEOUT_S = 15 };

/* Makes a server answer at a, which must be local: one that is there already is fine. d is open
 * (with create) and afterwards knows the process, if it is ours. *ret_started: whether this call
 * started it. announce: say so on stderr before.
 * When it dies or does not answer in time nothing is left running and c->hint holds the end of
 * its log. */
enum err start_server(struct cli *c, const struct address *a, bool announce, struct daemon *d,
                      bool *ret_started, struct error *e);
/* The same for a command that needs a server and found none; says so on stderr. */
enum err start_for_command(struct cli *c, const struct address *a, struct error *e);

#endif
