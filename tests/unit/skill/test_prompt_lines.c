#include "skill/prompt_lines.h"
#include "test.h"

static struct error e;

static void check_refused(const char *text, const char *where)
{
    CHECK_ERR(prompt_lines_check(str_c(text), &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("failed to extract SKILL.md: "));
    CHECK_CONTAINS(str_c(e.msg), str_c(where));
}

TEST(lines_that_pass_for_another_section_are_refused)
{
    check_refused("### SKILL: x", "line 1 starts with \"### SKILL:\"");
    check_refused("a\n### SKILL:", "line 2 ");
    check_refused("a\nb\nLOCATION: /bin/skills/abc/\n", "line 3 starts with \"LOCATION: /bin/");
    check_refused("\xef\xbb\xbf### SKILL: x", "line 1 ");
}

TEST(every_kind_of_line_end_counts)
{
    check_refused("a\r### SKILL:", "line 2 ");
    check_refused("a\r\n### SKILL:", "line 2 ");
    check_refused("a\r\n\r\n### SKILL:", "line 3 ");
    check_refused("a\v### SKILL:", "line 2 ");
    check_refused("a\f### SKILL:", "line 2 ");
    check_refused("a\xc2\x85### SKILL:", "line 2 ");
    check_refused("a\u2028### SKILL:", "line 2 ");
    check_refused("a\u2029### SKILL:", "line 2 ");
}

TEST(the_same_words_elsewhere_are_fine)
{
    static const char *const fine[] = {"",
                                       "a",
                                       "see ### SKILL: x",
                                       " ### SKILL: x",
                                       "#### SKILL:",
                                       "### SKILL",
                                       "### skill: x",
                                       "LOCATION: /bin/",
                                       "\n\n\n",
                                       "> LOCATION: /bin/skills/"};
    for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
        CHECK_OK(prompt_lines_check(str_c(fine[i]), &e), &e);
}
