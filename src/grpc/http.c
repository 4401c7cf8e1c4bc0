#include "grpc/http.h"

#include "base/macro.h"

#include <nghttp2/nghttp2.h>
#include <stddef.h>
#include <stdio.h>

void http_headers_read(struct http_headers *ret, const struct h2_header *h, size_t n)
{
    static const struct {
        const char *name;
        size_t offset;
    } rows[] = {
        {":method", offsetof(struct http_headers, method)},
        {":path", offsetof(struct http_headers, path)},
        {"content-type", offsetof(struct http_headers, content_type)},
        {"te", offsetof(struct http_headers, te)},
        {"grpc-timeout", offsetof(struct http_headers, timeout)},
        {"grpc-encoding", offsetof(struct http_headers, encoding)},
    };
    *ret = (struct http_headers){0};
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < ARRAY_SIZE(rows); k++)
            if (str_eq(h[i].name, str_c(rows[k].name)))
                memcpy((char *)ret + rows[k].offset, &h[i].value, sizeof h[i].value);
}

bool http_is_grpc(str content_type)
{
    str type, parameters;
    (void)str_cut(content_type, ';', &type, &parameters);
    type = str_trim(type);
    return str_eq_nocase(type, STR("application/grpc")) ||
           str_eq_nocase(type, STR("application/grpc+proto"));
}

int http_check(const struct http_headers *h)
{
    if (!str_eq(h->method, STR("POST")))
        return HTTP_METHOD_NOT_ALLOWED;
    return http_is_grpc(h->content_type) ? HTTP_OK : HTTP_UNSUPPORTED_MEDIA_TYPE;
}

void http_refuse(struct h2_stream *s, int status)
{
    char number[12];
    struct error e;
    int len = snprintf(number, sizeof number, "%d", status);
    struct h2_header h[] = {
        {STR(":status"), str_of(number, (size_t)len)},
        {STR("content-length"), STR("0")},
        {STR("allow"), STR("POST")},
    };
    size_t n = status == HTTP_METHOD_NOT_ALLOWED ? 3 : 2;
    if (h2_stream_respond(s, h, n, NULL, NULL, &e) != ERR_OK)
        h2_stream_reset(s, NGHTTP2_INTERNAL_ERROR);
}
