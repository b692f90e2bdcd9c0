/* files.c: what the lab writes for its users: a configuration of fettle for this lab, secrets in files of their own. */
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <unistd.h>
#include "lab.h"

int lab_write_file(const char *path, const char *text, unsigned mode, struct ft_err *reterr)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode), code = 0;
    size_t len = strlen(text);

    if (fd < 0 || write(fd, text, len) != (ssize_t)len)
        code = errno;
    if (fd >= 0)
        close(fd);
    return code ? ft_err_set(reterr, -code, "cannot write '%s': %s", path, strerror(code)) : 0;
}

static int secret(struct lab *lab, const char *name, const char *value, struct ft_err *reterr)
{
    char path[600], line[200];

    snprintf(path, sizeof(path), "%s/%s", lab->dir, name);
    snprintf(line, sizeof(line), "%s\n", value);
    return lab_write_file(path, line, 0600, reterr);
}

static void cloud_sections(const struct lab *lab, struct ft_buf *out)
{
    ft_buf_addf(out, "  mist:\n    url: %s\n    org_id: %s\n    token: {file: \"%s/mist.token\"}\n", lab->url, LAB_ORG, lab->dir);
    ft_buf_addf(out, "  ise:\n    url: %s\n    ers_url: %s\n    user: fettle\n    password: {file: \"%s/ise.password\"}\n", lab->ise_url, lab->ise_url, lab->dir);
    ft_buf_addf(out, "  dhcp:\n    url: %s/kea\n    user: fettle\n    password: {file: \"%s/kea.password\"}\n"
                "    servers:\n      grid: {system: infoblox, url: %s, user: fettle, password: {file: \"%s/kea.password\"}}\n", lab->url, lab->dir, lab->url, lab->dir);
    ft_buf_addf(out, "  ticket:\n    system: servicenow\n    url: %s\n    user: fettle\n    password: {file: \"%s/servicenow.password\"}\n", lab->url, lab->dir);
    ft_buf_addf(out, "    systems:\n      jira-cloud: {system: jira, edition: cloud, url: \"%s\", user: fettle@corp.example, token: {file: \"%s/jira.token\"}, project: NOC, close_code: Fixed}\n",
                lab->url, lab->dir);
    ft_buf_addf(out, "      jira-dc: {system: jira, edition: datacenter, url: \"%s\", token: {file: \"%s/jira.token\"}, project: NOC, close_code: Fixed}\n", lab->url, lab->dir);
}

static void switch_section(const struct lab *lab, struct ft_buf *out)
{
    const struct passwd *pw = getpwuid(getuid());
    char mac[18];

    ft_buf_addf(out, "  switch:\n    defaults:\n      vendor: junos\n      user: %s\n      key_file: \"%s/ssh/client_key\"\n      known_hosts: \"%s/known_hosts\"\n"
                "    devices:\n", pw ? pw->pw_name : "lab", lab->dir, lab->dir);
    for (int i = 0; i < lab->n_switches; i++) {
        lab_colons(lab->switches[i].mac, ':', false, mac);
        ft_buf_addf(out, "      %s: {host: 127.0.0.1, port: %d, aliases: [\"%s\", %s]", lab->switches[i].name, lab->switches[i].ssh_port, mac,
                    lab->switches[i].id);
        if (strcmp(lab->switches[i].vendor, "junos") != 0)
            ft_buf_addf(out, ", vendor: %s, enable_password: {file: \"%s/enable.password\"}", lab->switches[i].vendor, lab->dir);
        ft_buf_adds(out, "}\n");
    }
}

int lab_files_write(struct lab *lab, struct ft_err *reterr)
{
    struct ft_buf text = FT_BUF_INIT(0);
    char path[600], pid[16], hook[160];
    int r = secret(lab, "mist.token", lab->mist_token, reterr);

    if (r == 0)
        r = secret(lab, "ise.password", lab->ise_password, reterr);
    if (r == 0)
        r = secret(lab, "kea.password", lab->kea_password, reterr);
    if (r == 0)
        r = secret(lab, "servicenow.password", lab->snow_password, reterr);
    if (r == 0)
        r = secret(lab, "jira.token", lab->jira_token, reterr);
    if (r == 0)
        r = secret(lab, "enable.password", lab->enable_password, reterr);
    snprintf(hook, sizeof(hook), "%s/hook/noc", lab->url);
    if (r == 0)
        r = secret(lab, "noc.webhook", hook, reterr);
    ft_buf_addf(&text, "# A configuration of fettle for the lab that runs on %s.\nfettle: 1\nstore: \"%s/fettle.db\"\nplugins:\n", lab->url, lab->dir);
    cloud_sections(lab, &text);
    switch_section(lab, &text);
    ft_buf_addf(&text, "  notify:\n    webhooks:\n      noc: {url: {file: \"%s/noc.webhook\"}}\n", lab->dir);
    ft_buf_addf(&text, "  http:\n    apis:\n      internet: {url: %s/internet}\n      lab: {url: %s/lab}\n", lab->url, lab->url);
    ft_buf_addf(&text, "# What playbooks need to know of this network.\nvars:\n  dns_server: \"127.0.0.1:%d\"\n  lookup_name: intranet.corp.example\n  internet_check: %s/internet\n", lab->dns_port, lab->url);
    snprintf(path, sizeof(path), "%s/fettle.yaml", lab->dir);
    if (r == 0)
        r = lab_write_file(path, ft_buf_str(&text), 0600, reterr);
    ft_buf_done(&text);
    snprintf(path, sizeof(path), "%s/lab.pid", lab->dir);
    snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    return r == 0 ? lab_write_file(path, pid, 0644, reterr) : r;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* A directory that the user named may hold more than the lab's own files: those stay. */
void lab_files_remove(struct lab *lab, bool own_dir)
{
    static const char *const made[] = { "fettle.yaml", "mist.token", "ise.password", "kea.password", "servicenow.password", "enable.password", "noc.webhook", "writes.jsonl", "lab.pid",
                                        "cli.sock", "known_hosts", "jira.token" };
    char path[600];

    if (own_dir) {
        nftw(lab->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(made); i++) {
        snprintf(path, sizeof(path), "%s/%s", lab->dir, made[i]);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/ssh", lab->dir);
    nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    rmdir(lab->dir);                                 /* stays when there is anything else in it */
}
