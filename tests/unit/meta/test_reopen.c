/* A database that is opened again while it is used. */
#include "meta/backend.h"
#include "meta/meta.h"
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static struct error e;

static struct meta_backend *open_backend(void)
{
    struct meta_backend *b = NULL;
    CHECK_OK(meta_lmdb_new(test_dir(), NULL, &b, &e), &e);
    return b;
}

static void put(struct meta_backend *b, const char *value)
{
    struct meta_btxn *t = NULL;
    CHECK_OK(b->ops->begin_write(b, NULL, &t, &e), &e);
    CHECK_OK(b->ops->put(t, META_SKILLS, STR("k"), str_c(value), &e), &e);
    CHECK_OK(b->ops->commit(t, &e), &e);
}

static enum err get(struct meta_backend *b, const char *want, struct error *er)
{
    struct meta_btxn *t = NULL;
    str got;
    TRY(b->ops->begin_read(b, &t, er));
    CHECK_OK(b->ops->get(t, META_SKILLS, STR("k"), &got, er), er);
    CHECK_STR(got, str_c(want));
    b->ops->abort(t);
    return ERR_OK;
}

TEST(what_was_committed_is_there_afterwards)
{
    struct meta_backend *b = open_backend();
    bool kept;
    put(b, "one");
    for (int i = 0; i < 3; i++) {
        CHECK_OK(b->ops->reopen(b, &kept, &e), &e);
        CHECK_OK(get(b, "one", &e), &e);
    }
    put(b, "two");
    CHECK_OK(get(b, "two", &e), &e);
    CHECK_OK(b->ops->room(b, &e), &e);
    b->ops->close(b);
}

TEST(a_reader_that_does_not_end_delays_it_and_is_not_disturbed)
{
    struct meta_backend *b = open_backend();
    struct meta_btxn *t = NULL;
    bool kept;
    str got;
    put(b, "one");
    CHECK_OK(b->ops->begin_read(b, &t, &e), &e);
    CHECK_ERR(b->ops->reopen(b, &kept, &e), ERR_UNAVAILABLE, &e);
    CHECK_OK(b->ops->get(t, META_SKILLS, STR("k"), &got, &e), &e);
    CHECK_STR(got, STR("one"));
    CHECK_OK(get(b, "one", &e), &e); /* others can still begin */
    b->ops->abort(t);
    CHECK_OK(b->ops->reopen(b, &kept, &e), &e);
    CHECK_OK(get(b, "one", &e), &e);
    b->ops->close(b);
}

/* --- under load --- */

static atomic_bool stop;

static void *read_all_the_time(void *arg)
{
    struct error er;
    while (!stop)
        CHECK_OK(get(arg, "one", &er), &er);
    return NULL;
}

TEST(readers_do_not_notice)
{
    enum { N = 4 };
    pthread_t threads[N];
    struct meta_backend *b = open_backend();
    bool kept;
    put(b, "one");
    for (int i = 0; i < N; i++)
        CHECK(pthread_create(&threads[i], NULL, read_all_the_time, b) == 0);
    for (int i = 0; i < 20; i++)
        CHECK_OK(b->ops->reopen(b, &kept, &e), &e);
    stop = true;
    for (int i = 0; i < N; i++)
        pthread_join(threads[i], NULL);
    b->ops->close(b);
}

/* --- a database that is gone --- */

TEST(readers_are_told_when_it_cannot_be_opened)
{
    struct meta_backend *b = open_backend();
    struct meta_btxn *t = NULL;
    bool kept;
    put(b, "one");
    CHECK(renameat(test_dirfd(), "data.mdb", test_dirfd(), "aside") == 0);
    CHECK(b->ops->reopen(b, &kept, &e) != ERR_OK);
    CHECK_ERR(b->ops->begin_read(b, &t, &e), ERR_UNAVAILABLE, &e);
    CHECK_ERR(b->ops->begin_write(b, NULL, &t, &e), ERR_UNAVAILABLE, &e);
    CHECK_ERR(b->ops->room(b, &e), ERR_UNAVAILABLE, &e);
    CHECK(renameat(test_dirfd(), "aside", test_dirfd(), "data.mdb") == 0);
    CHECK_OK(b->ops->reopen(b, &kept, &e), &e);
    CHECK_OK(get(b, "one", &e), &e);
    b->ops->close(b);
}
