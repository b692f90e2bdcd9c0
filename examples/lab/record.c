/* record.c: every write that came in, in order, in memory and in DIR/writes.jsonl. A line is in the file before the answer is
 * sent, so the record also knows of what a crashed client never heard about. */
#include <fcntl.h>
#include <unistd.h>
#include "lab.h"

int lab_record_open(struct lab *lab, struct ft_err *reterr)
{
    char path[600];

    snprintf(path, sizeof(path), "%s/writes.jsonl", lab->dir);
    lab->writes_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (lab->writes_fd < 0)
        return ft_err_set(reterr, -errno, "cannot write '%s': %s", path, strerror(errno));
    lab->writes = json_array();
    return 0;
}

static void append_line(int fd, const json_t *entry)
{
    char *text = json_dumps(entry, JSON_COMPACT);
    size_t len = strlen(text), at = 0;

    text[len++] = '\n';                              /* in place of the NUL: one write, one line */
    while (at < len) {
        ssize_t n = write(fd, text + at, len - at);

        if (n <= 0 && errno != EINTR)
            break;
        at += n > 0 ? (size_t)n : 0;
    }
    free(text);
}

void lab_record(struct lab *lab, const char *system, const char *method, const char *path, json_t *commands, json_t *body,
                const char *from, int status, bool done)
{
    char t[40];
    json_t *entry;

    lab_iso(lab->wall, t, sizeof(t));
    entry = json_pack("{s:i, s:s, s:s, s:s, s:s}", "n", (int)json_array_size(lab->writes) + 1, "t", t, "system", system,
                      "method", method, "path", path);
    if (commands)
        json_object_set_new(entry, "commands", commands);
    json_object_set_new(entry, "body", body ? body : json_null());
    json_object_set_new(entry, "from", json_string(from));
    json_object_set_new(entry, "status", json_integer(status));
    json_object_set_new(entry, "done", json_boolean(done));
    append_line(lab->writes_fd, entry);
    json_array_append_new(lab->writes, entry);
}
