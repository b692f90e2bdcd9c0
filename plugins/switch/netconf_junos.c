/* netconf_junos.c: Junos' show commands as NETCONF operations.
 *
 * What has an rpc of the same name on every series goes as that; for the rest (whose names or arguments differ between series) Junos' <command>. */
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "netconf.h"
#include "session.h"

/* ---- configuration ---- */

static bool plain_word(const char *word)
{
    return *word && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:-") == strlen(word);
}

/* Containers whose second word is the name of an entry, and what such an entry is called. */
static const char *entry_of(const char *container)
{
    static const struct { const char *container, *entry; } lists[] = {
        { "interfaces", "interface" }, { "vlans", "vlan" }, { "routing-instances", "instance" },
    };

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (strcmp(container, lists[i].container) == 0)
            return lists[i].entry;
    }
    return NULL;
}

const char *junos_path_xml(struct ft_call *call, const char *path)
{
    const char *words[3], *entry;
    char buffer[256];
    size_t n = cli_words(path, strlen(path), buffer, sizeof(buffer), words, 3);

    for (size_t i = 0; i < n; i++) {
        if (!plain_word(words[i]))
            return NULL;
    }
    if (n == 0)
        return "";
    entry = entry_of(words[0]);
    if (n == 1)
        return host->printf(call, "<%s/>", words[0]);
    if (strcmp(words[0], "groups") == 0)
        return host->printf(call, "<groups><name>%s</name></groups>", words[1]);
    if (entry)
        return host->printf(call, "<%s><%s><name>%s</name></%s></%s>", words[0], entry, words[1], entry, words[0]);
    return host->printf(call, "<%s><%s/></%s>", words[0], words[1], words[0]);
}

static const char *configuration_rpc(struct ft_call *call, const char *path, const char *filters, const char **ret_element, struct ft_err *reterr)
{
    const char *compare = strstr(filters, "compare rollback "), *format = strstr(filters, "display set") ? "set" : "text", *xml;

    if (compare) {
        *ret_element = "configuration-output";
        return host->printf(call, "<get-configuration compare=\"rollback\" rollback=\"%u\" database=\"committed\" format=\"text\"/>",
                            (unsigned)strtoul(compare + strlen("compare rollback "), NULL, 10));
    }
    xml = junos_path_xml(call, path);
    if (!xml) {
        sw_error(reterr, FT_INVALID, "'%s' is no path that NETCONF could be asked for", path);
        return NULL;
    }
    *ret_element = *format == 's' ? "configuration-set" : "configuration-text";
    if (!*xml)
        return host->printf(call, "<get-configuration database=\"committed\" format=\"%s\"/>", format);
    return host->printf(call, "<get-configuration database=\"committed\" format=\"%s\"><configuration>%s</configuration></get-configuration>", format, xml);
}

/* ---- operational ---- */

static const char *known_rpc(struct ft_call *call, const char *command)
{
    static const struct { const char *command, *rpc; } known[] = {
        { "show interfaces terse", "<get-interface-information><terse/></get-interface-information>" },
        { "show ethernet-switching table", "<get-ethernet-switching-table-information/>" },
        { "show lldp neighbors", "<get-lldp-neighbors-information/>" },
        { "show version", "<get-software-information/>" },
        { "show system uptime", "<get-system-uptime-information/>" },
    };
    char port[64], form[16];

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(command, known[i].command) == 0)
            return known[i].rpc;
    }
    if (sscanf(command, "show interfaces %63s %15s", port, form) == 2 && strcmp(form, "extensive") == 0 && plain_word(port))
        return host->printf(call, "<get-interface-information><interface-name>%s</interface-name><extensive/></get-interface-information>", port);
    return NULL;
}

static const char *command_rpc(struct ft_call *call, const char *command, bool text)
{
    char *escaped = nc_escape(command);
    const char *rpc = host->printf(call, "<command format=\"%s\">%s</command>", text ? "text" : "xml", escaped ? escaped : "");

    free(escaped);
    return rpc;
}

/* Filters that only say how the answer comes; others would have to be done by the switch, and its <command> does none. */
static bool only_form(const char *filters)
{
    static const char *const forms[] = { "no-more", "display json", "display xml", "display set", "compare rollback " };

    while (*filters) {
        bool known = false;

        filters += strspn(filters, "| ");
        for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
            known |= strncmp(filters, forms[i], strlen(forms[i])) == 0;
        if (*filters && !known)
            return false;
        filters += strcspn(filters, "|");
    }
    return true;
}

const char *junos_rpc(struct ft_call *call, const char *command, enum nc_form *ret_form, const char **ret_element, struct ft_err *reterr)
{
    size_t len = strcspn(command, "|");
    const char *filters = command + len, *rpc = NULL;
    bool json = strstr(filters, "display json") || strstr(filters, "display xml");
    char *base;

    while (len && command[len - 1] == ' ')
        len--;
    base = host->printf(call, "%.*s", (int)len, command);
    *ret_form = json ? NC_AS_JSON : NC_AS_TEXT;
    *ret_element = NULL;
    if (!only_form(filters)) {
        sw_error(reterr, FT_INVALID, "filters behind | do not exist over NETCONF: leave them out, or set transport: cli for this switch");
        return NULL;
    }
    if (strncmp(base, "show configuration", 18) == 0 && !json)
        return configuration_rpc(call, base + 18 + strspn(base + 18, " "), filters, ret_element, reterr);
    if (json)
        rpc = known_rpc(call, base);
    return rpc ? rpc : command_rpc(call, base, !json);
}
