/* net.h: what the checks share. Each check is a file: dns.c, tcp.c, tls.c, ping.c, traceroute.c, path_mtu.c, throughput.c, web.c.
 *
 * What only blocks (name servers, TLS, ICMP) runs on a worker thread: a *_job is filled on the loop, worked on there, and read on the loop. A host that is down
 * is what these checks are there to tell, so it is a result; a call fails only when the question makes no sense. */
#pragma once
#include <sys/socket.h>
#include <fettle/kit.h>

#define JSON(...) #__VA_ARGS__      /* not by way of FT_JSON, which would see false as 0 */
#define OBJECT(required, properties) "{\"type\": \"object\", \"additionalProperties\": false, \"required\": " required ", \"properties\": {" properties "}}"
#define TIMEOUT_PARAM JSON("timeout_s": {"type": "number", "exclusiveMinimum": 0, "maximum": 60, "default": 5, "description": "seconds to wait"})

extern const struct ft_host *host;
extern const struct ft_action net_dns, net_tcp, net_tls_cert, net_ping, net_traceroute, net_path_mtu, net_throughput, net_http_check;

const char *net_param(struct ft_call *call, const char *key);
int net_timeout_ms(struct ft_call *call);
double net_until_ms(struct ft_call *call);            /* the call's deadline, on the clock of net_now_ms(), a little early */
double net_rounded(double ms);                        /* to a thousandth */
double net_now_ms(void);                             /* monotonic; for worker threads */
/* "10.0.0.1", "10.0.0.1:5353", "[2001:db8::1]:53", "2001:db8::1"; default_port where none is given. */
bool net_address(const char *text, uint16_t default_port, struct sockaddr_storage *ret, socklen_t *ret_len);
/* Connects within the time; a non-blocking socket, or -errno. For worker threads. */
int net_connect(const struct sockaddr *address, socklen_t len, int type, int timeout_ms);
