/*
 * skills.lock: which version each reference means, so that an agent gets the same skills tomorrow.
 *
 *     {
 *       "version": 1,
 *       "skills": [
 *         {"reference": "@local/calculator:v1", "hash": "<64 hex digits>", "name": "Calculator",
 *          "org": "local", "slug": "calculator", "tag": "v1", "pushedAt": "2026-01-25T09:48:50Z",
 *          "pushedBy": "system", "resolvedAt": "2026-02-01T10:00:00Z"}
 *       ]
 *     }
 *
 * In byte order of the references, one field a line: it is made for version control.
 */
#ifndef STIGMER_AGENT_LOCKFILE_H
#define STIGMER_AGENT_LOCKFILE_H

#include "agent/pin.h"
#include "base/buf.h"

enum { LOCKFILE_MAX = 16 << 20, LOCKFILE_PINS_MAX = 10000 };

struct lockfile {
    struct arena arena;
    struct agent_pin *pins; /* in byte order of their references */
    size_t n_pins;
};

void lockfile_deinit(struct lockfile *l);
/* Errors: INVALID_ARGUMENT names what is wrong with the text. */
enum err lockfile_parse(str text, struct lockfile *ret, struct error *e);
/* NOT_FOUND: there is no such file. */
enum err lockfile_read(const char *path, struct lockfile *ret, struct error *e);
/* NULL when it is not in there. */
const struct agent_pin *lockfile_find(const struct lockfile *l, str reference);
/* Appends the text of n pins, in any order; of equal references the last one counts. Sorts pins. */
enum err lockfile_print(struct agent_pin *pins, size_t n, struct buf *to, struct error *e);
/* Puts pins into the file in place of those of the same references and keeps the rest; at one
 * stroke, and not lost beside others that do the same. The file is left alone when nothing but
 * times would change. */
enum err lockfile_update(const char *path, const struct agent_pin *pins, size_t n, struct error *e);

#endif
