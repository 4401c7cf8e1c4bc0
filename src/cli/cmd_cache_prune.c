/* stigmer cache prune */
#include "agent/cache.h"
#include "cli/agent.h"
#include "cli/json.h"
#include "cli/opt.h"

static enum err limit(const struct cli *c, uint64_t *ret, struct error *e)
{
    if (!c->args.max_size)
        return agent_cache_limit(ret, e);
    if (!size_parse(str_c(c->args.max_size), ret))
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE,
                    "\"%s\" is no size: a number, perhaps with K, M, G or T", c->args.max_size);
    return ERR_OK;
}

static enum err print(struct cli *c, const struct agent_pruned *p, struct error *e)
{
    char kept[SIZE_TEXT_MAX], removed[SIZE_TEXT_MAX];
    if (c->args.json)
        return json_print(&c->out,
                          json_pack("{sI sI sI sI sI}", "removedBytes", (json_int_t)p->removed,
                                    "removedSkills", (json_int_t)p->n_removed, "keptBytes",
                                    (json_int_t)p->kept, "keptSkills", (json_int_t)p->n_kept,
                                    "inUse", (json_int_t)p->n_used),
                          e);
    size_format(p->removed, removed);
    size_format(p->kept, kept);
    term_printf(&c->out, "Removed %zu skills, %s; kept %zu, %s\n", p->n_removed, removed, p->n_kept,
                kept);
    if (p->n_used)
        term_printf(&c->out, "%zu of those would have gone, but are in use\n", p->n_used);
    return ERR_OK;
}

static enum err run(struct cli *c, struct error *e)
{
    CLEANUP(agent_cache_close) struct agent_cache cache = AGENT_CACHE_INIT;
    struct agent_pruned pruned;
    uint64_t max_size;
    TRY(limit(c, &max_size, e));
    TRY(agent_cache_open(NULL, &cache, e));
    TRY(agent_cache_prune(&cache, max_size, &pruned, e));
    return print(c, &pruned, e);
}

static const struct opt table[] = {
    OPT_ROW_STRING(0, "max-size", max_size, "SIZE",
                   "bytes to keep, or 500M, 2G (default: $STIGMER_CACHE_MAX_SIZE, else 10G)"),
    OPT_ROW_END,
};
static const struct opt *const options[] = {table, opt_table_json, NULL};

const struct command cmd_cache_prune = {
    .name = "prune",
    .summary = "make the cache smaller",
    .text = "Removes skills that nobody uses, the longest unused first, until the cache holds at\n"
            "most SIZE, and what interrupted downloads left. What runs or is mounted stays.\n",
    .options = options,
    .run = run,
};
