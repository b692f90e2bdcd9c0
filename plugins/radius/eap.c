/* eap.c: radius.eap: a whole 802.1X login as a supplicant does it, by eapol_test (of wpa_supplicant), without an access point.
 *
 * What eapol_test must read and write stands in two files that have no name and no place on a disk: memfd, opened through /proc by the child. They are
 * gone with the call, however it ends. Texts go into its configuration as hex digits, so none of them can break out of its line. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "radius.h"

enum { OUTPUT_MAX = 4 << 20, CHAIN_MAX = 256 << 10, CERT_MAX = 256 << 10 };

struct eap {
    struct rad_exchange x;            /* first; only its peers are used here */
    int config_fd, chain_fd;          /* 0: none */
    struct rad_relay *relay;          /* belongs to the worker's job */
    bool exited, relayed;
    json_t *out;                      /* the result, as far as it is known */
    const char *cert;                 /* PEM of client_cert */
    char *said;                       /* of eapol_test */
    uint64_t began;
    unsigned timeout_s;
    struct rad_relay_seen seen;
};

static const char *param(struct ft_call *call, const char *name)
{
    return ft_str(host->params(call), name);
}

static void drop(struct ft_call *call)
{
    struct eap *eap = host->state(call);

    if (eap->relay)
        rad_relay_stop(eap->relay);
    eap->relay = NULL;
    if (eap->config_fd)
        close(eap->config_fd);
    if (eap->chain_fd)
        close(eap->chain_fd);
    eap->config_fd = eap->chain_fd = 0;
    json_decref(eap->out);
    eap->out = NULL;
    free(eap->said);
    eap->said = NULL;
}

__attribute__((format(printf, 3, 4)))
static void fail(struct ft_call *call, enum ft_class class, const char *fmt, ...)
{
    char text[900];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    drop(call);
    host->fail(call, class, "%s", text);
}

/* ---- what eapol_test is told */

static void put_hex(FILE *to, const char *key, const char *text)
{
    if (!text)
        return;
    fprintf(to, " %s=", key);
    for (const char *p = text; *p; p++)
        fprintf(to, "%02x", (unsigned char)*p);
    fprintf(to, "\n");
}

static const char *ca_file(struct ft_call *call)
{
    const char *own = param(call, "ca_file");

    return ft_true(host->params(call), "skip_server_check") ? NULL : own ? own : ft_str(host->config(call), "ca_file");
}

static const char *inner_of(struct ft_call *call)
{
    static const struct { const char *name, *phase2; } inner[] = {
        { "mschapv2", "auth=MSCHAPV2" }, { "pap", "auth=PAP" }, { "chap", "auth=CHAP" }, { "mschap", "auth=MSCHAP" }, { "gtc", "auth=GTC" },
    };

    for (size_t i = 0; i < ARRAY_LEN(inner); i++)
        if (ft_same(param(call, "inner"), inner[i].name))
            return inner[i].phase2;
    return inner[0].phase2;
}

static void write_config(struct ft_call *call, FILE *to)
{
    const char *method = param(call, "method"), *user = param(call, "user"), *outer = param(call, "outer_identity");

    fprintf(to, "network={\n ssid=\"fettle\"\n key_mgmt=WPA-EAP\n eap=%s\n", ft_same(method, "tls") ? "TLS" : ft_same(method, "ttls") ? "TTLS" : "PEAP");
    put_hex(to, "identity", user);
    put_hex(to, "ca_cert", ca_file(call));
    put_hex(to, "domain_match", param(call, "server_name"));
    if (ft_same(method, "tls")) {
        put_hex(to, "client_cert", param(call, "client_cert"));
        put_hex(to, "private_key", param(call, "private_key"));
        put_hex(to, "private_key_passwd", param(call, "key_password"));
    } else {
        put_hex(to, "anonymous_identity", outer ? outer : user);
        put_hex(to, "password", param(call, "password"));
        fprintf(to, " phase2=\"%s\"\n", inner_of(call));
    }
    fprintf(to, "}\n");
}

static int make_files(struct ft_call *call, struct eap *eap, struct ft_err *reterr)
{
    int config = memfd_create("fettle-eap", MFD_CLOEXEC), chain = memfd_create("fettle-chain", MFD_CLOEXEC), copy = config >= 0 ? dup(config) : -1;
    FILE *to = copy >= 0 ? fdopen(copy, "w") : NULL;

    eap->config_fd = config > 0 ? config : 0;
    eap->chain_fd = chain > 0 ? chain : 0;
    if (!to || chain < 0)
        return ft_fault(reterr, FT_INVALID, "no memory for the configuration of eapol_test: %s", strerror(errno));
    write_config(call, to);
    return fclose(to) == 0 ? 0 : ft_fault(reterr, FT_INVALID, "the configuration of eapol_test cannot be written: %s", strerror(errno));
}

static const char *path_of(struct ft_call *call, int fd)
{
    return host->printf(call, "/proc/%ld/fd/%d", (long)getpid(), fd);
}

/* ---- what eapol_test says */

static const char *line_with(const char *text, const char *what)
{
    return text ? strstr(text, what) : NULL;
}

/* What stands behind `what`, until `end` or the end of the line; NULL: nowhere. Bounded. */
static const char *behind(struct ft_call *call, const char *text, const char *what, const char *end)
{
    const char *at = line_with(text, what), *stop;
    size_t len;

    if (!at)
        return NULL;
    at += strlen(what);
    len = strcspn(at, "\n");
    stop = end ? memmem(at, len, end, strlen(end)) : NULL;
    if (stop)
        len = (size_t)(stop - at);
    return len ? host->printf(call, "%.*s", (int)(len > 300 ? 300 : len), at) : NULL;
}

/* The last one: "remote certificate verification (param=success)" comes for each certificate. */
static const char *last_notice(struct ft_call *call, const char *text, const char *what)
{
    const char *pattern = host->printf(call, "EAP: Status notification: %s (param=", what), *at = text, *found = NULL;

    while ((at = line_with(at, pattern)))
        found = at++;
    return found ? behind(call, found, pattern, ")") : NULL;
}

struct why { const char *kind, *reason; };

/* The client's own mistakes, before a packet is sent. */
static const char *local_trouble(struct ft_call *call, const char *said)
{
    if (line_with(said, "tls_connection_client_cert - ") || line_with(said, "tls_connection_private_key"))
        return "eapol_test cannot use client_cert and private_key: are both PEM?";
    if (line_with(said, "tls_connection_ca_cert") || line_with(said, "Failed to load root certificates") || line_with(said, "tls_load_ca_der"))
        return host->printf(call, "ca_file cannot be read: %s", ca_file(call) ? ca_file(call) : "");
    if (line_with(said, "Failed to read or parse configuration"))
        return "eapol_test does not understand its configuration: is it an old version?";
    return NULL;
}

static struct why certificate_trouble(struct ft_call *call, const char *said)
{
    const char *check = last_notice(call, said, "remote certificate verification"), *theirs = last_notice(call, said, "remote TLS alert");

    if (check && strcmp(check, "success") != 0)
        return (struct why){ "server_certificate", host->printf(call, "the server's certificate is not accepted: %s", check) };
    if (theirs && strstr(theirs, "certificate"))
        return (struct why){ "client_certificate", host->printf(call, "the server does not accept the client's certificate: %s", theirs) };
    if (theirs)
        return (struct why){ strcasestr(theirs, "unknown CA") ? "client_certificate" : "tls", host->printf(call, "the server ended TLS: %s", theirs) };
    return (struct why){ NULL, NULL };
}

static struct why rejection(struct ft_call *call, const struct eap *eap, const char *said)
{
    const char *code = behind(call, said, "error=", ")"), *words = NULL;
    const char *failure = behind(call, said, "EAP-MSCHAPV2: failure message: ", NULL);
    bool tls = ft_same(param(call, "method"), "tls");
    const char *message = NULL;
    json_t *reply = eap->seen.last ? rad_text(eap->seen.last, 0, 18) : NULL;

    if (failure) {
        code = strstr(failure, "error ");
        words = code ? rad_mschap_error(strtol(code + 6, NULL, 10)) : NULL;
    }
    message = json_string_value(reply) ? host->printf(call, " (%s)", json_string_value(reply)) : "";
    json_decref(reply);
    if (words)
        return (struct why){ "credentials", host->printf(call, "%s%s", words, message) };
    if (line_with(said, "EAP: Status notification: refuse proposed method") && !line_with(said, "CTRL-EVENT-EAP-METHOD"))
        return (struct why){ "method", host->printf(call, "the server does not offer EAP-%s%s", param(call, "method"), message) };
    if (tls)
        return (struct why){ "client_certificate", host->printf(call, "the server rejects after TLS: the client's certificate (expired, revoked, of an unknown authority) or its policy%s", message) };
    return (struct why){ "credentials", host->printf(call, "the server rejects: wrong password, unknown user, or its policy%s", message) };
}

/* An expired certificate is known without the server. */
static struct why explain(struct ft_call *call, const struct eap *eap, const char *said)
{
    struct why why = certificate_trouble(call, said);
    const json_t *own = ft_get(eap->out, "client_certificate");

    if (ft_true(own, "expired") && (!why.kind || strcmp(why.kind, "client_certificate") == 0))
        return (struct why){ "client_certificate", host->printf(call, "the client's certificate has expired %.0f days ago", -ft_num(own, "days_left")) };
    return why.kind ? why : rejection(call, eap, said);
}

/* ---- the end: both eapol_test and the relay are done */

static void take_chain(struct ft_call *call, struct eap *eap)
{
    char *pem = malloc(CHAIN_MAX);
    ssize_t n = pem ? pread(eap->chain_fd, pem, CHAIN_MAX, 0) : 0;
    json_t *chain = rad_chain(pem, n > 0 ? (size_t)n : 0, (double)host->wall_ms(call) / 1000);
    const json_t *first = json_array_get(chain, 0);

    json_object_set_new(eap->out, "certificate_expires", json_is_object(first) ? json_copy(json_object_get(first, "not_after")) : json_null());
    json_object_set_new(eap->out, "certificate_days_left", json_is_object(first) ? json_copy(json_object_get(first, "days_left")) : json_null());
    json_object_set_new(eap->out, "chain", chain);
    free(pem);
}

static void set_text(json_t *out, const char *key, const char *text)
{
    json_object_set_new(out, key, text ? json_string(text) : json_null());
}

static void finish(struct ft_call *call, struct eap *eap)
{
    const struct rad_peer *peer = eap->x.peers;
    const char *said = eap->said, *check = last_notice(call, said, "remote certificate verification");
    bool success = line_with(said, "\nSUCCESS\n") != NULL;
    struct why why = success ? (struct why){ "ok", NULL } : explain(call, eap, said);
    json_t *out = eap->out;

    take_chain(call, eap);
    json_object_set_new(out, "success", json_boolean(success));
    set_text(out, "kind", why.kind);
    set_text(out, "reason", why.reason);
    set_text(out, "method", behind(call, line_with(said, "CTRL-EVENT-EAP-METHOD"), "(", ")"));
    set_text(out, "tls", behind(call, said, "SSL: Using TLS version ", NULL));
    json_object_set_new(out, "server_verified", json_boolean(check && strcmp(check, "success") == 0 && ca_file(call)));
    json_object_set_new(out, "server", json_string(peer->name));
    json_object_set_new(out, "address", json_sprintf("%s port %u", peer->host, peer->port));
    json_object_set_new(out, "ms", json_integer((json_int_t)(eap->began - host->remaining_ms(call))));
    json_object_set_new(out, "rounds", json_integer(eap->seen.answered));
    json_object_set_new(out, "vlan", eap->seen.last ? rad_vlan(eap->seen.last) : json_null());
    json_object_set_new(out, "reply_message", eap->seen.last ? rad_text(eap->seen.last, 0, 18) : json_null());
    json_object_set_new(out, "attributes", eap->seen.last ? rad_attributes(eap->seen.last) : json_array());
    eap->out = NULL;
    drop(call);
    host->done(call, out);
}

static void judge(struct ft_call *call, struct eap *eap)
{
    const struct rad_peer *peer = eap->x.peers;
    const char *trouble = local_trouble(call, eap->said);
    const struct rad_relay_seen *seen = &eap->seen;

    if (trouble)
        fail(call, FT_INVALID, "%s", trouble);
    else if (seen->unresolved)
        fail(call, FT_UNREACHABLE, "%s: the name %s is not known", peer->name, peer->host);
    else if (seen->refused)
        fail(call, FT_UNREACHABLE, "%s (%s port %u): nothing listens there (port unreachable)", peer->name, peer->host, peer->port);
    else if (seen->forged && !seen->answered)
        fail(call, FT_TIMEOUT, "%s (%s port %u): an answer came whose authenticator does not fit: is the shared secret wrong?", peer->name, peer->host, peer->port);
    else if (seen->asked && !seen->answered)
        fail(call, FT_TIMEOUT, "%s (%s port %u): no answer in %u s: it is down, or does not know this host as a client, or the shared secret is wrong",
             peer->name, peer->host, peer->port, eap->timeout_s);
    else if (!seen->asked)
        fail(call, FT_INVALID, "eapol_test sent nothing: %s", behind(call, eap->said, "Failed", NULL) ? behind(call, eap->said, "Failed", NULL) : "it ended at once");
    else if (line_with(eap->said, "EAPOL test timed out"))
        fail(call, FT_TIMEOUT, "%s (%s port %u): the login stopped after %u answers and did not end within %u s: are large packets lost on the way (path MTU)?",
             peer->name, peer->host, peer->port, seen->answered, eap->timeout_s);
    else
        finish(call, eap);
}

static void relay_over(struct ft_call *call, void *job)
{
    struct eap *eap = host->state(call);

    eap->seen = rad_relay_seen(job);
    eap->relayed = true;
    eap->relay = NULL;                /* released after this */
    if (eap->exited)
        judge(call, eap);
}

static void exited(struct ft_call *call, const struct ft_exec_res *res)
{
    struct eap *eap = host->state(call);

    if (res->error) {
        fail(call, res->class ? res->class : FT_INVALID, "eapol_test: %s", res->error);
        return;
    }
    eap->said = strndup(res->out ? res->out : "", res->out_len);
    eap->exited = true;
    if (eap->relay)
        rad_relay_stop(eap->relay);
    if (eap->relayed)
        judge(call, eap);
}

/* ---- the beginning */

static int make_extra(struct ft_call *call, struct rad_packet *ret, struct ft_err *reterr)
{
    if (!rad_begin(ret, RAD_ACCESS_REQUEST))
        return ft_fault(reterr, FT_INVALID, "the system gives no random numbers");
    return rad_put_all(ret, ft_get(host->params(call), "attributes"), reterr);
}

static int begin(struct ft_call *call, struct eap *eap, struct ft_err *reterr)
{
    struct rad_packet extra;
    char mac[18];
    int r = make_extra(call, &extra, reterr);

    if (r < 0)
        return r;
    if (!rad_mac(param(call, "mac"), mac))
        return ft_fault(reterr, FT_INVALID, "mac: '%.40s' is not a MAC address", param(call, "mac"));
    for (char *p = mac; *p; p++)
        *p = *p == '-' ? ':' : *p;
    r = make_files(call, eap, reterr);
    if (r < 0)
        return r;
    eap->relay = rad_relay_new(eap->x.peers, &extra, (eap->timeout_s + 1) * 1000, reterr);
    if (!eap->relay)
        return -EINVAL;
    const char *const argv[] = { "eapol_test", "-c", path_of(call, eap->config_fd), "-a", "127.0.0.1", "-p", host->printf(call, "%u", rad_relay_port(eap->relay)),
        "-s", rad_relay_secret(eap->relay), "-t", host->printf(call, "%u", eap->timeout_s), "-M", mac, "-o", path_of(call, eap->chain_fd), NULL };
    const struct ft_exec_req req = { .size = sizeof(req), .argv = argv, .max_output = OUTPUT_MAX };

    eap->began = host->remaining_ms(call);
    host->redact(call, rad_relay_secret(eap->relay));
    r = host->exec(call, &req, exited, reterr);
    if (r == 0)
        r = host->work(call, eap->relay, rad_relay_run, relay_over, rad_relay_free, reterr);
    else if (reterr && !reterr->class)
        reterr->class = FT_INVALID;
    if (r < 0) {
        rad_relay_free(eap->relay);
        eap->relay = NULL;
    }
    return r;
}

static void began(struct ft_call *call)
{
    struct ft_err err = { 0 };

    if (begin(call, host->state(call), &err) < 0)
        fail(call, err.class ? err.class : FT_INVALID, "%s", err.text);
}

static void key_here(struct ft_call *call, const struct ft_file_res *res)
{
    struct eap *eap = host->state(call);
    const char *trouble = res->error ? NULL : rad_key_trouble(res->bytes, res->len, param(call, "key_password"), eap->cert, strlen(eap->cert));

    if (res->error)
        fail(call, res->class ? res->class : FT_INVALID, "private_key: %s", res->error);
    else if (trouble)
        fail(call, FT_INVALID, "%s", trouble);
    else
        began(call);
}

/* The client's certificate, for its expiry, and then its key. */
static void certificate_here(struct ft_call *call, const struct ft_file_res *res)
{
    struct eap *eap = host->state(call);
    struct ft_err err = { 0 };
    json_t *chain;

    if (res->error) {
        fail(call, res->class ? res->class : FT_INVALID, "client_cert: %s", res->error);
        return;
    }
    chain = rad_chain(res->bytes, res->len, (double)host->wall_ms(call) / 1000);
    if (json_array_size(chain))       /* in such a file the own one comes first: read from the bottom up here, it is the last */
        json_object_set(eap->out, "client_certificate", json_array_get(chain, json_array_size(chain) - 1));
    json_decref(chain);
    eap->cert = host->printf(call, "%s", res->bytes);
    if (host->file_read(call, param(call, "private_key"), CERT_MAX, key_here, &err) < 0)
        fail(call, err.class ? err.class : FT_INVALID, "private_key: %s", err.text);
}

static int check(struct ft_call *call, struct ft_err *reterr)
{
    bool tls = ft_same(param(call, "method"), "tls");

    if (tls && (!param(call, "client_cert") || !param(call, "private_key")))
        return ft_fault(reterr, FT_INVALID, "EAP-TLS needs client_cert and private_key");
    if (!tls && !param(call, "password"))
        return ft_fault(reterr, FT_INVALID, "%s needs a password", ft_same(param(call, "method"), "ttls") ? "EAP-TTLS" : "PEAP");
    if (!ca_file(call) && !ft_true(host->params(call), "skip_server_check"))
        return ft_fault(reterr, FT_INVALID, "ca_file: without the authority of the server's certificate anybody could be the server; skip_server_check: true does without");
    return 0;
}

static int start(struct ft_call *call, struct ft_err *reterr)
{
    struct eap *eap = host->state(call);
    json_int_t seconds = ft_int(host->params(call), "within_s");
    struct ft_err err = { 0 };
    int r = check(call, reterr);

    if (param(call, "password"))
        host->redact(call, param(call, "password"));
    if (param(call, "key_password"))
        host->redact(call, param(call, "key_password"));
    if (r == 0)
        r = rad_servers(call, RAD_AUTH_PORT, &eap->x, reterr);
    if (r < 0)
        return r;
    eap->timeout_s = (unsigned)seconds;
    eap->out = json_pack("{s:n}", "client_certificate");
    if (!ft_same(param(call, "method"), "tls")) {
        began(call);
        return 0;
    }
    if (host->file_read(call, param(call, "client_cert"), CERT_MAX, certificate_here, &err) < 0)
        fail(call, err.class ? err.class : FT_INVALID, "client_cert: %s", err.text);
    return 0;
}

#define CERTIFICATE_R \
    RAD_P("subject", "\"string\"", "whose it is") "," RAD_P("issuer", "\"string\"", "who signed it") "," \
    "\"names\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"description\":\"DNS names that it is for\"}," RAD_BOOL("ca", "an authority's") "," \
    RAD_P("not_before", "\"number\"", "good from, s since 1970") "," RAD_P("not_after", "\"number\"", "good until, s since 1970") "," \
    RAD_P("days_left", "\"number\"", "days until then, below 0 when it has expired") "," RAD_BOOL("expired", "it has expired") "," \
    RAD_P("serial", "\"string\"", "serial number, hex") "," RAD_P("sha256", "\"string\"", "fingerprint")

const struct ft_action radius_eap = {
    .size = sizeof(struct ft_action), .name = "eap", .summary = "a whole 802.1X login (PEAP, EAP-TTLS, EAP-TLS), and the certificate that the server shows",
    .effects = FT_EFFECT_READ, .state_size = sizeof(struct eap), .timeout_ms = 60000,
    .run = { start, drop },
    .params_schema = RAD_PARAMS("\"method\",\"user\"",
        FT_JSON("method": {"type": "string", "enum": ["peap", "ttls", "tls"], "description": "EAP method"},
                "inner": {"type": "string", "enum": ["mschapv2", "pap", "chap", "mschap", "gtc"], "default": "mschapv2", "description": "peap, ttls: how the password is proved inside"},
                "user": {"type": "string", "minLength": 1, "maxLength": 253, "description": "identity"},
                "outer_identity": {"type": "string", "minLength": 1, "description": "peap, ttls: identity that is sent in the clear; user when left out"},
                "password": {"type": "string", "x-secret": true, "minLength": 1, "description": "peap, ttls: password"},
                "client_cert": {"type": "string", "minLength": 1, "description": "tls: PEM file of the client's certificate"},
                "private_key": {"type": "string", "minLength": 1, "description": "tls: PEM file of its key"},
                "key_password": {"type": "string", "x-secret": true, "description": "tls: passphrase of the key"},
                "ca_file": {"type": "string", "minLength": 1, "description": "PEM file of the authority that the server's certificate must come from; that of the configuration when left out"},
                "server_name": {"type": "string", "minLength": 1, "description": "DNS name that the server's certificate must have"},
                "skip_server_check": {"type": "boolean", "default": false, "description": "accept any certificate, only to look at it: the password can be stolen"},
                "mac": {"type": "string", "default": "02:00:00:00:00:01", "description": "Calling-Station-Id: MAC address of the supplicant in any notation"},
                "within_s": {"type": "integer", "minimum": 1, "maximum": 50, "default": 10, "description": "how long the login may take, s"}) ","
        FT_JSON("server": {"type": "string", "minLength": 1, "description": "this server of the configuration; the first when left out"}) "," RAD_ATTRIBUTES_P),
    .result_schema = RAD_OBJ(
        RAD_BOOL("success", "the server let the client in, and both derived the same keys") ","
        RAD_P("kind", "\"string\"", "ok, credentials, server_certificate, client_certificate, method or tls") "," RAD_STR("reason", "why not, in words; nil on success") ","
        RAD_STR("method", "EAP method that was agreed on, such as PEAP") "," RAD_STR("tls", "version of TLS, such as TLSv1.2") ","
        RAD_BOOL("server_verified", "the server's certificate was checked and is good") ","
        RAD_NUM("certificate_expires", "when the server's certificate ends, s since 1970") "," RAD_NUM("certificate_days_left", "days until then") ","
        "\"chain\":{\"type\":\"array\",\"description\":\"certificates of the server, its own first\",\"items\":" RAD_OBJ(CERTIFICATE_R) "},"
        "\"client_certificate\":{\"type\":[\"object\",\"null\"],\"description\":\"tls: the client's own certificate\",\"properties\":{" CERTIFICATE_R "}},"
        RAD_P("server", "\"string\"", "name of the server") "," RAD_P("address", "\"string\"", "its address and port") ","
        RAD_P("ms", "\"integer\"", "how long the login took, ms") "," RAD_P("rounds", "\"integer\"", "answers of the server") ","
        RAD_STR("vlan", "VLAN that was given: number or name") "," RAD_STR("reply_message", "what the server says to the user") ","
        "\"attributes\":{\"type\":\"array\",\"items\":" RAD_OBJ(RAD_P("name", "\"string\"", "name") "," RAD_P("value", "[\"string\",\"integer\"]", "value") ","
        RAD_P("tag", "\"integer\"", "tag of a tunnel attribute")) ",\"description\":\"attributes of the last answer; keys and passwords as ***\"}"),
    .about = "Runs `eapol_test` (Debian: package eapoltest), which must be in PATH. It never sees the shared secret: it speaks to a relay in fettle on 127.0.0.1 with a\n"
             "secret of this one login, and the relay speaks to the server. Password and configuration stand in memory only, never on a command line or a disk.\n\n"
             "It changes no configuration, so it is a read. Yet the server counts it as a login: a wrong password can lock the account. Use a test account.\n"
             "A rejected login is a result; no answer, or a file that cannot be read, is an error.",
    .example = "- id: dot1x\n  run: radius.eap\n  with: {method: peap, user: probe, password: \"${probe_password}\", ca_file: /etc/ssl/corp-ca.pem, server_name: radius.example}\n"
               "  branch:\n    - if: not result.success\n      then: refused\n    - if: result.certificate_days_left < 30\n      then: renew\n    - else: works\n",
};
