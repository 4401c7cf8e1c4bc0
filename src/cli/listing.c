#include "cli/listing.h"

#include "cli/remote.h"

enum { PAGE_DEFAULT = 20, PAGE_ALL = 100 };

enum err listing_init(struct listing *l, struct cli *c, const char *const *heads, struct error *e)
{
    size_t n = 0;
    while (heads[n])
        n++;
    *l = (struct listing){.c = c, .heads = heads, .items = json_array()};
    table_init(&l->table, n);
    for (size_t i = 0; i < n; i++)
        table_add(&l->table, str_c(heads[i]));
    l->next_token = str_dup_c(str_c(c->args.page_token));
    return l->items && l->next_token ? ERR_OK : FAIL_NOMEM(e);
}

void listing_deinit(struct listing *l)
{
    table_deinit(&l->table);
    json_decref(l->items);
    freep(&l->next_token);
}

int32_t listing_page_size(const struct listing *l)
{
    if (l->c->args.limit)
        return (int32_t)l->c->args.limit;
    return l->c->args.all ? PAGE_ALL : PAGE_DEFAULT;
}

enum err listing_fetch(struct listing *l, listing_fetch_fn *fetch, void *ctx, struct error *e)
{
    CLEANUP(grpc_client_closep) struct grpc_client *client = NULL;
    size_t before;
    TRY(remote_open(l->c, false, &client, e));
    do {
        before = l->n_items;
        TRY(fetch(l, client, ctx, e));
    } while (l->c->args.all && *l->next_token && l->n_items > before);
    return ERR_OK;
}

enum err listing_add(struct listing *l, ProtobufCMessage *const *items, size_t n_items,
                     listing_row_fn *row, const char *next_token, int32_t total, struct error *e)
{
    for (size_t i = 0; i < n_items; i++) {
        if (!l->c->args.json)
            row(&l->table, items[i]);
        else if (json_array_append_new(l->items, json_of_message(items[i])) < 0)
            return FAIL_NOMEM(e);
    }
    l->n_items += n_items;
    l->total = total;
    freep(&l->next_token);
    l->next_token = str_dup_c(str_c(next_token));
    return l->next_token ? ERR_OK : FAIL_NOMEM(e);
}

static enum err print_text(struct listing *l, const char *noun, struct error *e)
{
    if (l->n_items == 0) {
        term_printf(&l->c->out, "No %s.\n", noun);
        return ERR_OK;
    }
    TRY(table_print(&l->table, &l->c->out, e));
    if (*l->next_token) {
        term_printf(&l->c->err, "%zu of %d %s. The rest: --all, or --page-token ", l->n_items,
                    (int)l->total, noun);
        term_foreign(&l->c->err, str_c(l->next_token));
        term_printf(&l->c->err, "\n");
    }
    return ERR_OK;
}

enum err listing_print(struct listing *l, const char *noun, struct error *e)
{
    if (!l->c->args.json)
        return print_text(l, noun, e);
    json_t *j = json_pack("{sO so si}", "items", l->items, "nextPageToken",
                          json_of_text(str_c(l->next_token)), "total", (int)l->total);
    return json_print(&l->c->out, j, e);
}
