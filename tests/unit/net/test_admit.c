#include "test.h"

#include "base/macro.h"
#include "net/admit.h"

static struct sys_address address(const char *host)
{
    struct sys_address a;
    struct error e;
    CHECK_OK(sys_address_parse(host, 1000, &a, &e), &e);
    return a;
}

static enum err enter(struct admit *a, const char *host, struct error *e)
{
    struct sys_address peer = address(host);
    return admit_enter(a, &peer, e);
}

static void leave(struct admit *a, const char *host)
{
    struct sys_address peer = address(host);
    admit_leave(a, &peer);
}

static struct admit *new_admit(size_t total, size_t each)
{
    struct admit *a;
    struct error e;
    CHECK_OK(admit_new(total, each, &a, &e), &e);
    return a;
}

TEST(one_address_has_its_share)
{
    struct error e;
    struct admit *a = new_admit(100, 2);
    CHECK_OK(enter(a, "192.0.2.1", &e), &e);
    CHECK_OK(enter(a, "192.0.2.1", &e), &e);
    CHECK_ERR(enter(a, "192.0.2.1", &e), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_STR(str_c(e.reason), STR("net.connections_per_address"));
    CHECK_OK(enter(a, "192.0.2.2", &e), &e);
    leave(a, "192.0.2.1");
    CHECK_OK(enter(a, "192.0.2.1", &e), &e);
    CHECK_INT(admit_total(a), 3);
    leave(a, "192.0.2.1");
    leave(a, "192.0.2.1");
    leave(a, "192.0.2.2");
    CHECK_INT(admit_total(a), 0);
    admit_free(a);
}

TEST(an_ipv6_subscriber_is_a_64)
{
    struct error e;
    struct admit *a = new_admit(100, 2);
    CHECK_OK(enter(a, "2001:db8:1:2::1", &e), &e);
    CHECK_OK(enter(a, "2001:db8:1:2:ffff::9", &e), &e);
    CHECK_ERR(enter(a, "2001:db8:1:2::3", &e), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_OK(enter(a, "2001:db8:1:3::1", &e), &e);
    /* IPv4 in IPv6's clothes is counted as IPv4 */
    CHECK_OK(enter(a, "::ffff:192.0.2.1", &e), &e);
    CHECK_OK(enter(a, "192.0.2.1", &e), &e);
    CHECK_ERR(enter(a, "192.0.2.1", &e), ERR_RESOURCE_EXHAUSTED, &e);
    admit_free(a);
}

TEST(loopback_counts_in_total_only)
{
    struct error e;
    struct admit *a = new_admit(6, 1);
    CHECK_OK(enter(a, "127.0.0.1", &e), &e);
    CHECK_OK(enter(a, "127.0.0.1", &e), &e);
    CHECK_OK(enter(a, "127.0.0.2", &e), &e);
    CHECK_OK(enter(a, "::1", &e), &e);
    CHECK_OK(enter(a, "::1", &e), &e);
    CHECK_OK(enter(a, "192.0.2.1", &e), &e);
    CHECK_ERR(enter(a, "127.0.0.1", &e), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_STR(str_c(e.reason), STR("net.connections"));
    leave(a, "::1");
    CHECK_OK(enter(a, "127.0.0.1", &e), &e);
    admit_free(a);
}

TEST(many_addresses)
{
    struct error e;
    struct admit *a = new_admit(20000, 1);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 10000; i++) {
            struct sys_address peer = address("198.18.0.0");
            peer.u.v4.sin_addr.s_addr += i << 8;
            CHECK_OK(admit_enter(a, &peer, &e), &e);
            CHECK_ERR(admit_enter(a, &peer, &e), ERR_RESOURCE_EXHAUSTED, &e);
        }
        for (uint32_t i = 0; i < 10000; i++) {
            struct sys_address peer = address("198.18.0.0");
            peer.u.v4.sin_addr.s_addr += i << 8;
            admit_leave(a, &peer);
        }
        CHECK_INT(admit_total(a), 0);
    }
    admit_free(a);
}
