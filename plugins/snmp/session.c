/* session.c: the library, its lock, and one conversation with one agent. */
#include <arpa/inet.h>
#include <locale.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/library/large_fd_set.h>
#include <openssl/crypto.h>
#include "session.h"

#define TICK_MS 100          /* how often a wait looks whether it should go on */

struct slot {
    bool done;
    int op, report;                              /* report: what kind of refusal an SNMPv3 engine sent */
    netsnmp_pdu *answer;
};

struct snmp_talk {
    struct snmp_agent *agent;
    void *handle;
    int fd;
    struct slot slot;                            /* of the request under way; the library may still fill it while the session closes */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void snmp_lock(void) { pthread_mutex_lock(&lock); }
void snmp_unlock(void) { pthread_mutex_unlock(&lock); }
void snmp_thread_end(void) { OPENSSL_thread_stop(); }

double snmp_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1e6;
}

/* ---- The library ---- */

static void no_files(void)
{
    static const int off[] = { NETSNMP_DS_LIB_DONT_READ_CONFIGS, NETSNMP_DS_LIB_DONT_PERSIST_STATE, NETSNMP_DS_LIB_DISABLE_PERSISTENT_LOAD,
                               NETSNMP_DS_LIB_DISABLE_PERSISTENT_SAVE, NETSNMP_DS_LIB_DONT_LOAD_HOST_FILES };

    for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++)
        netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, off[i], 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_MIB_ERRORS, 0);
    set_persistent_directory("/dev/null/none");       /* else it makes a folder for certificates there; this one cannot be made */
}

static int load_mibs(const json_t *config, struct ft_err *reterr)
{
    const json_t *dirs = ft_get(config, "mib_dirs"), *mibs = ft_get(config, "mibs"), *item;
    size_t i;

    json_array_foreach(dirs, i, item)
        add_mibdir(json_string_value(item));
    json_array_foreach(mibs, i, item) {
        netsnmp_read_module(json_string_value(item));
        if (which_module(json_string_value(item)) < 0)
            return ft_fault(reterr, FT_INVALID, "plugins.snmp.mibs: there is no MIB file with the module '%s' in plugins.snmp.mib_dirs", json_string_value(item));
    }
    return 0;
}

static size_t engine_bytes(const char *hex, u_char *ret, size_t size)
{
    size_t n = 0;

    for (unsigned byte; n < size && sscanf(hex + n * 2, "%2x", &byte) == 1; n++)
        ret[n] = (u_char)byte;
    return n;
}

int snmp_library_init(const json_t *config, struct ft_err *reterr)
{
    static bool done;
    const char *engine = ft_str(ft_get(config, "traps"), "engine_id");
    u_char bytes[32];
    size_t len;
    netsnmp_session plain;
    char *locale;

    if (done)
        return load_mibs(config, reterr);
    done = true;
    netsnmp_register_loghandler(NETSNMP_LOGHANDLER_NONE, LOG_DEBUG);      /* the library writes to no terminal of ours */
    snmp_disable_stderrlog();
    snmp_sess_init(&plain);                                              /* sets the defaults that are changed next */
    no_files();
    netsnmp_ds_set_string(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_MIBDIRS, "/nonexistent");
    if (engine && (len = engine_bytes(engine, bytes, sizeof(bytes))) > 0)
        set_exact_engineID(bytes, len);
    locale = strdup(setlocale(LC_CTYPE, NULL));
    init_snmp("fettle");
    if (locale)
        setlocale(LC_CTYPE, locale);                                     /* which is the program's to choose */
    free(locale);
    return load_mibs(config, reterr);
}

/* ---- From the configuration ---- */

static const struct { const char *name; const oid *protocol; size_t len; } auth_protocols[] = {
    { "MD5", usmHMACMD5AuthProtocol, USM_AUTH_PROTO_MD5_LEN }, { "SHA", usmHMACSHA1AuthProtocol, USM_AUTH_PROTO_SHA_LEN },
    { "SHA-224", usmHMAC128SHA224AuthProtocol, OID_LENGTH(usmHMAC128SHA224AuthProtocol) },
    { "SHA-256", usmHMAC192SHA256AuthProtocol, OID_LENGTH(usmHMAC192SHA256AuthProtocol) },
    { "SHA-384", usmHMAC256SHA384AuthProtocol, OID_LENGTH(usmHMAC256SHA384AuthProtocol) },
    { "SHA-512", usmHMAC384SHA512AuthProtocol, OID_LENGTH(usmHMAC384SHA512AuthProtocol) },
}, priv_protocols[] = {
    { "DES", usmDESPrivProtocol, USM_PRIV_PROTO_DES_LEN }, { "AES", usmAESPrivProtocol, USM_PRIV_PROTO_AES_LEN },
    { "AES-192", usmAES192PrivProtocol, OID_LENGTH(usmAES192PrivProtocol) }, { "AES-256", usmAES256PrivProtocol, OID_LENGTH(usmAES256PrivProtocol) },
    { "AES-192-C", usmAES192CiscoPrivProtocol, OID_LENGTH(usmAES192CiscoPrivProtocol) },
    { "AES-256-C", usmAES256CiscoPrivProtocol, OID_LENGTH(usmAES256CiscoPrivProtocol) },
};

static void copy_text(char *into, size_t size, const char *text)
{
    snprintf(into, size, "%s", text ? text : "");
}

int snmp_user_fill(struct snmp_user *user, const json_t *section, const char *where, struct ft_err *reterr)
{
    const char *auth = ft_str(section, "auth"), *priv = ft_str(section, "priv");

    if (!ft_str(section, "user"))
        return ft_fault(reterr, FT_INVALID, "%s: SNMPv3 needs a user", where);
    if ((auth && !ft_str(section, "auth_password")) || (priv && !ft_str(section, "priv_password")))
        return ft_fault(reterr, FT_INVALID, "%s: auth needs auth_password, priv needs priv_password", where);
    if (priv && !auth)
        return ft_fault(reterr, FT_INVALID, "%s: SNMPv3 encrypts (priv) only what it authenticates (auth)", where);
    if ((auth && strlen(ft_str(section, "auth_password")) < 8) || (priv && strlen(ft_str(section, "priv_password")) < 8))
        return ft_fault(reterr, FT_INVALID, "%s: the passwords of SNMPv3 have at least 8 characters", where);
    copy_text(user->name, sizeof(user->name), ft_str(section, "user"));
    copy_text(user->auth_password, sizeof(user->auth_password), ft_str(section, "auth_password"));
    copy_text(user->priv_password, sizeof(user->priv_password), ft_str(section, "priv_password"));
    user->level = priv ? SNMP_SEC_LEVEL_AUTHPRIV : auth ? SNMP_SEC_LEVEL_AUTHNOPRIV : SNMP_SEC_LEVEL_NOAUTH;
    for (size_t i = 0; i < sizeof(auth_protocols) / sizeof(auth_protocols[0]); i++) {
        if (ft_same(auth, auth_protocols[i].name)) {
            user->auth = auth_protocols[i].protocol;
            user->auth_len = auth_protocols[i].len;
        }
        if (ft_same(priv, priv_protocols[i].name)) {
            user->priv = priv_protocols[i].protocol;
            user->priv_len = priv_protocols[i].len;
        }
    }
    return 0;
}

int snmp_agent_fill(struct snmp_agent *agent, const json_t *config, const char *name, struct ft_err *reterr)
{
    const json_t *section = ft_get(ft_get(config, "agents"), name);
    const char *version = ft_str(section, "version") ?: ft_get(section, "user") ? "3" : "2c";
    char where[120];

    if (!section)
        return ft_fault(reterr, FT_NOT_FOUND, "no agent '%.80s' in the configuration: add plugins.snmp.agents.%.80s with its host and community or user", name, name);
    snprintf(where, sizeof(where), "plugins.snmp.agents.%.80s", name);
    copy_text(agent->name, sizeof(agent->name), name);
    copy_text(agent->host, sizeof(agent->host), ft_str(section, "host") ?: name);
    copy_text(agent->community, sizeof(agent->community), ft_str(section, "community"));
    copy_text(agent->context, sizeof(agent->context), ft_str(section, "context"));
    agent->port = (uint16_t)(ft_int(section, "port") ?: 161);
    agent->version = ft_same(version, "3") ? SNMP_VERSION_3 : ft_same(version, "1") ? SNMP_VERSION_1 : SNMP_VERSION_2c;
    agent->timeout_ms = (int)(ft_num(section, "timeout_s") * 1000) ?: 2000;
    agent->retries = ft_get(section, "retries") ? (int)ft_int(section, "retries") : 2;
    agent->max_repetitions = (int)(ft_int(section, "max_repetitions") ?: SNMP_MAX_REPETITIONS);
    if (agent->version == SNMP_VERSION_3)
        return snmp_user_fill(&agent->user, section, where, reterr);
    if (!*agent->community)
        return ft_fault(reterr, FT_INVALID, "%s: SNMP %s needs a community", where, version);
    return 0;
}

/* ---- Users ---- */

static void fill_identity(const struct snmp_user *user, netsnmp_session *sess)
{
    sess->securityModel = SNMP_SEC_MODEL_USM;
    sess->securityLevel = user->level;
    sess->securityName = (char *)(uintptr_t)user->name;
    sess->securityNameLen = strlen(user->name);
    sess->securityAuthProto = snmp_duplicate_objid(user->auth ? user->auth : usmNoAuthProtocol, user->auth ? user->auth_len : USM_AUTH_PROTO_NOAUTH_LEN);
    sess->securityAuthProtoLen = user->auth ? user->auth_len : USM_AUTH_PROTO_NOAUTH_LEN;
    sess->securityPrivProto = snmp_duplicate_objid(user->priv ? user->priv : usmNoPrivProtocol, user->priv ? user->priv_len : USM_PRIV_PROTO_NOPRIV_LEN);
    sess->securityPrivProtoLen = user->priv ? user->priv_len : USM_PRIV_PROTO_NOPRIV_LEN;
    sess->securityAuthKeyLen = sess->securityPrivKeyLen = 0;
}

/* The password is hashed over a megabyte (RFC 3414): some milliseconds. */
static int make_key(const struct snmp_user *user, const char *password, u_char *ret, size_t *ret_len)
{
    return generate_Ku(user->auth, (u_int)user->auth_len, (const u_char *)password, strlen(password), ret, ret_len);
}

static int fill_keys(const struct snmp_user *user, netsnmp_session *sess)
{
    size_t auth_len = USM_AUTH_KU_LEN, priv_len = USM_PRIV_KU_LEN;

    if (user->auth && make_key(user, user->auth_password, sess->securityAuthKey, &auth_len) != SNMPERR_SUCCESS)
        return -EINVAL;
    if (user->priv && make_key(user, user->priv_password, sess->securityPrivKey, &priv_len) != SNMPERR_SUCCESS)
        return -EINVAL;
    sess->securityAuthKeyLen = user->auth ? auth_len : 0;
    sess->securityPrivKeyLen = user->priv ? priv_len : 0;
    return 0;
}

static void free_protocols(netsnmp_session *sess)
{
    free(sess->securityAuthProto);
    free(sess->securityPrivProto);
    sess->securityAuthProto = sess->securityPrivProto = NULL;
}

void snmp_user_forget(const u_char *engine, size_t engine_len, const char *name)
{
    struct usmUser *known = usm_get_user(engine, engine_len, name);

    if (known) {
        usm_remove_user(known);
        usm_free_user(known);
    }
}

int snmp_user_know(const struct snmp_user *user, const u_char *engine, size_t engine_len)
{
    netsnmp_session sess;
    u_char copy[SNMP_MAX_ENG_SIZE];
    int r;

    if (engine_len == 0 || engine_len > sizeof(copy))
        return -EINVAL;
    memcpy(copy, engine, engine_len);
    snmp_sess_init(&sess);
    sess.version = SNMP_VERSION_3;
    fill_identity(user, &sess);
    r = fill_keys(user, &sess);
    sess.securityEngineID = copy;
    sess.securityEngineIDLen = engine_len;
    snmp_user_forget(engine, engine_len, user->name);
    if (r == 0 && usm_create_user_from_session(&sess) != SNMPERR_SUCCESS)
        r = -EINVAL;
    free_protocols(&sess);
    return r;
}

int snmp_user_know_here(const struct snmp_user *user)
{
    u_char engine[SNMP_MAX_ENG_SIZE];
    size_t len = snmpv3_get_engineID(engine, sizeof(engine));

    if (len && usm_get_user(engine, len, user->name))
        return 0;
    return snmp_user_know(user, engine, len);
}

/* ---- One exchange ---- */

void snmp_drop(netsnmp_pdu *pdu)
{
    if (!pdu)
        return;
    snmp_lock();
    snmp_free_pdu(pdu);
    snmp_unlock();
}

/* Under the lock, within snmp_sess_read2() and snmp_sess_timeout(). 1: the request is over. */
static int answered(int op, netsnmp_session *sess, int reqid, netsnmp_pdu *pdu, void *magic)
{
    struct slot *slot = magic;

    (void)sess;
    (void)reqid;
    if (op == NETSNMP_CALLBACK_OP_RESEND)
        return 0;
    if (op == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE && pdu->command == SNMP_MSG_REPORT) {
        slot->report = snmpv3_get_report_type(pdu);
        slot->op = NETSNMP_CALLBACK_OP_SEC_ERROR;
        slot->done = slot->report != SNMPERR_NOT_IN_TIME_WINDOW;      /* after that one the library asks again by itself */
        return 1;
    }
    slot->done = true;
    slot->op = op;
    if (op == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE && !slot->answer)
        slot->answer = snmp_clone_pdu(pdu);
    return 1;
}

static int port_error(const struct snmp_talk *s)
{
    int error = 0;
    socklen_t size = sizeof(error);

    return getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : 0;
}

void snmp_read_socket(void *handle, int fd)
{
    netsnmp_large_fd_set fds;

    netsnmp_large_fd_set_init(&fds, FD_SETSIZE);
    netsnmp_large_fd_setfd(fd, &fds);
    snmp_sess_read2(handle, &fds);
    netsnmp_large_fd_set_cleanup(&fds);
}

/* Until the slot is filled; -errno when the port is closed, the time is over or the call is. */
static int await_answer(struct snmp_talk *s)
{
    struct slot *slot = &s->slot;

    while (!slot->done) {
        struct pollfd ready = { .fd = s->fd, .events = POLLIN };
        double left = s->agent->until_ms - snmp_now_ms();
        int n = poll(&ready, 1, left < TICK_MS ? (int)(left > 0 ? left : 0) + 1 : TICK_MS), error;

        if (atomic_load(&s->agent->stop) || left <= 0)
            return -ETIMEDOUT;
        if (n == 1 && (ready.revents & POLLERR) && (error = port_error(s)))
            return -error;
        snmp_lock();
        if (n == 1 && (ready.revents & POLLIN))
            snmp_read_socket(s->handle, s->fd);
        if (!slot->done)
            snmp_sess_timeout(s->handle);
        snmp_unlock();
    }
    return 0;
}

static bool is_write(int command)
{
    return command == SNMP_MSG_SET;
}

static int no_answer(const struct snmp_talk *s, int tries, bool write, struct ft_err *reterr)
{
    const struct snmp_agent *a = s->agent;
    const char *hint = a->version == SNMP_VERSION_3 && a->user.priv
                     ? "is it up, is SNMP on, does its access list let this machine in, and is the privacy password right (some meet a wrong one with silence)"
                     : a->version == SNMP_VERSION_3 ? "is it up, is SNMP on, and does its access list let this machine in"
                                                    : "is it up, is SNMP on, does its access list let this machine in, and is the community right (a wrong one is met with silence)";

    if (write)
        return ft_fault(reterr, FT_AMBIGUOUS, "%s (%s): the set was sent and not answered within %.1f s: it may have happened", a->name, a->host, a->timeout_ms / 1000.0);
    return ft_fault(reterr, FT_TIMEOUT, "%s (%s port %u) does not answer SNMP, asked %d time%s for %.1f s each: %s", a->name, a->host, a->port, tries, tries == 1 ? "" : "s",
                    a->timeout_ms / 1000.0, hint);
}

static int report_error(const struct snmp_talk *s, int report, struct ft_err *reterr)
{
    const struct snmp_agent *a = s->agent;

    switch (report) {
    case SNMPERR_UNKNOWN_USER_NAME:
        return ft_fault(reterr, FT_DENIED, "%s (%s) knows no SNMPv3 user '%s'", a->name, a->host, a->user.name);
    case SNMPERR_AUTHENTICATION_FAILURE:
        return ft_fault(reterr, FT_DENIED, "%s (%s) does not accept the digest of SNMPv3 user '%s': the authentication password or protocol is wrong",
                        a->name, a->host, a->user.name);
    case SNMPERR_UNSUPPORTED_SEC_LEVEL:
        return ft_fault(reterr, FT_DENIED, "%s (%s) does not know SNMPv3 user '%s' at this security level: are `auth` and `priv` set as on the device",
                        a->name, a->host, a->user.name);
    case SNMPERR_DECRYPTION_ERR:
        return ft_fault(reterr, FT_DENIED, "%s (%s) cannot decrypt what SNMPv3 user '%s' sent: the privacy password or protocol is wrong",
                        a->name, a->host, a->user.name);
    case SNMPERR_NOT_IN_TIME_WINDOW:
        return ft_fault(reterr, FT_REFUSED, "%s (%s) says twice that our messages are not from its time: does its SNMPv3 clock (engine boots and time) stand still",
                        a->name, a->host);
    default:
        return ft_fault(reterr, FT_REFUSED, "%s (%s) refused the SNMPv3 message: %s", a->name, a->host, snmp_api_errstring(report));
    }
}

static int exchange_error(const struct snmp_talk *s, int r, int tries, bool write, struct ft_err *reterr)
{
    const struct snmp_agent *a = s->agent;
    const struct slot *slot = &s->slot;

    if (r == -ECONNREFUSED)
        return ft_fault(reterr, FT_UNREACHABLE, "%s (%s): nobody listens for SNMP on UDP port %u", a->name, a->host, a->port);
    if (r < 0 && r != -ETIMEDOUT)
        return ft_fault(reterr, FT_UNREACHABLE, "%s (%s port %u): %s", a->name, a->host, a->port, strerror(-r));
    if (slot->op == NETSNMP_CALLBACK_OP_SEC_ERROR && slot->report)
        return report_error(s, slot->report, reterr);
    if (slot->op == NETSNMP_CALLBACK_OP_SEND_FAILED)
        return ft_fault(reterr, FT_UNREACHABLE, "%s (%s port %u): the request cannot be sent: %s", a->name, a->host, a->port, strerror(snmp_sess_session(s->handle)->s_errno));
    return no_answer(s, tries, write, reterr);
}

/* Under the lock: hands pdu, which is taken over, to the library. False when it could not be sent; the slot may say why. */
static bool send_request(struct snmp_talk *s, netsnmp_pdu *pdu, int tries)
{
    s->slot = (struct slot){ 0 };
    snmp_sess_session(s->handle)->retries = tries - 1;
    if (snmp_sess_async_send(s->handle, pdu, answered, &s->slot))
        return true;
    snmp_free_pdu(pdu);
    return false;
}

int snmp_exchange(struct snmp_talk *s, netsnmp_pdu *pdu, int tries, netsnmp_pdu **ret, struct ft_err *reterr)
{
    bool write = is_write(pdu->command), sent;
    int r = 0, error;

    *ret = NULL;
    snmp_lock();
    sent = send_request(s, pdu, tries);
    error = snmp_sess_session(s->handle)->s_snmp_errno;
    snmp_unlock();
    if (!sent && !s->slot.done)
        return ft_fault(reterr, FT_INVALID, "%s (%s): the request cannot be made: %s", s->agent->name, s->agent->host, snmp_api_errstring(error));
    if (sent)
        r = await_answer(s);
    *ret = s->slot.answer;
    return s->slot.answer ? 0 : exchange_error(s, r, tries, write && sent, reterr);
}

int snmp_status_error(const struct snmp_talk *s, const netsnmp_pdu *answer, struct ft_err *reterr)
{
    const struct snmp_agent *a = s->agent;
    const netsnmp_variable_list *v = answer->variables;
    char where[OID_TEXT] = "the request";
    enum ft_class class;

    for (long i = 1; v && i < answer->errindex; i++)
        v = v->next_variable;
    if (v && answer->errindex > 0)
        oid_text(v->name, v->name_length, where, sizeof(where));
    switch (answer->errstat) {
    case SNMP_ERR_NOSUCHNAME: case SNMP_ERR_NOCREATION: class = FT_NOT_FOUND; break;
    case SNMP_ERR_NOACCESS: case SNMP_ERR_AUTHORIZATIONERROR: case SNMP_ERR_READONLY: class = FT_DENIED; break;
    case SNMP_ERR_BADVALUE: case SNMP_ERR_WRONGTYPE: case SNMP_ERR_WRONGLENGTH: case SNMP_ERR_WRONGENCODING: case SNMP_ERR_WRONGVALUE: class = FT_INVALID; break;
    case SNMP_ERR_INCONSISTENTVALUE: case SNMP_ERR_INCONSISTENTNAME: class = FT_CONFLICT; break;
    case SNMP_ERR_UNDOFAILED: class = FT_AMBIGUOUS; break;
    default: class = FT_REFUSED; break;
    }
    return ft_fault(reterr, class, "%s (%s) answered an error for %.200s: %s", a->name, a->host, where, snmp_errstring((int)answer->errstat));
}

/* ---- Opening ---- */

static int resolve(struct snmp_agent *agent, struct sockaddr_storage *ret, socklen_t *ret_len, char *peer, size_t size, struct ft_err *reterr)
{
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV }, *list = NULL;
    char port[8], address[INET6_ADDRSTRLEN + 20];
    int r;

    snprintf(port, sizeof(port), "%u", agent->port);
    r = getaddrinfo(agent->host, port, &hints, &list);
    if (r != 0)
        return ft_fault(reterr, FT_UNREACHABLE, "%s: the name '%s' is not found: %s", agent->name, agent->host, gai_strerror(r));
    memcpy(ret, list->ai_addr, list->ai_addrlen);
    *ret_len = list->ai_addrlen;
    getnameinfo(list->ai_addr, list->ai_addrlen, address, sizeof(address), NULL, 0, NI_NUMERICHOST);
    snprintf(peer, size, list->ai_family == AF_INET6 ? "udp6:[%s]:%s" : "udp:%s:%s", address, port);
    freeaddrinfo(list);
    return 0;
}

/* Asks an SNMPv3 engine for its id: a request of nobody's, which it refuses with its id in the refusal. */
static netsnmp_pdu *discovery(void)
{
    netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET);

    pdu->version = SNMP_VERSION_3;
    pdu->securityName = strdup("");
    pdu->securityLevel = SNMP_SEC_LEVEL_NOAUTH;
    pdu->securityModel = SNMP_SEC_MODEL_USM;
    return pdu;
}

static int discover(struct snmp_talk *s, struct ft_err *reterr)
{
    struct snmp_agent *a = s->agent;
    netsnmp_session *sess = snmp_sess_session(s->handle);
    int r = 0;
    bool sent;

    snmp_lock();
    sess->flags |= SNMP_FLAGS_DONT_PROBE;                     /* the library's own way would wait under the lock */
    sent = send_request(s, discovery(), a->retries + 1);
    snmp_unlock();
    if (sent)
        r = await_answer(s);
    snmp_drop(s->slot.answer);
    if (r < 0 || (s->slot.op != NETSNMP_CALLBACK_OP_SEC_ERROR && s->slot.op != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE))
        return exchange_error(s, r, a->retries + 1, false, reterr);
    snmp_lock();
    r = snmp_user_know(&a->user, sess->securityEngineID, sess->securityEngineIDLen);
    snmp_unlock();
    if (r < 0)
        return ft_fault(reterr, FT_INVALID, "%s (%s) did not give an SNMPv3 engine id, or the user's keys cannot be made for it", a->name, a->host);
    return 0;
}

static int open_handle(struct snmp_talk *s, char *peer, struct ft_err *reterr)
{
    struct snmp_agent *a = s->agent;
    netsnmp_session sess;

    snmp_lock();
    snmp_sess_init(&sess);
    sess.version = a->version;
    sess.peername = peer;
    sess.timeout = (long)a->timeout_ms * 1000;
    sess.retries = a->retries;
    if (a->version == SNMP_VERSION_3) {
        sess.flags |= SNMP_FLAGS_DONT_PROBE;
        fill_identity(&a->user, &sess);
        sess.contextName = a->context;
        sess.contextNameLen = strlen(a->context);
    } else {
        sess.community = (u_char *)a->community;
        sess.community_len = strlen(a->community);
    }
    s->handle = snmp_sess_open(&sess);
    if (a->version == SNMP_VERSION_3)
        free_protocols(&sess);
    if (s->handle)
        s->fd = snmp_sess_transport(s->handle)->sock;
    snmp_unlock();
    if (!s->handle)
        return ft_fault(reterr, FT_UNREACHABLE, "%s: no socket towards %s port %u could be opened: %s", a->name, a->host, a->port,
                        snmp_api_errstring(sess.s_snmp_errno));
    return 0;
}

int snmp_session_open(struct snmp_agent *agent, struct snmp_talk **ret, struct ft_err *reterr)
{
    struct snmp_talk *s = calloc(1, sizeof(*s));
    struct sockaddr_storage address = { 0 };
    socklen_t len = 0;
    char peer[100];
    int r;

    *ret = NULL;
    if (!s)
        return ft_err_set(reterr, -ENOMEM, "out of memory");
    s->agent = agent;
    r = resolve(agent, &address, &len, peer, sizeof(peer), reterr);
    if (r == 0)
        r = open_handle(s, peer, reterr);
    if (r == 0 && connect(s->fd, (struct sockaddr *)&address, len) != 0)
        r = ft_fault(reterr, FT_UNREACHABLE, "%s (%s port %u): %s", agent->name, agent->host, agent->port, strerror(errno));
    if (r == 0 && agent->version == SNMP_VERSION_3)
        r = discover(s, reterr);
    if (r < 0) {
        snmp_session_close(s);
        return r;
    }
    *ret = s;
    return 0;
}

struct snmp_talk *snmp_session_close(struct snmp_talk *s)
{
    if (!s)
        return NULL;
    snmp_lock();
    if (s->handle)
        snmp_sess_close(s->handle);
    snmp_unlock();
    free(s);
    return NULL;
}

const struct snmp_agent *snmp_session_agent(const struct snmp_talk *s)
{
    return s->agent;
}

/* ---- get ---- */

static int get_some(struct snmp_talk *s, const oid (*ids)[MAX_OID_LEN], const size_t *lens, size_t from, size_t count, snmp_value *value, void *arg,
                    struct ft_err *reterr);

/* SNMPv1 refuses a request for one missing object: it is told of as missing, and the others are asked for without it. */
static int get_around(struct snmp_talk *s, const oid (*ids)[MAX_OID_LEN], const size_t *lens, size_t from, size_t count, size_t missing, snmp_value *value,
                      void *arg, struct ft_err *reterr)
{
    netsnmp_variable_list none = { .type = SNMP_NOSUCHINSTANCE, .name = (oid *)(uintptr_t)ids[from + missing], .name_length = lens[from + missing] };
    int r = missing ? get_some(s, ids, lens, from, missing, value, arg, reterr) : 0;

    if (r == 0)
        value(arg, from + missing, &none);
    if (r == 0 && missing + 1 < count)
        r = get_some(s, ids, lens, from + missing + 1, count - missing - 1, value, arg, reterr);
    return r;
}

static int read_values(struct snmp_talk *s, const netsnmp_pdu *answer, size_t from, size_t count, snmp_value *value, void *arg, struct ft_err *reterr)
{
    const netsnmp_variable_list *v = answer->variables;
    size_t n = 0;

    for (; v && n < count; v = v->next_variable, n++)
        value(arg, from + n, v);
    if (n < count || v)
        return ft_fault(reterr, FT_INVALID, "%s (%s) was asked for %zu values and gave %s", s->agent->name, s->agent->host, count, v ? "more" : "less");
    return 0;
}

static int get_some(struct snmp_talk *s, const oid (*ids)[MAX_OID_LEN], const size_t *lens, size_t from, size_t count, snmp_value *value, void *arg,
                    struct ft_err *reterr)
{
    netsnmp_pdu *pdu, *answer;
    int r;

    snmp_lock();
    pdu = snmp_pdu_create(SNMP_MSG_GET);
    for (size_t i = 0; i < count; i++)
        snmp_add_null_var(pdu, ids[from + i], lens[from + i]);
    snmp_unlock();
    r = snmp_exchange(s, pdu, s->agent->retries + 1, &answer, reterr);
    if (r < 0)
        return r;
    if (answer->errstat == SNMP_ERR_TOOBIG && count > 1) {
        r = get_some(s, ids, lens, from, count / 2, value, arg, reterr);
        if (r == 0)
            r = get_some(s, ids, lens, from + count / 2, count - count / 2, value, arg, reterr);
    } else if (answer->errstat == SNMP_ERR_NOSUCHNAME && answer->errindex >= 1 && (size_t)answer->errindex <= count) {
        r = get_around(s, ids, lens, from, count, (size_t)answer->errindex - 1, value, arg, reterr);
    } else if (answer->errstat != SNMP_ERR_NOERROR) {
        r = snmp_status_error(s, answer, reterr);
    } else {
        r = read_values(s, answer, from, count, value, arg, reterr);
    }
    snmp_drop(answer);
    return r;
}

int snmp_get(struct snmp_talk *s, const oid (*ids)[MAX_OID_LEN], const size_t *lens, size_t count, snmp_value *value, void *arg, struct ft_err *reterr)
{
    int r = 0;

    for (size_t at = 0; at < count && r == 0; at += SNMP_MAX_GET)
        r = get_some(s, ids, lens, at, count - at < SNMP_MAX_GET ? count - at : SNMP_MAX_GET, value, arg, reterr);
    return r;
}

/* ---- walk ---- */

struct walk {
    const oid *root; size_t root_len;
    oid at[MAX_OID_LEN]; size_t at_len;
    int repetitions;
    bool over;
};

static netsnmp_pdu *next_request(const struct snmp_talk *s, const struct walk *w)
{
    netsnmp_pdu *pdu;

    snmp_lock();
    pdu = snmp_pdu_create(s->agent->version == SNMP_VERSION_1 ? SNMP_MSG_GETNEXT : SNMP_MSG_GETBULK);
    if (s->agent->version != SNMP_VERSION_1) {
        pdu->non_repeaters = 0;
        pdu->max_repetitions = w->repetitions;
    }
    snmp_add_null_var(pdu, w->at, w->at_len);
    snmp_unlock();
    return pdu;
}

static int take_rows(struct snmp_talk *s, struct walk *w, const netsnmp_pdu *answer, snmp_row *row, void *arg, struct ft_err *reterr)
{
    char before[OID_TEXT], after[OID_TEXT];

    w->over = !answer->variables;
    for (const netsnmp_variable_list *v = answer->variables; v && !w->over; v = v->next_variable) {
        if (v->type == SNMP_ENDOFMIBVIEW || !oid_within(w->root, w->root_len, v->name, v->name_length)) {
            w->over = true;
        } else if (snmp_oid_compare(v->name, v->name_length, w->at, w->at_len) <= 0) {
            return ft_fault(reterr, FT_INVALID, "%s (%s) answered %.200s after %.200s: its objects do not increase, so the walk would never end", s->agent->name,
                            s->agent->host, oid_text(v->name, v->name_length, after, sizeof(after)), oid_text(w->at, w->at_len, before, sizeof(before)));
        } else {
            memcpy(w->at, v->name, v->name_length * sizeof(oid));
            w->at_len = v->name_length;
            w->over = !row(arg, v);
        }
    }
    return 0;
}

int snmp_walk(struct snmp_talk *s, const oid *root, size_t root_len, snmp_row *row, void *arg, struct ft_err *reterr)
{
    struct walk w = { .root = root, .root_len = root_len, .at_len = root_len, .repetitions = s->agent->max_repetitions };
    int r = 0;

    memcpy(w.at, root, root_len * sizeof(oid));
    while (r == 0 && !w.over) {
        netsnmp_pdu *answer;

        r = snmp_exchange(s, next_request(s, &w), s->agent->retries + 1, &answer, reterr);
        if (r < 0)
            return r;
        if (answer->errstat == SNMP_ERR_TOOBIG && w.repetitions > 1)
            w.repetitions /= 2;
        else if (answer->errstat == SNMP_ERR_NOSUCHNAME && s->agent->version == SNMP_VERSION_1)
            w.over = true;                                        /* how SNMPv1 says that this was the last */
        else if (answer->errstat != SNMP_ERR_NOERROR)
            r = snmp_status_error(s, answer, reterr);
        else
            r = take_rows(s, &w, answer, row, arg, reterr);
        snmp_drop(answer);
    }
    return r;
}
