/* radius.h: what the files of the RADIUS plugin share. Start here.
 *
 * packet.c knows the bytes (RFC 2865, 2866, 5176, 5997): it builds, signs, reads and verifies, and knows no host. dictionary.c gives attributes
 * names and values for people, mschap.c is RFC 2759. client.c sends a request, repeats it (RFC 5080), goes on to the next server, and
 * lets only genuine answers through. The actions: auth.c, status.c, accounting.c, dynauth.c (CoA, Disconnect), eap.c, which lets eapol_test
 * speak EAP through relay.c so that the shared secret never stands on a command line; chain.c reads the certificates that it saw.
 */
#pragma once
#include <fettle/kit.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

extern const struct ft_host *host;

/* ---- packet.c */

enum rad_code {
    RAD_ACCESS_REQUEST = 1, RAD_ACCESS_ACCEPT, RAD_ACCESS_REJECT, RAD_ACCOUNTING_REQUEST, RAD_ACCOUNTING_RESPONSE,
    RAD_ACCESS_CHALLENGE = 11, RAD_STATUS_SERVER,
    RAD_DISCONNECT_REQUEST = 40, RAD_DISCONNECT_ACK, RAD_DISCONNECT_NAK, RAD_COA_REQUEST, RAD_COA_ACK, RAD_COA_NAK,
};

enum { RAD_HEADER = 20, RAD_MAX = 4096, RAD_AUTH = 16, RAD_ATTR_MAX = 253 };
enum { RAD_A_USER_NAME = 1, RAD_A_USER_PASSWORD, RAD_A_CHAP_PASSWORD, RAD_A_NAS_IP, RAD_A_STATE = 24, RAD_A_VENDOR = 26, RAD_A_CALLING_STATION = 31,
       RAD_A_NAS_IDENTIFIER = 32, RAD_A_ACCT_STATUS = 40, RAD_A_EVENT_TIMESTAMP = 55, RAD_A_EAP_MESSAGE = 79, RAD_A_MESSAGE_AUTHENTICATOR = 80,
       RAD_A_NAS_IPV6 = 95, RAD_A_ERROR_CAUSE = 101 };
enum { RAD_V_CISCO = 9, RAD_V_MICROSOFT = 311, RAD_V_JUNIPER = 2636, RAD_V_FREERADIUS = 11344, RAD_V_ARUBA = 14823 };

struct rad_packet {
    size_t len;
    bool overflow;                    /* something did not fit: it is not to be sent */
    uint8_t bytes[RAD_MAX];
};
struct rad_attr { uint32_t vendor; unsigned type; const uint8_t *value; size_t len; };      /* vendor 0: a standard one */

const char *rad_code_name(unsigned code);
/* An empty packet with a random identifier and authenticator; Message-Authenticator comes first, still zero (CVE-2024-3596). */
bool rad_begin(struct rad_packet *packet, enum rad_code code);
void rad_add(struct rad_packet *packet, unsigned type, const void *value, size_t len);
void rad_add_text(struct rad_packet *packet, unsigned type, const char *text);
void rad_add_u32(struct rad_packet *packet, unsigned type, uint32_t value);
void rad_add_vendor(struct rad_packet *packet, uint32_t vendor, unsigned type, const void *value, size_t len);
/* User-Password; false where it is longer than 128 octets. */
bool rad_add_password(struct rad_packet *packet, const char *password, const char *secret);
void rad_sign(struct rad_packet *request, const char *secret);
void rad_sign_answer(struct rad_packet *answer, const uint8_t request_auth[RAD_AUTH], const char *secret);

/* Whether the bytes are a packet whose attributes fill it; copies it. What stands behind its length is padding and left out. */
bool rad_read(struct rad_packet *ret, const void *bytes, size_t len);
/* The next attribute; *at starts at 0. Those of vendors come one by one. False: no more. */
struct rad_place { size_t at, sub_end; uint32_t vendor; };
bool rad_next(const struct rad_packet *packet, struct rad_place *at, struct rad_attr *ret);
bool rad_find(const struct rad_packet *packet, uint32_t vendor, unsigned type, struct rad_attr *ret);     /* the first */

enum rad_verdict { RAD_GENUINE, RAD_STRANGER /* another identifier or kind */, RAD_FORGED /* an authenticator does not fit */, RAD_UNSIGNED /* no Message-Authenticator */ };
enum rad_verdict rad_verify_answer(const struct rad_packet *answer, const struct rad_packet *request, const char *secret, bool need_ma);
bool rad_verify_request(const struct rad_packet *request, const char *secret);        /* both authenticators, as a server would */
/* RFC 2548, 2868: keys and passwords under a salt; in place, len a multiple of 16, value begins behind the salt. */
void rad_salt_crypt(uint8_t *value, size_t len, const uint8_t salt[2], const uint8_t auth[RAD_AUTH], const char *secret, bool decrypt);
void rad_chap(uint8_t ret[17], uint8_t id, const char *password, const uint8_t challenge[16]);
bool rad_random(void *ret, size_t len);

/* ---- mschap.c: RFC 2759 */
#define MSCHAP_SUCCESS_LEN 42        /* "S=" and 40 hex digits */
bool rad_nt_hash(const char *password, uint8_t ret[16]);               /* false: no UTF-8, or longer than 256 characters */
void rad_mschap2(const uint8_t server[16], const uint8_t peer[16], const char *user, const uint8_t nt_hash[16], uint8_t ret[24]);
void rad_mschap2_success(const uint8_t server[16], const uint8_t peer[16], const char *user, const uint8_t nt_hash[16], const uint8_t response[24],
                         char ret[MSCHAP_SUCCESS_LEN + 1]);
const char *rad_mschap_error(long code);                               /* 691: in words; NULL: unknown */

/* ---- dictionary.c */
/* One attribute by name ("Filter-Id", "Tunnel-Type:1", "Cisco-AVPair", "Attr-200", "Vendor-9-Attr-1") with a text, a number or a list of such. */
int rad_put(struct rad_packet *packet, const char *name, const json_t *value, struct ft_err *reterr);
int rad_put_all(struct rad_packet *packet, const json_t *attributes, struct ft_err *reterr);
/* New: [{"name", "value", "tag"?}] of all but the signatures; keys and passwords are left out of the values. */
json_t *rad_attributes(const struct rad_packet *packet);
json_t *rad_lines(const struct rad_packet *packet);                    /* new: ["Acct-Status-Type = Start", …], for a plan */
json_t *rad_text(const struct rad_packet *packet, uint32_t vendor, unsigned type);        /* new: all of them joined as text, or null */
json_t *rad_number(const struct rad_packet *packet, unsigned type);                       /* new, or null */
json_t *rad_vlan(const struct rad_packet *packet);                                        /* new: Tunnel-Private-Group-Id of a VLAN, or null */
const char *rad_error_cause(unsigned cause);                           /* in words */

/* ---- client.c */

struct rad_peer {                     /* borrowed from the configuration */
    const char *name, *host, *secret, *nas_ip, *nas_identifier;
    uint16_t port;
    bool need_ma;                     /* for Access answers */
    unsigned tries;
    double first_wait_ms;
};
enum rad_port { RAD_AUTH_PORT, RAD_ACCT_PORT };

struct rad_exchange;
typedef int rad_build(struct ft_call *call, const struct rad_peer *peer, struct rad_packet *ret, struct ft_err *reterr);
typedef void rad_then(struct ft_call *call, const struct rad_packet *answer);

struct rad_exchange {                 /* the first member of every call's state */
    struct rad_peer *peers;
    size_t count, at;
    rad_build *build;                 /* the packet for a peer, without its signature */
    rad_then *then;
    void (*lost)(struct ft_call *call, bool unreachable, const char *why);     /* instead of the next peer: `at` is behind this one. NULL: go on */
    bool write;                       /* no answer: it may have happened */
    struct ft_stream *stream;
    struct rad_packet request;
    unsigned sent, forged, unsigned_, odd;      /* packets of ours; answers dropped: wrong authenticator, none, no answers to this */
    double wait_ms;
    uint64_t began, first_sent, due;  /* on the call's clock, ms */
    char why[1200];                   /* of the peers that are behind us */
    bool all_unreachable;
};

/* The servers that the step means, in order; or -1 and the reason. */
int rad_servers(struct ft_call *call, enum rad_port port, struct rad_exchange *x, struct ft_err *reterr);
int rad_device(struct ft_call *call, struct rad_exchange *x, struct ft_err *reterr);
void rad_add_nas(struct rad_packet *packet, const struct rad_peer *peer);
int rad_ask(struct ft_call *call, struct rad_exchange *x, struct ft_err *reterr);
uint64_t rad_elapsed(struct ft_call *call, const struct rad_exchange *x);              /* ms since the first packet to the peer that answered */
json_t *rad_answer_base(struct ft_call *call, const struct rad_exchange *x, const struct rad_packet *answer);     /* new: server, ms, tries, … */
/* What would be sent: {"target", "commands"} in a list. The packet is built for the first peer. */
int rad_plan_requests(struct ft_call *call, struct rad_exchange *x, json_t **ret, struct ft_err *reterr);
bool rad_mac(const char *text, char ret[18]);                          /* any notation as AA-BB-CC-DD-EE-FF */

/* ---- chain.c */
json_t *rad_chain(const char *pem, size_t len, double now_s);          /* new: [{"subject", …}], the server's own first; at most 16 */
/* Why the two cannot be used for EAP-TLS, before eapol_test would wait for a passphrase from somebody; NULL: they can. */
const char *rad_key_trouble(const char *key, size_t key_len, const char *passphrase, const char *cert, size_t cert_len);

/* ---- relay.c */
#define RAD_RELAY_SECRET 33
struct rad_relay;
struct rad_relay *rad_relay_new(const struct rad_peer *peer, const struct rad_packet *extra, unsigned timeout_ms, struct ft_err *reterr);
uint16_t rad_relay_port(const struct rad_relay *relay);
const char *rad_relay_secret(const struct rad_relay *relay);           /* of this one check, on loopback only */
void rad_relay_run(void *relay);                                       /* on a worker thread; until it is stopped, or its time is over */
void rad_relay_stop(struct rad_relay *relay);
void rad_relay_free(void *relay);                                      /* NULL is fine */
struct rad_relay_seen { unsigned asked, answered, forged, unsigned_; bool refused, unresolved; const struct rad_packet *last; };
struct rad_relay_seen rad_relay_seen(const struct rad_relay *relay);   /* after it ended */
/* One packet each way, for the tests: what goes to the other side; false: nothing. */
bool rad_relay_forward(struct rad_relay *relay, const void *bytes, size_t len, struct rad_packet *ret);
bool rad_relay_back(struct rad_relay *relay, const void *bytes, size_t len, struct rad_packet *ret);

/* ---- schemas as C text */
#define RAD_P(name, type, text) "\"" name "\":{\"type\":" type ",\"description\":\"" text "\"}"
#define RAD_STR(name, text) RAD_P(name, "[\"string\",\"null\"]", text)
#define RAD_BOOL(name, text) RAD_P(name, "\"boolean\"", text)
#define RAD_INT(name, text) RAD_P(name, "[\"integer\",\"null\"]", text)
#define RAD_NUM(name, text) RAD_P(name, "[\"number\",\"null\"]", text)
#define RAD_OBJ(properties) "{\"type\":\"object\",\"properties\":{" properties "}}"
#define RAD_PARAMS(required, properties) "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[" required "],\"properties\":{" properties "}}"
#define RAD_ATTRIBUTES_P FT_JSON("attributes": {"type": "object", "description": "further attributes by their names in the standards, such as NAS-Port-Type: Wireless-802.11; a list gives several",\
    "additionalProperties": {"type": ["string", "integer", "array"]}})
#define RAD_SERVER_P FT_JSON("server": {"type": "string", "minLength": 1, "description": "this server of the configuration only; all, in their order, when left out"})
#define RAD_ANSWER_R \
    RAD_P("server", "\"string\"", "name of the server or device that answered") "," RAD_P("address", "\"string\"", "its address and port") "," \
    RAD_P("ms", "\"integer\"", "from the first packet to the answer, ms") "," RAD_P("tries", "\"integer\"", "packets that were sent for it") "," \
    RAD_BOOL("message_authenticator", "the answer carried a Message-Authenticator; false: this server lacks the fix for CVE-2024-3596") "," \
    "\"attributes\":{\"type\":\"array\",\"items\":" RAD_OBJ(RAD_P("name", "\"string\"", "name") "," RAD_P("value", "[\"string\",\"integer\"]", "value") "," \
    RAD_P("tag", "\"integer\"", "tag of a tunnel attribute")) ",\"description\":\"attributes of the answer, in its order; keys and passwords as ***\"}"

extern const struct ft_action radius_auth, radius_status, radius_accounting, radius_coa, radius_disconnect, radius_eap;
