#include "base/log.h"

#include "base/sys.h"
#include "base/utf8.h"
#include "test.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <pty.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static char text[200000];

/* Logs to a file from here on. */
static int log_to_file(enum log_level level, enum log_format format)
{
    struct error e;
    int fd = -1;
    CHECK_OK(sys_openat(test_dirfd(), "log", O_CREAT | O_TRUNC | O_RDWR | O_APPEND, 0600, &fd, &e),
             &e);
    log_setup(level, format, fd);
    return fd;
}

/* What was logged. */
static str logged(int fd)
{
    struct error e;
    size_t n;
    CHECK_OK(sys_pread(fd, text, sizeof text, 0, &n, &e), &e);
    return str_of(text, n);
}

/* The one line of the log, as JSON. */
static json_t *logged_json(int fd)
{
    str line = logged(fd);
    CHECK(str_ends_with(line, STR("\n")));
    CHECK_INT(str_find(line, '\n'), line.len - 1);
    json_error_t je;
    json_t *j = json_loadb(line.p, line.len, JSON_REJECT_DUPLICATES, &je);
    if (!j)
        test_fail(__FILE__, __LINE__, "%s at %d of: %.*s", je.text, je.position, STR_ARG(line));
    return j;
}

static str field(json_t *j, const char *key)
{
    return str_c(json_string_value(json_object_get(j, key)));
}

TEST(a_line_is_json)
{
    int fd = log_to_file(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_warn("artifact stored", LOG_C("hash", "abc"), LOG_INT("bytes", -5),
             LOG_INT("most", INT64_MAX), LOG_INT("least", INT64_MIN));
    json_t *j = logged_json(fd);
    CHECK_STR(field(j, "event"), STR("artifact stored"));
    CHECK_STR(field(j, "level"), STR("warn"));
    CHECK_STR(field(j, "hash"), STR("abc"));
    CHECK(str_ends_with(field(j, "time"), STR("Z")));
    CHECK_INT(json_integer_value(json_object_get(j, "bytes")), -5);
    CHECK_INT(json_integer_value(json_object_get(j, "most")), INT64_MAX);
    CHECK_INT(json_integer_value(json_object_get(j, "least")), INT64_MIN);
    json_decref(j);
}

TEST(a_line_without_fields_is_json)
{
    int fd = log_to_file(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_info("started");
    json_t *j = logged_json(fd);
    CHECK_INT(json_object_size(j), 3);
    json_decref(j);
}

TEST(json_keeps_any_text)
{
    const str texts[] = {STR(""),     STR("\"\\/\b\f\n\r\t"), STR("\033[31m\x7f\x01\x1f"),
                         STR("你好"), STR("😀\xe2\x80\xa8"),   STR("</script>")};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        int fd = log_to_file(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
        log_info("text", LOG_STR("value", texts[i]));
        json_t *j = logged_json(fd);
        CHECK_STR(field(j, "value"), texts[i]);
        json_decref(j);
        close(fd);
    }
}

TEST(json_survives_every_byte)
{
    char all[256];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)i;
    int fd = log_to_file(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_info("bytes", LOG_STR("low", str_of(all + 1, 127)), LOG_STR("high", str_of(all + 128, 128)),
             LOG_STR("zero", str_of(all, 1)));
    str line = logged(fd);
    CHECK_CONTAINS(line, STR("\"zero\":\"\\u0000\""));
    CHECK_CONTAINS(line, STR("\\u001b"));
    CHECK_CONTAINS(line, STR("\"high\":\"\xef\xbf\xbd\xef\xbf\xbd"));
    CHECK(utf8_valid(line));
    json_t *j = json_loadb(line.p, line.len, JSON_ALLOW_NUL, NULL);
    CHECK(j);
    json_decref(j);
}

TEST(an_error_is_three_fields)
{
    struct error e;
    int fd = log_to_file(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    (void)FAIL(&e, ERR_DATA_LOSS, "test.reason", "the message");
    log_error("failed", LOG_ERROR_FIELDS(&e));
    json_t *j = logged_json(fd);
    CHECK_STR(field(j, "code"), STR("DATA_LOSS"));
    CHECK_STR(field(j, "reason"), STR("test.reason"));
    CHECK_STR(field(j, "error"), STR("the message"));
    json_decref(j);
}

static void check_flood(enum log_format format, char byte)
{
    char flood[10000];
    memset(flood, byte, sizeof flood);
    int fd = log_to_file(LOG_LEVEL_INFO, format);
    str v = str_of(flood, sizeof flood);
    log_info("flood", LOG_C("first", "1"), LOG_STR("a", v), LOG_STR("b", v), LOG_STR("c", v),
             LOG_STR("d", v), LOG_STR("e", v), LOG_STR("f", v), LOG_STR("g", v), LOG_STR("h", v),
             LOG_C("last", "2"));
    str line = logged(fd);
    CHECK(line.len <= 4096);
    CHECK(line.len > 2000);
    CHECK(str_ends_with(line, STR("\n")));
    CHECK_CONTAINS(line, STR("first"));
    CHECK_CONTAINS(line, STR("last")); /* what comes behind the flood is logged */
    if (format == LOG_FORMAT_JSON)
        json_decref(logged_json(fd));
    close(fd);
}

TEST(long_values_are_cut_and_do_not_displace_others)
{
    check_flood(LOG_FORMAT_JSON, 'x');
    check_flood(LOG_FORMAT_JSON, '\x01'); /* six times as long when escaped */
    check_flood(LOG_FORMAT_JSON, '\xff');
    check_flood(LOG_FORMAT_PRETTY, 'x');
    check_flood(LOG_FORMAT_PRETTY, '\x01');
}

TEST(every_length_near_the_limit_is_json)
{
    char filler[512];
    memset(filler, 'x', sizeof filler);
    str full = str_of(filler, sizeof filler);
    for (size_t n = 300; n < sizeof filler; n++) {
        int fd = log_to_file(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
        log_info("near", LOG_STR("a", full), LOG_STR("b", full), LOG_STR("c", full),
                 LOG_STR("d", full), LOG_STR("e", full), LOG_STR("f", full), LOG_STR("g", full),
                 LOG_STR("h", str_head(full, n)), LOG_C("i", ""));
        json_decref(logged_json(fd));
        close(fd);
    }
}

TEST(pretty_without_a_terminal_has_no_colours)
{
    int fd = log_to_file(LOG_LEVEL_INFO, LOG_FORMAT_PRETTY);
    log_error("evil", LOG_C("name", "a\033[2J\nb"), LOG_INT("n", 3));
    str line = logged(fd);
    CHECK(str_find(line, '\033') < 0);
    CHECK_CONTAINS(line, STR(" error evil  name=a\\x1b[2J\\x0ab  n=3\n"));
    CHECK_INT(str_find(line, '\n'), line.len - 1);
}

TEST(auto_without_a_terminal_is_json)
{
    int fd = log_to_file(LOG_LEVEL_INFO, LOG_FORMAT_AUTO);
    log_info("x");
    json_decref(logged_json(fd));
}

/* A line as it arrives at a terminal. */
static str logged_on_tty(enum log_format format)
{
    struct error e;
    int master, slave;
    size_t n;
    if (openpty(&master, &slave, NULL, NULL, NULL) != 0)
        test_skip("no pseudo terminals here (is /dev/pts mounted?)");
    log_setup(LOG_LEVEL_INFO, format, slave);
    log_warn("on tty", LOG_C("k", "v"));
    CHECK_OK(sys_read(master, text, sizeof text, &n, &e), &e);
    return str_of(text, n);
}

TEST(a_terminal_gets_pretty_colours)
{
    unsetenv("NO_COLOR");
    str line = logged_on_tty(LOG_FORMAT_AUTO);
    CHECK_CONTAINS(line, STR("\033[33mwarn \033[0m on tty  k=v"));
}

TEST(no_color_is_respected)
{
    setenv("NO_COLOR", "1", 1);
    str line = logged_on_tty(LOG_FORMAT_AUTO);
    CHECK(str_find(line, '\033') < 0);
    CHECK_CONTAINS(line, STR("warn  on tty  k=v"));
}

TEST(json_on_a_terminal_when_asked_for)
{
    CHECK(str_starts_with(logged_on_tty(LOG_FORMAT_JSON), STR("{\"time\":")));
}

TEST(levels_below_the_chosen_one_are_silent)
{
    for (int level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++) {
        int fd = log_to_file((enum log_level)level, LOG_FORMAT_JSON);
        int n = 0;
        log_debug("e");
        log_info("e");
        log_warn("e");
        log_error("e");
        str out = logged(fd);
        for (size_t i = 0; i < out.len; i++)
            n += out.p[i] == '\n';
        CHECK_INT(n, LOG_LEVEL_ERROR - level + 1);
        CHECK(log_enabled((enum log_level)level));
        CHECK(level == 0 || !log_enabled((enum log_level)(level - 1)));
        close(fd);
    }
}

TEST(level_names)
{
    enum log_level l;
    CHECK(log_level_parse(STR("debug"), &l) && l == LOG_LEVEL_DEBUG);
    CHECK(log_level_parse(STR("INFO"), &l) && l == LOG_LEVEL_INFO);
    CHECK(log_level_parse(STR("Warn"), &l) && l == LOG_LEVEL_WARN);
    CHECK(log_level_parse(STR("warning"), &l) && l == LOG_LEVEL_WARN);
    CHECK(log_level_parse(STR("error"), &l) && l == LOG_LEVEL_ERROR);
    CHECK(!log_level_parse(STR(""), &l));
    CHECK(!log_level_parse(STR("verbose"), &l));
    CHECK(!log_level_parse(STR("info "), &l));
    CHECK(!log_level_parse(STR("info\0"), &l));
}

TEST(a_log_that_cannot_be_written_is_no_failure)
{
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON, -1);
    log_info("lost", LOG_INT("n", 1));
}

static void *log_many(void *arg)
{
    for (int i = 0; i < 100; i++)
        log_info("from a thread", LOG_C("thread", arg), LOG_INT("i", i));
    return NULL;
}

TEST(lines_of_threads_do_not_mix)
{
    pthread_t t[4];
    char name[] = "abcdefghijklmnop";
    int n = 0;
    int fd = log_to_file(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    for (size_t i = 0; i < ARRAY_SIZE(t); i++)
        CHECK_INT(pthread_create(&t[i], NULL, log_many, name), 0);
    for (size_t i = 0; i < ARRAY_SIZE(t); i++)
        pthread_join(t[i], NULL);
    str rest = logged(fd), line;
    while (str_cut(rest, '\n', &line, &rest)) {
        json_t *j = json_loadb(line.p, line.len, 0, NULL);
        CHECK(j);
        json_decref(j);
        n++;
    }
    CHECK_INT(n, 400);
}
