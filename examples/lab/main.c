/* main.c: fettle-lab SCENARIO.yaml [--port N] [--dir DIR] [--speed N] [--ready-fd N] [--keep]; and its other life as a switch's CLI (--cli). */
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/digest.h"
#include "lab.h"

enum { MAX_FDS = 96 };

static struct options { const char *scenario, *dir, *cli, *socket; int port, ready_fd; double speed; bool keep; } options = { .ready_fd = -1, .speed = -1 };

static int signal_pipe = -1;

static void usage(FILE *to)
{
    fputs("usage: fettle-lab SCENARIO.yaml [--port N] [--dir DIR] [--speed N] [--ready-fd N] [--keep]\n"
          "\n"
          "  --port N      of the APIs, on 127.0.0.1 (default: any that is free)\n"
          "  --dir DIR     where it writes its configuration, keys and record of writes (default: a new one)\n"
          "  --speed N     lab time against the clock, whatever the scenario says; 0: it stands still\n"
          "  --ready-fd N  write a line of JSON there when everything listens\n"
          "  --keep        leave the directory when it ends\n", to);
}

static bool number(const char *text, long low, long high, int *ret)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (!*text || *end || n < low || n > high)
        return false;
    *ret = (int)n;
    return true;
}

static bool read_options(int argc, char **argv)
{
    static const struct option known[] = {
        { "port", required_argument, NULL, 'p' }, { "dir", required_argument, NULL, 'd' }, { "ready-fd", required_argument, NULL, 'r' },
        { "keep", no_argument, NULL, 'k' }, { "speed", required_argument, NULL, 'v' }, { "cli", required_argument, NULL, 'c' }, { "socket", required_argument, NULL, 's' },
        { "help", no_argument, NULL, 'h' }, { 0 },
    };
    char *end;
    int c;

    while ((c = getopt_long(argc, argv, "h", known, NULL)) >= 0)
        switch (c) {
        case 'p':
            if (!number(optarg, 0, 65535, &options.port))
                return fprintf(stderr, "fettle-lab: '%s' is not a port\n", optarg), false;
            break;
        case 'r':
            if (!number(optarg, 0, 1 << 20, &options.ready_fd) || fcntl(options.ready_fd, F_GETFD) < 0)
                return fprintf(stderr, "fettle-lab: '%s' is not an open file descriptor\n", optarg), false;
            break;
        case 'v':
            options.speed = strtod(optarg, &end);
            if (!*optarg || *end || !(options.speed >= 0 && options.speed <= 10000))
                return fprintf(stderr, "fettle-lab: '%s' is not a speed from 0 to 10000\n", optarg), false;
            break;
        case 'd': options.dir = optarg; break;
        case 'k': options.keep = true; break;
        case 'c': options.cli = optarg; break;
        case 's': options.socket = optarg; break;
        case 'h': usage(stdout); exit(0);
        default: return false;
        }
    options.scenario = optind < argc ? argv[optind] : NULL;
    return options.cli ? options.socket != NULL : options.scenario && optind + 1 == argc;
}

static int make_dir(struct lab *lab, struct ft_err *reterr)
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    char path[512], *full;

    if (options.dir) {
        if (mkdir(options.dir, 0700) < 0 && errno != EEXIST)
            return ft_err_set(reterr, -errno, "cannot make '%s': %s", options.dir, strerror(errno));
        snprintf(path, sizeof(path), "%s", options.dir);
    } else {
        snprintf(path, sizeof(path), "%s/fettle-lab.XXXXXX", base && access(base, W_OK) == 0 ? base : "/tmp");
        if (!mkdtemp(path))
            return ft_err_set(reterr, -errno, "cannot make a directory in '%s': %s", base ? base : "/tmp", strerror(errno));
    }
    full = realpath(path, NULL);
    if (!full || strlen(full) >= sizeof(lab->dir) - 64 || strpbrk(full, "'\"\n")) {
        free(full);
        return ft_err_set(reterr, -EINVAL, "'%s' is too long, or has a quote in it; choose another --dir", path);
    }
    snprintf(lab->dir, sizeof(lab->dir), "%s", full);
    free(full);
    return 0;
}

/* The network, and ten minutes (or `since`) of what the faults did to it. */
static int set_scene(struct lab *lab, const struct lab_scenario *scenario, struct ft_err *reterr)
{
    json_t *entry;
    size_t i;
    int r = 0;

    lab_clock_start(lab, options.speed >= 0 ? options.speed : scenario->speed);
    lab->wall -= scenario->since;
    lab->added = -scenario->since;
    lab_network_build(lab);
    for (int sw = 0; sw < lab->n_switches; sw++) {
        const char *vendor = json_string_value(json_object_get(scenario->vendors, lab->switches[sw].name));

        snprintf(lab->switches[sw].vendor, sizeof(lab->switches[sw].vendor), "%s", vendor ? vendor : "junos");
    }
    lab->bounce_cuts_poe = scenario->bounce_cuts_poe;
    lab->mist_limit = scenario->rate_limit;
    json_array_foreach(scenario->faults, i, entry)
        if (r == 0)
            r = lab_fault(lab, entry, reterr);
    lab_advance(lab, scenario->since);
    lab->mist_calls = 0;
    return r;
}

static void on_signal(int number)
{
    (void)number;
    (void)!write(signal_pipe, "q", 1);
}

static int start_all(struct lab *lab, struct ft_err *reterr, int *ret_dns)
{
    int r;

    ft_random_hex(40, lab->mist_token);
    ft_random_hex(24, lab->ise_password);
    ft_random_hex(24, lab->kea_password);
    ft_random_hex(24, lab->snow_password);
    ft_random_hex(24, lab->jira_token);
    ft_random_hex(24, lab->enable_password);
    r = lab_record_open(lab, reterr);
    if (r == 0)
        r = *ret_dns = lab_dns_open(lab, reterr);
    if (r >= 0)
        r = lab_cli_listen(lab, reterr);
    if (r == 0)
        r = lab_sshd_prepare(lab, reterr);
    if (r == 0)
        r = lab_http_start(lab, options.port, reterr);
    if (r == 0)
        r = lab_http_reconcile(lab);
    if (r == 0)
        lab_sshd_reconcile(lab);
    return r == 0 ? lab_files_write(lab, reterr) : r;
}

static void say_ready(struct lab *lab, const char *title)
{
    char mac[18];

    lab_colons(LAB_TROUBLED, ':', false, mac);
    printf("%s%slab on %s, files in %s\nclient %s; try: fettle run client-connectivity client=%s --config %s/fettle.yaml\n", title, *title ? "\n" : "",
           lab->url, lab->dir, mac, mac, lab->dir);
    fflush(stdout);
    if (options.ready_fd >= 0) {
        dprintf(options.ready_fd, "{\"url\": \"%s\", \"dir\": \"%s\", \"ise_url\": \"%s\", \"dns_port\": %d}\n", lab->url, lab->dir, lab->ise_url, lab->dns_port);
        close(options.ready_fd);
    }
}

/* Until a signal. */
static void main_loop(struct lab *lab, int dns)
{
    for (;;) {
        struct pollfd fds[MAX_FDS] = { { .fd = lab->wake[0], .events = POLLIN }, { .fd = dns, .events = POLLIN } };
        int n = 2;
        char byte = 0;

        n += lab_sshd_fds(fds + n, MAX_FDS - n);
        n += lab_cli_fds(fds + n, MAX_FDS - n);
        if (poll(fds, (nfds_t)n, 1000) < 0 && errno != EINTR)
            return;
        while (read(lab->wake[0], &byte, 1) == 1)
            if (byte == 'q')
                return;
        if (fds[1].revents)
            lab_dns_answer(lab, dns);
        for (int i = 2; i < n; i++)
            if (fds[i].revents) {
                lab_sshd_ready(lab, fds[i].fd);
                lab_cli_ready(lab, fds[i].fd);
            }
        lab_sshd_reconcile(lab);
        lab_http_reconcile(lab);
    }
}

static void stop_all(struct lab *lab, int dns)
{
    lab_http_stop(lab);
    lab_cli_close(lab, -1);
    lab_sshd_stop(lab);
    if (dns >= 0)
        close(dns);
    if (lab->writes_fd > 0)
        close(lab->writes_fd);
    if (!options.keep && lab->dir[0])
        lab_files_remove(lab, !options.dir);
    lab_network_free(lab);
}

static void catch_signals(struct lab *lab)
{
    struct sigaction action = { .sa_handler = on_signal };

    signal_pipe = lab->wake[1];
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
    static struct lab lab = { .lock = PTHREAD_MUTEX_INITIALIZER, .stop_cond = PTHREAD_COND_INITIALIZER };
    struct lab_scenario scenario;
    struct ft_err err = { 0 };
    int dns = -1, r;

    if (!read_options(argc, argv)) {
        usage(stderr);
        return 2;
    }
    if (options.cli)
        return lab_cli_main(options.cli, options.socket);
    if (lab_scenario_load(options.scenario, &scenario) < 0) {
        lab_scenario_free(&scenario);
        return 2;
    }
    r = pipe2(lab.wake, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : make_dir(&lab, &err);
    catch_signals(&lab);
    if (r == 0)
        r = set_scene(&lab, &scenario, &err);
    if (r == 0)
        r = start_all(&lab, &err, &dns);
    if (r == 0) {
        say_ready(&lab, scenario.title);
        main_loop(&lab, dns);
    } else {
        fprintf(stderr, "fettle-lab: %s\n", err.text[0] ? err.text : strerror(-r));
    }
    stop_all(&lab, dns);
    lab_scenario_free(&scenario);
    return r == 0 ? 0 : 1;
}
