/* tls.c: the certificate that a TLS server shows. It is looked at whether it can be trusted or not. */
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "net.h"

#define MAX_CHAIN 10

struct tls_job {
    char *host, *port, *sni, *ca_file;
    int timeout_ms;
    uint64_t wall_ms;
    json_t *result;                /* made on the worker, handed over to the loop */
};

/* ---- On the worker thread ---- */

static json_t *time_json(const ASN1_TIME *when, time_t *ret)
{
    struct tm tm = { 0 };
    char text[40];

    *ret = 0;
    if (!ASN1_TIME_to_tm(when, &tm))
        return json_null();
    *ret = timegm(&tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_string(text);
}

static json_t *name_json(const X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    json_t *text = NULL;
    char *data;
    long len;

    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        len = BIO_get_mem_data(bio, &data);
        text = json_stringn(data, (size_t)len);
    }
    BIO_free(bio);
    return text ? text : json_string("");
}

static json_t *sans_json(X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    json_t *list = json_array();

    for (int i = 0; names && i < sk_GENERAL_NAME_num(names) && i < 200; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        json_t *text = NULL;

        if (name->type == GEN_DNS)
            text = json_stringn((const char *)ASN1_STRING_get0_data(name->d.dNSName), (size_t)ASN1_STRING_length(name->d.dNSName));
        else if (name->type == GEN_IPADD && ASN1_STRING_length(name->d.iPAddress) == 4)
            text = json_sprintf("%u.%u.%u.%u", ASN1_STRING_get0_data(name->d.iPAddress)[0], ASN1_STRING_get0_data(name->d.iPAddress)[1],
                                ASN1_STRING_get0_data(name->d.iPAddress)[2], ASN1_STRING_get0_data(name->d.iPAddress)[3]);
        if (text)
            json_array_append_new(list, text);
    }
    GENERAL_NAMES_free(names);
    return list;
}

static json_t *chain_json(const STACK_OF(X509) *chain)
{
    json_t *list = json_array();
    time_t ignored;

    for (int i = 0; chain && i < sk_X509_num(chain) && i < MAX_CHAIN; i++) {
        X509 *cert = sk_X509_value(chain, i);

        json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "subject", name_json(X509_get_subject_name(cert)),
                                              "issuer", name_json(X509_get_issuer_name(cert)), "not_after", time_json(X509_get0_notAfter(cert), &ignored)));
    }
    return list;
}

static bool name_fits(X509 *cert, const char *name)
{
    return X509_check_host(cert, name, 0, 0, NULL) == 1 || X509_check_ip_asc(cert, name, 0) == 1;
}

static void read_certificate(struct tls_job *job, SSL *ssl)
{
    X509 *cert = SSL_get0_peer_certificate(ssl);
    long verify = SSL_get_verify_result(ssl);
    const char *wanted = job->sni ? job->sni : job->host;
    time_t before, after, now = (time_t)(job->wall_ms / 1000);
    json_t *not_before, *not_after;
    bool fits;

    if (!cert)
        return;
    not_before = time_json(X509_get0_notBefore(cert), &before);
    not_after = time_json(X509_get0_notAfter(cert), &after);
    fits = name_fits(cert, wanted);
    json_object_update_new(job->result, json_pack(
        "{s:b, s:b, s:s?, s:b, s:o, s:o, s:o, s:o, s:I, s:b, s:o, s:o, s:s, s:s}", "handshake", 1, "verified", verify == X509_V_OK && fits,
        "verify_error", verify != X509_V_OK ? X509_verify_cert_error_string(verify) : fits ? NULL : "the name is not in the certificate",
        "name_matches", fits, "subject", name_json(X509_get_subject_name(cert)), "issuer", name_json(X509_get_issuer_name(cert)),
        "not_before", not_before, "not_after", not_after, "days_left", (json_int_t)((after - now) / 86400), "expired", after <= now,
        "sans", sans_json(cert), "chain", chain_json(SSL_get_peer_cert_chain(ssl)), "protocol", SSL_get_version(ssl), "cipher", SSL_get_cipher(ssl)));
}

static void set_error(struct tls_job *job, const char *what, const char *why)
{
    json_object_set_new(job->result, "error", json_sprintf("%s: %s", what, why));
}

/* The handshake, step by step, until it is done or the time is over. */
static bool shake_hands(struct tls_job *job, SSL *ssl, int fd)
{
    double until = net_now_ms() + job->timeout_ms;

    for (;;) {
        int r = SSL_connect(ssl), want = SSL_get_error(ssl, r);
        struct pollfd ready = { .fd = fd, .events = want == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN };
        double left = until - net_now_ms();
        char text[200];

        if (r == 1)
            return true;
        if (want != SSL_ERROR_WANT_READ && want != SSL_ERROR_WANT_WRITE) {
            ERR_error_string_n(ERR_peek_error(), text, sizeof(text));
            set_error(job, "TLS handshake", ERR_peek_error() ? text : "the other side closed the connection");
            return false;
        }
        if (left <= 0 || poll(&ready, 1, (int)left + 1) != 1) {
            set_error(job, "TLS handshake", "no answer in time");
            return false;
        }
    }
}

static void look_at(struct tls_job *job, int fd)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = NULL;

    if (!context || (job->ca_file ? SSL_CTX_load_verify_locations(context, job->ca_file, NULL) : SSL_CTX_set_default_verify_paths(context)) != 1) {
        set_error(job, "reading the authorities", job->ca_file ? job->ca_file : "the system's list");
        goto out;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);        /* looked at, not relied on: nothing is sent */
    ssl = SSL_new(context);
    if (!ssl || SSL_set_fd(ssl, fd) != 1)
        goto out;
    SSL_set_tlsext_host_name(ssl, job->sni ? job->sni : job->host);
    if (shake_hands(job, ssl, fd))
        read_certificate(job, ssl);
out:
    ERR_clear_error();
    SSL_free(ssl);
    SSL_CTX_free(context);
}

static int connect_any(struct tls_job *job)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG }, *list = NULL;
    int r = getaddrinfo(job->host, job->port, &hints, &list), fd = -EHOSTUNREACH;

    if (r != 0) {
        set_error(job, job->host, gai_strerror(r));
        return -1;
    }
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
        fd = net_connect(a->ai_addr, a->ai_addrlen, SOCK_STREAM, job->timeout_ms);
    freeaddrinfo(list);
    if (fd < 0)
        set_error(job, "connect", strerror(-fd));
    return fd;
}

static json_t *blank_result(void)
{
    return json_pack("{s:b, s:b, s:b, s:n, s:b, s:n, s:n, s:n, s:n, s:n, s:b, s:[], s:[], s:n, s:n, s:n}", "open", 0, "handshake", 0, "verified", 0,
                     "verify_error", "name_matches", 0, "subject", "issuer", "not_before", "not_after", "days_left", "expired", 0, "sans", "chain",
                     "protocol", "cipher", "error");
}

static void tls_blocking(void *arg)
{
    struct tls_job *job = arg;
    double began = net_now_ms();
    int fd;

    job->result = blank_result();
    fd = connect_any(job);
    if (fd >= 0) {
        json_object_set_new(job->result, "open", json_true());
        look_at(job, fd);
        close(fd);
    }
    json_object_set_new(job->result, "ms", json_integer((json_int_t)(net_now_ms() - began)));
}

/* ---- On the loop ---- */

static void tls_after(struct ft_call *call, void *arg)
{
    struct tls_job *job = arg;
    json_t *result = job->result;

    job->result = NULL;
    host->done(call, result);
}

static void tls_release(void *arg)
{
    struct tls_job *job = arg;

    json_decref(job->result);
    free(job->host);
    free(job->port);
    free(job->sni);
    free(job->ca_file);
    free(job);
}

static char *copy_of(const char *text)
{
    return text ? strdup(text) : NULL;
}

static int tls_start(struct ft_call *call, struct ft_err *reterr)
{
    struct tls_job *job = calloc(1, sizeof(*job));

    if (!job)
        return ft_err_set(reterr, -ENOMEM, "out of memory");
    job->host = copy_of(net_param(call, "host"));
    job->port = copy_of(host->printf(call, "%d", (int)json_integer_value(json_object_get(host->params(call), "port"))));
    job->sni = copy_of(net_param(call, "sni"));
    job->ca_file = copy_of(net_param(call, "ca_file"));
    job->timeout_ms = net_timeout_ms(call);
    job->wall_ms = host->wall_ms(call);
    if (job->host && job->port)
        return host->work(call, job, tls_blocking, tls_after, tls_release, reterr);
    tls_release(job);
    return ft_err_set(reterr, -ENOMEM, "out of memory");
}

static const char params_schema[] = OBJECT("[\"host\"]",
    JSON("host": {"type": "string", "minLength": 1, "description": "name or address to connect to"},
         "port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 443, "description": "TCP port"},
         "sni": {"type": "string", "description": "name to ask for, and to find in the certificate; host when left out"},
         "ca_file": {"type": "string", "description": "PEM file of the authorities to trust; the system's when left out"}) ", " TIMEOUT_PARAM);
static const char result_schema[] = JSON({"type": "object", "properties": {
    "open": {"type": "boolean", "description": "a TCP connection was made"},
    "handshake": {"type": "boolean", "description": "the server speaks TLS and showed a certificate"},
    "verified": {"type": "boolean", "description": "the certificate is trusted, valid now, and has the name"},
    "verify_error": {"type": ["string", "null"], "description": "why it is not"},
    "name_matches": {"type": "boolean", "description": "the name asked for is in it"},
    "subject": {"type": ["string", "null"], "description": "whose it is"}, "issuer": {"type": ["string", "null"], "description": "who signed it"},
    "not_before": {"type": ["string", "null"], "description": "valid from (RFC 3339, UTC)"},
    "not_after": {"type": ["string", "null"], "description": "valid until (RFC 3339, UTC)"},
    "days_left": {"type": ["integer", "null"], "description": "whole days until it expires; negative when it has"},
    "expired": {"type": "boolean", "description": "it has expired"},
    "sans": {"type": "array", "items": {"type": "string"}, "description": "names and addresses that it is for"},
    "chain": {"type": "array", "description": "the certificates as the server sent them", "items": {"type": "object", "properties": {
        "subject": {"type": "string", "description": "whose"}, "issuer": {"type": "string", "description": "signed by"},
        "not_after": {"type": ["string", "null"], "description": "valid until"}}}},
    "protocol": {"type": ["string", "null"], "description": "TLSv1.2, TLSv1.3"}, "cipher": {"type": ["string", "null"], "description": "cipher suite"},
    "ms": {"type": "integer", "description": "milliseconds in all"}, "error": {"type": ["string", "null"], "description": "why there is no certificate"}}});

const struct ft_action net_tls_cert = {
    .size = sizeof(net_tls_cert), .name = "tls_cert", .summary = "a server's certificate", .effects = FT_EFFECT_READ, .params_schema = params_schema,
    .result_schema = result_schema, .run = { .start = tls_start }, .timeout_ms = 120000,
    .about = "Untrusted and expired certificates are shown like others, with `verified: false` and the reason. Nothing is sent but the handshake.",
    .example = "run: net.tls_cert\nwith: {host: radius.example, port: 2083}\n",
};
