/* tls.c: the certificate that a TLS server shows. It is looked at whether it can be trusted or not. */
#include <arpa/inet.h>
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
#include "starttls.h"

enum { MAX_CHAIN = 10, MAX_PROBLEMS = 10, FINGERPRINT = 32 };

/* What OpenSSL finds wrong with a certificate of the chain that it builds; the certificate by its fingerprint. */
struct problem { unsigned char of[FINGERPRINT]; int error; };

struct tls_job {
    char *host, *port, *sni, *ca_file, *starttls;
    int timeout_ms;
    struct problem problems[MAX_PROBLEMS];
    size_t problem_count;
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

static json_t *address_json(const ASN1_OCTET_STRING *bytes)
{
    int len = ASN1_STRING_length(bytes);
    char text[INET6_ADDRSTRLEN];

    return (len == 4 || len == 16) && inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(bytes), text, sizeof(text)) ? json_string(text) : NULL;
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
        else if (name->type == GEN_IPADD)
            text = address_json(name->d.iPAddress);
        if (text)
            json_array_append_new(list, text);
    }
    GENERAL_NAMES_free(names);
    return list;
}

static const char *problem_of(const struct tls_job *job, const unsigned char *fingerprint)
{
    for (size_t i = 0; i < job->problem_count; i++) {
        if (memcmp(job->problems[i].of, fingerprint, FINGERPRINT) == 0)
            return X509_verify_cert_error_string(job->problems[i].error);
    }
    return NULL;
}

static json_t *key_json(X509 *cert)
{
    EVP_PKEY *key = X509_get0_pubkey(cert);

    return key ? json_sprintf("%s %d", OBJ_nid2sn(EVP_PKEY_get_base_id(key)), EVP_PKEY_get_bits(key)) : json_null();
}

static json_t *certificate_json(const struct tls_job *job, X509 *cert)
{
    unsigned char digest[EVP_MAX_MD_SIZE] = { 0 };
    char hex[FINGERPRINT * 2 + 1] = "";
    unsigned len = 0;
    time_t before, after, now = (time_t)(job->wall_ms / 1000);
    json_t *not_before = time_json(X509_get0_notBefore(cert), &before), *not_after = time_json(X509_get0_notAfter(cert), &after);

    X509_digest(cert, EVP_sha256(), digest, &len);
    for (unsigned i = 0; i < len && i < FINGERPRINT; i++)
        snprintf(hex + i * 2, 3, "%02x", digest[i]);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:b, s:b, s:b, s:o, s:s?, s:s, s:s?}", "subject", name_json(X509_get_subject_name(cert)),
                     "issuer", name_json(X509_get_issuer_name(cert)), "sans", sans_json(cert), "not_before", not_before, "not_after", not_after,
                     "days_left", (json_int_t)((after - now) / 86400), "expired", after <= now, "ca", X509_check_ca(cert) > 0,
                     "self_signed", X509_check_issued(cert, cert) == X509_V_OK, "key", key_json(cert), "signature", OBJ_nid2ln(X509_get_signature_nid(cert)),
                     "sha256", hex, "problem", problem_of(job, digest));
}

/* Also the fewest days that a certificate of the chain is still good for. */
static json_t *chain_json(const struct tls_job *job, const STACK_OF(X509) *chain, json_int_t *ret_days)
{
    json_t *list = json_array();

    for (int i = 0; chain && i < sk_X509_num(chain) && i < MAX_CHAIN; i++) {
        json_t *one = certificate_json(job, sk_X509_value(chain, i));
        json_int_t days = ft_int(one, "days_left");

        *ret_days = i == 0 || days < *ret_days ? days : *ret_days;
        json_array_append_new(list, one);
    }
    return list;
}

/* Each problem is noted, and the verification goes on to find the next. */
static int note_problem(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_job *job = ssl ? SSL_get_app_data(ssl) : NULL;
    X509 *cert = X509_STORE_CTX_get_current_cert(store);
    unsigned char digest[EVP_MAX_MD_SIZE] = { 0 };
    unsigned len;

    if (ok || !job || job->problem_count == MAX_PROBLEMS)
        return 1;
    if (cert)
        X509_digest(cert, EVP_sha256(), digest, &len);
    memcpy(job->problems[job->problem_count].of, digest, FINGERPRINT);
    job->problems[job->problem_count++].error = X509_STORE_CTX_get_error(store);
    return 1;
}

static bool name_fits(X509 *cert, const char *name)
{
    return X509_check_host(cert, name, 0, 0, NULL) == 1 || X509_check_ip_asc(cert, name, 0) == 1;
}

static void read_certificate(struct tls_job *job, SSL *ssl)
{
    X509 *cert = SSL_get0_peer_certificate(ssl);
    const char *wanted = job->sni ? job->sni : job->host;
    json_int_t days = 0;
    json_t *chain, *first;
    bool fits;

    if (!cert)
        return;
    chain = chain_json(job, SSL_get_peer_cert_chain(ssl), &days);
    first = certificate_json(job, cert);
    fits = name_fits(cert, wanted);
    json_object_update_new(job->result, json_pack("{s:b, s:b, s:s?, s:b, s:I, s:o, s:s, s:s}", "handshake", 1, "verified", job->problem_count == 0 && fits,
        "verify_error", job->problem_count ? X509_verify_cert_error_string(job->problems[0].error) : fits ? NULL : "the name is not in the certificate",
        "name_matches", fits, "chain_days_left", days, "chain", chain, "protocol", SSL_get_version(ssl), "cipher", SSL_get_cipher(ssl)));
    for (const char *const *key = (const char *const[]){ "subject", "issuer", "not_before", "not_after", "days_left", "expired", "sans", "sha256", "key", NULL }; *key; key++)
        json_object_set(job->result, *key, json_object_get(first, *key));
    json_decref(first);
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
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, note_problem);        /* looked at, not relied on: nothing is sent */
    ssl = SSL_new(context);
    if (!ssl || SSL_set_fd(ssl, fd) != 1)
        goto out;
    SSL_set_app_data(ssl, job);
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
    return json_pack("{s:b, s:b, s:b, s:n, s:b, s:n, s:n, s:n, s:n, s:n, s:b, s:[], s:[], s:n, s:n, s:n, s:n, s:n, s:n}", "open", 0, "handshake", 0, "verified", 0,
                     "verify_error", "name_matches", 0, "subject", "issuer", "not_before", "not_after", "days_left", "expired", 0, "sans", "chain",
                     "protocol", "cipher", "error", "chain_days_left", "sha256", "key");
}

static void tls_blocking(void *arg)
{
    struct tls_job *job = arg;
    double began = net_now_ms();
    int fd;

    job->result = blank_result();
    fd = connect_any(job);
    if (fd >= 0) {
        char why[200];

        json_object_set_new(job->result, "open", json_true());
        if (job->starttls && !starttls_begin(fd, job->starttls, began + job->timeout_ms, why, sizeof(why)))
            set_error(job, job->starttls, why);
        else
            look_at(job, fd);
        close(fd);
    }
    json_object_set_new(job->result, "ms", json_integer((json_int_t)(net_now_ms() - began)));
    OPENSSL_thread_stop();                     /* what OpenSSL keeps for this thread goes */
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
    free(job->starttls);
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
    job->starttls = copy_of(net_param(call, "starttls"));
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
         "starttls": {"enum": ["smtp", "imap", "pop3", "ldap"], "description": "begin in the clear in this protocol, and ask for TLS there; TLS from the first byte when left out"},
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
    "chain_days_left": {"type": ["integer", "null"], "description": "the fewest days of all certificates that were sent: an intermediate may expire first"},
    "sha256": {"type": ["string", "null"], "description": "fingerprint, lower-case hex"}, "key": {"type": ["string", "null"], "description": "RSA 2048, EC 256"},
    "chain": {"type": "array", "description": "the certificates as the server sent them, its own first", "items": {"type": "object", "properties": {
        "subject": {"type": "string", "description": "whose"}, "issuer": {"type": "string", "description": "signed by"},
        "sans": {"type": "array", "items": {"type": "string"}, "description": "names and addresses that it is for"},
        "not_before": {"type": ["string", "null"], "description": "valid from"}, "not_after": {"type": ["string", "null"], "description": "valid until"},
        "days_left": {"type": "integer", "description": "whole days until it expires"}, "expired": {"type": "boolean", "description": "it has"},
        "ca": {"type": "boolean", "description": "it may sign others"}, "self_signed": {"type": "boolean", "description": "it signed itself"},
        "key": {"type": ["string", "null"], "description": "RSA 2048, EC 256"}, "signature": {"type": ["string", "null"], "description": "sha256WithRSAEncryption"},
        "sha256": {"type": "string", "description": "fingerprint"}, "problem": {"type": ["string", "null"], "description": "why it is not trusted"}}}},
    "protocol": {"type": ["string", "null"], "description": "TLSv1.2, TLSv1.3"}, "cipher": {"type": ["string", "null"], "description": "cipher suite"},
    "ms": {"type": "integer", "description": "milliseconds in all"}, "error": {"type": ["string", "null"], "description": "why there is no certificate"}}});

const struct ft_action net_tls_cert = {
    .size = sizeof(net_tls_cert), .name = "tls_cert", .summary = "a server's certificate", .effects = FT_EFFECT_READ, .params_schema = params_schema,
    .result_schema = result_schema, .run = { .start = tls_start }, .timeout_ms = 120000,
    .about = "Untrusted and expired certificates are shown like others, with `verified: false` and the reason. Nothing is sent but the handshake.",
    .example = "run: net.tls_cert\nwith: {host: radius.example, port: 2083}\n",
};
