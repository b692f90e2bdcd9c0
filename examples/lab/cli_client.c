/* cli_client.c: the process that sshd starts for a session on a switch (`fettle-lab --cli SWITCH`). It has the terminal: it echoes,
 * edits the line, pages; what a line means is known by the lab, on the other side of a unix socket. */
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>
#include "lab.h"

enum { LINE_MAX_BYTES = 4096 };

struct client {
    FILE *lab;                    /* the socket */
    bool tty;
    struct termios before;
    int screen;                   /* as the lab says: -1 as the terminal is, 0 no paging */
    char prompt[600], pager[32];
    bool over, skipped_lf;
    bool secret;                  /* what is typed is not echoed */
};

/* A path in a deep directory is too long for a socket's address: through a descriptor of its directory it is short. */
int lab_cli_connect(const char *socket_path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    char *dir = ft_strdup(socket_path), *slash = strrchr(dir, '/');
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), at = -1;

    if (slash) {
        *slash = '\0';
        at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/%.64s", at, slash + 1);
    }
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        close(fd);
        fd = -1;
    }
    if (at >= 0)
        close(at);
    free(dir);
    return fd;
}

static void put(const char *text, size_t len)
{
    while (len) {
        ssize_t n = write(STDOUT_FILENO, text, len);

        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

static void puts_out(const char *text)
{
    put(text, strlen(text));
}

/* One line to the lab, its answer back; NULL: the lab, or this switch, is gone. */
static json_t *ask(struct client *c, json_t *what)
{
    char *text = json_dumps(what, JSON_COMPACT), *line = NULL;
    size_t size = 0;
    json_t *reply = NULL;

    json_decref(what);
    if (fprintf(c->lab, "%s\n", text) > 0 && fflush(c->lab) == 0 && getline(&line, &size, c->lab) > 0)
        reply = json_loads(line, 0, NULL);
    free(text);
    free(line);
    return reply;
}

static int read_byte(void)
{
    unsigned char byte;

    return read(STDIN_FILENO, &byte, 1) == 1 ? byte : -1;
}

/* ---- paging ---- */

static int page_lines(const struct client *c)
{
    struct winsize size;

    if (!c->tty || c->screen == 0)
        return 0;
    if (c->screen > 0)
        return c->screen;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1 ? size.ws_row : 24;
}

static void show(struct client *c, const char *text)
{
    int page = page_lines(c), line = 0;

    while (*text) {
        size_t len = strcspn(text, "\n");
        int key;

        if (page && line == page - 1) {
            puts_out(c->pager);
            key = read_byte();
            puts_out("\r            \r");
            if (key == 'q' || key == 'Q' || key < 0)
                return;
            line = key == '\r' || key == '\n' ? line - 1 : 0;
        }
        put(text, len + (text[len] == '\n'));
        text += len + (text[len] == '\n');
        line++;
    }
}

/* ---- a line ---- */

static void take(struct client *c, json_t *reply)
{
    const char *prompt;

    if (!reply) {
        c->over = true;
        return;
    }
    c->screen = (int)json_integer_value(json_object_get(reply, "screen"));
    snprintf(c->pager, sizeof(c->pager), "%s", json_string_value(json_object_get(reply, "pager")));
    c->secret = json_is_true(json_object_get(reply, "secret"));
    show(c, json_string_value(json_object_get(reply, "out")));
    prompt = json_string_value(json_object_get(reply, "prompt"));
    snprintf(c->prompt, sizeof(c->prompt), "%s", prompt ? prompt : "");
    c->over = json_is_true(json_object_get(reply, "over"));
    json_decref(reply);
}

static void send_line(struct client *c, const char *line)
{
    take(c, ask(c, json_pack("{s:s}", "line", line)));
    if (!c->over && (c->tty || c->prompt[0]))
        puts_out(c->prompt);
}

/* True when the line is complete. */
static bool edit(struct client *c, int key, char *line, size_t *len)
{
    char byte = (char)key;

    if (key == '\n' && c->skipped_lf) {
        c->skipped_lf = false;
        return false;
    }
    c->skipped_lf = key == '\r';
    switch (key) {
    case '\r':
    case '\n':
        puts_out(c->tty ? *len && line[*len - 1] != ' ' ? " \n" : "\n" : "");
        return true;
    case 3:                                          /* ^C */
        *len = 0;
        puts_out("^C\n");
        puts_out(c->prompt);
        return false;
    case 4:                                          /* ^D at the start of a line */
        if (*len)
            return false;
        line[(*len)++] = 4;
        return true;
    case 8:
    case 127:
        if (*len) {
            --*len;
            puts_out("\b \b");
        }
        return false;
    case 21:                                         /* ^U */
        for (; *len; --*len)
            puts_out("\b \b");
        return false;
    default:
        if ((key < 32 && key != '\t') || *len + 1 >= LINE_MAX_BYTES)
            return false;
        line[(*len)++] = byte;
        if (c->tty && !c->secret)
            put(&byte, 1);
        return false;
    }
}

static void dialogue(struct client *c)
{
    char line[LINE_MAX_BYTES];
    size_t len = 0;
    int key;

    puts_out(c->prompt);
    while (!c->over && (key = read_byte()) >= 0) {
        if (!edit(c, key, line, &len))
            continue;
        line[len] = '\0';
        len = 0;
        send_line(c, line);
    }
}

/* ssh host "configure; set …; commit": one command after the other, quotes respected. */
static void commands(struct client *c, const char *text)
{
    char line[LINE_MAX_BYTES];
    size_t len = 0;
    bool quoted = false;

    for (; !c->over; text++) {
        if (*text == '"')
            quoted = !quoted;
        if (*text && (quoted || (*text != ';' && *text != '\n'))) {
            if (len + 1 < sizeof(line))
                line[len++] = *text;
            continue;
        }
        line[len] = '\0';
        len = 0;
        take(c, ask(c, json_pack("{s:s, s:b}", "line", line, "bare", 1)));
        if (!*text)
            return;
    }
}

static void raw_terminal(struct client *c)
{
    struct termios raw;

    c->tty = tcgetattr(STDIN_FILENO, &c->before) == 0;
    if (!c->tty)
        return;
    raw = c->before;
    raw.c_iflag &= ~(tcflag_t)(ICRNL | IXON | INLCR | IGNCR);
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

int lab_cli_main(const char *sw, const char *socket_path)
{
    const char *command = getenv("SSH_ORIGINAL_COMMAND"), *from = getenv("SSH_CONNECTION");
    int fd = lab_cli_connect(socket_path);
    struct client c = { .lab = fd >= 0 ? fdopen(fd, "r+") : NULL };

    if (!c.lab) {
        fprintf(stderr, "fettle-lab: the lab does not answer on %s\n", socket_path);
        return 1;
    }
    setvbuf(c.lab, NULL, _IOFBF, 65536);
    if (command && strcmp(command, LAB_NETCONF_COMMAND) == 0) {
        int status = lab_netconf_main(c.lab, sw, from ? from : "");

        fclose(c.lab);
        return status;
    }
    if (!command)
        raw_terminal(&c);
    take(&c, ask(&c, json_pack("{s:s, s:s, s:b}", "switch", sw, "from", from ? from : "", "banner", c.tty)));
    if (!c.over && command)
        commands(&c, command);
    else if (!c.over)
        dialogue(&c);
    if (c.tty)
        tcsetattr(STDIN_FILENO, TCSANOW, &c.before);
    fclose(c.lab);
    return 0;
}
