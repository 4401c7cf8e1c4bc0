/* Lists that come in pages: gathered as a table for people or as JSON. */
#ifndef STIGMER_CLI_LISTING_H
#define STIGMER_CLI_LISTING_H

#include "cli/cli.h"
#include "cli/json.h"
#include "grpc/client.h"

struct listing {
    struct cli *c;
    const char *const *heads;
    struct table table;
    json_t *items;
    size_t n_items;
    int32_t total;
    char *next_token; /* owned; "" = no more */
};

/* Fetches the page at l->next_token and gives it to listing_add. */
typedef enum err listing_fetch_fn(struct listing *l, struct grpc_client *client, void *ctx,
                                  struct error *e);
typedef void listing_row_fn(struct table *t, const ProtobufCMessage *item);

/* heads: the columns, NULL-terminated. Starts at --page-token. Release with listing_deinit, also
 * after an error. */
enum err listing_init(struct listing *l, struct cli *c, const char *const *heads, struct error *e);
void listing_deinit(struct listing *l);
/* --limit, else 20, or 100 with --all. */
int32_t listing_page_size(const struct listing *l);
/* One page, or all of them with --all. */
enum err listing_fetch(struct listing *l, listing_fetch_fn *fetch, void *ctx, struct error *e);
enum err listing_add(struct listing *l, ProtobufCMessage *const *items, size_t n_items,
                     listing_row_fn *row, const char *next_token, int32_t total, struct error *e);
/* noun: "skills". */
enum err listing_print(struct listing *l, const char *noun, struct error *e);

#endif
