/* RFC 3339 times in UTC, as clock_format_rfc3339 writes them: the way back. */
#ifndef STIGMER_AGENT_TIME_TEXT_H
#define STIGMER_AGENT_TIME_TEXT_H

#include "base/str.h"

/* "2026-01-25T09:48:50Z", with up to nine digits of a fraction. From 1970 to 2261. */
bool time_text_parse(str text, int64_t *ret_ns);

#endif
