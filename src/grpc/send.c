#include "grpc/send.h"

#include "base/macro.h"
#include "base/sys.h"

#include <inttypes.h>

void grpc_message_init(struct grpc_message *m)
{
    *m = (struct grpc_message){.fd = -1};
    buf_init(&m->head, GRPC_HEAD_MAX);
}

void grpc_message_deinit(struct grpc_message *m)
{
    buf_deinit(&m->head);
    sys_closep(&m->fd);
}

void grpc_reply_init(struct grpc_reply *r)
{
    *r = (struct grpc_reply){0};
    grpc_message_init(&r->message);
}

void grpc_reply_deinit(struct grpc_reply *r)
{
    grpc_message_deinit(&r->message);
    if (r->free_ctx)
        r->free_ctx(r->ctx);
    r->free_ctx = NULL;
}

void send_init(struct send *s)
{
    *s = (struct send){0};
    grpc_message_init(&s->message);
}

void send_deinit(struct send *s)
{
    grpc_message_deinit(&s->message);
    s->active = false;
    s->next = NULL;
}

static enum err start(struct send *s, struct error *e)
{
    struct grpc_message *m = &s->message;
    TRY(buf_status(&m->head, e));
    if (m->fd < 0)
        m->len = 0;
    if (m->len > UINT32_MAX - m->head.len)
        return FAIL(e, ERR_INTERNAL, "grpc.send.too_large", "a message of %" PRIu64 " bytes",
                    m->head.len + m->len);
    frames_prefix((uint32_t)(m->head.len + m->len), s->prefix);
    s->at = 0;
    s->active = true;
    return ERR_OK;
}

enum err send_message(struct send *s, struct grpc_message *take, struct error *e)
{
    grpc_message_deinit(&s->message);
    s->message = *take;
    grpc_message_init(take);
    return start(s, e);
}

/* The part of `part`, which starts at `start` of the whole, that comes next. */
static size_t copy_part(struct send *s, str part, uint64_t start, char *to, size_t cap)
{
    if (s->at < start || s->at - start >= part.len)
        return 0;
    str piece = str_head(str_skip(part, s->at - start), cap);
    memcpy(to, piece.p, piece.len);
    s->at += piece.len;
    return piece.len;
}

static enum err read_file(struct send *s, uint64_t start, char *to, size_t cap, size_t *ret_n,
                          struct error *e)
{
    uint64_t done = s->at - start;
    size_t n = MIN((uint64_t)cap, s->message.len - done);
    if (n)
        TRY(sys_pread_full(s->message.fd, to, n, s->message.off + done, e));
    s->at += n;
    *ret_n = n;
    return ERR_OK;
}

/* Some bytes of the active message; none, and no longer active, at its end. */
static enum err read_message(struct send *s, char *to, size_t cap, size_t *ret_n, struct error *e)
{
    const struct grpc_message *m = &s->message;
    uint64_t body = sizeof s->prefix + m->head.len;
    size_t n = copy_part(s, str_of(s->prefix, sizeof s->prefix), 0, to, cap);
    n += copy_part(s, buf_view(&m->head), sizeof s->prefix, to + n, cap - n);
    *ret_n = 0;
    if (s->at >= body)
        TRY(read_file(s, body, to + n, cap - n, ret_n, e));
    *ret_n += n;
    if (s->at == body + m->len) {
        grpc_message_deinit(&s->message);
        grpc_message_init(&s->message);
        s->active = false;
    }
    return ERR_OK;
}

static enum err get_next(struct send *s, enum send_what *ret_what, struct error *e)
{
    *ret_what = SEND_END;
    if (!s->next)
        return ERR_OK;
    TRY(s->next(s->ctx, &s->message, ret_what, e));
    return *ret_what == SEND_MESSAGE ? start(s, e) : ERR_OK;
}

static enum err step(struct send *s, char *to, size_t cap, size_t *ret_n, enum send_what *ret_what,
                     struct error *e)
{
    *ret_n = 0;
    *ret_what = SEND_MESSAGE;
    if (!s->active)
        return get_next(s, ret_what, e);
    return read_message(s, to, cap, ret_n, e);
}

size_t send_read(struct send *s, char *to, size_t cap, enum h2_more *ret_more, struct error *e)
{
    static const enum h2_more more[] = {H2_MORE, H2_WAIT, H2_END};
    enum send_what what = SEND_MESSAGE;
    size_t n, done = 0;
    while (done < cap && what == SEND_MESSAGE) {
        enum err err = step(s, to + done, cap - done, &n, &what, e);
        if (err != ERR_OK) {
            *ret_more = H2_FAIL;
            return done;
        }
        done += n;
    }
    *ret_more = more[what];
    return done;
}
