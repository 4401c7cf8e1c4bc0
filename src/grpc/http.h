/* The HTTP side of a gRPC request: its headers, and what is not gRPC at all. */
#ifndef STIGMER_GRPC_HTTP_H
#define STIGMER_GRPC_HTTP_H

#include "h2/h2.h"

struct http_headers {
    str method, path, content_type, te, timeout, encoding; /* empty: not sent */
};

#define HTTP_OK                     200
#define HTTP_METHOD_NOT_ALLOWED     405
#define HTTP_UNSUPPORTED_MEDIA_TYPE 415

/* Picks out what gRPC reads; the views are those of h. */
void http_headers_read(struct http_headers *ret, const struct h2_header *h, size_t n);
/* "application/grpc" or "application/grpc+proto", with or without parameters. */
bool http_is_grpc(str content_type);
/* HTTP_OK, or the status to refuse the request with. */
int http_check(const struct http_headers *h);
/* Answers with the status and no body. */
void http_refuse(struct h2_stream *s, int status);

#endif
