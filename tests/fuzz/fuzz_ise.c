/* fuzz_ise.c: any bytes as what ISE says: XML of MnT, and the times, dates, MAC addresses and attribute strings in it.
 *
 * The first byte chooses: XML, or one text for every reader of texts. */
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/ise/ise_xml.c"
#include "../../plugins/ise/ise_shape.c"
#include "../../plugins/ise/ise_certs.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static char *kept[64];
static size_t kept_count;

__attribute__((format(printf, 2, 3)))
static char *fuzz_printf(struct ft_call *call, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    (void)call;

    va_start(ap, fmt);
    must(vasprintf(&text, fmt, ap) >= 0 && kept_count < 64);
    va_end(ap);
    return kept[kept_count++] = text;
}

static const struct ft_host table = { .printf = fuzz_printf };
const struct ft_host *host = &table;

/* What the readers link with and never call here. */
void ise_fail(struct ft_call *call, enum ft_class class, const char *fmt, ...) { (void)call, (void)class, (void)fmt; }
void ise_done(struct ft_call *call, json_t *result) { (void)call, json_decref(result); }
void ise_drop(struct ft_call *call) { (void)call; }
int ise_start(struct ft_call *call, enum ise_mode mode, ise_next *first) { (void)call, (void)mode, (void)first; return 0; }
json_t *ise_hold(struct ft_call *call, json_t *value) { (void)call; return value; }
const char *ise_escape(struct ft_call *call, const char *text) { (void)call; return text; }
void ise_list(struct ft_call *call, const char *resource, ise_then *then) { (void)call, (void)resource, (void)then; }
void ise_list_some(struct ft_call *call, enum ise_api api, const char *path, size_t limit, ise_then *then) { (void)call, (void)api, (void)path, (void)limit, (void)then; }

static unsigned depth_of(const json_t *value)
{
    unsigned deepest = 0, d;
    const char *name;
    json_t *item;
    size_t i;

    json_object_foreach((json_t *)value, name, item) {
        d = depth_of(item);
        deepest = d > deepest ? d : deepest;
    }
    json_array_foreach(value, i, item) {
        d = depth_of(item);
        deepest = d > deepest ? d : deepest;
    }
    return deepest + 1;
}

static void as_xml(const char *text, size_t len)
{
    json_t *value = NULL;
    struct ft_err err = { 0 };

    if (ise_xml(text, len, &value, &err) < 0) {
        must(!value && err.text[0]);
        return;
    }
    must(json_is_object(value) && json_object_size(value) == 1 && depth_of(value) < 200);
    json_decref(value);
}

static void as_text(const char *text)
{
    char mac[ISE_MAC_LEN + 1];
    json_t *record = json_pack("{s:s?, s:s?}", "other_attr_string", text, "n", text), *number;

    if (ise_mac(text, mac))
        must(strlen(mac) == ISE_MAC_LEN);
    must(isfinite(ise_time(text)) && isfinite(ise_certificate_time(text)));
    if (record) {
        ise_other(NULL, record, "NAS-Port");
        number = ise_int_or_null(record, "n");
        must(number != NULL);
        json_decref(number);
        ise_true(record, "n");
    }
    json_decref(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size < 1)
        return 0;
    text = strndup((const char *)data + 1, size - 1);
    if (data[0] % 2)
        as_text(text);
    else
        as_xml((const char *)data + 1, size - 1);
    free(text);
    while (kept_count)
        free(kept[--kept_count]);
    return 0;
}
