/* References to skills as people write them: [@ORG/]SLUG[:TAG|@HASH]. */
#ifndef STIGMER_AGENT_REF_H
#define STIGMER_AGENT_REF_H

#include "base/err.h"
#include "base/str.h"

struct ref {
    str org;     /* empty = not given: the server looks for the one skill of that name */
    str slug;    /* [a-z0-9-], 1 to 256 bytes */
    str version; /* tag or 64 lower-case hex digits; empty = current */
};

#define REF_SYNTAX "ref.syntax" /* the reason of every error here */

/* Views into text. INVALID_ARGUMENT says what is wrong. */
enum err ref_parse(str text, struct ref *ret, struct error *e);
/* An organization by itself: 1 to 128 bytes of [A-Za-z0-9._-]. */
enum err ref_check_org(str org, struct error *e);
/* A tag by itself: 1 to 128 bytes of [A-Za-z0-9._-], and not 64 hex digits. */
enum err ref_check_tag(str tag, struct error *e);

#endif
