/* fettle export */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/util.h"
#include "cli/app.h"
#include "cli/report.h"
#include "data/json.h"
#include "store/audit.h"

static struct {
    const char *run, *out, *format;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_ARG, 0, NULL, &o.run, "RUN", "the run, or the first digits of its id", "run" },
    { FT_OPT_STR, 'o', "out", &o.out, "FILE", "write it there (mode 0600), not to standard output", "file" },
    { FT_OPT_STR, 'f', "format", &o.format, "html|json", "a page that people open and programs verify (default), or only the record", "html json" },
    { 0 },
};

static const char about[] =
    "The file holds all of the run: its playbook and parameters, plan, requests, answers, approvals, changes, the drawn way, every event with its hash, and the\n"
    "signed seals over them. It needs nothing else, and proves itself anywhere: `fettle audit verify --file FILE --key fettle.pub`. It names the clients and\n"
    "users of the run, as far as they were not deleted from it.\n";

static int write_out(const char *text)
{
    size_t len = strlen(text);
    int fd = open(o.out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t n = 0;

    if (fd < 0)
        return app_fail(1, "cannot write '%s': %s", o.out, strerror(errno));
    while (len && (n = write(fd, text, len)) > 0) {
        text += n;
        len -= (size_t)n;
    }
    if (len || close(fd) < 0) {
        int why = errno;

        unlink(o.out);                    /* half an export is none */
        return app_fail(1, "cannot write '%s': %s", o.out, strerror(why));
    }
    return 0;
}

/* It is signed all the same: what was done to the record is on record, too. */
static void warn_if_altered(struct app *app, const char *id)
{
    json_t *report = NULL;

    if (ft_store_audit(app->store, id, NULL, &report, NULL) == 0 && !ft_json_bool(report, "ok", false))
        fprintf(stderr, "fettle: warning: the record of run %s is not what was written, and its export will not prove; `fettle audit verify %s` says why\n", id, id);
    json_decref(report);
}

static int export(struct app *app, const char *id, const json_t *events)
{
    struct ft_buf page = FT_BUF_INIT((size_t)1 << 30);
    struct ft_err err = { 0 };
    char *text = NULL;
    int r, status;

    warn_if_altered(app, id);
    if (!ft_streq(o.format, "json"))
        report_page(&page, app, id, events);
    r = ft_store_export_file(app->store, id, ft_streq(o.format, "json") ? NULL : ft_buf_str(&page), &text, &err);
    if (r < 0)
        status = app_fail(1, "%s", err.text);
    else if (o.out)
        status = write_out(text);
    else
        status = fputs(text, stdout) >= 0 && fflush(stdout) == 0 ? 0 : app_fail(1, "the export could not be written");
    free(text);
    ft_buf_done(&page);
    return status;
}

static int run(void)
{
    struct app app;
    json_t *events = NULL;
    char id[9];
    int status;

    if (o.format && !ft_streq(o.format, "json") && !ft_streq(o.format, "html"))
        return app_fail(2, "--format is html or json, not '%s'", o.format);
    status = app_open(&app, APP_CONFIG | APP_WORLD | APP_STORE);
    if (status)
        return status;
    status = app_run_events(&app, o.run, id, &events);
    if (!status)
        status = export(&app, id, events);
    json_decref(events);
    app_close(&app);
    return status;
}

const struct ft_command cmd_export = { "export", "One file with all of a run, that proves itself anywhere", opts, run, about };
