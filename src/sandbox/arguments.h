/* The sandbox as bubblewrap's arguments. Private to src/sandbox. */
#ifndef STIGMER_SANDBOX_ARGUMENTS_H
#define STIGMER_SANDBOX_ARGUMENTS_H

#include "base/buf.h"
#include "sandbox/etc.h"
#include "sandbox/filter.h"
#include "sandbox/sandbox.h"

#define ARGUMENTS_MAX KIB(512) /* bytes */

/* Appends them, each with its NUL, for --args; without the command. status, block: descriptors for
 * --json-status-fd and --block-fd. INVALID_ARGUMENT: something in the description makes no sense.
 */
enum err arguments_write(const struct sandbox *s, const struct sandbox_filter *filter,
                         const struct etc *etc, int status, int block, struct buf *ret,
                         struct error *e);

#endif
