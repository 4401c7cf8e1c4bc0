/* The text of a lock file. Private to lockfile.c. */
#ifndef STIGMER_AGENT_LOCKFILE_JSON_H
#define STIGMER_AGENT_LOCKFILE_JSON_H

#include "agent/lockfile.h"

/* Fills ret->pins from ret->arena. */
enum err lockfile_json_read(str text, struct lockfile *ret, struct error *e);
/* pins: sorted, no reference twice. */
enum err lockfile_json_print(const struct agent_pin *pins, size_t n, struct buf *to,
                             struct error *e);

#endif
