/*
 * Unicode as names need it, from ICU's tables. Names in ASCII never touch ICU: its tables are
 * mapped and opened at the first other one.
 */
#ifndef STIGMER_ZIP_UNICODE_H
#define STIGMER_ZIP_UNICODE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct icu;

struct unicode {
    struct buf out;  /* the last result */
    struct icu *icu; /* NULL until it is needed */
};

void unicode_init(struct unicode *u);
void unicode_deinit(struct unicode *u);

bool str_is_ascii(str s);

/* Results are views that the next call ends. Names are at most NAME_PATH_MAX bytes of valid UTF-8;
 * those for _cp437 and _oem are any bytes. */

/* NFKC and full case folding (NFKC_Casefold, Unicode 3.13 D146). */
enum err unicode_fold(struct unicode *u, str name, str *ret, struct error *e);
/* The same for the bytes taken as code page 437, as APPNOTE D.1 wants without flag bit 11. */
enum err unicode_fold_cp437(struct unicode *u, str name, str *ret, struct error *e);
/* The name that Info-ZIP's unzip makes on Unix of one made on DOS: code page 850 translated to ISO
 * 8859-1, many characters to one. Latin case is kept apart, that of ASCII is not. */
enum err unicode_fold_oem(struct unicode *u, str name, str *ret, struct error *e);
/* The same for the bytes taken as ISO 8859-1. */
enum err unicode_fold_latin1(struct unicode *u, str name, str *ret, struct error *e);
/* What the name looks like: UTS 39's skeleton. */
enum err unicode_skeleton(struct unicode *u, str name, str *ret, struct error *e);

/* Why a name must not have this code point, as a noun; NULL when it may. */
const char *unicode_hidden(uint32_t cp);

#endif
