/* Room for answers: who may have it, who waits, and whose turn it is. */
#include "h2/session.h"

#include "base/macro.h"

#define RETRY_NS (2 * NS_PER_MS) /* until a budget is asked again: other loops may have given */
#define FAR_NS   (3600 * NS_PER_S)

/* --- the budgets --- */

static bool is_memory(enum h2_room kind)
{
    return kind != H2_ROOM_FILES;
}

static struct ledger *budget_of(struct h2_shared *s, enum h2_room kind)
{
    return is_memory(kind) ? &s->answers : &s->files;
}

/* What taking room of that kind leaves to others. */
static size_t leave_of(const struct h2_shared *s, enum h2_room kind)
{
    static const unsigned eighths[H2_N_ROOMS] = {[H2_ROOM_CHANGE] = 1, [H2_ROOM_LARGE] = 4};
    return s->answers.max / 8 * eighths[kind];
}

static bool take(struct h2_shared *s, enum h2_room kind, size_t n)
{
    return ledger_take_leaving(budget_of(s, kind), n, leave_of(s, kind));
}

static bool is_possible(struct h2_shared *s, enum h2_room kind, size_t n)
{
    size_t max = budget_of(s, kind)->max - leave_of(s, kind);
    return n <= (kind == H2_ROOM_SMALL ? MIN(max, H2_ROOM_SMALL_MAX) : max);
}

/* Whether the connection's peer has read enough to get more. */
static bool reads(const struct h2_conn *hc, enum h2_room kind)
{
    return !is_memory(kind) || hc->unread < (size_t)hc->env->shared->limits.answers_unread;
}

/* --- waiting --- */

static void set_short(struct h2_env *env, enum h2_room kind, bool is_short)
{
    struct h2_shared *s = env->shared;
    int by = (int)is_short - (int)env->room_short[kind];
    env->room_short[kind] = is_short;
    if (by)
        atomic_fetch_add(is_memory(kind) ? &s->memory_short : &s->files_short, by);
}

/* Arms the timer, or makes it fire earlier. */
static enum err arm(struct h2_env *env, int64_t after_ns, struct error *e)
{
    struct timer *t = &env->room_timer;
    int64_t at = loop_now(env->loop) + after_ns;
    return t->at_ns && t->at_ns <= at ? ERR_OK : loop_timer_set(env->loop, t, at, e);
}

/* The timer has its place while anything waits, so this cannot fail. */
static void rearm(struct h2_env *env, int64_t after_ns)
{
    struct error ignored;
    if (env->n_waiting)
        (void)arm(env, after_ns, &ignored);
}

static enum err wait_for_room(struct h2_stream *s, enum h2_room kind, size_t n, struct error *e)
{
    struct h2_env *env = s->hc->env;
    struct h2_queue *q = &s->hc->room_queues[kind];
    TRY(arm(env, RETRY_NS, e));
    if (list_empty(&q->streams))
        list_push_back(&env->room_lines[kind], &q->link);
    list_push_back(&q->streams, &s->room_link);
    s->room_kind = kind;
    s->room_wanted = n;
    env->n_waiting++;
    return ERR_OK;
}

void h2_room_withdraw(struct h2_stream *s)
{
    struct h2_env *env = s->hc->env;
    struct h2_queue *q = &s->hc->room_queues[s->room_kind];
    if (s->room_wanted == 0)
        return;
    s->room_wanted = 0;
    list_del(&s->room_link);
    if (list_empty(&q->streams))
        list_del(&q->link);
    if (list_empty(&env->room_lines[s->room_kind]))
        set_short(env, s->room_kind, false);
    if (--env->n_waiting == 0)
        loop_timer_cancel(env->loop, &env->room_timer);
}

/* --- turns --- */

static void grant(struct h2_stream *s)
{
    struct h2_shared *shared = s->hc->env->shared;
    s->room = s->room_wanted;
    h2_room_withdraw(s);
    shared->handler->on_room(shared->ctx, s);
}

/* The connection at the front: whether one of its streams got room; *ret_short: the budget does
 * not allow it, and nobody overtakes. */
static bool serve_first(struct h2_env *env, enum h2_room kind, bool *ret_short)
{
    struct list *line = &env->room_lines[kind];
    struct h2_queue *q = CONTAINER_OF(line->next, struct h2_queue, link);
    struct h2_stream *s = CONTAINER_OF(q->streams.next, struct h2_stream, room_link);
    bool may = reads(q->hc, kind);
    *ret_short = may && !take(env->shared, kind, s->room_wanted);
    if (*ret_short)
        return false;
    list_del(&q->link);
    list_push_back(line, &q->link);
    if (may)
        grant(s);
    return may;
}

/* One turn for each connection that waits. */
static bool serve(struct h2_env *env, enum h2_room kind)
{
    bool any = false, is_short = false;
    for (size_t n = env->n_conns; n && !is_short && !list_empty(&env->room_lines[kind]); n--)
        any |= serve_first(env, kind, &is_short);
    set_short(env, kind, is_short);
    return any;
}

static bool is_short(const struct h2_env *env)
{
    for (enum h2_room kind = 0; kind < H2_N_ROOMS; kind++)
        if (env->room_short[kind])
            return true;
    return false;
}

/* Who waits for its peer to read is woken by that. */
static void room_fired(struct timer *t)
{
    struct h2_env *env = CONTAINER_OF(t, struct h2_env, room_timer);
    bool any = false;
    rearm(env, FAR_NS);
    for (enum h2_room kind = 0; kind < H2_N_ROOMS; kind++)
        any |= serve(env, kind);
    if (any || is_short(env))
        rearm(env, any ? 0 : RETRY_NS);
}

/* --- what streams ask for and give back --- */

enum err h2_stream_ask_room(struct h2_stream *s, enum h2_room kind, size_t n, bool *ret_now,
                            struct error *e)
{
    struct h2_conn *hc = s->hc;
    struct h2_env *env = hc->env;
    *ret_now = false;
    if (s->gone)
        return ERR_OK;
    if (!is_possible(env->shared, kind, n))
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "h2.room", "an answer may not need room for %zu %s",
                    n, is_memory(kind) ? "bytes" : "files");
    *ret_now = !env->room_short[kind] && list_empty(&hc->room_queues[kind].streams) &&
               reads(hc, kind) && take(env->shared, kind, n);
    if (!*ret_now)
        return wait_for_room(s, kind, n, e);
    s->room_kind = kind;
    s->room = n;
    return ERR_OK;
}

void h2_stream_keep_room(struct h2_stream *s, size_t n)
{
    struct h2_conn *hc = s->hc;
    size_t keep = MIN(n, s->room);
    size_t unread = is_memory(s->room_kind) ? keep : 0;
    bool less = keep < s->room || unread < s->unread;
    if (keep < s->room)
        ledger_give(budget_of(hc->env->shared, s->room_kind), s->room - keep);
    hc->unread += unread - s->unread;
    s->unread = unread;
    s->room = keep;
    if (less)
        rearm(hc->env, 0);
}

void h2_room_leave(struct h2_stream *s)
{
    h2_room_withdraw(s);
    h2_stream_keep_room(s, 0);
}

void h2_room_refuse(struct h2_conn *hc)
{
    LIST_FOR_EACH (node, &hc->streams) {
        struct h2_stream *s = CONTAINER_OF(node, struct h2_stream, link);
        if (s->room_wanted)
            h2_stream_reset(s, NGHTTP2_ENHANCE_YOUR_CALM);
    }
}

bool h2_room_is_wanted(const struct h2_stream *s)
{
    struct h2_shared *shared = s->hc->env->shared;
    return s->room &&
           atomic_load(is_memory(s->room_kind) ? &shared->memory_short : &shared->files_short) > 0;
}

bool h2_room_is_wanted_of(const struct h2_conn *hc)
{
    LIST_FOR_EACH (node, &hc->streams)
        if (h2_room_is_wanted(CONTAINER_OF(node, struct h2_stream, link)))
            return true;
    return false;
}

/* --- beginning --- */

void h2_room_init(struct h2_shared *s)
{
    ledger_init(&s->answers, (size_t)s->limits.answer_budget);
    ledger_init(&s->files, (size_t)s->limits.open_files);
}

void h2_room_init_env(struct h2_env *env)
{
    env->room_timer.fired = room_fired;
    for (enum h2_room kind = 0; kind < H2_N_ROOMS; kind++)
        list_init(&env->room_lines[kind]);
}

void h2_room_init_conn(struct h2_conn *hc)
{
    for (enum h2_room kind = 0; kind < H2_N_ROOMS; kind++) {
        hc->room_queues[kind].hc = hc;
        list_init(&hc->room_queues[kind].streams);
    }
}
