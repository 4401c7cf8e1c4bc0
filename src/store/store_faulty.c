#include "base/macro.h"
#include "base/sys.h"
#include "store/backend.h"
#include "store/faulty.h"

#include <stdatomic.h>
#include <stdlib.h>

struct faulty_store {
    struct store base;
    struct store *inner; /* owned */
    struct store_fault faults[2];
    _Atomic unsigned calls[STORE_N_OPS];
};

static struct faulty_store *faulty_of(struct store *s)
{
    return CONTAINER_OF(s, struct faulty_store, base);
}

static enum err fail_on_purpose(const struct store_fault *fault, struct error *e)
{
    return FAIL_SYS(e, sys_err(fault->sys), fault->sys, "store.fault", "injected");
}

/* Counts a call of op; the fault that it meets, or NULL. */
static const struct store_fault *strikes(struct faulty_store *f, enum store_op op)
{
    unsigned n = atomic_fetch_add(&f->calls[op], 1) + 1;
    for (size_t i = 0; i < ARRAY_SIZE(f->faults); i++) {
        const struct store_fault *fault = &f->faults[i];
        if (fault->op == op && n >= fault->nth && n - fault->nth < fault->times)
            return fault;
    }
    return NULL;
}

/* Runs `call` on the inner store, or fails before or after it. */
#define FORWARD(s, opcode, call)                                                                   \
    do {                                                                                           \
        struct faulty_store *f = faulty_of(s);                                                     \
        struct store *inner = f->inner;                                                            \
        const struct store_fault *fault = strikes(f, (opcode));                                    \
        if (fault && !fault->after)                                                                \
            return fail_on_purpose(fault, e);                                                      \
        enum err err = inner->ops->call;                                                           \
        return fault ? fail_on_purpose(fault, e) : err;                                            \
    } while (0)

static void faulty_close(struct store *s)
{
    store_close(faulty_of(s)->inner);
    store_deinit(s);
    free(faulty_of(s));
}

static enum err faulty_spool_open(struct store *s, int *ret_fd, struct error *e)
{
    FORWARD(s, STORE_OP_SPOOL_OPEN, spool_open(inner, ret_fd, e));
}

static enum err faulty_spool_write(struct store *s, int fd, const void *p, size_t len, uint64_t off,
                                   struct error *e)
{
    FORWARD(s, STORE_OP_SPOOL_WRITE, spool_write(inner, fd, p, len, off, e));
}

static enum err faulty_spool_sync(struct store *s, int fd, struct error *e)
{
    FORWARD(s, STORE_OP_SPOOL_SYNC, spool_sync(inner, fd, e));
}

static enum err faulty_publish(struct store *s, int fd, uint64_t len, const struct digest *d,
                               struct error *e)
{
    FORWARD(s, STORE_OP_PUBLISH, publish(inner, fd, len, d, e));
}

static enum err faulty_head(struct store *s, const struct digest *d, struct blob_version *ret,
                            struct error *e)
{
    FORWARD(s, STORE_OP_HEAD, head(inner, d, ret, e));
}

static enum err faulty_open(struct store *s, const struct digest *d, struct artifact *ret,
                            struct blob_version *ret_version, struct error *e)
{
    FORWARD(s, STORE_OP_OPEN, open(inner, d, ret, ret_version, e));
}

static enum err faulty_replace(struct store *s, int fd, const struct digest *d,
                               const struct blob_version *bad, struct error *e)
{
    FORWARD(s, STORE_OP_REPLACE, replace(inner, fd, d, bad, e));
}

static enum err faulty_persist(struct store *s, const struct artifact *a, struct error *e)
{
    FORWARD(s, STORE_OP_PERSIST, persist(inner, a, e));
}

static enum err faulty_quarantine(struct store *s, const struct digest *d,
                                  const struct blob_version *bad, struct error *e)
{
    FORWARD(s, STORE_OP_QUARANTINE, quarantine(inner, d, bad, e));
}

static enum err faulty_each(struct store *s,
                            enum err (*fn)(void *ctx, const struct store_info *, struct error *),
                            void *ctx, struct error *e)
{
    FORWARD(s, STORE_OP_EACH, each(inner, fn, ctx, e));
}

static enum err faulty_remove(struct store *s, const struct digest *d, struct error *e)
{
    FORWARD(s, STORE_OP_REMOVE, remove(inner, d, e));
}

static enum err faulty_probe(struct store *s, struct error *e)
{
    FORWARD(s, STORE_OP_PROBE, probe(inner, e));
}

static enum err faulty_room(struct store *s, struct sys_room *ret, struct error *e)
{
    FORWARD(s, STORE_OP_ROOM, room(inner, ret, e));
}

static enum err faulty_hold(struct store *s, enum store_hold how, int *ret_fd, struct error *e)
{
    return store_hold(faulty_of(s)->inner, how, ret_fd, e);
}

static const struct store_ops faulty_ops = {
    .name = "faulty",
    .close = faulty_close,
    .spool_open = faulty_spool_open,
    .spool_write = faulty_spool_write,
    .spool_sync = faulty_spool_sync,
    .publish = faulty_publish,
    .head = faulty_head,
    .open = faulty_open,
    .replace = faulty_replace,
    .persist = faulty_persist,
    .quarantine = faulty_quarantine,
    .each = faulty_each,
    .remove = faulty_remove,
    .hold = faulty_hold,
    .probe = faulty_probe,
    .room = faulty_room,
};

enum err store_open_faulty(struct store *inner, struct store **ret, struct error *e)
{
    struct faulty_store *f = calloc(1, sizeof *f);
    enum err err = f ? store_init(&f->base, &faulty_ops, e) : FAIL_NOMEM(e);
    if (err) {
        store_close(inner);
        free(f);
        return err;
    }
    f->inner = inner;
    *ret = &f->base;
    return ERR_OK;
}

void store_faulty_arm(struct store *s, const struct store_fault *fault)
{
    struct faulty_store *f = faulty_of(s);
    f->faults[0] = *fault;
    f->faults[1] = (struct store_fault){.times = 0};
    for (size_t i = 0; i < STORE_N_OPS; i++)
        atomic_store(&f->calls[i], 0);
}

void store_faulty_also(struct store *s, enum store_op op, unsigned times, int sys)
{
    faulty_of(s)->faults[1] = (struct store_fault){.op = op, .nth = 1, .times = times, .sys = sys};
}

unsigned store_faulty_calls(struct store *s, enum store_op op)
{
    return atomic_load(&faulty_of(s)->calls[op]);
}
