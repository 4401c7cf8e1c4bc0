/* What the skill commands share: looking one up, and reading records without trusting them. */
#ifndef STIGMER_CLI_SKILL_H
#define STIGMER_CLI_SKILL_H

#include "agent/ref.h"
#include "cli/cli.h"

#include "grpc/client.h"
#include "pb.h"

/* A record's parts as views; a part that the server left out is empty. Borrowed. */
struct skill_view {
    str name, id, org, slug, tag, hash, storage_key, skill_md;
    int64_t created_s, updated_s; /* since the epoch; 0 = not given */
};
struct skill_view skill_view_of(const PB_SKILL(Skill) * s);
/* "@local/calculator", or "calculator" without an organization. */
void skill_print_ref(const struct term *t, const struct skill_view *v);
/* Appends the same as plain text. */
void skill_add_ref(struct buf *b, const struct skill_view *v);
/* "2026-01-25 09:48:50" in UTC into out. */
enum { SKILL_TIME_MAX = 24 };
void skill_format_time(int64_t seconds, char out[SKILL_TIME_MAX]);

void skill_message_freep(PB_SKILL(Skill) * *s);

/* The first argument as a reference; --org adds an organization that the reference leaves out. */
enum err skill_ref_arg(const struct cli *c, struct ref *ret, struct error *e);
/* A reference as the wire says it. r and its text must outlive it; text needs SKILL_REF_TEXT
 * bytes for the C strings. */
enum { SKILL_REF_TEXT = 1024 };
PB_RES(ApiResourceReference) skill_wire_ref(const struct ref *r, char text[SKILL_REF_TEXT]);
/* getByReference. *ret: release with skill_message_freep. */
enum err skill_lookup(const struct cli *c, struct grpc_client *client, const struct ref *ref,
                      PB_SKILL(Skill) * *ret, struct error *e);
/* Connects (never starting a server) and resolves the first argument. */
enum err skill_open(struct cli *c, struct grpc_client **ret_client, struct ref *ret_ref,
                    PB_SKILL(Skill) * *ret, struct error *e);
/* The whole record for people. */
void skill_print(const struct term *t, const struct skill_view *v);

#endif
