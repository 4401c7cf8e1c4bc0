#include "agent/prompt.h"

#include "base/utf8.h"

enum { ASCII_PER_TOKEN = 4 };

void prompt_add_location(struct buf *b, const struct prompt_skill *s)
{
    buf_add_c(b, s->root);
    buf_add_c(b, "/bin/skills/");
    buf_add(b, s->hash);
    buf_add_char(b, '/');
}

void prompt_add_skill(struct buf *b, const struct prompt_skill *s)
{
    buf_add_c(b, "\n### SKILL: ");
    buf_add(b, s->name);
    buf_add_c(b, "\nLOCATION: ");
    prompt_add_location(b, s);
    buf_add_c(b, "\n\n");
    buf_add(b, s->text);
    buf_add_char(b, '\n');
}

void prompt_add_section(struct buf *b, const struct prompt_skill *skills, size_t n)
{
    if (n == 0)
        return;
    buf_add_c(b, "\n\n## Available Skills\n\nThe following skills provide specialized "
                 "capabilities. Each skill includes instructions and executable tools.\n");
    for (size_t i = 0; i < n; i++)
        prompt_add_skill(b, &skills[i]);
}

uint64_t prompt_tokens(str text)
{
    uint64_t ascii = 0, others = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];
        ascii += c < 0x80;
        others += c >= 0xc0; /* the first byte of a character */
    }
    return (ascii + ASCII_PER_TOKEN - 1) / ASCII_PER_TOKEN + others;
}
