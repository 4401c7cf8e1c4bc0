/*
 * A mark in the directory of a database that is being made by a backup or a restore: while it is
 * there, nothing else takes the directory for a database, also after a crash.
 */
#ifndef STIGMER_SERVER_INCOMPLETE_H
#define STIGMER_SERVER_INCOMPLETE_H

#include "base/err.h"

/* FAILED_PRECONDITION: the mark is there. */
enum err incomplete_check(const char *db_path, struct error *e);
/* Durably. The directory exists. */
enum err incomplete_mark(const char *db_path, struct error *e);
enum err incomplete_unmark(const char *db_path, struct error *e);

#endif
