/*
 * What the server does by itself now and then, on a thread of its own: it collects garbage, and
 * reads again what it stores.
 */
#ifndef STIGMER_SERVER_CHORES_H
#define STIGMER_SERVER_CHORES_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

struct skill_service;
struct chores;

struct chores_options {
    struct skill_service *skills;
    uint32_t gc_interval_s, scrub_interval_s; /* 0 = never */
    uint64_t scrub_rate;                      /* bytes a second */
};

/* What the options name must outlive it. */
enum err chores_start(const struct chores_options *o, struct chores **ret, struct error *e);
/* The families stigmer_gc_… and stigmer_scrub_…. */
void chores_metrics(const struct chores *c, struct buf *out);
/* Waits for the step that is under way; NULL is fine. */
void chores_stop(struct chores *c);

#endif
