/*
 * gRPC statuses on the wire: the grpc-message text, what of an error a client may see, and the
 * codes that stand for HTTP and HTTP/2 failures.
 */
#ifndef STIGMER_GRPC_STATUS_H
#define STIGMER_GRPC_STATUS_H

#include "base/buf.h"
#include "base/err.h"

/* Appends msg percent-encoded (PROTOCOL-HTTP2.md, Status-Message): bytes outside space to '~' and
 * '%' itself become %XX; what is not UTF-8 becomes U+FFFD. */
void status_encode(struct buf *to, str msg);
/* Appends the text behind an encoded message. A '%' without two hex digits stands for itself:
 * a message must never be lost over its encoding. */
void status_decode(struct buf *to, str encoded);

/* Whether e speaks of this machine or of a defect: an errno behind it, INTERNAL or UNKNOWN. Its
 * text then stays in the log. */
bool status_is_private(const struct error *e);
/* What the client is told: e->msg, or for a private error a sentence with the request's id. */
void status_text(const struct error *e, const char *request_id, char out[ERR_MSG_MAX]);

/* grpc-status: 0 to 16; UNKNOWN for another number or no number. */
enum err status_parse(str value);
/* For a response without grpc-status (http-grpc-status-mapping.md). */
enum err status_of_http(int status);
/* For RST_STREAM without a status (PROTOCOL-HTTP2.md, Errors). */
enum err status_of_h2(uint32_t code);

#endif
