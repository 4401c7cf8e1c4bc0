/* Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef STIGMER_BASE_UTF8_H
#define STIGMER_BASE_UTF8_H

#include "base/buf.h"
#include "base/str.h"

/* Decodes the first code point of *s and moves past it. False (s unchanged) when it is malformed
 * or s is empty. */
bool utf8_next(str *s, uint32_t *ret_cp);
bool utf8_valid(str s);
/* Appends cp (a valid scalar value) in UTF-8. */
void utf8_add(struct buf *b, uint32_t cp);
/* Appends s so that a terminal or a log shows it safely: controls, DEL, C1, bidi and zero-width
 * code points, backslash and invalid bytes as \xNN or \u{N}; everything else as it is. No byte
 * becomes more than UTF8_ESCAPED_MAX. */
#define UTF8_ESCAPED_MAX 4
void utf8_add_escaped(struct buf *b, str s);

#endif
