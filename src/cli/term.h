/*
 * Text on stdout and stderr.
 *
 * Two kinds of text: ours (printf) and foreign (names, messages, SKILL.md: whatever a server or a
 * file name says). Foreign text goes through term_foreign or text_add_safe, which leave nothing
 * that could move a cursor, change a colour or reorder what is read.
 * Colours and progress exist only on a terminal; NO_COLOR (not empty) and TERM=dumb end colours.
 */
#ifndef STIGMER_CLI_TERM_H
#define STIGMER_CLI_TERM_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdio.h>

struct term {
    FILE *f;
    bool tty;    /* a terminal that understands escapes (not TERM=dumb) */
    bool colour; /* tty, and NO_COLOR is not set */
};

enum term_style { TERM_GREEN, TERM_RED, TERM_YELLOW, TERM_BOLD };

void term_init(struct term *t, FILE *f);
void term_printf(const struct term *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A full disk or a closed pipe shows only when the buffer is written: INTERNAL. */
enum err term_flush(const struct term *t, struct error *e);
/* Bytes as they are: text that is safe already, or that is not for a terminal. */
void term_raw(const struct term *t, str s);
/* Our own text in a style. */
void term_styled(const struct term *t, enum term_style style, const char *text);
/* Foreign text of one line: everything that is not plain is shown as an escape. */
void term_foreign(const struct term *t, str s);
/* Foreign text of several lines; line ends and tabs stay. */
void term_foreign_lines(const struct term *t, str s);

/* Appends s, escaped as utf8_add_escaped does, but for the bytes in keep (ASCII). */
void text_add_safe(struct buf *b, str s, const char *keep);

/* "512 B", "12.4 KB": steps of 1024, one decimal (API.md section 6). */
enum { SIZE_TEXT_MAX = 24 };
void size_format(uint64_t bytes, char out[SIZE_TEXT_MAX]);
/* A whole number of bytes, or of K, M, G or T (steps of 1024): "500", "64K", "2GB". */
bool size_parse(str text, uint64_t *ret);
/* "45s", "3m 5s", "2h 0m", "4d 1h". */
void duration_format(int64_t seconds, char out[SIZE_TEXT_MAX]);

/* Aligned columns; every cell is foreign text. */
struct table {
    size_t n_columns;
    struct buf cells; /* NUL-terminated, already safe, row by row */
};
void table_init(struct table *t, size_t n_columns);
void table_deinit(struct table *t);
void table_add(struct table *t, str cell);
/* The first row is the heading. RESOURCE_EXHAUSTED when a cell did not fit. */
enum err table_print(struct table *t, const struct term *to, struct error *e);

#endif
