/* The bytes of an HTTP answer, header block and body, through the way that every answer goes: lines, bytes, judgement. The first byte
 * chooses the flags of the request. */
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "net/http_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must be so of every error: a sentence in one line that names the request, and a class to branch on. */
static void check(const struct ft_http_answer *answer, const struct ft_http_asked *asked)
{
    const struct ft_http_res *res = &answer->res;
    size_t len;

    if (!res->error) {
        if (res->class != FT_CLASS_NONE || (!(asked->flags & FT_HTTP_ANY_STATUS) && (res->status < 200 || res->status > 299)))
            abort();
        return;
    }
    len = strlen(res->error);
    if (res->class == FT_CLASS_NONE || strncmp(res->error, "PUT http://x/y: ", 16) != 0 || res->error[len - 1] == '.' || !ft_utf8_valid(res->error, len))
        abort();
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)res->error[i] < ' ' || res->error[i] == 0x7f)
            abort();
}

static bool feed(struct ft_http_answer *answer, const char *text, size_t len)
{
    while (len) {
        const char *end = memchr(text, '\n', len);
        size_t line = end ? (size_t)(end - text) + 1 : len;

        if (!ft_http_answer_line(answer, text, line))
            return false;
        text += line;
        len -= line;
        if (line <= 2 && *(text - line) != ' ' && (line == 1 || *(text - line) == '\r'))
            return ft_http_answer_bytes(answer, text, len);       /* the empty line: the rest is body */
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ft_http_answer answer = { 0 };
    struct ft_http_asked asked = { .method = "PUT", .shown = "http://x/y", .max_bytes = 4096 };
    struct ft_http_failure cut = { .code = CURLE_PARTIAL_FILE, .curl_says = "cut", .sent = true };

    if (size == 0)
        return 0;
    asked.flags = data[0] & (FT_HTTP_JSON | FT_HTTP_WRITE | FT_HTTP_ANY_STATUS);
    ft_http_answer_begin(&answer, asked.max_bytes);
    if (feed(&answer, (const char *)data + 1, size - 1))
        ft_http_answer_judge(&answer, &asked, NULL);
    else
        ft_http_answer_failed(&answer, &asked, &cut);
    check(&answer, &asked);
    for (const struct ft_http_header *h = answer.list; h->name; h++)
        if (!h->value || strlen(h->name) + strlen(h->value) > size)
            abort();
    ft_http_answer_done(&answer);
    return 0;
}
