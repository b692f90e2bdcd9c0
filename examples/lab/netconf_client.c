/* netconf_client.c: the process that sshd starts for the subsystem netconf of a switch. It frames and unframes (RFC 6242); what an rpc means is
 * known by the lab, on the other side of the unix socket. */
#include <unistd.h>
#include "lab.h"

enum { MESSAGE_MAX = 4 << 20, CHUNK = 700 };

static struct ft_buf in;
static size_t in_at;

static int next_byte(void)
{
    char part[8192];
    ssize_t n;

    if (in_at == in.len) {
        in.len = in_at = 0;
        n = read(STDIN_FILENO, part, sizeof(part));
        if (n <= 0)
            return -1;
        ft_buf_add(&in, part, (size_t)n);
    }
    return (unsigned char)in.data[in_at++];
}

static bool put(const char *text, size_t len)
{
    while (len) {
        ssize_t n = write(STDOUT_FILENO, text, len);

        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

static bool read_marked(struct ft_buf *message)
{
    int byte;

    while ((byte = next_byte()) >= 0) {
        ft_buf_addc(message, (char)byte);
        if (message->overflow)
            return false;
        if (message->len >= 6 && memcmp(message->data + message->len - 6, "]]>]]>", 6) == 0) {
            message->len -= 6;
            message->data[message->len] = '\0';
            return true;
        }
    }
    return false;
}

/* False: the end, or no chunks. */
static bool read_chunked(struct ft_buf *message)
{
    for (;;) {
        size_t len = 0;
        int byte = next_byte();

        if (byte != '\n' || next_byte() != '#')
            return false;
        byte = next_byte();
        if (byte == '#')
            return next_byte() == '\n';
        for (; byte >= '0' && byte <= '9' && len < MESSAGE_MAX; byte = next_byte())
            len = len * 10 + (size_t)(byte - '0');
        if (byte != '\n' || len == 0)
            return false;
        for (; len; len--) {
            byte = next_byte();
            if (byte < 0)
                return false;
            ft_buf_addc(message, (char)byte);
        }
        if (message->overflow)
            return false;
    }
}

static bool send_message(const char *text, bool chunked)
{
    char head[32];
    size_t len = strlen(text);

    if (!chunked)
        return put(text, len) && put("]]>]]>\n", 7);
    while (len) {
        size_t n = len < CHUNK ? len : CHUNK;

        snprintf(head, sizeof(head), "\n#%zu\n", n);
        if (!put(head, strlen(head)) || !put(text, n))
            return false;
        text += n;
        len -= n;
    }
    return put("\n##\n", 4);
}

static json_t *ask(FILE *lab, json_t *what)
{
    char *text = json_dumps(what, JSON_COMPACT), *line = NULL;
    size_t size = 0;
    json_t *reply = NULL;

    json_decref(what);
    if (fprintf(lab, "%s\n", text) > 0 && fflush(lab) == 0 && getline(&line, &size, lab) > 0)
        reply = json_loads(line, 0, NULL);
    free(text);
    free(line);
    return reply;
}

/* False: the session is over. */
static bool pass_on(json_t *reply, bool chunked)
{
    const char *out = json_string_value(json_object_get(reply, "out"));
    bool goes_on = out && send_message(out, chunked) && !json_is_true(json_object_get(reply, "over"));

    json_decref(reply);
    return goes_on;
}

int lab_netconf_main(FILE *lab, const char *sw, const char *from)
{
    struct ft_buf message = FT_BUF_INIT(MESSAGE_MAX);
    json_t *first = ask(lab, json_pack("{s:s, s:s, s:b}", "switch", sw, "from", from, "netconf", 1));
    bool server_1_1 = first && strstr(json_string_value(json_object_get(first, "out")), "base:1.1"), chunked = false, goes_on;

    in = (struct ft_buf)FT_BUF_INIT(0);
    goes_on = first && pass_on(first, false) && read_marked(&message);
    if (goes_on)
        chunked = server_1_1 && strstr(ft_buf_str(&message), "urn:ietf:params:netconf:base:1.1");
    while (goes_on) {
        message.len = 0;
        goes_on = (chunked ? read_chunked(&message) : read_marked(&message))
            && pass_on(ask(lab, json_pack("{s:s}", "rpc", ft_buf_str(&message))), chunked);
    }
    ft_buf_done(&message);
    ft_buf_done(&in);
    return 0;
}
