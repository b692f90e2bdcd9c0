/* http_mail.c: one mail, on a worker thread, with a connection of its own.
 *
 * curl speaks SMTP in a blocking way at its end: it waits for the answer to the mail, and for that to QUIT, wherever it is called, for up to two
 * minutes; and a transfer that is taken back in the middle gets the end-of-mail mark, so that half a mail is sent. On a thread it blocks
 * nobody, and an abort from its progress callback ends the connection instead. */
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include "base/util.h"
#include "net/http_internal.h"

#define QUIT_S 2L                     /* what the server may take to answer QUIT: by then the mail is taken or refused */

struct ft_mail {
    const struct ft_curl *curl;
    struct ft_work *work;
    void (*over)(void *arg, struct ft_mail_end *end);
    void *arg;
    atomic_bool cancelled;
    CURL *easy;                       /* the thread's, as all that follows until it is over */
    char *url, *user, *password, *ca_file, *from, *body;
    struct curl_slist *to;
    size_t body_len, body_at;
    bool body_read;
    unsigned flags, connect_timeout_ms;
    uint64_t limit_ms;
    struct timespec until;            /* real time: when it must be over, the good-byes too */
    struct ft_mail_end end;
};

static size_t got_line(char *line, size_t size, size_t n, void *arg)
{
    struct ft_mail *mail = arg;

    ft_http_answer_mail_line(&mail->end.answer, line, size * n);
    if (size * n > 4 && (*line >= '4' || (mail->body_read && memcmp(line, "250 ", 4) == 0)))     /* what comes now is QUIT */
        mail->curl->easy_setopt(mail->easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, QUIT_S);
    return size * n;
}

static size_t give_mail(char *to, size_t size, size_t n, void *arg)
{
    struct ft_mail *mail = arg;
    size_t len = ft_min(size * n, mail->body_len - mail->body_at);

    memcpy(to, mail->body + mail->body_at, len);
    mail->body_at += len;
    mail->body_read = len == 0;       /* a mail that was given in part is discarded by the server */
    return len;
}

/* Also asked, once a second, while curl waits for the answer to QUIT, which its own time limit does not cover. */
static int look(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct ft_mail *mail = arg;
    struct timespec now;

    (void)a, (void)b, (void)c, (void)d;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return atomic_load(&mail->cancelled) || now.tv_sec > mail->until.tv_sec || (now.tv_sec == mail->until.tv_sec && now.tv_nsec > mail->until.tv_nsec);
}

#define set(option, value) mail->curl->easy_setopt(mail->easy, option, value)

static void set_login(struct ft_mail *mail)
{
    if (mail->user)
        set(CURLOPT_USERNAME, mail->user);
    if (mail->password)
        set(CURLOPT_PASSWORD, mail->password);
    if (mail->ca_file)
        set(CURLOPT_CAINFO, mail->ca_file);
    if (mail->flags & FT_HTTP_NO_VERIFY) {
        set(CURLOPT_SSL_VERIFYPEER, 0L);
        set(CURLOPT_SSL_VERIFYHOST, 0L);
    }
    set(CURLOPT_USE_SSL, mail->flags & FT_HTTP_STARTTLS ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_NONE);
}

static void set_all(struct ft_mail *mail)
{
    set(CURLOPT_URL, mail->url);
    set(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_QUICK_EXIT, 1L);
    set(CURLOPT_FORBID_REUSE, 1L);
    set(CURLOPT_ERRORBUFFER, mail->end.says);
    set(CURLOPT_TIMEOUT_MS, (long)mail->limit_ms);
    set(CURLOPT_CONNECTTIMEOUT_MS, (long)mail->connect_timeout_ms);
    set(CURLOPT_HEADERFUNCTION, got_line);
    set(CURLOPT_HEADERDATA, mail);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, look);
    set(CURLOPT_XFERINFODATA, mail);
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_MAIL_FROM, mail->from);
    set(CURLOPT_MAIL_RCPT, mail->to);
    set(CURLOPT_READFUNCTION, give_mail);
    set(CURLOPT_READDATA, mail);
    set_login(mail);
}
#undef set

static void blocking(void *arg)
{
    struct ft_mail *mail = arg;
    struct ft_mail_end *end = &mail->end;
    const struct ft_curl *curl = mail->curl;
    long connects = 0, os_errno = 0;
    curl_off_t connected = 0;

    mail->easy = curl->easy_init();
    if (!mail->easy)
        abort();
    clock_gettime(CLOCK_MONOTONIC, &mail->until);
    mail->until.tv_sec += (time_t)(mail->limit_ms / 1000);
    mail->until.tv_nsec += (long)(mail->limit_ms % 1000) * 1000000;
    if (mail->until.tv_nsec >= 1000000000) {
        mail->until.tv_nsec -= 1000000000;
        mail->until.tv_sec++;
    }
    set_all(mail);
    end->code = curl->easy_perform(mail->easy);
    if (end->code == CURLE_ABORTED_BY_CALLBACK)
        end->code = CURLE_OPERATION_TIMEDOUT;
    curl->easy_getinfo(mail->easy, CURLINFO_NUM_CONNECTS, &connects);
    curl->easy_getinfo(mail->easy, CURLINFO_OS_ERRNO, &os_errno);
    curl->easy_getinfo(mail->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
    end->connections = (unsigned)connects;
    end->os_errno = (int)os_errno;
    end->sent = mail->body_read;
    end->connecting = connected == 0 && !end->sent && !end->answer.status;
    curl->easy_cleanup(mail->easy);
}

static void after(void *arg)
{
    struct ft_mail *mail = arg;

    mail->over(mail->arg, &mail->end);
}

static void release(void *arg)
{
    struct ft_mail *mail = arg;

    mail->curl->slist_free_all(mail->to);
    free(mail->url);
    free(mail->user);
    if (mail->password)
        explicit_bzero(mail->password, strlen(mail->password));
    free(mail->password);
    free(mail->ca_file);
    free(mail->from);
    free(mail->body);
    ft_http_answer_done(&mail->end.answer);
    free(mail);
}

struct ft_mail *ft_mail_start(struct ft_loop *loop, const struct ft_curl *curl, const struct ft_http_req *req, uint64_t limit_ms, unsigned connect_timeout_ms,
                              void (*over)(void *arg, struct ft_mail_end *end), void *arg)
{
    struct ft_mail *mail = ft_calloc(1, sizeof(*mail));

    mail->curl = curl;
    mail->over = over;
    mail->arg = arg;
    mail->url = ft_strdup(req->url);
    mail->user = ft_strdup(req->user);
    mail->password = ft_strdup(req->password);
    mail->ca_file = ft_strdup(req->ca_file);
    mail->from = ft_strdup(req->mail_from);
    for (const char *const *to = req->mail_to; *to; to++)
        mail->to = curl->slist_append(mail->to, *to);
    mail->body = ft_calloc(1, req->body_len + 1);
    if (req->body_len)
        memcpy(mail->body, req->body, req->body_len);
    mail->body_len = req->body_len;
    mail->flags = req->flags;
    mail->limit_ms = ft_max(limit_ms, (uint64_t)1);
    mail->connect_timeout_ms = connect_timeout_ms;
    ft_http_answer_begin(&mail->end.answer, 0);
    mail->work = ft_work_start(loop, blocking, after, release, mail);
    return mail;
}

void ft_mail_cancel(struct ft_mail *mail)
{
    if (!mail)
        return;
    atomic_store(&mail->cancelled, true);
    ft_work_cancel(mail->work);
}
