/* How many calls of which method ended how, and how long they took. */
#include "grpc/server_impl.h"

#include "base/clock.h"
#include "h2/h2.h"

#include <stdlib.h>

enum err stats_new(struct grpc_server *s, struct error *e)
{
    for (size_t i = 0; i < METRIC_STRIPES; i++) {
        s->stats[i] = calloc(s->n_methods + 1, sizeof *s->stats[i]);
        if (!s->stats[i])
            return FAIL_NOMEM(e);
    }
    return ERR_OK;
}

void stats_free(struct grpc_server *s)
{
    for (size_t i = 0; i < METRIC_STRIPES; i++)
        free(s->stats[i]);
}

/* Unknown methods share one row, whatever clients call them. */
void stats_add(const struct call *c)
{
    size_t number = c->method ? c->method_number : c->server->n_methods;
    struct method_stats *m = &c->server->stats[metric_stripe()][number];
    counter_add(&m->codes[c->error ? c->error->code : ERR_OK], 1);
    counter_add(&m->bytes_in, (uint64_t)c->bytes_in);
    counter_add(&m->bytes_out, (uint64_t)c->bytes_out);
    metric_note(&m->seconds, &metric_seconds, (uint64_t)(clock_mono_ns() - c->started_ns));
}

/* --- telling --- */

static void add_up(const struct grpc_server *s, size_t method, struct method_stats *ret)
{
    *ret = (struct method_stats){0};
    for (size_t i = 0; i < METRIC_STRIPES; i++) {
        const struct method_stats *m = &s->stats[i][method];
        for (size_t code = 0; code < SERVER_N_CODES; code++)
            counter_add(&ret->codes[code], counter_get(&m->codes[code]));
        counter_add(&ret->bytes_in, counter_get(&m->bytes_in));
        counter_add(&ret->bytes_out, counter_get(&m->bytes_out));
        metric_merge(&ret->seconds, &m->seconds);
    }
}

static const char *name_of(const struct grpc_server *s, size_t method)
{
    return method < s->n_methods ? s->methods[method].method->path : "unknown";
}

typedef void print_fn(struct buf *out, const char *family, const char *method,
                      const struct method_stats *m);

static void print_codes(struct buf *out, const char *family, const char *method,
                        const struct method_stats *m)
{
    for (size_t code = 0; code < SERVER_N_CODES; code++) {
        const struct metric_label labels[] = {{"method", method}, {"code", err_name(code)}};
        uint64_t n = counter_get(&m->codes[code]);
        if (n || code == ERR_OK)
            metric_line(out, family, labels, (double)n);
    }
}

static void print_in(struct buf *out, const char *family, const char *method,
                     const struct method_stats *m)
{
    const struct metric_label labels[2] = {{"method", method}};
    metric_line(out, family, labels, (double)counter_get(&m->bytes_in));
}

static void print_out(struct buf *out, const char *family, const char *method,
                      const struct method_stats *m)
{
    const struct metric_label labels[2] = {{"method", method}};
    metric_line(out, family, labels, (double)counter_get(&m->bytes_out));
}

static void print_seconds(struct buf *out, const char *family, const char *method,
                          const struct method_stats *m)
{
    const struct metric_label labels[2] = {{"method", method}};
    metric_histogram(out, family, labels, &metric_seconds, &m->seconds);
}

static void print_methods(const struct grpc_server *s, struct buf *out)
{
    static const struct {
        const char *name, *type, *help;
        print_fn *print;
    } families[] = {
        {"stigmer_grpc_requests_total", "counter", "Calls that have ended.", print_codes},
        {"stigmer_grpc_request_bytes_total", "counter", "Bytes of requests.", print_in},
        {"stigmer_grpc_response_bytes_total", "counter", "Bytes of answers.", print_out},
        {"stigmer_grpc_request_duration_seconds", "histogram", "From a call's headers to its end.",
         print_seconds},
    };
    for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
        metric_family(out, families[f].name, families[f].type, families[f].help);
        for (size_t i = 0; i <= s->n_methods; i++) {
            struct method_stats m;
            add_up(s, i, &m);
            families[f].print(out, families[f].name, name_of(s, i), &m);
        }
    }
}

static void print_budgets(struct grpc_server *s, struct buf *out)
{
    const struct {
        const char *name;
        struct ledger *ledger;
    } budgets[] = {{"uploads", &s->upload_budget},
                   {"requests", &s->request_budget},
                   {"receive_windows", h2_server_budget(s->h2, H2_BUDGET_WINDOWS)},
                   {"answers", h2_server_budget(s->h2, H2_BUDGET_ANSWERS)}};
    metric_family(out, "stigmer_memory_budget_used_bytes", "gauge",
                  "Memory that is charged to each budget.");
    for (size_t i = 0; i < ARRAY_SIZE(budgets); i++) {
        const struct metric_label labels[2] = {{"budget", budgets[i].name}};
        metric_line(out, "stigmer_memory_budget_used_bytes", labels,
                    (double)ledger_used(budgets[i].ledger));
    }
    metric_family(out, "stigmer_memory_budget_limit_bytes", "gauge",
                  "What may be charged to each budget; beyond it clients wait.");
    for (size_t i = 0; i < ARRAY_SIZE(budgets); i++) {
        const struct metric_label labels[2] = {{"budget", budgets[i].name}};
        metric_line(out, "stigmer_memory_budget_limit_bytes", labels,
                    (double)budgets[i].ledger->max);
    }
    metric_one(out, "stigmer_download_files", "gauge", "Archives that are open for downloads.",
               (double)ledger_used(h2_server_budget(s->h2, H2_BUDGET_FILES)));
}

void grpc_server_metrics(struct grpc_server *s, struct buf *out)
{
    print_methods(s, out);
    print_budgets(s, out);
    h2_server_metrics(s->h2, out);
}
