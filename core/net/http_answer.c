/* http_answer.c: what an answer means. Every byte of it comes from outside. */
#include <ctype.h>
#include <string.h>
#include "base/text.h"
#include "base/util.h"
#include "data/json.h"
#include "net/http_internal.h"

#define HEAD_MAX ((size_t)256 << 10)
#define HEADERS_MAX 1000
#define SAID_MAX 240                  /* of a server's own words in a sentence */

void ft_http_answer_begin(struct ft_http_answer *answer, size_t max_bytes)
{
    ft_http_answer_done(answer);
    answer->head = FT_BUF_INIT(HEAD_MAX);
    answer->body = FT_BUF_INIT(max_bytes);
}

void ft_http_answer_done(struct ft_http_answer *answer)
{
    ft_buf_done(&answer->head);
    ft_buf_done(&answer->body);
    json_decref(answer->res.json);
    free(answer->list);
    free(answer->error);
    memset(answer, 0, sizeof(*answer));
}

/* ---- reading ---- */

/* "HTTP/1.1 404 Not Found": a new header block, after 100 Continue perhaps. */
static bool status_line(struct ft_http_answer *answer, const char *line, size_t len)
{
    const char *blank = memchr(line, ' ', len);

    if (len < 5 || memcmp(line, "HTTP/", 5) != 0)
        return false;
    answer->status = 0;
    for (const char *c = blank ? blank + 1 : line + len; c < line + len && isdigit((unsigned char)*c) && answer->status < 1000; c++)
        answer->status = answer->status * 10 + (*c - '0');
    ft_buf_clear(&answer->head);
    answer->headers = 0;
    return true;
}

static void trim(const char **text, size_t *len)
{
    while (*len && isspace((unsigned char)**text)) {
        ++*text;
        --*len;
    }
    while (*len && isspace((unsigned char)(*text)[*len - 1]))
        --*len;
}

bool ft_http_answer_line(struct ft_http_answer *answer, const char *line, size_t len)
{
    const char *colon, *value;
    size_t value_len;

    if (status_line(answer, line, len))
        return true;
    colon = memchr(line, ':', len);
    if (!colon || colon == line || isspace((unsigned char)line[0]) || memchr(line, '\0', len))
        return true;                  /* the empty line at the end, folded lines, nonsense: nothing to keep */
    if (answer->headers == HEADERS_MAX)
        return false;
    value = colon + 1;
    value_len = len - (size_t)(value - line);
    trim(&value, &value_len);
    for (const char *c = line; c < colon; c++)
        ft_buf_addc(&answer->head, (char)tolower((unsigned char)*c));
    ft_buf_addc(&answer->head, '\0');
    ft_buf_add(&answer->head, value, value_len);
    ft_buf_addc(&answer->head, '\0');
    answer->headers++;
    return !answer->head.overflow;
}

/* After a refusal, and after the mail was taken, come good-byes (221): they do not count. */
void ft_http_answer_mail_line(struct ft_http_answer *answer, const char *line, size_t len)
{
    int code = 0;

    for (size_t i = 0; i < len && i < 3 && isdigit((unsigned char)line[i]); i++)
        code = code * 10 + (line[i] - '0');
    if (code < 100 || code == 221 || answer->status >= 400)
        return;
    answer->status = code;
    len = ft_min(len, sizeof(answer->mail_line) - 1);
    memcpy(answer->mail_line, line, len);
    answer->mail_line[len] = '\0';
}

bool ft_http_answer_bytes(struct ft_http_answer *answer, const char *bytes, size_t len)
{
    ft_buf_add(&answer->body, bytes, len);
    return !answer->body.overflow;
}

const char *ft_http_answer_header(const struct ft_http_answer *answer, const char *name)
{
    const char *at = answer->head.data;

    for (size_t i = 0; i < answer->headers; i++) {
        const char *value = at + strlen(at) + 1;

        if (strcmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

static void list_headers(struct ft_http_answer *answer)
{
    const char *at = answer->head.data;

    answer->list = ft_calloc(answer->headers + 1, sizeof(struct ft_http_header));
    for (size_t i = 0; i < answer->headers; i++) {
        answer->list[i].name = at;
        at += strlen(at) + 1;
        answer->list[i].value = at;
        at += strlen(at) + 1;
    }
}

/* ---- sentences ---- */

/* Words from outside, for one line: blanks collapsed, nothing that a terminal would act on, cut at a character. */
static void add_said(struct ft_buf *to, const char *text, size_t len)
{
    size_t cut = ft_min(len, (size_t)SAID_MAX), from = to->len;
    bool blank = true;

    while (cut < len && cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80)
        cut--;
    for (size_t i = 0; i < cut; i++) {
        unsigned char c = (unsigned char)text[i];
        bool control = c < 0x20 || c == 0x7f;

        if (isspace(c) || control) {
            if (!blank)
                ft_buf_addc(to, ' ');
            blank = true;
        } else {
            ft_buf_addc(to, (char)c);
            blank = false;
        }
    }
    if (!ft_utf8_valid(to->data ? to->data + from : "", to->len - from))
        for (size_t i = from; i < to->len; i++)
            if ((unsigned char)to->data[i] >= 0x80)
                to->data[i] = '?';
    while (to->len > from && (to->data[to->len - 1] == ' ' || to->data[to->len - 1] == '.'))
        to->data[--to->len] = '\0';
    if (cut < len)
        ft_buf_adds(to, "…");
}

/* The server's own message, wherever APIs put it. Borrowed; NULL where there is none. */
static const char *own_message(const json_t *json, int depth)
{
    static const char *const names[] = { "detail", "error", "message", "messages", "errors", "title", "msg", "text",
                                         "error_description", "ERSResponse" };
    const char *found = NULL;

    if (json_is_string(json))
        return json_string_length(json) ? json_string_value(json) : NULL;
    if (depth == 0)
        return NULL;
    if (json_is_array(json))
        return own_message(json_array_get(json, 0), depth - 1);
    for (size_t i = 0; i < ARRAY_LEN(names) && !found; i++)
        found = own_message(json_object_get(json, names[i]), depth - 1);
    return found;
}

static const char *status_name(int status)
{
    switch (status) {
    case 400: return " Bad Request";
    case 401: return " Unauthorized";
    case 403: return " Forbidden";
    case 404: return " Not Found";
    case 405: return " Method Not Allowed";
    case 409: return " Conflict";
    case 410: return " Gone";
    case 412: return " Precondition Failed";
    case 415: return " Unsupported Media Type";
    case 422: return " Unprocessable Content";
    case 423: return " Locked";
    case 429: return " Too Many Requests";
    case 500: return " Internal Server Error";
    case 501: return " Not Implemented";
    case 502: return " Bad Gateway";
    case 503: return " Service Unavailable";
    case 504: return " Gateway Timeout";
    default:  return "";
    }
}

static enum ft_class status_class(int status, bool write)
{
    switch (status) {
    case 401: case 403: case 407:
        return FT_DENIED;
    case 404: case 410:
        return FT_NOT_FOUND;
    case 409: case 412: case 423:
        return FT_CONFLICT;
    case 402: case 408: case 421: case 425: case 429:
        return FT_REFUSED;
    case 502: case 504:
        return write ? FT_AMBIGUOUS : FT_REFUSED;     /* the server behind the gateway may have done it */
    default:
        return status >= 500 ? FT_REFUSED : FT_INVALID;
    }
}

static const char *advice(int status, enum ft_class class)
{
    if (status == 401)
        return "; the credentials were not accepted: check the token or password";
    if (status == 403)
        return "; the credentials do not allow this: check what the account may do";
    if (class == FT_AMBIGUOUS)
        return "; it may have been carried out all the same";
    return "";
}

static void begin_sentence(struct ft_buf *text, const struct ft_http_asked *asked)
{
    *text = FT_BUF_INIT(4096);
    ft_buf_addf(text, "%s %.300s: ", asked->method, asked->shown);
}

static void conclude(struct ft_http_answer *answer, enum ft_class class, struct ft_buf *text)
{
    answer->res.class = class;
    answer->res.error = answer->error = ft_buf_take(text);
}

static void refused(struct ft_http_answer *answer, const struct ft_http_asked *asked, const char *later)
{
    const char *said = own_message(answer->res.json, 4), *to = ft_http_answer_header(answer, "location");
    enum ft_class class = status_class(answer->status, asked->flags & FT_HTTP_WRITE);
    struct ft_buf text;

    begin_sentence(&text, asked);
    if (answer->status < 400) {
        ft_buf_addf(&text, "%d, not an answer", answer->status);
        if (to) {
            char *shown = ft_http_url_shown(to, /* with_query= */ false);

            ft_buf_adds(&text, ": it redirects to ");
            add_said(&text, shown, strlen(shown));
            ft_buf_adds(&text, ", which is not followed; set the URL to that place if it is meant");
            free(shown);
        }
    } else {
        ft_buf_addf(&text, "%d%s", answer->status, status_name(answer->status));
        if (said) {
            ft_buf_adds(&text, ": ");
            add_said(&text, said, strlen(said));
        }
        ft_buf_adds(&text, advice(answer->status, class));
        if (later)
            ft_buf_addf(&text, "; %s", later);
    }
    conclude(answer, class, &text);
}

/* JSON was promised, and something else came: say what it looks like. */
static void not_json(struct ft_http_answer *answer, const struct ft_http_asked *asked, const char *why)
{
    const char *type = ft_http_answer_header(answer, "content-type");
    struct ft_buf text;

    begin_sentence(&text, asked);
    ft_buf_addf(&text, "the answer %d is not the JSON that the API promises (", answer->status);
    if (type)
        add_said(&text, type, strlen(type));
    else
        ft_buf_adds(&text, "no content type");
    ft_buf_addf(&text, ", %zu bytes", answer->body.len);
    if (type && strstr(type, "html")) {
        ft_buf_adds(&text, ", a web page: is this the API's address, and does nothing in between ask for a login?");
    } else {
        ft_buf_adds(&text, ", ");
        add_said(&text, why, strlen(why));
    }
    ft_buf_adds(&text, "); it starts with: ");
    add_said(&text, ft_buf_str(&answer->body), ft_min(answer->body.len, (size_t)80));
    conclude(answer, FT_INVALID, &text);
}

static bool only_blanks(const struct ft_buf *body)
{
    for (size_t i = 0; i < body->len; i++)
        if (!isspace((unsigned char)body->data[i]))
            return false;
    return true;
}

void ft_http_answer_judge(struct ft_http_answer *answer, const struct ft_http_asked *asked, const char *later)
{
    struct ft_http_res *res = &answer->res;
    struct ft_err err = { 0 };
    bool fine = answer->status >= 200 && answer->status < 300, parsed = true;

    list_headers(answer);
    *res = (struct ft_http_res){ .size = sizeof(*res), .status = answer->status, .headers = answer->list,
                                 .body = ft_buf_str(&answer->body), .body_len = answer->body.len };
    if ((asked->flags & FT_HTTP_JSON) && !only_blanks(&answer->body))
        parsed = ft_json_parse(res->body, res->body_len, asked->max_bytes, &res->json, &err) == 0;
    if (!fine && !(asked->flags & FT_HTTP_ANY_STATUS))
        refused(answer, asked, later);
    else if (fine && !parsed)
        not_json(answer, asked, err.text);
}

/* ---- no complete answer ---- */

/* With TLS 1.3 the server says what it thinks of our certificate only after we have sent the request, which it has not looked at then. */
static bool is_certificate_refused(const struct ft_http_failure *failure)
{
    const char *alert = strstr(failure->curl_says, "alert ");

    return alert && (strstr(alert, "certificate") || strstr(alert, "unknown ca"));
}

static bool is_tls(const struct ft_http_failure *failure)
{
    switch (failure->code) {
    case CURLE_RECV_ERROR: case CURLE_SEND_ERROR:
        return is_certificate_refused(failure);
    case CURLE_SSL_CONNECT_ERROR: case CURLE_PEER_FAILED_VERIFICATION: case CURLE_SSL_CACERT_BADFILE: case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER: case CURLE_SSL_ISSUER_ERROR: case CURLE_SSL_INVALIDCERTSTATUS: case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_USE_SSL_FAILED: case CURLE_SSL_ENGINE_INITFAILED:
        return true;
    default:
        return false;
    }
}

static void tls_failed(struct ft_buf *text, const struct ft_http_asked *asked, const struct ft_http_failure *failure)
{
    ft_buf_adds(text, "no TLS connection: ");
    add_said(text, failure->curl_says, strlen(failure->curl_says));
    if (failure->code == CURLE_PEER_FAILED_VERIFICATION && strstr(failure->curl_says, "subject name"))
        ft_buf_adds(text, "; the certificate is for another name: use one that it is for in the URL");
    else if (failure->code == CURLE_PEER_FAILED_VERIFICATION && (strstr(failure->curl_says, "expired") || strstr(failure->curl_says, "not yet valid")))
        ft_buf_adds(text, "; the server needs a new certificate, or one of the two clocks is wrong");
    else if (failure->code == CURLE_PEER_FAILED_VERIFICATION)
        ft_buf_adds(text, asked->ca_file ? "; check that ca_file holds the certificate of the CA that signed the server's"
                                         : "; set ca_file to the certificate of the CA that signed the server's");
    else if (failure->code == CURLE_SSL_CACERT_BADFILE)
        ft_buf_addf(text, "; ca_file '%s' must be a readable PEM file", asked->ca_file ? asked->ca_file : "of the system");
    else if (failure->code == CURLE_SSL_CERTPROBLEM)
        ft_buf_addf(text, "; cert_file '%s' and key_file must be readable PEM files that belong together, and the key not encrypted", asked->cert_file ? asked->cert_file : "");
    else if (is_certificate_refused(failure))
        ft_buf_adds(text, asked->cert_file ? "; the server does not accept the certificate in cert_file" : "; the server asks for a certificate of ours: set cert_file and key_file");
    else if (failure->code == CURLE_USE_SSL_FAILED)
        ft_buf_adds(text, "; the server offers no STARTTLS");
}

static void not_connected(struct ft_buf *text, const struct ft_http_failure *failure)
{
    if (failure->code == CURLE_COULDNT_RESOLVE_HOST || failure->code == CURLE_COULDNT_RESOLVE_PROXY)
        ft_buf_adds(text, "the name was not found; check the name and this machine's DNS");
    else if (failure->code == CURLE_OPERATION_TIMEDOUT)
        ft_buf_adds(text, "no connection in time; is the host up, and does a firewall drop the packets?");
    else if (failure->os_errno == ECONNREFUSED)
        ft_buf_adds(text, "connection refused; is the service running, and is it that port?");
    else if (failure->os_errno)
        ft_buf_addf(text, "no connection: %s", strerror(failure->os_errno));
    else
        add_said(text, failure->curl_says, strlen(failure->curl_says));
}

static void too_large(struct ft_buf *text, const struct ft_http_answer *answer, const struct ft_http_asked *asked)
{
    if (answer->body.overflow)
        ft_buf_addf(text, "the answer %d is larger than the %zu bytes allowed", answer->status, asked->max_bytes);
    else
        ft_buf_addf(text, "the answer %d has more headers than the %zu KiB allowed", answer->status, HEAD_MAX >> 10);
}

/* After the connection was there: how it ended without an answer. */
static enum ft_class cut_off(struct ft_buf *text, const struct ft_http_answer *answer, const struct ft_http_failure *failure)
{
    if (failure->code == CURLE_PARTIAL_FILE || answer->status) {
        ft_buf_addf(text, "the answer %d broke off after %zu bytes of its body", answer->status, answer->body.len);
        return FT_UNREACHABLE;
    }
    if (failure->code == CURLE_WEIRD_SERVER_REPLY || failure->code == CURLE_UNSUPPORTED_PROTOCOL || failure->code == CURLE_HTTP2) {
        ft_buf_adds(text, "what came back is not HTTP; is it the right port, and http or https as the server expects?");
        return FT_INVALID;
    }
    if (failure->os_errno)
        ft_buf_addf(text, "the connection broke off without an answer (%s)", strerror(failure->os_errno));
    else
        ft_buf_adds(text, "the server closed the connection without an answer");
    return FT_UNREACHABLE;
}

/* curl reports 550 and 451 alike; the server's code tells them apart. */
static enum ft_class mail_refused(struct ft_buf *text, const struct ft_http_answer *answer)
{
    int code = answer->status;

    ft_buf_addf(text, "the mail server answered ");
    add_said(text, answer->mail_line, strlen(answer->mail_line));
    if (code == 530 || code == 534 || code == 535 || code == 538) {
        ft_buf_adds(text, "; check user and password");
        return FT_DENIED;
    }
    return code >= 500 ? FT_INVALID : FT_REFUSED;
}

static enum ft_class explain(struct ft_buf *text, const struct ft_http_answer *answer, const struct ft_http_asked *asked,
                             const struct ft_http_failure *failure)
{
    if (is_tls(failure)) {
        tls_failed(text, asked, failure);
        return FT_UNREACHABLE;
    }
    if (answer->body.overflow || answer->head.overflow || answer->headers == HEADERS_MAX) {
        too_large(text, answer, asked);
        return FT_INVALID;
    }
    if (failure->timed_out) {
        char waited[40];

        ft_duration_format(failure->waited_ms, waited, sizeof(waited));
        ft_buf_addf(text, failure->sent ? "no complete answer in %s" : "%s were over before the request could be sent", waited);
        return FT_TIMEOUT;
    }
    if (failure->connecting) {
        not_connected(text, failure);
        return FT_UNREACHABLE;
    }
    if ((asked->flags & FT_HTTP_MAIL) && answer->status >= 400)
        return mail_refused(text, answer);
    if (failure->code == CURLE_LOGIN_DENIED) {
        ft_buf_adds(text, "the mail server offers no way to log in that is supported");
        return FT_DENIED;
    }
    if (failure->code == CURLE_BAD_CONTENT_ENCODING) {
        ft_buf_addf(text, "the answer %d cannot be decompressed", answer->status);
        return FT_INVALID;
    }
    return cut_off(text, answer, failure);
}

void ft_http_answer_failed(struct ft_http_answer *answer, const struct ft_http_asked *asked, const struct ft_http_failure *failure)
{
    bool write = asked->flags & (FT_HTTP_WRITE | FT_HTTP_MAIL);
    struct ft_buf text;
    enum ft_class class;

    begin_sentence(&text, asked);
    class = explain(&text, answer, asked, failure);
    if (write && failure->sent && class != FT_DENIED && !is_certificate_refused(failure) && !((asked->flags & FT_HTTP_MAIL) && answer->status >= 400)) {
        ft_buf_adds(&text, "; the request was sent and may have been carried out");
        class = FT_AMBIGUOUS;
    }
    list_headers(answer);
    answer->res = (struct ft_http_res){ .size = sizeof(answer->res), .status = answer->status, .headers = answer->list, .body = "" };
    conclude(answer, class, &text);
}
