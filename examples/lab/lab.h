/* lab.h: a small simulated network, and what its parts share. Start here.
 *
 * network.c  the network as it is when nothing is wrong        faults.c   what each fault changes in it
 * model.c    how access points and clients behave; time.c moves them from one moment to the next
 * mist.c, mist_*.c, ise.c, kea.c, infoblox.c, servicenow.c, config.c, cli.c   the systems that show the network and change it
 * http.c, sshd.c, dns.c   how they are reached; record.c   every write that came in; main.c   start and end
 *
 * A fault is a change of a cause (a port without PoE, a user that is gone from the directory), never of a symptom: what the
 * systems show follows from the causes, so that the evidence agrees everywhere, and undoing the cause mends the client.
 *
 * One mutex guards all of `struct lab`. Functions named here expect it to be held, unless they say otherwise.
 */
#pragma once
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <jansson.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "base/util.h"

#define LAB_ORG "5b1c0f3e-7d11-4c55-9a0e-3f6d2b8c9a01"
#define LAB_ADMIN "8f0b7f2c-0a4e-4f0f-8b57-54a0d1b0c3aa"
#define LAB_TROUBLED "a483e7123456"

enum {
    LAB_MAX_SITES = 4, LAB_MAX_SWITCHES = 6, LAB_MAX_PORTS = 28, LAB_MAX_APS = 16, LAB_MAX_CLIENTS = 256,
    LAB_MAX_WLANS = 24, LAB_MAX_SUBNETS = 6, LAB_MAX_TIMERS = 128, LAB_MAX_EVENTS = 4000, LAB_MAX_API_FAULTS = 32,
};
/* Seconds of lab time. */
enum { LAB_AP_BOOT = 120, LAB_REJOIN = 5, LAB_RETRY = 30, LAB_SEARCH = 10, LAB_BOUNCE = 5, LAB_RRM = 60, LAB_SWITCH_BOOT = 240 };

struct lab;
struct lab_config;

struct lab_site {
    char id[37];
    const char *name, *address, *timezone, *country;
    double lat, lng;
    json_t *setting;              /* owns; what GET setting shows */
    double rrm_at;                /* wall, of the last RRM run */
    int rrm_running;
};

struct lab_port {
    char name[24];
    int ap;                       /* index of the AP behind it, -1 */
    int peer;                     /* index of the switch behind it, -1 */
    const char *peer_port;
    bool gateway;                 /* the router is behind it */
    double flapped;               /* wall */
    bool bounced;                 /* down for a moment by bounce_port */
    bool was_up;                  /* when last looked at: a change makes an event */
};

struct lab_switch {
    const char *name, *model, *ip, *serial;
    char mac[13], id[37];
    int site;
    char vendor[8];               /* whose command line it has: junos, ios, eos */
    bool vc;                      /* a virtual chassis: its CLI shows {master:0} */
    bool down;
    double boot;                  /* lab time */
    double last_seen;             /* wall, while down */
    struct lab_port ports[LAB_MAX_PORTS];
    int n_ports;
    struct lab_config *config;
    json_t *overrides;            /* owns; local_port_config as Mist has it */
    json_t *pushed;               /* owns; local_port_config as the switch has it; NULL: none yet */
    int ssh_port;                 /* 0 until it listens */
};

struct lab_radio {
    const char *band;             /* "24", "5", "6" */
    int channel, bandwidth, power;
    int pin_channel, pin_power;   /* from radio_config; 0: RRM decides */
    int own_use, other_use;       /* % of air time */
    int foul_channel;             /* a channel that something spoils, 0: none */
    double foul_noise;            /* dBm there */
    int foul_non_wifi, foul_other;/* % of air time there */
};

enum lab_ap_state { AP_UP, AP_BOOTING, AP_OFF, AP_HUNG, AP_CUT_OFF };

struct lab_ap {
    const char *name, *model, *ip, *serial;
    char mac[13], id[37];
    int site, floor, sw, port;
    double x, y;                  /* m */
    enum lab_ap_state state;
    double boot;                  /* lab time of the last start */
    double due;                   /* lab time when it is up again; INFINITY */
    double last_seen;             /* wall, while away */
    struct lab_radio radios[3];
    json_t *config;               /* owns; extra keys that PUT devices/{id} set */
    bool reverted;                /* it went back to its former configuration by itself */
    bool locating;
};

struct lab_wlan {
    char id[37];
    const char *ssid;
    int site, vlan;
    bool dot1x;
    json_t *object;               /* owns; as Mist shows it */
};

enum lab_client_state { CLIENT_AWAY, CLIENT_SEARCHING, CLIENT_REJECTED, CLIENT_NO_ADDRESS, CLIENT_UP };

struct lab_client {
    char mac[13], hostname[32], user[48];
    const char *family, *model, *os, *vendor, *proto;
    int site, floor, wlan;
    double x, y;
    double fade;                  /* dB lost besides distance */
    bool alone;                   /* hears its own AP only */
    int own_ap;                   /* the AP of that place */
    int stuck;                    /* stays on this AP as long as it can; -1 */
    enum lab_client_state state;
    int ap;                       /* of the association, or the last one; -1 */
    int band;                     /* index into the AP's radios */
    double due;                   /* lab time of what it does next; INFINITY */
    double joined;                /* lab time of the association */
    double joined_wall, seen;     /* wall */
    uint32_t ip;                  /* 0: none */
    bool wrong_key;               /* types another pre-shared key than the WLAN has */
    bool old_certificate;
    bool unlisted;                /* in no identity store */
    bool blocked;                 /* on Mist's blocklist */
    uint32_t clings_to;           /* asks for this address and is refused it, 0: none */
    unsigned joins;
};

struct lab_lease {
    uint32_t ip;
    char hw[18];                  /* with colons; "" when declined */
    char hostname[40];
    int state;                    /* 0 default, 1 declined, 2 reclaimed */
    double cltt;                  /* wall */
    int valid;                    /* s */
    bool live;                    /* renewed by its owner for as long as the lab runs */
};

struct lab_subnet {
    int id, vlan, site;
    uint32_t net, first, last;
    int prefix;
    struct lab_lease *leases;     /* owns */
    size_t n_leases, cap;
    long assigned_ever;
    long allocation_fail;
    long declined_ever;
};

struct lab_timer {
    double due;
    bool wall;                    /* due is in the user's time: promises made to people and programs outside */
    void (*fire)(struct lab *lab, int a, int b);
    int a, b;
};

struct lab_api_fault {
    char system[16], path[96], kind[24], method[8];
    int times, after;             /* times < 0: always */
    double delay;                 /* s, of "slow" */
    int retry_after;              /* s, of "429"; 0: no such header */
};

struct lab {
    pthread_mutex_t lock;

    /* Two times. `now` is lab time: s since the start, `speed` times as fast as the user's clock; all that the network does takes lab
     * time. `wall` is the user's clock (s since 1970, plus what /lab/time added): all stamps that leave the lab are wall, so that
     * they agree with the clock of whoever asks. */
    double now, wall, speed, added;
    double mono;                  /* s, when these were last true */
    double last_event;            /* wall, of the last client event */
    struct lab_timer timers[LAB_MAX_TIMERS];
    int n_timers;

    struct lab_site sites[LAB_MAX_SITES];
    struct lab_switch switches[LAB_MAX_SWITCHES];
    struct lab_ap aps[LAB_MAX_APS];
    struct lab_wlan wlans[LAB_MAX_WLANS];
    struct lab_client clients[LAB_MAX_CLIENTS];
    struct lab_subnet subnets[LAB_MAX_SUBNETS];
    int n_sites, n_switches, n_aps, n_wlans, n_clients, n_subnets;
    int troubled;                 /* index of the client in trouble, -1: it does not exist */

    bool radius_down, ise_api_down, dhcp_down, dns_down, dns_silent;
    double wan_ms;                /* round trip to the internet */
    bool bounce_cuts_poe;

    json_t *client_events, *device_events, *rrm_events, *sessions, *alarms, *audit;   /* own; oldest first */
    json_t *auths;                /* owns; ISE's record of authentications, oldest first */
    json_t *endpoints, *groups, *anc;        /* own; ISE's ERS objects */
    json_t *ise;                  /* owns; the others: resource → list, and what was set of users by name */
    json_t *tables;               /* owns; ServiceNow: name → records */
    json_t *kea_config, *kea_reservations;   /* own */
    json_t *kea_stats;            /* owns; counters of the DHCP server */
    json_t *wapi_ranges, *wapi_pages;        /* own; Infoblox: ranges that were added, the rest of lists by page id */
    json_t *synthetic;            /* owns; device mac → last test */
    json_t *mist;                 /* owns; mist_config.c, mist_tools.c and mist_firmware.c: templates, upgrades, captures … by name */
    json_t *hooks;                /* owns; what the webhook sink got */
    json_t *faults;               /* owns; names of what was injected */
    unsigned long serial;         /* for identifiers */
    long mist_calls, mist_limit;
    double mist_hour;
    struct lab_api_fault api_faults[LAB_MAX_API_FAULTS];
    int n_api_faults;

    /* Where it runs. */
    char dir[512], url[64], ise_url[64];
    char mist_token[41], ise_password[25], kea_password[25], snow_password[25], jira_token[25], enable_password[25];
    int port, ise_port, dns_port;
    int wake[2];                  /* a byte here makes the main loop look again */
    bool stopping;                /* main.c sets it; handlers that hang look at it */
    pthread_cond_t stop_cond;
    json_t *writes;               /* owns */
    int writes_fd;
};

/* ---- time.c ---- */
void lab_clock_start(struct lab *lab, double speed);
void lab_tick(struct lab *lab);                            /* catch up with the clock: call before looking at anything */
void lab_advance(struct lab *lab, double seconds);         /* jump: both times move on by this much */
void lab_after(struct lab *lab, double seconds, void (*fire)(struct lab *, int, int), int a, int b);
void lab_after_wall(struct lab *lab, double seconds, void (*fire)(struct lab *, int, int), int a, int b);
void lab_drop_timers(struct lab *lab, void (*fire)(struct lab *, int, int), int a);
void lab_iso(double wall, char *ret, size_t len);          /* 2026-11-21T02:13:05.120+00:00 */

/* ---- network.c ---- */
void lab_network_build(struct lab *lab);
void lab_network_free(struct lab *lab);
int lab_find_ap(const struct lab *lab, const char *mac_or_id_or_name);
int lab_find_switch(const struct lab *lab, const char *mac_or_id_or_name);
int lab_find_client(const struct lab *lab, const char *mac);            /* any notation */
int lab_find_port(const struct lab_switch *sw, const char *name);
int lab_add_client(struct lab *lab, const char *mac, const char *hostname, int wlan, int ap);
struct lab_subnet *lab_subnet_of_vlan(struct lab *lab, int vlan);
void lab_colons(const char *mac12, char sep, bool upper, char ret[18]);
void lab_uuid(struct lab *lab, const char *seed, char ret[37]);         /* the same seed gives the same one */
uint32_t lab_hash(const char *text);
const char *lab_ip(uint32_t ip, char ret[16]);
bool lab_ip_parse(const char *text, uint32_t *ret);

/* ---- model.c ---- */
double lab_rssi(const struct lab *lab, const struct lab_client *c, int ap, int radio);
double lab_noise(const struct lab_radio *radio);
void lab_use(const struct lab *lab, int ap, int radio, int ret[6]);     /* all, tx, in bss, other bss, unknown, non-wifi: % */
int lab_ap_clients(const struct lab *lab, int ap, int radio);           /* radio -1: all */
double lab_retry_share(const struct lab *lab, const struct lab_client *c);
bool lab_associated(const struct lab_client *c);
bool lab_port_up(const struct lab *lab, int sw, int port);
bool lab_port_powers(const struct lab *lab, int sw, int port);          /* gives PoE */
void lab_client_leave(struct lab *lab, int client, const char *event, const char *text, double back_in);   /* INFINITY: stays away */
void lab_client_step(struct lab *lab, int client);                      /* what is due for it */
void lab_ap_step(struct lab *lab, int ap);
void lab_ap_look(struct lab *lab, int ap);                              /* after anything changed about its power or link */
void lab_ap_restart(struct lab *lab, int ap, const char *event, const char *text);
void lab_ap_freeze(struct lab *lab, int ap);
void lab_switch_set_down(struct lab *lab, int sw, bool down);
void lab_switch_restart(struct lab *lab, int sw);
void lab_switch_changed(struct lab *lab, int sw);                       /* its configuration */
void lab_port_bounce(struct lab *lab, int sw, int port);
void lab_rrm(struct lab *lab, int site, const char *band, bool power_only, unsigned aps);   /* aps: one bit each */
void lab_rrm_wants(const struct lab *lab, int ap, int radio, int *ret_channel, int *ret_power);
bool lab_vlan_reaches(const struct lab *lab, int ap, int vlan);
void lab_client_event(struct lab *lab, const struct lab_client *c, const char *type, int code, const char *text);
void lab_device_event(struct lab *lab, const char *device_type, const char *mac, const char *type, json_t *extra);   /* extra is taken over */
json_t *lab_alarm(struct lab *lab, const char *type, const char *subject, int site, json_t *extra);   /* borrowed; raises or counts up */
void lab_alarm_clear(struct lab *lab, const char *type, const char *subject);

/* ---- dhcp in kea.c, directory in ise.c: what the model asks of them ---- */
enum lab_dhcp { DHCP_OK, DHCP_SILENT, DHCP_FULL, DHCP_NAK };
enum lab_dhcp lab_dhcp_ask(struct lab *lab, struct lab_client *c, int vlan, uint32_t *ret_ip);
void lab_kea_init(struct lab *lab);
void lab_kea_count(struct lab *lab, const char *name, long add);
struct lab_lease *lab_lease_add(struct lab *lab, struct lab_subnet *s, uint32_t ip, const char *hw, const char *hostname, double age);
struct lab_lease *lab_lease_find(struct lab_subnet *s, uint32_t ip);
void lab_lease_remove(struct lab_subnet *s, struct lab_lease *lease);
double lab_lease_cltt(const struct lab *lab, const struct lab_lease *lease);
uint32_t lab_free_address(struct lab *lab, struct lab_subnet *s);       /* 0: none */
void lab_ise_init(struct lab *lab);
/* Authenticates and authorises; records it. NULL: let in. Else the reason, "22056 Subject not found …". */
const char *lab_ise_authenticate(struct lab *lab, struct lab_client *c);
void lab_snow_init(struct lab *lab);
void lab_jira_init(struct lab *lab);                                    /* after lab_snow_init */

/* ---- faults.c ---- */
/* One entry of `faults:`, a name or {name: parameters}. -EINVAL with a sentence. */
int lab_fault(struct lab *lab, const json_t *entry, struct ft_err *reterr);
const char *const *lab_fault_names(void);                               /* ends with NULL */

/* ---- scenario.c ---- */
struct lab_scenario { char *title; double speed; json_t *faults, *vendors; double since; long rate_limit; bool bounce_cuts_poe; };
int lab_scenario_load(const char *path, struct lab_scenario *ret);      /* prints what is wrong, with its place; -EINVAL */
void lab_scenario_free(struct lab_scenario *scenario);

/* ---- config.c: the configuration of one switch, as Junos keeps it ---- */
struct lab_config *lab_config_new(void);
struct lab_config *lab_config_free(struct lab_config *config);
void lab_config_line(struct lab_config *config, const char *line);      /* while the network is built: "interfaces ge-0/0/1 …" */
bool lab_config_has(const struct lab_config *config, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *lab_config_value(const struct lab_config *config, const char *prefix);   /* what follows; NULL. Borrowed */
/* Calls `each` with the rest of every active line that starts with the prefix. */
void lab_config_each(const struct lab_config *config, const char *prefix, void (*each)(void *arg, const char *rest), void *arg);
/* As from the cloud: sets and deletes lines and commits them. */
void lab_config_push(struct lab *lab, int sw, const char *const *set, const char *const *del, const char *by);

struct lab_candidate;
struct lab_candidate *lab_candidate_open(struct lab_config *config, bool private_copy);
struct lab_candidate *lab_candidate_free(struct lab_candidate *candidate);
int lab_candidate_set(struct lab_candidate *cand, const char *words);                /* -EINVAL: no such statement */
int lab_candidate_delete(struct lab_candidate *cand, const char *words);             /* -ENOENT: warning: statement not found */
int lab_candidate_rollback(struct lab_candidate *cand, unsigned n);                  /* -ENOENT */
bool lab_candidate_changed(const struct lab_candidate *cand);
void lab_candidate_clear(struct lab_candidate *cand);
void lab_candidate_compare(const struct lab_candidate *cand, struct ft_buf *out);    /* as show | compare prints it */
void lab_candidate_differ(const struct lab_candidate *from, const struct lab_candidate *to, struct ft_buf *out);   /* what the two hold */
json_t *lab_candidate_commands(const struct lab_candidate *cand);                    /* ["delete …", "set …"]: what differs */
int lab_candidate_check(const struct lab_candidate *cand, struct ft_buf *out);       /* writes Junos' complaint; -EINVAL */
/* confirm_minutes > 0: rolls back by itself unless committed again. */
void lab_candidate_commit(struct lab *lab, int sw, struct lab_candidate *cand, int confirm_minutes, const char *user, const char *comment);
bool lab_config_unconfirmed(const struct lab_config *config);
void lab_config_revert(struct lab *lab, int sw);                                     /* an unconfirmed commit is taken back now */
double lab_config_rollback_in(const struct lab *lab, int sw);                        /* s until it rolls back; 0: nothing pending */
void lab_config_confirm(struct lab *lab, int sw, const char *user, const char *comment);
void lab_config_show(const struct lab_config *config, const struct lab_candidate *cand, const char *path, bool as_set, struct ft_buf *out);
void lab_config_history(const struct lab_config *config, struct ft_buf *out);        /* show system commit */
bool lab_config_lock(struct lab_config *config, int owner);                          /* exclusive; false: somebody has it */
int lab_config_lock_owner(const struct lab_config *config);                          /* 0: nobody */
void lab_config_unlock(struct lab_config *config, int owner);
json_t *lab_config_json(const struct lab_config *config);                            /* ["set …"] */

/* ---- config_text.c ---- */
/* The form with braces; override: instead of all there is. -EINVAL: why says where. */
int lab_candidate_load(struct lab_candidate *cand, const char *text, bool override, struct ft_buf *why);

/* ---- netconf.c: one NETCONF session; netconf_client.c: the process that sshd starts for it ---- */
struct lab_netconf;
struct lab_netconf *lab_netconf_new(struct lab *lab, int sw, int number, const char *from);
struct lab_netconf *lab_netconf_free(struct lab_netconf *session);
int lab_netconf_switch(const struct lab_netconf *session);
void lab_netconf_hello(const struct lab_netconf *session, struct ft_buf *out);
bool lab_netconf_rpc(struct lab_netconf *session, const char *text, struct ft_buf *out);   /* false: the session is over */
#define LAB_NETCONF_COMMAND "fettle-lab-netconf"                   /* the subsystem's, as its forced command hears of it */
int lab_netconf_main(FILE *lab, const char *sw, const char *from);

/* ---- cli_ios.c: one session of a command line like Cisco's or Arista's ---- */
struct lab_ios;
struct lab_ios *lab_ios_new(struct lab *lab, int sw, const char *from);
struct lab_ios *lab_ios_free(struct lab_ios *session);
bool lab_ios_line(struct lab_ios *session, const char *line, struct ft_buf *out);
void lab_ios_prompt(const struct lab_ios *session, struct ft_buf *out);
int lab_ios_screen(const struct lab_ios *session);
bool lab_ios_secret(const struct lab_ios *session);

/* ---- cli.c: one session of a switch's CLI; cli_show.c: what it shows ---- */
struct lab_session;
struct lab_session *lab_session_new(struct lab *lab, int sw, int number, const char *from);
struct lab_session *lab_session_free(struct lab_session *session);
/* Runs one line (or ^D alone); what it prints goes to out. False: the session is over. */
bool lab_session_line(struct lab_session *session, const char *line, struct ft_buf *out);
void lab_session_prompt(struct lab_session *session, struct ft_buf *out);
int lab_session_screen(const struct lab_session *session);        /* lines of a page; 0: no paging; -1: as the terminal is */
int lab_session_switch(const struct lab_session *session);
bool lab_session_secret(const struct lab_session *session);       /* what is typed next is not echoed */
const char *lab_session_pager(const struct lab_session *session);
/* "version", "interfaces ge-0/0/1 extensive": -ENOENT: no such command, -EINVAL: error is in out. json: as | display json. */
int lab_cli_show(struct lab *lab, int sw, const char *what, bool json, struct ft_buf *out);

/* ---- cli_server.c: sessions over a unix socket, from processes that sshd starts; cli_client.c: such a process (--cli) ---- */
struct pollfd;
int lab_cli_listen(struct lab *lab, struct ft_err *reterr);
int lab_cli_fds(struct pollfd *fds, int max);                     /* how many it wants polled */
void lab_cli_ready(struct lab *lab, int fd);                      /* takes the lock itself; not its own: nothing happens */
void lab_cli_close(struct lab *lab, int sw);                      /* ends the sessions of a switch; -1: all */
int lab_cli_connect(const char *socket_path);
int lab_cli_main(const char *sw, const char *socket_path);

/* ---- sshd.c: a real sshd for each connection to a switch ---- */
int lab_sshd_prepare(struct lab *lab, struct ft_err *reterr);     /* keys, configuration files, listeners */
int lab_sshd_fds(struct pollfd *fds, int max);
void lab_sshd_ready(struct lab *lab, int fd);
void lab_sshd_reconcile(struct lab *lab);                         /* listeners up or down as the switches are; dead children; takes the lock itself */
void lab_sshd_stop(struct lab *lab);

/* ---- dns.c ---- */
int lab_dns_open(struct lab *lab, struct ft_err *reterr);         /* the socket */
void lab_dns_answer(struct lab *lab, int fd);                     /* takes the lock itself */

/* ---- http.c ---- */
struct lab_req {
    struct lab *lab;
    const char *method, *path, *client;
    const char *system;                                           /* mist, ise, kea, infoblox, servicenow, jira, hook, internet, lab */
    const char *arg[6];                                           /* what stood for the {}s of the route */
    json_t *json;                                                 /* the body, NULL if there was none */
    const char *body; size_t body_len;
    void *connection;
    bool write;                                                   /* goes into the record */
    bool done;                                                    /* the lab acted on it */
    const char *bad_json;                                         /* why the body is no JSON; NULL */
    char segments[1024];                                          /* the path, cut at its slashes */
    const char *seg[20];
    int n_seg;
};
struct lab_res {
    int status;
    json_t *json;                                                 /* owned; or */
    char *text; const char *type;                                 /* owned text */
    size_t text_len;                                              /* 0: strlen */
    struct { const char *name; char value[160]; } headers[4];
    int n_headers;
    const char *ws_key;                                           /* status 101: the client\'s Sec-WebSocket-Key */
};
typedef void lab_handler(struct lab_req *req, struct lab_res *res);
struct lab_route { const char *method, *pattern; lab_handler *handle; };

const char *lab_query(const struct lab_req *req, const char *name);                  /* decoded; NULL */
const char *lab_header(const struct lab_req *req, const char *name);
bool lab_basic_auth(const struct lab_req *req, const char *user, const char *password);
void lab_add_header(struct lab_res *res, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* NULL where nothing matches. Patterns: "/api/v1/sites/{}/wlans/{}". Fills req->arg, whose strings live as long as the request. */
lab_handler *lab_route(struct lab_req *req, const struct lab_route *routes, bool *ret_other_method);
int lab_http_start(struct lab *lab, int port, struct ft_err *reterr);                /* without the lock */
int lab_http_reconcile(struct lab *lab);                                             /* ISE's listener up or down; without the lock */
void lab_http_stop(struct lab *lab);                                                 /* without the lock */
int lab_api_fault_add(struct lab *lab, const json_t *params, struct ft_err *reterr);

/* Each serves its own paths; the lock is held. */
void lab_mist(struct lab_req *req, struct lab_res *res);
void lab_ise(struct lab_req *req, struct lab_res *res);
void lab_kea(struct lab_req *req, struct lab_res *res);
void lab_wapi(struct lab_req *req, struct lab_res *res);
void lab_snow(struct lab_req *req, struct lab_res *res);
void lab_jira(struct lab_req *req, struct lab_res *res);
void lab_control(struct lab_req *req, struct lab_res *res);

/* ---- ws.c: Mist's websocket ---- */
struct MHD_Response;
void lab_ws(struct lab_req *req, struct lab_res *res);
struct MHD_Response *lab_ws_response(struct lab *lab, const char *key);
/* To those who subscribed to the channel, when lab time is `due`. */
void lab_ws_publish(struct lab *lab, double due, const char *channel, const char *inner_channel, const char *session, const char *raw);
void lab_ws_stop(void);                                                              /* without the lock, after `stopping` */

/* ---- mist.c: shared by its parts ---- */
extern const struct lab_route lab_mist_client_routes[], lab_mist_device_routes[], lab_mist_rf_routes[], lab_mist_config_routes[], lab_mist_tool_routes[],
    lab_mist_firmware_routes[], lab_mist_command_routes[];
void lab_mist_bounced(struct lab *lab, int site, int sw);                            /* mist_commands.c: what the switch says of it */
void lab_mist_store(struct lab_req *req, struct lab_res *res);                       /* /store/: what lies in the cloud's object store, without a token */
void lab_mist_config_init(struct lab *lab);
void lab_mist_tools_init(struct lab *lab);
/* A configuration goes to the device: at once, or when the site's push policy lets it through. apply(lab, index) is called then; NULL: nothing but an event. */
enum { LAB_PUSH_AP = 0, LAB_PUSH_SWITCH = 1 };
void lab_mist_push(struct lab *lab, int kind, int index);
void lab_mist_push_site(struct lab *lab, int site);                                  /* to all its devices */
bool lab_mist_held(const struct lab *lab, int site);                                 /* no_push, or outside the push window */
json_t *lab_mist_state(struct lab *lab, const char *name);                           /* lab->mist[name], made when it is not there; borrowed */
void lab_mist_apply_ap(struct lab *lab, int ap);                                     /* mist_devices.c: what the cloud holds becomes what the device has */
void lab_mist_apply_switch(struct lab *lab, int sw);
bool lab_mist_device_of(struct lab_req *req, struct lab_res *res, int *ret_site, int *ret_ap, int *ret_sw);
void lab_mist_not_found(struct lab_res *res);
void lab_mist_bad(struct lab_res *res, const char *detail);
int lab_mist_site(struct lab_req *req, struct lab_res *res);                         /* of arg[0]; -1: answered 404 */
void lab_mist_page(struct lab_req *req, struct lab_res *res, json_t *all);           /* paging style "page"; takes all over */
void lab_mist_cursor(struct lab_req *req, struct lab_res *res, json_t *all);         /* paging style "cursor"; newest first; takes all over */
bool lab_mist_range(const struct lab_req *req, double *ret_start, double *ret_end);
json_t *lab_mist_in_range(struct lab_req *req, const json_t *events, int site, bool (*keep)(struct lab_req *, const json_t *));
bool lab_mist_matches(struct lab_req *req, const json_t *item, const char *const *keys);   /* the query's filters of these names */
void lab_mist_audit(struct lab *lab, int site, const char *message);

/* ---- ise.c: shared by its parts; ise_config.c has the resources that the lab only keeps ---- */
extern const struct lab_route lab_ise_config_routes[];
void lab_ise_config_init(struct lab *lab);
bool lab_ise_knows_device(struct lab *lab, const char *ip);
bool lab_ise_user_enabled(struct lab *lab, const char *name);
void lab_ers_error(struct lab_res *res, int status, const char *operation, const char *title, const char *code);
void lab_ers_list(struct lab_req *req, struct lab_res *res, const char *resource, json_t *items);
/* The item whose `key` is the route's first argument. */
void lab_ers_one(struct lab_req *req, struct lab_res *res, const char *resource, const char *wrapper, json_t *items, const char *key);

/* ---- record.c ---- */
int lab_record_open(struct lab *lab, struct ft_err *reterr);
/* Takes over body. commands: of a switch, else NULL; done: whether the lab acted on it. */
void lab_record(struct lab *lab, const char *system, const char *method, const char *path, json_t *commands, json_t *body,
                const char *from, int status, bool done);

/* ---- files.c ---- */
int lab_write_file(const char *path, const char *text, unsigned mode, struct ft_err *reterr);
int lab_files_write(struct lab *lab, struct ft_err *reterr);      /* fettle.yaml, tokens */
void lab_files_remove(struct lab *lab, bool own_dir);
