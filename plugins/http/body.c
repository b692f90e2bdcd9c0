/* body.c: the body of a request: text, a form, a file, or many parts. JSON is the host's to write. */
#include <stdlib.h>
#include <string.h>
#include "http.h"

static bool add(struct exchange *st, const char *bytes, size_t len)
{
    if (len > MAX_BODY - st->body_len)
        return false;
    if (!st->body || st->body_len + len > st->body_size) {
        size_t size = (st->body_len + len) * 2 + 64;
        char *grown = realloc(st->body, size);

        if (!grown)
            return false;
        st->body = grown;
        st->body_size = size;
    }
    memcpy(st->body + st->body_len, bytes, len);
    st->body_len += len;
    return true;
}

static bool add_text(struct exchange *st, const char *text)
{
    return add(st, text, strlen(text));
}

static void whole(struct ft_call *call)
{
    struct exchange *st = host->state(call);

    if (st->body) {
        st->q.req.body = st->body;
        st->q.req.body_len = st->body_len;
    }
    st->ready(call);
}

/* A file that a step names is one of fettle's own: what else this machine holds is not a playbook's to send away. */
static int check_path(const char *path, struct ft_err *reterr)
{
    if (*path == '/' || strstr(path, ".."))
        return ft_fault(reterr, FT_DENIED, "'%.200s': only files below fettle's own folder of files can be sent, by a path without .. in it", path);
    return 0;
}

static void note_file(struct ft_call *call, struct exchange *st, const struct ft_file_res *res)
{
    st->file_note = host->printf(call, "%s%s%s (%zu bytes, SHA-256 %s)", st->file_note ? st->file_note : "", st->file_note ? ", " : "", res->path, res->len, res->sha256);
}

/* ---- one file ---- */

static void file_read(struct ft_call *call, const struct ft_file_res *res)
{
    struct exchange *st = host->state(call);

    if (res->error) {
        http_fail(call, res->class, "%s", res->error);
        return;
    }
    note_file(call, st, res);
    if (!add(st, res->bytes, res->len))
        http_fail(call, FT_INVALID, "%s is larger than the %d MiB that a body may have", res->path, MAX_BODY >> 20);
    else
        whole(call);
}

static int file_body(struct ft_call *call, const char *path, struct ft_err *reterr)
{
    struct exchange *st = host->state(call);
    int r = check_path(path, reterr);

    if (r == 0)
        r = http_default_header(&st->q, "Content-Type", "application/octet-stream", reterr);
    return r < 0 ? r : host->file_read(call, path, MAX_BODY, file_read, reterr);
}

/* ---- a form ---- */

static bool add_pair(struct ft_call *call, struct exchange *st, const char *name, const json_t *value)
{
    const char *text = host->printf(call, "%s%s=%s", st->body_len ? "&" : "", host->url_escape(call, name), host->url_escape(call, http_scalar(call, value)));

    return add_text(st, text);
}

static int form_body(struct ft_call *call, const json_t *form, struct ft_err *reterr)
{
    struct exchange *st = host->state(call);
    const char *name;
    json_t *value, *item;
    bool fits = add(st, "", 0);
    size_t i;

    json_object_foreach((json_t *)form, name, value) {
        if (!json_is_array(value))
            fits = fits && add_pair(call, st, name, value);
        json_array_foreach(value, i, item)
            fits = fits && add_pair(call, st, name, item);
    }
    if (!fits)
        return ft_fault(reterr, FT_INVALID, "the form is larger than the %d MiB that a body may have", MAX_BODY >> 20);
    return http_default_header(&st->q, "Content-Type", "application/x-www-form-urlencoded", reterr);
}

/* ---- many parts (RFC 7578) ---- */

static void next_part(struct ft_call *call);

static bool is_plain(const char *text)
{
    return !text || !strpbrk(text, "\"\r\n");
}

static bool add_part(struct ft_call *call, struct exchange *st, const json_t *part, const char *bytes, size_t len)
{
    const char *file = ft_str(part, "file"), *slash = file ? strrchr(file, '/') : NULL;
    const char *filename = ft_str(part, "filename") ?: slash ? slash + 1 : file, *type = ft_str(part, "type") ?: file ? "application/octet-stream" : NULL;

    if (memmem(bytes, len, st->boundary, strlen(st->boundary)))
        return false;
    return add_text(st, host->printf(call, "--%s\r\nContent-Disposition: form-data; name=\"%s\"", st->boundary, ft_str(part, "name")))
        && (!filename || add_text(st, host->printf(call, "; filename=\"%s\"", filename)))
        && (!type || add_text(st, host->printf(call, "\r\nContent-Type: %s", type))) && add_text(st, "\r\n\r\n") && add(st, bytes, len) && add_text(st, "\r\n");
}

static const json_t *current_part(struct ft_call *call, const struct exchange *st)
{
    return json_array_get(ft_get(host->params(call), "multipart"), st->part);
}

static void part_is_here(struct ft_call *call, const char *bytes, size_t len)
{
    struct exchange *st = host->state(call);
    const json_t *part = current_part(call, st);

    if (!add_part(call, st, part, bytes, len)) {
        http_fail(call, FT_INVALID, "the part '%s' does not fit: a body may have %d MiB, and must not hold the boundary between parts", ft_str(part, "name"), MAX_BODY >> 20);
        return;
    }
    st->part++;
    next_part(call);
}

static void part_read(struct ft_call *call, const struct ft_file_res *res)
{
    if (res->error) {
        http_fail(call, res->class, "%s", res->error);
        return;
    }
    note_file(call, host->state(call), res);
    part_is_here(call, res->bytes, res->len);
}

static void next_part(struct ft_call *call)
{
    struct exchange *st = host->state(call);
    const json_t *part = current_part(call, st);
    struct ft_err err = { 0 };

    if (!part && !add_text(st, host->printf(call, "--%s--\r\n", st->boundary)))
        http_fail(call, FT_INVALID, "the parts are larger than the %d MiB that a body may have", MAX_BODY >> 20);
    else if (!part)
        whole(call);
    else if (!ft_str(part, "file"))
        part_is_here(call, ft_str(part, "content"), json_string_length(ft_get(part, "content")));
    else if (host->file_read(call, ft_str(part, "file"), MAX_BODY, part_read, &err) < 0)
        http_fail(call, err.class ? err.class : FT_INVALID, "%s", err.text);
}

static int check_parts(const json_t *parts, struct ft_err *reterr)
{
    const json_t *part;
    size_t i;
    int r = 0;

    json_array_foreach(parts, i, part) {
        if (!is_plain(ft_str(part, "name")) || !is_plain(ft_str(part, "filename")) || !is_plain(ft_str(part, "file")) || !is_plain(ft_str(part, "type")))
            return ft_fault(reterr, FT_INVALID, "multipart[%zu] has a quote or a line break in a name or type", i);
        if (r == 0 && ft_str(part, "file"))
            r = check_path(ft_str(part, "file"), reterr);
    }
    return r;
}

static int multipart_body(struct ft_call *call, const json_t *parts, struct ft_err *reterr)
{
    struct exchange *st = host->state(call);
    int r = check_parts(parts, reterr);

    st->boundary = host->printf(call, "fettle-%s-4d1c9a7e", host->run_id(call));
    if (r == 0)
        r = http_default_header(&st->q, "Content-Type", host->printf(call, "multipart/form-data; boundary=%s", st->boundary), reterr);
    if (r == 0)
        next_part(call);
    return r;
}

/* ---- which of them ---- */

int http_body(struct ft_call *call, struct ft_err *reterr)
{
    static const char *const kinds[] = { "json", "body", "form", "body_file", "multipart", NULL };
    const json_t *params = host->params(call), *text = ft_get(params, "body"), *form = ft_get(params, "form");
    struct exchange *st = host->state(call);
    unsigned count = 0;
    int r = 0;

    for (const char *const *kind = kinds; *kind; kind++)
        count += ft_get(params, *kind) != NULL;
    if (count > 1)
        return ft_fault(reterr, FT_INVALID, "a request has one body: json, body, form, body_file or multipart");
    if (ft_get(params, "body_file"))
        return file_body(call, ft_str(params, "body_file"), reterr);
    if (ft_get(params, "multipart"))
        return multipart_body(call, ft_get(params, "multipart"), reterr);
    if (form)
        r = form_body(call, form, reterr);
    if (text) {
        st->q.req.body = json_string_value(text);
        st->q.req.body_len = json_string_length(text);
    }
    if (r == 0)
        whole(call);
    return r;
}
