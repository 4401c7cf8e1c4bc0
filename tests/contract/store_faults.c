/* Every operation of a backend fails once: what the client is told, what stays behind, and that
 * the next push works. */
#include "base/sys.h"
#include "store/faulty.h"
#include "store_kit.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>

#define HELLO STR("hello, faults")

static void arm(struct store *s, enum store_op op, bool after, int sys)
{
    store_faulty_arm(
        s, &(struct store_fault){.op = op, .nth = 1, .times = 1, .after = after, .sys = sys});
}

/* A whole push; the first failure's code. */
static enum err push(struct store *s, str data, struct error *e)
{
    struct spool *sp = NULL;
    enum err err = store_spool(s, data.len, &sp, e);
    if (!err)
        err = spool_write(sp, data.p, data.len, e);
    if (!err)
        err = spool_seal(sp, e);
    if (!err)
        err = store_put(s, sp, NULL, e);
    spool_free(sp);
    return err;
}

/* After an operation that was done and reported as failed the artifact may be there, whole. */
static void check_nothing_else_left(struct store *s, bool may_exist)
{
    size_t n = kit_count(s);
    CHECK(n == 0 || (n == 1 && may_exist));
    CHECK_INT(kit_n_entries("skills"), n);
    CHECK_INT(kit_n_entries("quarantine"), 0);
    if (n)
        kit_check_served(s, HELLO);
}

static void push_with_fault(enum store_op op, bool after, int sys, enum err want)
{
    struct store *s = kit_open(&backend_faulty);
    struct error e;
    struct digest d = kit_digest(HELLO);
    size_t n_fds = kit_n_fds();
    arm(s, op, after, sys);
    CHECK_ERR(push(s, HELLO, &e), want, &e);
    CHECK_INT(kit_n_fds(), n_fds);
    arm(s, STORE_N_OPS, false, 0);
    check_nothing_else_left(s, op == STORE_OP_PUBLISH && after);
    CHECK_OK(push(s, HELLO, &e), &e);
    kit_check_served(s, HELLO);
    CHECK_INT(kit_n_entries("skills"), 1);
    CHECK_OK(store_remove(s, &d, &e), &e);
    CHECK_INT(kit_n_fds(), n_fds);
    store_close(s);
}

/* The operations of a push that meets no earlier artifact. */
static const enum store_op push_ops[] = {
    STORE_OP_SPOOL_OPEN, STORE_OP_SPOOL_WRITE, STORE_OP_SPOOL_SYNC, STORE_OP_HEAD, STORE_OP_PUBLISH,
};

/* What cannot be written makes the store read-only; what cannot be read does not. */
static enum err when_broken(enum store_op op)
{
    return op == STORE_OP_HEAD ? ERR_INTERNAL : ERR_UNAVAILABLE;
}

TEST(a_push_whose_disk_fails_leaves_nothing)
{
    for (size_t i = 0; i < ARRAY_SIZE(push_ops); i++) {
        push_with_fault(push_ops[i], false, EIO, when_broken(push_ops[i]));
        push_with_fault(push_ops[i], true, EIO, when_broken(push_ops[i]));
    }
}

TEST(a_push_without_space_leaves_nothing)
{
    for (size_t i = 0; i < ARRAY_SIZE(push_ops); i++) {
        push_with_fault(push_ops[i], false, ENOSPC, ERR_RESOURCE_EXHAUSTED);
        push_with_fault(push_ops[i], true, EDQUOT, ERR_RESOURCE_EXHAUSTED);
    }
}

TEST(a_full_disk_is_told_plainly)
{
    const int full[] = {ENOSPC, EDQUOT};
    struct store *s = kit_open(&backend_faulty);
    struct error e;
    for (size_t i = 0; i < ARRAY_SIZE(full); i++) {
        arm(s, STORE_OP_SPOOL_WRITE, false, full[i]);
        CHECK_ERR(push(s, HELLO, &e), ERR_RESOURCE_EXHAUSTED, &e);
        CHECK_INT(e.sys, 0);
        CHECK_STR(str_c(e.reason), STR("store.full"));
        CHECK_CONTAINS(str_c(e.msg), STR("the server's storage is full"));
        CHECK(str_find_str(str_c(e.msg), STR("injected")) < 0);
    }
    store_close(s);
}

TEST(other_failures_keep_their_errno_for_the_log)
{
    const int other[] = {EIO, EMFILE, EROFS};
    struct store *s = kit_open(&backend_faulty);
    struct error e;
    for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
        arm(s, STORE_OP_HEAD, false, other[i]);
        CHECK_ERR(push(s, HELLO, &e), sys_err(other[i]), &e);
        CHECK_INT(e.sys, other[i]);
    }
    store_close(s);
}

TEST(a_failed_fsync_is_neither_retried_nor_believed)
{
    struct store *s = kit_open(&backend_faulty);
    struct error e;
    struct spool *sp = kit_spool(s, HELLO);
    arm(s, STORE_OP_SPOOL_SYNC, false, EIO);
    CHECK_ERR(store_put(s, sp, NULL, &e), ERR_UNAVAILABLE, &e);
    CHECK_STR(str_c(e.reason), STR("store.broken"));
    CHECK_INT(e.sys, 0); /* a sentence for clients */
    CHECK_ERR(store_put(s, sp, NULL, &e), ERR_INTERNAL, &e);
    CHECK_STR(str_c(e.reason), STR("store.spool_state"));
    CHECK_INT(store_faulty_calls(s, STORE_OP_SPOOL_SYNC), 1);
    CHECK_INT(store_faulty_calls(s, STORE_OP_PUBLISH), 0);
    spool_free(sp);
    check_nothing_else_left(s, false);
    store_close(s);
}

TEST(an_unknown_outcome_ends_the_spool)
{
    struct store *s = kit_open(&backend_faulty);
    struct error e;
    struct spool *sp = kit_spool(s, HELLO);
    arm(s, STORE_OP_PUBLISH, true, EIO);
    CHECK_ERR(store_put(s, sp, NULL, &e), ERR_UNAVAILABLE, &e);
    CHECK_ERR(store_put(s, sp, NULL, &e), ERR_INTERNAL, &e);
    CHECK_INT(store_faulty_calls(s, STORE_OP_PUBLISH), 1);
    spool_free(sp);
    store_close(s);
}

TEST(an_existing_artifact_is_not_acknowledged_before_it_is_durable)
{
    struct store *s = kit_open(&backend_faulty);
    struct error e;
    kit_put(s, HELLO, NULL);
    kit_settle();
    arm(s, STORE_OP_PERSIST, false, EIO);
    CHECK_ERR(push(s, HELLO, &e), ERR_UNAVAILABLE, &e);
    CHECK_OK(push(s, HELLO, &e), &e);
    CHECK_INT(store_faulty_calls(s, STORE_OP_PERSIST), 2);
    CHECK_INT(store_faulty_calls(s, STORE_OP_OPEN), 2);
    CHECK_OK(push(s, HELLO, &e), &e); /* remembered: neither opened nor synced again */
    CHECK_INT(store_faulty_calls(s, STORE_OP_PERSIST), 2);
    CHECK_INT(store_faulty_calls(s, STORE_OP_OPEN), 2);
    CHECK_INT(store_faulty_calls(s, STORE_OP_SPOOL_SYNC), 0);
    store_close(s);
}

TEST(an_existing_artifact_that_cannot_be_read_is_not_believed)
{
    for (int after = 0; after < 2; after++) {
        struct store *s = kit_open(&backend_faulty);
        struct error e;
        struct digest d;
        size_t n_fds = kit_n_fds();
        CHECK(!kit_put(s, HELLO, NULL)); /* so it is not remembered as durable */
        arm(s, STORE_OP_OPEN, after, EIO);
        CHECK_ERR(push(s, HELLO, &e), ERR_INTERNAL, &e);
        CHECK_INT(kit_n_fds(), n_fds);
        CHECK_INT(kit_n_entries("quarantine"), 0);
        CHECK(kit_put(s, HELLO, &d));
        CHECK_OK(store_remove(s, &d, &e), &e); /* the next round is to put it anew */
        store_close(s);
    }
}

TEST(a_read_that_fails_opens_nothing)
{
    for (int after = 0; after < 2; after++) {
        struct store *s = kit_open(&backend_faulty);
        struct error e;
        struct digest d;
        struct artifact a;
        bool verified = true;
        size_t n_fds = kit_n_fds();
        kit_put(s, HELLO, &d);
        arm(s, STORE_OP_OPEN, after, EIO);
        CHECK_ERR(store_open(s, &d, &a, &e), ERR_INTERNAL, &e);
        CHECK_INT(a.fd, -1);
        arm(s, STORE_OP_OPEN, after, EIO);
        CHECK_ERR(store_open_fast(s, &d, &a, &verified, &e), ERR_INTERNAL, &e);
        CHECK(!verified);
        CHECK_INT(a.fd, -1);
        CHECK_INT(kit_n_fds(), n_fds);
        kit_check_served(s, HELLO);
        store_close(s);
    }
}

TEST(damage_is_not_served_when_it_cannot_be_put_aside)
{
    struct store *s = kit_open(&backend_faulty);
    struct error e;
    struct digest d = kit_digest(HELLO);
    struct artifact a;
    kit_put(s, HELLO, NULL);
    kit_flip_first_byte(s, HELLO);
    arm(s, STORE_OP_QUARANTINE, false, EIO);
    CHECK_ERR(store_open(s, &d, &a, &e), ERR_DATA_LOSS, &e);
    CHECK_INT(e.sys, 0);
    arm(s, STORE_OP_REPLACE, false, EIO);
    CHECK_ERR(push(s, HELLO, &e), ERR_UNAVAILABLE, &e); /* nor is a push acknowledged */
    CHECK_ERR(store_open(s, &d, &a, &e), ERR_DATA_LOSS, &e);
    CHECK_INT(kit_n_entries("quarantine"), 1);
    CHECK_INT(kit_n_entries("skills"), 0);
    CHECK(!kit_put(s, HELLO, NULL));
    kit_check_served(s, HELLO);
    store_close(s);
}

TEST(damage_stays_until_its_replacement_is_safe)
{
    struct store *s = kit_open(&backend_faulty);
    struct error e;
    kit_put(s, HELLO, NULL);
    kit_flip_first_byte(s, HELLO);
    arm(s, STORE_OP_SPOOL_SYNC, false, EIO);
    CHECK_ERR(push(s, HELLO, &e), ERR_UNAVAILABLE, &e);
    CHECK_INT(store_faulty_calls(s, STORE_OP_REPLACE), 0);
    CHECK_INT(kit_n_entries("skills"), 1);
    CHECK(!kit_put(s, HELLO, NULL));
    CHECK_INT(kit_n_entries("quarantine"), 1);
    store_close(s);
}

TEST(a_lost_race_is_run_again)
{
    struct store *s = kit_open(&backend_faulty);
    struct error e;
    arm(s, STORE_OP_PUBLISH, false, EEXIST);
    CHECK_OK(push(s, HELLO, &e), &e);
    CHECK_INT(store_faulty_calls(s, STORE_OP_PUBLISH), 2);
    CHECK_INT(store_faulty_calls(s, STORE_OP_SPOOL_SYNC), 1);
    kit_check_served(s, HELLO);
    store_close(s);
}

TEST(a_race_lost_for_ever_is_given_up)
{
    struct store *s = kit_open(&backend_faulty);
    struct error e;
    store_faulty_arm(
        s, &(struct store_fault){.op = STORE_OP_PUBLISH, .nth = 1, .times = 100, .sys = EEXIST});
    CHECK_ERR(push(s, HELLO, &e), ERR_UNAVAILABLE, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("try again"));
    check_nothing_else_left(s, false);
    store_close(s);
}

/* --- read-only --- */

TEST(after_a_failed_fsync_nothing_is_taken_until_the_disk_is_well)
{
    struct store *s = kit_open(&backend_faulty);
    struct error e;
    struct digest d;
    struct spool *sp = NULL;
    kit_put(s, STR("earlier"), &d);
    CHECK_OK(store_ready(s, &e), &e);
    struct spool *begun = kit_spool(s, STR("begun before"));
    struct spool *failing = kit_spool(s, HELLO);
    /* The probe that follows at once, and the one after it, find the disk still failing. */
    store_faulty_arm(
        s, &(struct store_fault){.op = STORE_OP_SPOOL_SYNC, .nth = 1, .times = 1, .sys = EIO});
    store_faulty_also(s, STORE_OP_PROBE, 2, EIO);
    CHECK_ERR(store_put(s, failing, NULL, &e), ERR_UNAVAILABLE, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("the server is read-only"));
    CHECK_ERR(store_ready(s, &e), ERR_UNAVAILABLE, &e);
    CHECK_ERR(store_spool(s, 10, &sp, &e), ERR_UNAVAILABLE, &e);
    CHECK_ERR(store_put(s, begun, NULL, &e), ERR_UNAVAILABLE, &e);
    CHECK_ERR(store_remove(s, &d, &e), ERR_UNAVAILABLE, &e);
    kit_check_served(s, STR("earlier")); /* reading goes on */
    CHECK_ERR(store_recover(s, &e), ERR_INTERNAL, &e);
    CHECK_ERR(store_ready(s, &e), ERR_UNAVAILABLE, &e);
    CHECK_OK(store_recover(s, &e), &e);
    CHECK_OK(store_ready(s, &e), &e);
    CHECK_OK(store_put(s, begun, NULL, &e), &e);
    CHECK_INT(store_faulty_calls(s, STORE_OP_PROBE), 3);
    CHECK_OK(store_recover(s, &e), &e); /* nothing to do */
    CHECK_INT(store_faulty_calls(s, STORE_OP_PROBE), 3);
    spool_free(begun);
    spool_free(failing);
    store_close(s);
}

TEST(a_disk_that_became_read_only_makes_the_store_so)
{
    struct store *s = kit_open(&backend_faulty);
    struct error e;
    arm(s, STORE_OP_SPOOL_OPEN, false, EROFS);
    store_faulty_also(s, STORE_OP_PROBE, 1, EROFS);
    CHECK_ERR(push(s, HELLO, &e), ERR_UNAVAILABLE, &e);
    CHECK_ERR(store_ready(s, &e), ERR_UNAVAILABLE, &e);
    CHECK_OK(store_recover(s, &e), &e);
    CHECK_OK(push(s, HELLO, &e), &e);
    store_close(s);
}

TEST(what_says_nothing_about_the_disk_leaves_the_store_open)
{
    const int shortage[] = {ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM};
    struct store *s = kit_open(&backend_faulty);
    struct error e;
    for (size_t i = 0; i < ARRAY_SIZE(shortage); i++) {
        arm(s, STORE_OP_PUBLISH, false, shortage[i]);
        CHECK_ERR(push(s, HELLO, &e), ERR_RESOURCE_EXHAUSTED, &e);
        CHECK_OK(store_ready(s, &e), &e);
        CHECK_INT(store_faulty_calls(s, STORE_OP_PROBE), 0);
    }
    store_close(s);
}

TEST(what_was_known_before_a_failure_is_checked_again_after_it)
{
    struct store *s = kit_open(&backend_faulty);
    struct error e;
    struct digest d;
    bool verified;
    CLEANUP(artifact_deinit) struct artifact a = ARTIFACT_INIT;
    kit_put(s, HELLO, &d);
    kit_settle();
    kit_check_served(s, HELLO);
    CHECK_OK(store_open_fast(s, &d, &a, &verified, &e), &e);
    CHECK(verified);
    artifact_deinit(&a);
    arm(s, STORE_OP_SPOOL_SYNC, false, EIO);
    CHECK_ERR(push(s, STR("other"), &e), ERR_UNAVAILABLE, &e);
    CHECK_OK(store_open_fast(s, &d, &a, &verified, &e), &e);
    CHECK(!verified);
    kit_check_served(s, HELLO);
    store_close(s);
}

TEST(another_length_is_replaced_without_an_fsync_of_it)
{
    struct store *s = kit_open(&backend_faulty);
    struct error e;
    kit_put(s, HELLO, NULL);
    kit_resize(s, HELLO, HELLO.len - 1); /* another length: no fsync of it is needed to know */
    arm(s, STORE_OP_PERSIST, false, EIO);
    CHECK(!kit_put(s, HELLO, NULL));
    CHECK_INT(store_faulty_calls(s, STORE_OP_PERSIST), 0);
    CHECK_INT(store_faulty_calls(s, STORE_OP_REPLACE), 1);
    CHECK_OK(store_ready(s, &e), &e);
    CHECK_INT(kit_n_entries("quarantine"), 1);
    kit_check_served(s, HELLO);
    store_close(s);
}

TEST(a_damaged_artifact_that_changes_meanwhile_is_looked_at_again)
{
    struct store *s = kit_open(&backend_faulty);
    kit_put(s, HELLO, NULL);
    kit_flip_first_byte(s, HELLO);
    arm(s, STORE_OP_REPLACE, false, ENOENT);
    CHECK(!kit_put(s, HELLO, NULL));
    CHECK_INT(store_faulty_calls(s, STORE_OP_REPLACE), 2);
    kit_check_served(s, HELLO);
    store_close(s);
}

static enum err ignore(void *ctx, const struct store_info *info, struct error *e)
{
    (void)ctx, (void)info, (void)e;
    return ERR_OK;
}

TEST(listing_and_removing_can_fail)
{
    struct store *s = kit_open(&backend_faulty);
    struct error e;
    struct digest d;
    kit_put(s, HELLO, &d);
    arm(s, STORE_OP_EACH, false, EIO);
    CHECK_ERR(store_each(s, ignore, NULL, &e), ERR_INTERNAL, &e);
    arm(s, STORE_OP_REMOVE, false, EIO);
    CHECK_ERR(store_remove(s, &d, &e), ERR_UNAVAILABLE, &e);
    kit_check_served(s, HELLO);
    arm(s, STORE_OP_REMOVE, false, ENOSPC);
    CHECK_ERR(store_remove(s, &d, &e), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_OK(store_remove(s, &d, &e), &e);
    store_close(s);
}

TEST(the_fault_comes_at_the_call_it_was_armed_for)
{
    struct store *s = kit_open(&backend_faulty);
    struct error e;
    struct spool *sp = NULL;
    store_faulty_arm(
        s, &(struct store_fault){.op = STORE_OP_SPOOL_WRITE, .nth = 3, .times = 1, .sys = EIO});
    CHECK_OK(store_spool(s, 100, &sp, &e), &e);
    CHECK_OK(spool_write(sp, "a", 1, &e), &e);
    CHECK_OK(spool_write(sp, "b", 1, &e), &e);
    CHECK_ERR(spool_write(sp, "c", 1, &e), ERR_UNAVAILABLE, &e);
    CHECK_ERR(spool_seal(sp, &e), ERR_INTERNAL, &e); /* a failed spool never heals */
    CHECK_INT(store_faulty_calls(s, STORE_OP_SPOOL_WRITE), 3);
    spool_free(sp);
    store_close(s);
}
