#include "server/keeper.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/thread.h"
#include "meta/meta.h"
#include "server/stopper.h"
#include "skill/skill.h"
#include "store/store.h"

#include <stdlib.h>

/* Between two looks: as soon as something is well again, it is told. */
#define LOOK_NS (500 * NS_PER_MS)

#define COMMANDS "ai.stigmer.agentic.skill.v1.SkillCommandController"

struct keeper {
    struct keeper_options o;
    pthread_t thread;
    struct stopper stopper;
    pthread_mutex_t lock; /* guards state */
    struct api_state state;
};

static void look_at_scrub(const struct keeper *k, struct api_state *ret)
{
    struct error ignored;
    struct skill_scrub_state st;
    if (skill_scrub_state(k->o.skills, &st, &ignored) != ERR_OK)
        return;
    ret->scrub_completed_ns = st.completed_ns;
    ret->scrub_archives = st.last_archives;
    ret->scrub_damaged = st.last_damaged;
    ret->scrub_damaged_so_far = st.damaged;
}

static struct api_state look(const struct keeper *k)
{
    struct error e;
    struct api_state s = {.failed_commits = meta_failures(k->o.meta)};
    look_at_scrub(k, &s);
    s.takes_deletes = skill_ready(k->o.skills, false, &e) == ERR_OK;
    s.takes_pushes = s.takes_deletes && skill_ready(k->o.skills, true, &e) == ERR_OK;
    if (!s.takes_pushes)
        memcpy(s.reason, e.msg, sizeof s.reason);
    return s;
}

static void log_change(const struct api_state *old, const struct api_state *now)
{
    if (old->takes_pushes == now->takes_pushes && old->takes_deletes == now->takes_deletes)
        return;
    if (now->takes_pushes)
        log_info("changes are taken again");
    else
        log_warn(now->takes_deletes ? "pushes are refused" : "changes are refused",
                 LOG_C("reason", now->reason));
}

/* Health is for those who route calls: full, the commands still take deletes. */
static void publish(struct keeper *k, const struct api_state *now)
{
    pthread_mutex_lock(&k->lock);
    struct api_state old = k->state;
    k->state = *now;
    pthread_mutex_unlock(&k->lock);
    log_change(&old, now);
    if (old.takes_deletes != now->takes_deletes)
        grpc_server_set_service(k->o.grpc, STR(COMMANDS), now->takes_deletes);
}

static void *run(void *arg)
{
    struct keeper *k = arg;
    struct error ignored; /* it stays broken, which is told */
    while (stopper_wait(&k->stopper, clock_mono_ns() + LOOK_NS)) {
        (void)store_recover(k->o.store, &ignored);
        struct api_state now = look(k);
        publish(k, &now);
    }
    return NULL;
}

static void keeper_free(struct keeper *k)
{
    stopper_deinit(&k->stopper);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

enum err keeper_start(const struct keeper_options *o, struct keeper **ret, struct error *e)
{
    struct keeper *k = calloc(1, sizeof *k);
    if (!k)
        return FAIL_NOMEM(e);
    k->o = *o;
    k->state = (struct api_state){.takes_pushes = true, .takes_deletes = true};
    (void)pthread_mutex_init(&k->lock, NULL);
    stopper_init(&k->stopper);
    struct api_state now = look(k);
    publish(k, &now);
    enum err err = thread_start("keeper", run, k, &k->thread, e);
    if (err != ERR_OK) {
        keeper_free(k);
        return err;
    }
    *ret = k;
    return ERR_OK;
}

void keeper_state(void *keeper, struct api_state *ret)
{
    struct keeper *k = keeper;
    pthread_mutex_lock(&k->lock);
    *ret = k->state;
    pthread_mutex_unlock(&k->lock);
}

void keeper_stop(struct keeper *k)
{
    if (!k)
        return;
    stopper_tell(&k->stopper);
    pthread_join(k->thread, NULL);
    keeper_free(k);
}
