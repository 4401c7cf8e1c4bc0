/*
 * The server looking at its own database with the eyes of `check`.
 * Errors: for whoever runs the server, with paths.
 */
#ifndef STIGMER_SERVER_DBCHECK_H
#define STIGMER_SERVER_DBCHECK_H

#include "base/err.h"

#include <stdint.h>

/* Before LMDB is let in: the pages of a database of at most 64 MiB (some 25 ms; larger ones are
 * looked at by dbcheck_deep). DATA_LOSS: they are damaged, the first finding. */
enum err dbcheck_pages(const char *db_path, struct error *e);

/* All that `check` looks at but the archives' bytes, by another process of this program: LMDB does
 * not bear to be opened twice in one. Findings are logged. To be called by a thread that lives as
 * long. stop: asked several times a second whether to end early; then CANCELLED. */
enum err dbcheck_deep(bool (*stop)(void *ctx), void *ctx, uint64_t *ret_findings, struct error *e);

#endif
