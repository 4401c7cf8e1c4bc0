/* The files of the sandbox's /etc. Private to src/sandbox. */
#ifndef STIGMER_SANDBOX_ETC_H
#define STIGMER_SANDBOX_ETC_H

#include "base/buf.h"
#include "base/err.h"

#define ETC_FILES 8

/* One descriptor a file, at its start; -1: there is none, since the host has none. bubblewrap
 * copies them into the memory of its root: a bind mount of each would cost more, and one more for
 * each that follows it, because bubblewrap reads the list of all mounts after every one. */
struct etc {
    int fds[ETC_FILES];
};
#define ETC_INIT ((struct etc){{-1, -1, -1, -1, -1, -1, -1, -1}})

/* ret: to be released also after an error. */
enum err etc_open(struct etc *ret, struct error *e);
void etc_deinit(struct etc *etc);
/* Appends bubblewrap's arguments for them. */
void etc_arguments(const struct etc *etc, struct buf *ret);

#endif
