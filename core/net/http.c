/* http.c: transfers on one curl multi handle, driven by the loop.
 *
 *   ft_http_start ──► UNDER WAY ──► OVER ──► answered
 *                         ▲           │
 *                         └─ WAITING ◄┘  429, and there is time for another attempt
 *
 * curl's callbacks and the deadline only mark a transfer as over and put it in the deferred queue; settle() alone decides what
 * comes next. So nothing of ours runs inside curl, and no owner's code runs inside a call of the owner.
 *
 * A write is never sent twice. curl by itself repeats a request on a new connection when a kept one turns out to be dead. That is
 * right for reads. For writes, before_request() is asked ahead of every sending, and lets a second one pass only when not one byte of the
 * first had been handed to the socket; else the transfer ends as ambiguous. So that this stays rare, a write does not use a connection that
 * has been quiet for longer than WRITE_IDLE_S: servers close idle ones after five seconds and more, and the race with that is
 * nearly all there is to lose a write to. A fresh connection for each write would cost eleven times the CPU.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <uv.h>
#include "base/list.h"
#include "base/util.h"
#include "data/json.h"
#include "net/http_internal.h"

#define DEFAULT_DEADLINE_MS 30000
#define DEFAULT_CONNECT_MS 5000
#define DEFAULT_MAX_BYTES ((size_t)8 << 20)
#define DEFAULT_PER_HOST 16
#define KEPT_CONNECTIONS 256L
#define KEPT_HANDLES 64
#define WRITE_IDLE_S 3L

struct ft_http {
    struct ft_loop *loop;
    const struct ft_curl *curl;       /* NULL until the first request, as all that follows */
    CURLM *multi;
    uv_timer_t timer;                 /* curl's own; real time. Its close callback frees this struct */
    bool kicked;                      /* kick() is in the deferred queue */
    long per_host;
    struct ft_list transfers;
    CURL *idle[KEPT_HANDLES];
    size_t idle_len;
    struct ft_http_stats stats;
};

/* A socket of curl's, watched. */
struct watched {
    uv_poll_t poll;
    struct ft_http *http;
    curl_socket_t fd;
};

struct ft_http_transfer {
    struct ft_list link;
    struct ft_http *http;
    CURL *easy;                       /* while under way */
    struct ft_mail *mail;             /* instead of that, of a mail under way */
    struct ft_timer *timer;           /* the deadline while under way, the pause while waiting */
    uint64_t deadline_us, begun_us;
    unsigned waits;                   /* for 429, so far */
    bool over, timed_out, sent, connecting;
    bool answering;                   /* in the owner's callback: too late to cancel */
    CURLcode code;
    int os_errno;
    char says[CURL_ERROR_SIZE];

    /* The request, copied. */
    char *method, *url, *shown, *user, *password, *ca_file, *cert_file, *key_file, *unix_socket;
    struct curl_slist *headers;
    char *body;
    size_t body_len;
    unsigned flags, timeout_ms, connect_timeout_ms;
    size_t max_bytes;

    struct ft_http_answer answer;
    void (*answered)(void *arg, const struct ft_http_res *res);
    void *arg;
};

static void begin_attempt(struct ft_http_transfer *t);
static void settle(void *transfer);

/* ---- curl's sockets and timer on the loop ---- */

/* Take note of what curl has finished with. */
static void collect(struct ft_http *http)
{
    CURLMsg *msg;
    int left;

    while ((msg = http->curl->multi_info_read(http->multi, &left))) {
        struct ft_http_transfer *t = NULL;

        if (msg->msg != CURLMSG_DONE)
            continue;
        http->curl->easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &t);
        if (t->over)
            continue;
        t->over = true;
        t->code = msg->data.result;
        ft_loop_defer(http->loop, settle, t);
    }
}

static void act(struct ft_http *http, curl_socket_t fd, int what)
{
    int running;

    http->curl->multi_socket_action(http->multi, fd, what, &running);
    collect(http);
}

static void kick(void *arg)
{
    struct ft_http *http = arg;

    http->kicked = false;
    act(http, CURL_SOCKET_TIMEOUT, 0);
}

static void timer_over(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

/* "In 0 ms" means soon, never now: curl asks for it from inside its own functions. */
static int set_timer(CURLM *multi, long ms, void *arg)
{
    struct ft_http *http = arg;

    (void)multi;
    uv_timer_stop(&http->timer);
    if (ms > 0)
        uv_timer_start(&http->timer, timer_over, (uint64_t)ms, 0);
    if (ms == 0 && !http->kicked) {
        http->kicked = true;
        ft_loop_defer(http->loop, kick, http);
    }
    return 0;
}

static void socket_ready(uv_poll_t *poll, int status, int events)
{
    struct watched *watched = poll->data;
    int what = (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);

    act(watched->http, watched->fd, status < 0 ? CURL_CSELECT_ERR : what);
}

static void free_watched(uv_handle_t *handle)
{
    free(handle->data);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct ft_http *http = arg;
    struct watched *watched = socket_arg;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watched) {
            http->curl->multi_assign(http->multi, fd, NULL);
            uv_poll_stop(&watched->poll);         /* now: curl closes the descriptor next */
            uv_close((uv_handle_t *)&watched->poll, free_watched);
        }
        return 0;
    }
    if (!watched) {
        watched = ft_calloc(1, sizeof(*watched));
        watched->http = http;
        watched->fd = fd;
        if (uv_poll_init_socket(ft_loop_uv(http->loop), &watched->poll, fd) < 0) {
            free(watched);
            return -1;
        }
        watched->poll.data = watched;
        uv_unref((uv_handle_t *)&watched->poll);  /* transfers hold the loop, kept connections do not */
        http->curl->multi_assign(http->multi, fd, watched);
    }
    return uv_poll_start(&watched->poll, events, socket_ready) < 0 ? -1 : 0;
}

/* ---- the client ---- */

struct ft_http *ft_http_new(struct ft_loop *loop)
{
    struct ft_http *http = ft_calloc(1, sizeof(*http));

    http->loop = loop;
    http->per_host = DEFAULT_PER_HOST;
    ft_list_init(&http->transfers);
    return http;
}

static int load(struct ft_http *http, struct ft_err *reterr)
{
    const struct ft_curl *curl;

    if (http->curl)
        return 0;
    curl = ft_curl_load(reterr);
    if (!curl)
        return reterr ? reterr->code : -ENOSYS;
    http->multi = curl->multi_init();
    if (!http->multi)
        return ft_err_set(reterr, -ENOMEM, "libcurl gave no multi handle");
    http->curl = curl;
    curl->multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl->multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl->multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl->multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    curl->multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, KEPT_CONNECTIONS);
    curl->multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS, http->per_host);
    uv_timer_init(ft_loop_uv(http->loop), &http->timer);
    http->timer.data = http;
    uv_unref((uv_handle_t *)&http->timer);
    return 0;
}

void ft_http_set_max_per_host(struct ft_http *http, long n)
{
    http->per_host = n > 0 ? n : DEFAULT_PER_HOST;
    if (http->multi)
        http->curl->multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS, http->per_host);
}

void ft_http_stats(const struct ft_http *http, struct ft_http_stats *ret)
{
    *ret = http->stats;
}

static void client_closed(uv_handle_t *timer)
{
    free(timer->data);
}

struct ft_http *ft_http_free(struct ft_http *http)
{
    struct ft_list *pos, *tmp;

    if (!http)
        return NULL;
    ft_list_each(pos, tmp, &http->transfers)
        ft_http_cancel(ft_container(pos, struct ft_http_transfer, link));
    if (!http->multi) {
        free(http);
        return NULL;
    }
    while (http->idle_len)
        http->curl->easy_cleanup(http->idle[--http->idle_len]);
    http->curl->multi_cleanup(http->multi);
    ft_loop_undefer(http->loop, kick, http);
    uv_close((uv_handle_t *)&http->timer, client_closed);
    return NULL;
}

/* ---- a transfer ---- */

static void free_transfer(struct ft_http_transfer *t)
{
    ft_list_remove(&t->link);
    t->http->curl->slist_free_all(t->headers);
    free(t->method);
    free(t->url);
    free(t->shown);
    free(t->user);
    if (t->password)
        explicit_bzero(t->password, strlen(t->password));
    free(t->password);
    free(t->ca_file);
    free(t->cert_file);
    free(t->key_file);
    free(t->unix_socket);
    free(t->body);
    ft_http_answer_done(&t->answer);
    free(t);
}

/* Out of curl's hands; what it knows about the attempt is taken down first. */
static void end_attempt(struct ft_http_transfer *t)
{
    struct ft_http *http = t->http;
    const struct ft_curl *curl = http->curl;
    long connects = 0, os_errno = 0, request_size = 0;
    curl_off_t connected = 0;

    ft_timer_stop(t->timer);
    t->timer = NULL;
    curl->easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
    curl->easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_errno);
    curl->easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &request_size);
    curl->easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
    http->stats.connections += (uint64_t)connects;
    t->os_errno = (int)os_errno;
    t->sent |= request_size > 0;
    t->connecting = connected == 0 && !t->sent && !t->answer.status;
    curl->multi_remove_handle(http->multi, t->easy);
    if (http->idle_len < KEPT_HANDLES) {
        curl->easy_reset(t->easy);
        http->idle[http->idle_len++] = t->easy;
    } else {
        curl->easy_cleanup(t->easy);
    }
    t->easy = NULL;
    ft_loop_hold(http->loop, -1);
}

static void end_mail(struct ft_http_transfer *t)
{
    ft_mail_cancel(t->mail);
    t->mail = NULL;
    ft_loop_hold(t->http->loop, -1);
}

void ft_http_cancel(struct ft_http_transfer *t)
{
    if (!t || t->answering)
        return;
    ft_loop_undefer(t->http->loop, settle, t);
    if (t->easy)
        end_attempt(t);
    if (t->mail)
        end_mail(t);
    ft_timer_stop(t->timer);
    free_transfer(t);
}

/* ---- 429 ---- */

/* Retry-After as seconds or as a date; the server's own Date is the better base, clocks differ. */
static bool retry_after(const struct ft_http_transfer *t, uint64_t *ret_ms)
{
    const char *value = ft_http_answer_header(&t->answer, "retry-after"), *date = ft_http_answer_header(&t->answer, "date");
    time_t until, from = -1;
    char *end;
    unsigned long long seconds;

    if (!value)
        return false;
    errno = 0;
    seconds = strtoull(value, &end, 10);
    if (isdigit((unsigned char)*value) && !*end) {
        *ret_ms = errno || seconds > 366ull * 86400 ? 366ull * 86400000 : seconds * 1000;
        return true;
    }
    until = t->http->curl->getdate(value, NULL);
    if (until < 0)
        return false;
    if (date)
        from = t->http->curl->getdate(date, NULL);
    if (from < 0)
        from = (time_t)(ft_clock_wall_ms(ft_loop_clock(t->http->loop)) / 1000);
    *ret_ms = until > from ? (uint64_t)(until - from) * 1000 : 0;
    return true;
}

static uint64_t left_ms(const struct ft_http_transfer *t)
{
    uint64_t now = ft_clock_mono_us(ft_loop_clock(t->http->loop));

    return t->deadline_us > now ? (t->deadline_us - now) / 1000 : 0;
}

static void pause_over(void *arg)
{
    struct ft_http_transfer *t = arg;

    t->timer = NULL;
    begin_attempt(t);
}

/* True when a 429 was taken as "later", and another attempt is on its way; else `later` has the words for the refusal. */
static bool wait_and_repeat(struct ft_http_transfer *t, char *later, size_t len)
{
    static const uint64_t pauses_ms[] = { 5000, 10000, 20000 };
    uint64_t ms = 0;
    bool told = retry_after(t, &ms);
    char when[32];

    if (!told && t->waits < ARRAY_LEN(pauses_ms))
        ms = pauses_ms[t->waits];
    if (!(t->flags & FT_HTTP_NO_WAIT) && t->waits < ARRAY_LEN(pauses_ms) && ms < left_ms(t)) {
        t->waits++;
        t->timer = ft_timer_start(t->http->loop, ms, pause_over, t);
        return true;
    }
    ft_time_format(ft_clock_wall_ms(ft_loop_clock(t->http->loop)) + ms, when, sizeof(when));
    if (told)
        snprintf(later, len, "the server asks to wait %llu s: try again at %s", (unsigned long long)(ms + 999) / 1000, when);
    else if (ms)
        snprintf(later, len, "it says not how long; try again in %llu s, at %s", (unsigned long long)ms / 1000, when);
    else
        snprintf(later, len, "also after %u waits; try again later, or ask less often", t->waits);
    return false;
}

/* ---- how an attempt ended ---- */

static void judge(struct ft_http_transfer *t, const char *later)
{
    const struct ft_http_asked asked = { .method = t->method, .shown = t->shown, .ca_file = t->ca_file, .cert_file = t->cert_file, .flags = t->flags,
                                         .max_bytes = t->max_bytes };
    const struct ft_http_failure failure = {
        .code = t->code, .os_errno = t->os_errno, .sent = t->sent, .connecting = t->connecting, .timed_out = t->timed_out,
        .curl_says = t->says[0] ? t->says : t->http->curl->easy_strerror(t->code),
        .waited_ms = (ft_clock_mono_us(ft_loop_clock(t->http->loop)) - t->begun_us + 500) / 1000,
    };

    if (t->code == CURLE_OK && !t->timed_out)
        ft_http_answer_judge(&t->answer, &asked, later);
    else
        ft_http_answer_failed(&t->answer, &asked, &failure);
}

static void answer(struct ft_http_transfer *t, const char *later)
{
    judge(t, later);
    t->answering = true;
    t->answered(t->arg, &t->answer.res);
    free_transfer(t);
}

static void settle(void *arg)
{
    struct ft_http_transfer *t = arg;
    char later[160] = "";

    end_attempt(t);
    if (t->code == CURLE_OK && !t->timed_out && t->answer.status == 429 && wait_and_repeat(t, later, sizeof(later)))
        return;
    answer(t, later[0] ? later : NULL);
}

static void mail_over(void *arg, struct ft_mail_end *end)
{
    struct ft_http_transfer *t = arg;

    t->http->stats.connections += end->connections;
    t->answer = end->answer;
    memset(&end->answer, 0, sizeof(end->answer));
    t->code = end->code;
    memcpy(t->says, end->says, sizeof(t->says));
    t->os_errno = end->os_errno;
    t->sent = end->sent;
    t->connecting = end->connecting;
    t->timed_out = end->code == CURLE_OPERATION_TIMEDOUT && !(end->connecting && left_ms(t) > 0);
    end_mail(t);
    answer(t, NULL);
}

static void deadline_over(void *arg)
{
    struct ft_http_transfer *t = arg;

    t->timer = NULL;
    if (t->over)
        return;                                   /* the answer came in the same turn */
    t->over = t->timed_out = true;
    ft_loop_defer(t->http->loop, settle, t);
}

/* ---- curl's callbacks of one transfer ---- */

static size_t got_header(char *line, size_t size, size_t n, void *arg)
{
    struct ft_http_transfer *t = arg;

    t->http->stats.bytes_in += size * n;
    return ft_http_answer_line(&t->answer, line, size * n) ? size * n : 0;
}

static size_t got_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct ft_http_transfer *t = arg;

    t->http->stats.bytes_in += size * n;
    return ft_http_answer_bytes(&t->answer, bytes, size * n) ? size * n : 0;
}

static int before_request(void *arg, char *to_ip, char *from_ip, int to_port, int from_port)
{
    struct ft_http_transfer *t = arg;
    long sent = 0;

    (void)to_ip, (void)from_ip, (void)to_port, (void)from_port;
    t->http->curl->easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &sent);
    if (!(t->flags & FT_HTTP_WRITE) || sent == 0)
        return CURL_PREREQFUNC_OK;
    t->sent = true;
    return CURL_PREREQFUNC_ABORT;
}

/* ---- handing a transfer to curl ---- */

#define set(option, value) curl->easy_setopt(t->easy, option, value)

static void set_method(const struct ft_curl *curl, struct ft_http_transfer *t)
{
    if (strcmp(t->method, "HEAD") == 0) {
        set(CURLOPT_NOBODY, 1L);
        return;
    }
    /* Of the methods that usually bring a body, an empty one is announced as such. */
    if (t->body_len || strcmp(t->method, "POST") == 0 || strcmp(t->method, "PUT") == 0 || strcmp(t->method, "PATCH") == 0) {
        set(CURLOPT_POSTFIELDS, t->body_len ? t->body : "");
        set(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body_len);
    }
    set(CURLOPT_CUSTOMREQUEST, t->method);
}

static void set_http(const struct ft_curl *curl, struct ft_http_transfer *t)
{
    set_method(curl, t);
    set(CURLOPT_HTTPHEADER, t->headers);
    set(CURLOPT_ACCEPT_ENCODING, "");             /* max_bytes counts what is unpacked */
    set(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    set(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    set(CURLOPT_USERAGENT, "fettle/" FETTLE_VERSION);
    set(CURLOPT_PREREQFUNCTION, before_request);
    set(CURLOPT_PREREQDATA, t);
    if (t->flags & FT_HTTP_WRITE)
        set(CURLOPT_MAXAGE_CONN, WRITE_IDLE_S);
    if (t->unix_socket) {
        set(CURLOPT_UNIX_SOCKET_PATH, t->unix_socket);
        set(CURLOPT_PROXY, "");
    }
}

static void set_common(const struct ft_curl *curl, struct ft_http_transfer *t)
{
    set(CURLOPT_PRIVATE, t);
    set(CURLOPT_URL, t->url);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_ERRORBUFFER, t->says);
    set(CURLOPT_CONNECTTIMEOUT_MS, (long)t->connect_timeout_ms);
#if LIBCURL_VERSION_NUM >= 0x075700
    set(CURLOPT_QUICK_EXIT, 1L);                  /* a cancel does not wait for a name server */
#endif
    set(CURLOPT_HEADERFUNCTION, got_header);
    set(CURLOPT_HEADERDATA, t);
    set(CURLOPT_WRITEFUNCTION, got_body);
    set(CURLOPT_WRITEDATA, t);
    if (t->user)
        set(CURLOPT_USERNAME, t->user);
    if (t->password)
        set(CURLOPT_PASSWORD, t->password);
    if (t->ca_file)
        set(CURLOPT_CAINFO, t->ca_file);
    if (t->cert_file) {
        set(CURLOPT_SSLCERT, t->cert_file);
        set(CURLOPT_SSLKEY, t->key_file ? t->key_file : t->cert_file);
        set(CURLOPT_KEYPASSWD, "");               /* of an encrypted key: refused, instead of asked for on the terminal */
    }
    if (t->flags & FT_HTTP_NO_VERIFY) {
        set(CURLOPT_SSL_VERIFYPEER, 0L);
        set(CURLOPT_SSL_VERIFYHOST, 0L);
    }
}
#undef set

static void begin_attempt(struct ft_http_transfer *t)
{
    struct ft_http *http = t->http;
    uint64_t limit = left_ms(t);

    t->easy = http->idle_len ? http->idle[--http->idle_len] : http->curl->easy_init();
    if (!t->easy)
        abort();
    t->over = t->timed_out = t->sent = t->connecting = false;
    t->says[0] = '\0';
    t->begun_us = ft_clock_mono_us(ft_loop_clock(http->loop));
    ft_http_answer_begin(&t->answer, t->max_bytes);
    set_common(http->curl, t);
    set_http(http->curl, t);
    http->stats.requests++;
    ft_loop_hold(http->loop, 1);
    if (t->timeout_ms)
        limit = ft_min(limit, (uint64_t)t->timeout_ms);
    t->timer = ft_timer_start(http->loop, limit, deadline_over, t);
    http->curl->multi_add_handle(http->multi, t->easy);
}

static void begin_mail(struct ft_http_transfer *t, const struct ft_http_req *req)
{
    struct ft_http *http = t->http;
    uint64_t limit = left_ms(t);

    if (t->timeout_ms)
        limit = ft_min(limit, (uint64_t)t->timeout_ms);
    t->begun_us = ft_clock_mono_us(ft_loop_clock(http->loop));
    http->stats.requests++;
    ft_loop_hold(http->loop, 1);
    t->mail = ft_mail_start(http->loop, http->curl, req, limit, t->connect_timeout_ms, mail_over, t);
}

/* ---- what is asked ---- */

static bool has_control(const char *text)
{
    for (; text && *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

static int check_url(const struct ft_http_req *req, struct ft_err *reterr)
{
    static const char *const http[] = { "http://", "https://", NULL }, *const mail[] = { "smtp://", "smtps://", NULL };
    const char *const *schemes = req->flags & FT_HTTP_MAIL ? mail : http;

    if (!req->url || !*req->url)
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "an HTTP request needs a URL");
    if (has_control(req->url) || strchr(req->url, ' '))
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "the URL has a blank or control character in it: escape what is put into it");
    for (; *schemes; schemes++)
        if (strncasecmp(req->url, *schemes, strlen(*schemes)) == 0 && req->url[strlen(*schemes)] && !strchr("/?#", req->url[strlen(*schemes)]))
            return 0;
    return ft_err_class(reterr, FT_INVALID, -EINVAL, "the URL '%.*s' must begin with %s and name a host",
                        (int)strcspn(req->url, "@?#"), req->url, req->flags & FT_HTTP_MAIL ? "smtp:// or smtps://" : "http:// or https://");
}

static int check_mail(const struct ft_http_req *req, struct ft_err *reterr)
{
    if (!req->mail_from || !req->mail_to || !req->mail_to[0])
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "a mail needs a sender and at least one recipient");
    for (const char *const *to = req->mail_to; *to; to++)
        if (!**to || has_control(*to) || strpbrk(*to, "<> "))
            return ft_err_class(reterr, FT_INVALID, -EINVAL, "'%.80s' is not a mail address", *to);
    if (has_control(req->mail_from) || strpbrk(req->mail_from, "<> "))
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "'%.80s' is not a mail address", req->mail_from);
    return 0;
}

static int check(const struct ft_http_req *req, struct ft_err *reterr)
{
    static const char token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!#$%&'*+^`|~";
    int r = check_url(req, reterr);

    if (r == 0 && req->flags & FT_HTTP_MAIL)
        r = check_mail(req, reterr);
    if (r < 0)
        return r;
    if (req->method && (!*req->method || req->method[strspn(req->method, token)]))
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "'%.40s' is not an HTTP method", req->method);
    for (const struct ft_http_header *h = req->headers; h && h->name; h++)
        if (!*h->name || h->name[strspn(h->name, token)] || !h->value || has_control(h->value))
            return ft_err_class(reterr, FT_INVALID, -EINVAL, "the HTTP header '%.80s' has a character that is not allowed in its %s", h->name,
                                h->name[strspn(h->name, token)] ? "name" : "value");
    if (req->body_len && !req->body)
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "an HTTP body of %zu bytes was announced and not given", req->body_len);
    return 0;
}

/* Returns whether the request brings this header itself. */
static bool brings(const struct ft_http_req *req, const char *name)
{
    for (const struct ft_http_header *h = req->headers; h && h->name; h++)
        if (strcasecmp(h->name, name) == 0)
            return true;
    return false;
}

static void add_header(struct ft_http_transfer *t, const char *name, const char *value)
{
    char *line = *value ? ft_asprintf("%s: %s", name, value) : ft_asprintf("%s;", name);   /* curl's way to say "empty" */

    t->headers = t->http->curl->slist_append(t->headers, line);
    explicit_bzero(line, strlen(line));
    free(line);
}

static void copy_headers(struct ft_http_transfer *t, const struct ft_http_req *req)
{
    const struct ft_curl *curl = t->http->curl;

    for (const struct ft_http_header *h = req->headers; h && h->name; h++)
        add_header(t, h->name, h->value);
    if (req->json && !brings(req, "Content-Type"))
        add_header(t, "Content-Type", "application/json");
    else if (!brings(req, "Content-Type"))
        t->headers = curl->slist_append(t->headers, "Content-Type:");     /* none, instead of curl's form default */
    if (req->flags & FT_HTTP_JSON && !brings(req, "Accept"))
        add_header(t, "Accept", "application/json");
    t->headers = curl->slist_append(t->headers, "Expect:");               /* no round trip, and no repeat, for a large body */
}

static void copy_request(struct ft_http_transfer *t, const struct ft_http_req *req)
{
    t->method = ft_strdup(ft_http_method(req));
    t->url = ft_strdup(req->url);
    t->shown = ft_http_url_shown(req->url, /* with_query= */ false);
    t->user = ft_strdup(req->user);
    t->password = ft_strdup(req->password);
    t->ca_file = ft_strdup(req->ca_file);
    t->cert_file = ft_strdup(req->cert_file);
    t->key_file = ft_strdup(req->key_file);
    t->unix_socket = ft_strdup(req->unix_socket);
    if (req->json) {
        t->body = ft_json_text(req->json);
        t->body_len = strlen(t->body);
    } else if (req->body_len) {
        t->body = ft_calloc(1, req->body_len);
        memcpy(t->body, req->body, req->body_len);
        t->body_len = req->body_len;
    }
    t->flags = req->flags;
    t->timeout_ms = req->timeout_ms;
    t->connect_timeout_ms = req->connect_timeout_ms ? req->connect_timeout_ms : DEFAULT_CONNECT_MS;
    t->max_bytes = req->max_bytes ? req->max_bytes : DEFAULT_MAX_BYTES;
    if (!(req->flags & FT_HTTP_MAIL))
        copy_headers(t, req);
}

int ft_http_start(struct ft_http *http, const struct ft_http_req *req, uint64_t deadline_ms,
                  void (*answered)(void *arg, const struct ft_http_res *res), void *arg,
                  struct ft_http_transfer **ret, struct ft_err *reterr)
{
    struct ft_http_transfer *t;
    int r = check(req, reterr);

    if (r == 0)
        r = load(http, reterr);
    if (r < 0)
        return r;
    t = ft_calloc(1, sizeof(*t));
    t->http = http;
    t->answered = answered;
    t->arg = arg;
    t->deadline_us = ft_clock_mono_us(ft_loop_clock(http->loop)) + (deadline_ms ? deadline_ms : DEFAULT_DEADLINE_MS) * 1000;
    copy_request(t, req);
    ft_list_append(&http->transfers, &t->link);
    if (req->flags & FT_HTTP_MAIL)
        begin_mail(t, req);
    else
        begin_attempt(t);
    if (ret)
        *ret = t;
    return 0;
}
