#include "grpc/status.h"

#include "base/utf8.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>

static bool is_plain(char c)
{
    return c >= ' ' && c <= '~' && c != '%';
}

static void encode_bytes(struct buf *to, str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (is_plain(s.p[i]))
            buf_add_char(to, s.p[i]);
        else
            buf_addf(to, "%%%02X", (unsigned char)s.p[i]);
    }
}

void status_encode(struct buf *to, str msg)
{
    while (msg.len) {
        str before = msg;
        uint32_t cp;
        if (utf8_next(&msg, &cp)) {
            encode_bytes(to, str_head(before, before.len - msg.len));
        } else {
            encode_bytes(to, STR("\xef\xbf\xbd"));
            msg = str_skip(msg, 1);
        }
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

void status_decode(struct buf *to, str encoded)
{
    for (size_t i = 0; i < encoded.len; i++) {
        bool room = encoded.p[i] == '%' && encoded.len - i > 2;
        int high = room ? hex_value(encoded.p[i + 1]) : -1;
        int low = room ? hex_value(encoded.p[i + 2]) : -1;
        if (high < 0 || low < 0) {
            buf_add_char(to, encoded.p[i]);
            continue;
        }
        buf_add_char(to, (char)(high << 4 | low));
        i += 2;
    }
}

bool status_is_private(const struct error *e)
{
    return e->sys != 0 || e->code == ERR_INTERNAL || e->code == ERR_UNKNOWN;
}

void status_text(const struct error *e, const char *request_id, char out[ERR_MSG_MAX])
{
    if (status_is_private(e))
        (void)snprintf(out, ERR_MSG_MAX, "internal error; request id %s", request_id);
    else
        (void)snprintf(out, ERR_MSG_MAX, "%s", e->msg);
}

enum err status_parse(str value)
{
    uint64_t n;
    if (!str_to_u64(value, &n) || n > ERR_UNAUTHENTICATED)
        return ERR_UNKNOWN;
    return (enum err)n;
}

enum err status_of_http(int status)
{
    switch (status) {
    case 400:
        return ERR_INTERNAL;
    case 401:
        return ERR_UNAUTHENTICATED;
    case 403:
        return ERR_PERMISSION_DENIED;
    case 404:
        return ERR_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return ERR_UNAVAILABLE;
    default:
        return ERR_UNKNOWN;
    }
}

enum err status_of_h2(uint32_t code)
{
    switch (code) {
    case NGHTTP2_REFUSED_STREAM:
        return ERR_UNAVAILABLE;
    case NGHTTP2_CANCEL:
        return ERR_CANCELLED;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return ERR_RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY:
        return ERR_PERMISSION_DENIED;
    default:
        return ERR_INTERNAL;
    }
}
