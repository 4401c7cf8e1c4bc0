/*
 * What the program does: serve, dump, check, gc, backup, restore, version. Each reads what it needs
 * from the environment. Errors: one sentence for the person who called it.
 */
#ifndef STIGMER_SERVER_COMMAND_H
#define STIGMER_SERVER_COMMAND_H

#include "server/config.h"

/* Serves until SIGTERM or SIGINT. */
enum err command_serve(const struct config *c, struct error *e);
/* Prints every record on standard output; read-only, also beside a running server. */
enum err command_dump(const struct config *c, bool json, struct error *e);
struct check_words {
    bool no_archives, json, repair;
};
/* Before a check: puts damaged archives aside, and makes a damaged database anew from its sound
 * records. *ret_lost: records that were there, are not found and do not follow from others.
 * FAILED_PRECONDITION: a server runs. */
enum err repair(const struct config *c, uint64_t *ret_lost, struct error *e);
/* Prints what is damaged, and *ret_sound: nothing is. Reads only, also beside a running server. */
enum err command_check(const struct config *c, const struct check_words *w, bool *ret_sound,
                       struct error *e);

struct gc_words {
    bool dry_run, purge_deleted, json;
};
/* Removes the archives that no version holds, or tells what it would remove; also beside a running
 * server. */
enum err command_gc(const struct config *c, const struct gc_words *w, struct error *e);

/* Copies all that is stored into the directory dir, also beside a running server: what it has not
 * yet. DATA_LOSS: some archives are damaged at the source; all others were copied. After any other
 * error what dir held before is as it was. */
enum err command_backup(const struct config *c, const char *dir, bool json, struct error *e);
/* The way back, into an empty place. */
enum err command_restore(const struct config *c, const char *dir, bool json, struct error *e);

#endif
