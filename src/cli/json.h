/*
 * JSON on stdout. Messages become JSON by their descriptors, with the names and forms of the
 * protobuf JSON mapping (camelCase, enum names, RFC 3339 times), but for two things: 64-bit
 * numbers are numbers, and fields without a value are there too.
 */
#ifndef STIGMER_CLI_JSON_H
#define STIGMER_CLI_JSON_H

#include "base/err.h"
#include "base/macro.h"
#include "cli/term.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

/* A new reference, or NULL when memory is out. */
json_t *json_of_message(const ProtobufCMessage *m);
/* Foreign text: malformed UTF-8 becomes U+FFFD. */
json_t *json_of_text(str s);
/* A name: as it is when it is UTF-8, else escaped as messages show it (utf8.h). */
json_t *json_of_name(str s);
/* Prints and releases j (NULL is RESOURCE_EXHAUSTED). On a terminal all but ASCII is escaped. */
enum err json_print(const struct term *t, json_t *j, struct error *e);
/* On one line, in ASCII: some readers take U+0085 or U+2028 for the end of a line. */
enum err json_print_line(const struct term *t, json_t *j, struct error *e);

#endif
