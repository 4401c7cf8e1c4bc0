#include "cli/term.h"

#include "base/macro.h"

#include "test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void check_size(uint64_t n, const char *want)
{
    char text[SIZE_TEXT_MAX];
    size_format(n, text);
    CHECK_STR(str_c(text), str_c(want));
}

TEST(sizes)
{
    check_size(0, "0 B");
    check_size(1023, "1023 B");
    check_size(1024, "1.0 KB");
    check_size(12698, "12.4 KB");
    check_size(1048576, "1.0 MB");
    check_size(104857600, "100.0 MB");
    check_size(1610612736, "1.5 GB");
    check_size(UINT64_MAX, "16.0 EB");
}

static void check_duration(int64_t s, const char *want)
{
    char text[SIZE_TEXT_MAX];
    duration_format(s, text);
    CHECK_STR(str_c(text), str_c(want));
}

TEST(durations)
{
    check_duration(0, "0s");
    check_duration(59, "59s");
    check_duration(185, "3m 5s");
    check_duration(7200, "2h 0m");
    check_duration(4 * 86400 + 3600, "4d 1h");
}

static void check_safe(str s, const char *keep, const char *want)
{
    CLEANUP(buf_deinit) struct buf b;
    buf_init(&b, 1000);
    text_add_safe(&b, s, keep);
    CHECK_STR(buf_view(&b), str_c(want));
}

TEST(foreign_text_is_escaped)
{
    check_safe(STR("plain, caf\xc3\xa9"), "", "plain, caf\xc3\xa9");
    check_safe(STR("\x1b[31mred"), "", "\\x1b[31mred");
    check_safe(STR("a\nb\tc"), "\n", "a\nb\\x09c");
    check_safe(STR("back\\slash"), "\\", "back\\slash");
    check_safe(STR("back\\slash"), "", "back\\\\slash");
    check_safe(STR("\xe2\x80\xae"
                   "flip"),
               "", "\\u{202e}flip");
    check_safe(STR("bad\xff"), "", "bad\\xff");
    check_safe(str_of("nul\0", 4), "\n", "nul\\x00");
}

/* What a struct term writes into a file, read back. */
static str written(FILE *f)
{
    static char text[100000];
    CHECK_INT(fseek(f, 0, SEEK_SET), 0);
    return str_of(text, fread(text, 1, sizeof text, f));
}

TEST(long_text_is_not_torn_between_pieces)
{
    static char text[12000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "\xe2\x9c\x93"[i % 3];
    FILE *f = tmpfile();
    CHECK(f);
    struct term t = {.f = f};
    term_foreign_lines(&t, str_of(text, 12000));
    CHECK_STR(written(f), str_of(text, 12000));
    (void)fclose(f);
}

TEST(no_colour_without_a_terminal)
{
    FILE *f = tmpfile();
    CHECK(f);
    struct term t;
    term_init(&t, f);
    CHECK(!t.tty);
    CHECK(!t.colour);
    term_styled(&t, TERM_RED, "text");
    CHECK_STR(written(f), STR("text"));
    (void)fclose(f);
}

TEST(colour_when_allowed)
{
    FILE *f = tmpfile();
    CHECK(f);
    struct term t = {.f = f, .tty = true, .colour = true};
    term_styled(&t, TERM_GREEN, "ok");
    CHECK_STR(written(f), STR("\033[32mok\033[0m"));
    (void)fclose(f);
}

static FILE *open_terminal(void)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0)
        test_skip("no pseudo terminals here");
    FILE *f = fopen(ptsname(fd), "re+");
    CHECK(f);
    return f;
}

TEST(environment_decides_on_a_terminal)
{
    FILE *f = open_terminal();
    struct term t;
    CHECK_INT(setenv("TERM", "xterm", 1), 0);
    CHECK_INT(setenv("NO_COLOR", "", 1), 0);
    term_init(&t, f);
    CHECK(t.tty && t.colour);
    CHECK_INT(setenv("NO_COLOR", "1", 1), 0);
    term_init(&t, f);
    CHECK(t.tty && !t.colour);
    CHECK_INT(setenv("TERM", "dumb", 1), 0);
    term_init(&t, f);
    CHECK(!t.tty && !t.colour);
}

TEST(table_aligns_its_columns)
{
    CLEANUP(table_deinit) struct table t;
    struct error e;
    FILE *f = tmpfile();
    CHECK(f);
    struct term to = {.f = f};
    table_init(&t, 2);
    table_add(&t, STR("A"));
    table_add(&t, STR("B"));
    table_add(&t, STR("caf\xc3\xa9s"));
    table_add(&t, STR("\x1b"));
    table_add(&t, STR(""));
    table_add(&t, STR("x"));
    CHECK_OK(table_print(&t, &to, &e), &e);
    CHECK_STR(written(f), STR("A      B\ncaf\xc3\xa9s  \\x1b\n       x\n"));
    (void)fclose(f);
}
