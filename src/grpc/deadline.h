/* The grpc-timeout header (PROTOCOL-HTTP2.md, Timeout): 1 to 8 digits and a unit of H M S m u n. */
#ifndef STIGMER_GRPC_DEADLINE_H
#define STIGMER_GRPC_DEADLINE_H

#include "base/err.h"
#include "base/str.h"

#define DEADLINE_NONE INT64_MAX

/* The timeout in nanoseconds, at most INT64_MAX. INVALID_ARGUMENT for anything else than the form
 * above. */
enum err deadline_parse(str s, int64_t *ret_ns, struct error *e);
/* now + timeout, DEADLINE_NONE when that cannot be represented. */
int64_t deadline_at(int64_t now_ns, int64_t timeout_ns);
#define DEADLINE_TEXT_MAX 12
/* The header's value for timeout_ms ≥ 0: the finest unit that fits 8 digits, rounded up. */
void deadline_format(int64_t timeout_ms, char out[DEADLINE_TEXT_MAX]);

#endif
