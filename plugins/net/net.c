/* net.c: checks of the network as one machine sees it. */
#include "net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const struct ft_host *host;

const char *net_param(struct ft_call *call, const char *key)
{
    return json_string_value(json_object_get(host->params(call), key));
}

int net_timeout_ms(struct ft_call *call)
{
    return (int)(json_number_value(json_object_get(host->params(call), "timeout_s")) * 1000);
}

double net_until_ms(struct ft_call *call)
{
    return net_now_ms() + (double)host->remaining_ms(call) - 300;
}

double net_rounded(double ms)
{
    return (double)(long long)(ms * 1000 + 0.5) / 1000;
}

double net_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1e6;
}

static bool parse_port(const char *text, uint16_t *ret)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);

    if (end == text || *end || port == 0 || port > 65535)
        return false;
    *ret = (uint16_t)port;
    return true;
}

bool net_address(const char *text, uint16_t port, struct sockaddr_storage *ret, socklen_t *ret_len)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
    const char *colon = strchr(text, ':'), *bracket = strchr(text, ']');
    char copy[64];

    memset(ret, 0, sizeof(*ret));
    if (strlen(text) >= sizeof(copy))
        return false;
    strcpy(copy, text);
    if (*text == '[') {
        if (!bracket || (bracket[1] && (bracket[1] != ':' || !parse_port(bracket + 2, &port))))
            return false;
        copy[bracket - text] = '\0';
        memmove(copy, copy + 1, strlen(copy));
    } else if (colon && !strchr(colon + 1, ':')) {
        if (!parse_port(colon + 1, &port))
            return false;
        copy[colon - text] = '\0';
    }
    if (inet_pton(AF_INET, copy, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *ret_len = sizeof(*v4);
        return true;
    }
    if (inet_pton(AF_INET6, copy, &v6->sin6_addr) != 1)
        return false;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    *ret_len = sizeof(*v6);
    return true;
}

int net_connect(const struct sockaddr *address, socklen_t len, int type, int timeout_ms)
{
    int fd = socket(address->sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = 0;
    struct pollfd ready = { .fd = fd, .events = POLLOUT };
    socklen_t size = sizeof(error);

    if (fd < 0)
        return -errno;
    if (connect(fd, address, len) == 0)
        return fd;
    if (errno != EINPROGRESS)
        error = errno;
    else if (poll(&ready, 1, timeout_ms) != 1)
        error = ETIMEDOUT;
    else
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (!error)
        return fd;
    close(fd);
    return -error;
}

static int net_open(const struct ft_host *the_host, const json_t *config, void **ret_instance, struct ft_err *reterr)
{
    (void)config;
    (void)ret_instance;
    (void)reterr;
    host = the_host;
    return 0;
}

static const struct ft_action *const actions[] = { &net_dns, &net_tcp, &net_tls_cert, &net_ping, &net_traceroute, &net_path_mtu, &net_throughput, &net_http_check, NULL };

FT_EXPORT const struct ft_plugin ft_plugin = {
    FT_PLUGIN_HEADER, .name = "net", .version = FETTLE_VERSION, .summary = "names, ports, certificates, ways, throughput: the network as this machine sees it",
    .capabilities = "http tcp exec work",
    .config_schema = JSON({"type": "object", "additionalProperties": false, "properties": {}}),
    .open = net_open, .actions = actions,
};
