/* netconf_xml.h: what a NETCONF server says, as values. Pure; libxml2 with network, DTDs and entities of their own off.
 *
 * Junos' replies become the same values as `| display json` gives: every element is a list, a leaf is [{"data": "…"}], attributes stand
 * under "attributes". So every reader of cli.h's Junos part reads both. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>
#include <fettle/err.h>

enum nc_kind { NC_HELLO, NC_REPLY, NC_NOTIFICATION, NC_OTHER };

struct nc_message {
    enum nc_kind kind;
    char id[48];                      /* message-id; "" where there is none (Junos leaves it out at times) */
    /* hello */
    bool base_1_0, base_1_1, candidate, confirmed_1_0, confirmed_1_1, validate, startup, junos;
    char session[24];
    /* reply */
    bool failed;                      /* an rpc-error of severity error */
    enum ft_class class;
    char error[500], tag[40];         /* a sentence, and the error-tag */
    char warnings[300];
    void *doc;                        /* xmlDoc; nc_message_done */
};

/* 0, or -EBADMSG with a sentence. */
int nc_parse(const char *text, size_t len, struct nc_message *ret, struct ft_err *reterr);
void nc_message_done(struct nc_message *m);

/* The reply's content in Junos' JSON form: {"interface-information": [{…}]}. New reference. */
json_t *nc_json(const struct nc_message *m);
/* The text of the first element of that name, anywhere; NULL: there is none. Free with free(). Leading and trailing newlines go. */
char *nc_text(const struct nc_message *m, const char *element);
/* All the text of the reply. Free with free(). */
char *nc_all_text(const struct nc_message *m);
/* The inside of the first element of that name (or of the reply: NULL) as indented XML; values of secrets become *** where masked. Free with free(). */
char *nc_inner_xml(const struct nc_message *m, const char *element, bool masked);
/* Is `text` one well-formed piece of XML (several elements side by side are fine)? */
bool nc_is_xml(const char *text, char *why, size_t size);
/* &, < and > written so that they may stand in XML; free with free(). */
char *nc_escape(const char *text);
