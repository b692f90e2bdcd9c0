/* tls.c: TLS over a TCP stream: OpenSSL sees memory only, the bytes go through the stream below.
 *
 *   owner ──write──► SSL ──`out`──► tcp        tcp ──data──► `in` ──► SSL ──► owner                                     */
#include <arpa/inet.h>
#include "base/buf.h"
#include "base/text.h"
#include "base/util.h"
#include "net/openssl.h"
#include "net/stream.h"
#include "net/tls.h"

enum { DEFAULT_CONNECT_MS = 5000 };

struct tls {
    struct ft_stream stream;          /* first: a struct ft_stream * is a struct tls * */
    struct ft_loop *loop;
    struct ft_stream_handler handler;
    void *arg;
    char *name;                       /* "host:port", for the sentences */
    char *server_name, *ca_file;
    unsigned timeout_ms;
    uint64_t deadline_us;             /* of the handshake */
    struct ft_timer *timer;
    const struct ft_openssl *o;
    struct ft_stream *tcp;            /* NULL: closed */
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out;                    /* ssl owns them */
    bool ready, over, released;       /* the handshake is done; `closed` was called; the owner let go */
    bool eof_wanted, own_cert;
    unsigned busy;                    /* inside step(): nothing is freed */
    struct ft_buf early;              /* written before the handshake was done */
    char chunk[16384];
};

static void free_tls(struct tls *t)
{
    ft_timer_stop(t->timer);
    ft_stream_close(t->tcp);
    if (t->ssl)
        t->o->SSL_free(t->ssl);
    if (t->ctx)
        t->o->SSL_CTX_free(t->ctx);
    ft_buf_done(&t->early);
    free(t->name);
    free(t->server_name);
    free(t->ca_file);
    free(t);
}

static void leave(struct tls *t)
{
    if (--t->busy == 0 && t->released)
        free_tls(t);
}

/* What OpenSSL has to say to the other side: handshakes, records, alerts. */
static void flush(struct tls *t)
{
    char bytes[16384];
    int n;

    while (t->tcp && (n = t->o->BIO_read(t->out, bytes, sizeof(bytes))) > 0)
        ft_stream_write(t->tcp, bytes, (size_t)n, NULL);     /* where it is gone, its `closed` tells */
}

static void tls_over(struct tls *t, enum ft_class class, const char *why)
{
    if (t->over)
        return;
    t->over = true;
    ft_timer_stop(t->timer);
    t->timer = NULL;
    flush(t);
    ft_stream_close(t->tcp);
    t->tcp = NULL;
    if (!t->released && t->handler.closed)
        t->handler.closed(t->arg, &t->stream, class, -1, why);
}

__attribute__((format(printf, 3, 4)))
static void over_because(struct tls *t, enum ft_class class, const char *fmt, ...)
{
    struct ft_buf text = FT_BUF_INIT(0);
    va_list ap;

    ft_buf_addf(&text, "tls %s: ", t->name);
    va_start(ap, fmt);
    ft_buf_vaddf(&text, fmt, ap);
    va_end(ap);
    tls_over(t, class, ft_buf_str(&text));
    ft_buf_done(&text);
}

/* ---- why it did not come about */

static void not_trusted(struct tls *t, long result)
{
    const char *set = t->ca_file ? "check that ca_file holds the certificate of the CA that signed it"
                                 : "set ca_file to the certificate of the CA that signed it";

    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        over_because(t, FT_UNREACHABLE, "the server's certificate, or one that it rests on, has expired; renew it, or set this machine's clock");
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        over_because(t, FT_UNREACHABLE, "the server's certificate is not valid yet; check this machine's clock and the server's");
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        over_because(t, FT_UNREACHABLE, "the server's certificate is self-signed; %s", t->ca_file ? "ca_file holds another one" : "set ca_file to it if you trust it");
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT: case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        over_because(t, FT_UNREACHABLE, "the server's certificate is signed by an unknown CA; %s", set);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH: case X509_V_ERR_IP_ADDRESS_MISMATCH:
        over_because(t, FT_UNREACHABLE, "the server's certificate does not name '%s'; connect by a name that it has, or set the server name", t->server_name);
        break;
    default:
        over_because(t, FT_UNREACHABLE, "the server's certificate is not accepted: %s", t->o->X509_verify_cert_error_string(result));
        break;
    }
}

static bool is_alert(int reason, int alert)
{
    return reason == SSL_AD_REASON_OFFSET + alert;
}

static void protocol_failed(struct tls *t)
{
    unsigned long error = t->o->ERR_peek_error();
    int reason = ERR_GET_REASON(error);
    const char *says = t->o->ERR_reason_error_string(error), *hint = "";

    if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST || reason == SSL_R_PACKET_LENGTH_TOO_LONG)
        hint = "; that port does not speak TLS, it seems";
    else if (reason == SSL_R_UNSUPPORTED_PROTOCOL || is_alert(reason, SSL_AD_PROTOCOL_VERSION))
        hint = "; TLS 1.2 or newer is needed";
    else if (is_alert(reason, TLS13_AD_CERTIFICATE_REQUIRED) || (!t->own_cert && is_alert(reason, SSL_AD_HANDSHAKE_FAILURE)))
        hint = "; where the server asks for a certificate of ours, set cert_file and key_file";
    else if (t->own_cert && (is_alert(reason, SSL_AD_UNKNOWN_CA) || is_alert(reason, SSL_AD_BAD_CERTIFICATE) || is_alert(reason, SSL_AD_CERTIFICATE_UNKNOWN) ||
                             is_alert(reason, SSL_AD_CERTIFICATE_EXPIRED)))
        hint = "; the server does not accept the certificate in cert_file";
    over_because(t, FT_UNREACHABLE, "%s: %s%s", t->ready ? "the TLS connection broke off" : "no TLS connection", says ? says : "protocol error", hint);
}

static void handshake_failed(struct tls *t)
{
    long result = t->o->SSL_get_verify_result(t->ssl);

    if (result != X509_V_OK && ERR_GET_REASON(t->o->ERR_peek_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        not_trusted(t, result);
    else
        protocol_failed(t);
}

static void too_slow(void *arg)
{
    struct tls *t = arg;
    char waited[40];

    t->timer = NULL;
    t->busy++;
    over_because(t, FT_UNREACHABLE, "the TLS handshake was not over in %s; does that port speak TLS?", ft_duration_format(t->timeout_ms, waited, sizeof(waited)));
    leave(t);
}

/* ---- a step: as far as the bytes that came lead */

static void encrypt(struct tls *t, const char *bytes, size_t len)
{
    t->o->ERR_clear_error();
    while (len) {
        int n = t->o->SSL_write(t->ssl, bytes, (int)ft_min(len, (size_t)1 << 30));

        if (n <= 0)
            return;                   /* it is broken: reading tells */
        bytes += n;
        len -= (size_t)n;
    }
    flush(t);
}

static void send_end(struct tls *t)
{
    t->o->ERR_clear_error();
    t->o->SSL_shutdown(t->ssl);
    flush(t);
    ft_stream_eof(t->tcp);
}

static void handshake(struct tls *t)
{
    int r;

    t->o->ERR_clear_error();
    r = t->o->SSL_do_handshake(t->ssl);
    if (r != 1) {
        if (t->o->SSL_get_error(t->ssl, r) == SSL_ERROR_WANT_READ)
            flush(t);
        else
            handshake_failed(t);
        return;
    }
    flush(t);
    t->ready = true;
    ft_timer_stop(t->timer);
    t->timer = NULL;
    if (t->early.len)
        encrypt(t, t->early.data, t->early.len);
    ft_buf_done(&t->early);
    if (t->eof_wanted)
        send_end(t);
    if (t->handler.opened)
        t->handler.opened(t->arg, &t->stream);
}

/* False: nothing more to read now. */
static bool decrypt(struct tls *t)
{
    int n;

    t->o->ERR_clear_error();
    n = t->o->SSL_read(t->ssl, t->chunk, sizeof(t->chunk));
    if (n > 0) {
        if (t->handler.data)
            t->handler.data(t->arg, &t->stream, t->chunk, (size_t)n, /* is_stderr= */ false);
        return true;
    }
    switch (t->o->SSL_get_error(t->ssl, n)) {
    case SSL_ERROR_WANT_READ:
        flush(t);                     /* an answer to a change of keys */
        break;
    case SSL_ERROR_ZERO_RETURN:
        tls_over(t, FT_CLASS_NONE, "closed by the other side");
        break;
    default:
        protocol_failed(t);
        break;
    }
    return false;
}

static void step(struct tls *t)
{
    t->busy++;
    if (!t->ready && !t->over)
        handshake(t);
    while (t->ready && !t->over && decrypt(t))
        ;
    leave(t);
}

/* ---- the stream below */

static void tcp_opened(void *arg, struct ft_stream *tcp)
{
    struct tls *t = arg;
    uint64_t now = ft_clock_mono_us(ft_loop_clock(t->loop));

    (void)tcp;
    t->timer = ft_timer_start(t->loop, t->deadline_us > now ? (t->deadline_us - now) / 1000 : 0, too_slow, t);
    step(t);
}

static void tcp_data(void *arg, struct ft_stream *tcp, const char *bytes, size_t len, bool is_stderr)
{
    struct tls *t = arg;

    (void)tcp;
    (void)is_stderr;
    t->o->BIO_write(t->in, bytes, (int)len);
    step(t);
}

static void tcp_closed(void *arg, struct ft_stream *tcp, enum ft_class class, int exit_status, const char *why)
{
    struct tls *t = arg;

    (void)tcp;
    (void)exit_status;
    t->busy++;
    if (class != FT_CLASS_NONE)
        tls_over(t, class, why);
    else if (!t->ready)
        over_because(t, FT_UNREACHABLE, "the other side closed the connection in the TLS handshake; does that port speak TLS?");
    else
        over_because(t, FT_UNREACHABLE, "the connection was cut off: it ended without TLS's own end, so something may be missing");
    leave(t);
}

static const struct ft_stream_handler below = { .opened = tcp_opened, .data = tcp_data, .closed = tcp_closed };

/* ---- the stream */

/* With what the records need besides: none may be lost once it is encrypted. */
static bool fits(const struct tls *t, size_t len)
{
    size_t waiting = t->ready ? ft_tcp_waiting(t->tcp) : t->early.len;

    return len <= FT_STREAM_QUEUE_MAX && waiting + len + len / 64 + 1024 <= FT_STREAM_QUEUE_MAX;
}

static int tls_write(struct ft_stream *stream, const char *bytes, size_t len, struct ft_err *reterr)
{
    struct tls *t = (struct tls *)stream;

    if (t->over || t->eof_wanted)
        return ft_err_class(reterr, FT_UNREACHABLE, -EPIPE, "tls %s: the connection is closed", t->name);
    if (!fits(t, len))
        return ft_err_class(reterr, FT_REFUSED, -ENOBUFS, "tls %s: the other side does not take what is sent: too much waits already", t->name);
    if (t->ready)
        encrypt(t, bytes, len);
    else
        ft_buf_add(&t->early, bytes, len);
    return 0;
}

static void tls_eof(struct ft_stream *stream)
{
    struct tls *t = (struct tls *)stream;

    if (t->over || t->eof_wanted)
        return;
    t->eof_wanted = true;
    if (t->ready)
        send_end(t);
}

static void tls_close(struct ft_stream *stream)
{
    struct tls *t = (struct tls *)stream;

    if (t->ready && !t->over && !t->eof_wanted)
        send_end(t);
    t->released = t->over = true;
    if (!t->busy)
        free_tls(t);
}

static const struct ft_stream_ops tls_ops = { .write = tls_write, .eof = tls_eof, .close = tls_close };

/* ---- what it is to check, and to show */

/* Nobody is there to type it; the terminal is not asked. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)buf, (void)size, (void)writing, (void)arg;
    return -1;
}

static int bad_file(struct ft_err *reterr, const char *what, const char *path, const char *hint)
{
    return ft_err_class(reterr, FT_INVALID, -EINVAL, "%s '%s' must be a readable PEM file%s", what, path, hint);
}

static int load_files(struct tls *t, const struct ft_tcp_req *req, struct ft_err *reterr)
{
    const char *key = req->key_file ? req->key_file : req->cert_file;

    t->o->SSL_CTX_set_default_passwd_cb(t->ctx, no_passphrase);
    if (req->ca_file && !req->no_verify && t->o->SSL_CTX_load_verify_locations(t->ctx, req->ca_file, NULL) != 1)
        return bad_file(reterr, "ca_file", req->ca_file, "");
    if (!req->ca_file && !req->no_verify)
        t->o->SSL_CTX_set_default_verify_paths(t->ctx);
    if (!req->cert_file)
        return 0;
    t->own_cert = true;
    if (t->o->SSL_CTX_use_certificate_chain_file(t->ctx, req->cert_file) != 1)
        return bad_file(reterr, "cert_file", req->cert_file, "");
    if (t->o->SSL_CTX_use_PrivateKey_file(t->ctx, key, SSL_FILETYPE_PEM) != 1) {
        bool other = ERR_GET_REASON(t->o->ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH;

        return other ? ft_err_class(reterr, FT_INVALID, -EINVAL, "key_file '%s' is not the key of the certificate in '%s'", key, req->cert_file)
                     : bad_file(reterr, "key_file", key, " with a private key, not encrypted");
    }
    return 0;
}

static bool is_address(const char *name)
{
    unsigned char bytes[16];

    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

static int prepare(struct tls *t, const struct ft_tcp_req *req, struct ft_err *reterr)
{
    X509_VERIFY_PARAM *param;
    int r;

    t->o->ERR_clear_error();
    t->ctx = t->o->SSL_CTX_new(t->o->TLS_client_method());
    if (!t->ctx)
        abort();
    t->o->SSL_CTX_ctrl(t->ctx, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
    r = load_files(t, req, reterr);
    if (r < 0)
        return r;
    t->ssl = t->o->SSL_new(t->ctx);
    t->in = t->o->BIO_new(t->o->BIO_s_mem());
    t->out = t->o->BIO_new(t->o->BIO_s_mem());
    if (!t->ssl || !t->in || !t->out)
        abort();
    t->o->SSL_set_bio(t->ssl, t->in, t->out);
    t->o->SSL_set_connect_state(t->ssl);
    param = t->o->SSL_get0_param(t->ssl);
    if (is_address(t->server_name)) {
        t->o->X509_VERIFY_PARAM_set1_ip_asc(param, t->server_name);
    } else {
        t->o->X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        t->o->X509_VERIFY_PARAM_set1_host(param, t->server_name, 0);
        t->o->SSL_ctrl(t->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, t->server_name);
    }
    t->o->SSL_set_verify(t->ssl, req->no_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    return 0;
}

int ft_tls_open(struct ft_loop *loop, const struct ft_tcp_req *req, const struct ft_stream_handler *handler, void *arg,
                struct ft_stream **ret, struct ft_err *reterr)
{
    const struct ft_openssl *o = ft_openssl_load(reterr);
    struct ft_tcp_req plain = *req;
    struct tls *t;
    int r;

    if (!o)
        return -ENOENT;
    t = ft_calloc(1, sizeof(*t));
    t->stream.ops = &tls_ops;
    t->loop = loop;
    t->handler = *handler;
    t->arg = arg;
    t->o = o;
    t->name = ft_asprintf("%s:%u", req->host ? req->host : "", req->port);
    t->server_name = ft_strdup(req->server_name ? req->server_name : req->host ? req->host : "");
    t->ca_file = ft_strdup(req->ca_file);
    t->early = FT_BUF_INIT(FT_STREAM_QUEUE_MAX);
    t->timeout_ms = req->connect_timeout_ms ? req->connect_timeout_ms : DEFAULT_CONNECT_MS;
    t->deadline_us = ft_clock_mono_us(ft_loop_clock(loop)) + t->timeout_ms * 1000ull;
    r = prepare(t, req, reterr);
    plain.tls = false;
    if (r == 0)
        r = ft_tcp_open(loop, &plain, &below, t, &t->tcp, reterr);
    if (r < 0) {
        free_tls(t);
        return r;
    }
    *ret = &t->stream;
    return 0;
}

char *ft_tls_describe(void)
{
    struct ft_err err = { 0 };
    const struct ft_openssl *o = ft_openssl_load(&err);

    return ft_strdup(o ? o->OpenSSL_version(OPENSSL_VERSION) : err.text);
}
