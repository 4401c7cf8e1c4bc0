/* Lower-case hexadecimal. */
#ifndef STIGMER_BASE_HEX_H
#define STIGMER_BASE_HEX_H

#include "base/str.h"

/* Writes 2 * len digits and a NUL to out (2 * len + 1 bytes). */
void hex_encode(const uint8_t *data, size_t len, char *out);
/* Exactly 2 * len digits of [0-9a-f]; upper case is refused. out is undefined when false. */
bool hex_decode(str hex, uint8_t *out, size_t len);

#endif
