/*
 * A backup as a stream: a tar file (pax) with storage/skills/<hash>.zip, then stigmer.db/data.mdb,
 * and COMPLETE as the last, without which it is none.
 */
#ifndef STIGMER_SERVER_STREAM_H
#define STIGMER_SERVER_STREAM_H

#include "server/bundle.h"

/* Writes it to the descriptor out. The store of `from` is held. */
enum err stream_write(const struct bundle *from, int out, struct bundle_report *ret,
                      struct error *e);
/* Reads it from the descriptor in, to where bundle_finish takes it from. INVALID_ARGUMENT: it is
 * not a whole backup. */
enum err stream_read(int in, const struct bundle *to, struct bundle_report *ret, struct error *e);

#endif
