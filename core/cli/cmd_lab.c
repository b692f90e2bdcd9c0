/* fettle lab: hands over to fettle-lab, which is a program of its own beside this one. */
#include <errno.h>
#include <unistd.h>
#include "base/paths.h"
#include "base/util.h"
#include "cli/app.h"

static struct {
    const char *scenario, *port, *dir;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_ARG, 0, NULL, &o.scenario, "SCENARIO", "a scenario file; examples/lab/scenarios/ has one for every fault", "file" },
    { FT_OPT_STR, 'p', "port", &o.port, "N", "the port of its APIs on loopback (default: any that is free)", NULL },
    { FT_OPT_STR, 'd', "dir", &o.dir, "DIR", "where it writes its configuration, keys and record of writes", "file" },
    { 0 },
};

static int run(void)
{
    char *program = ft_asprintf("%s/fettle-lab", ft_path_program());
    const char *argv[8] = { program, o.scenario };
    size_t n = 2;

    if (o.port) {
        argv[n++] = "--port";
        argv[n++] = o.port;
    }
    if (o.dir) {
        argv[n++] = "--dir";
        argv[n++] = o.dir;
    }
    argv[n] = NULL;
    fflush(stdout);
    execv(program, (char **)argv);
    n = (size_t)app_fail(1, "cannot start %s: %s", program, strerror(errno));
    free(program);
    return (int)n;
}

const struct ft_command cmd_lab = { "lab", "Start a small simulated network to try playbooks on", opts, run, NULL };
