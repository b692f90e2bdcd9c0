/* Every kind of key, as a file and in a real ssh-agent, and servers that are older or stricter than a library: what each library can, in tables.
 * Where one cannot, its sentence names the one that can and the setting. */
#include "test_ssh_server.h"

static bool old_libssh2;              /* 1.10: RSA with SHA-1 only */
static pid_t agent;

static void start_agent(void)
{
    char line[300] = "";
    FILE *said;
    int ends[2];

    setenv("SSH_AUTH_SOCK", in_dir("agent"), 1);
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    agent = fork();
    if (agent == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], 1);
        execlp("ssh-agent", "ssh-agent", "-D", "-a", in_dir("agent"), (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    said = fdopen(ends[0], "r");
    cr_assert(fgets(line, sizeof(line), said), "there is no ssh-agent: install the package openssh-client");
    fclose(said);
}

static void begin(void)
{
    char *about;

    begin_files();
    start_agent();
    loop = ft_loop_new(NULL);
    ssh = ft_ssh_new(loop, NULL);
    about = ft_ssh_describe(ssh, "libssh2");
    old_libssh2 = strncmp(about, "libssh2 1.10", 12) == 0;
    free(about);
}

static void end(void)
{
    kill(agent, SIGKILL);
    waitpid(agent, NULL, 0);
    ssh = ft_ssh_free(ssh);
    loop = ft_loop_free(loop);
    end_files();
}

TestSuite(keys, .init = begin, .fini = end, .timeout = 100);

/* says == NULL: it works. */
static void expect(struct ft_ssh_req req, const char *what, enum ft_class class, const char *says)
{
    struct said said = { 0 };

    req.command = "echo in";
    converse(&said, req);
    cr_expect_eq(said.class, says ? class : FT_CLASS_NONE, "%s, %s: %s: %s", what, req.library, ft_class_name(said.class), said.why);
    cr_expect(strstr(said.why, says ? says : "status 0"), "%s, %s: '%s' lacks '%s'", what, req.library, said.why, says ? says : "status 0");
    forget(&said);
    ft_ssh_free(ssh);                             /* the next one logs in by itself */
    ssh = ft_ssh_new(loop, NULL);
}

static const struct { const char *type; int bits; const char *format; } kinds[] = {
    { "ed25519", 256, "RFC4716" }, { "ecdsa", 256, "RFC4716" }, { "rsa", 2048, "RFC4716" },       /* the first is OpenSSH's own */
    { "rsa", 2048, "PEM" }, { "ecdsa", 256, "PEM" }, { "rsa", 2048, "PKCS8" }, { "ecdsa", 256, "PKCS8" },
};

static const char advice[] = "set ssh.library: libssh";

static void one_kind(const char *type, int bits, const char *format, const char *passphrase, const char *library)
{
    bool cannot = old_libssh2 && strcmp(library, "libssh2") == 0 && strcmp(type, "rsa") == 0;
    struct ft_ssh_req by_file = login_with(library, "id"), by_agent = login_with(library, NULL);
    const char *what = text("%s %d %s %s", type, bits, format, passphrase ? "with a passphrase" : "plain");

    by_file.passphrase = passphrase;
    expect(by_file, what, FT_DENIED, cannot ? advice : NULL);
    if (passphrase || strcmp(format, "RFC4716") != 0)
        return;                                   /* in the agent they are all alike */
    by_agent.agent = true;
    shell("ssh-add -q %s/id", dir);
    expect(by_agent, text("%s in the agent", what), FT_DENIED, cannot ? advice : NULL);
    shell("ssh-add -q -D 2>/dev/null");
}

Test(keys, of_every_kind_as_files_and_in_the_agent)
{
    start_sshd("hk_ed25519", "");
    trust("known_hosts", "hk_ed25519");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const char *file = text("%s-%d", kinds[i].type, kinds[i].bits);

        if (access(in_dir(file), R_OK) < 0)
            shell("ssh-keygen -q -t %s -b %d -N '' -C test -f %s/%s; cat %s/%s.pub >> %s/authorized_keys", kinds[i].type, kinds[i].bits, dir, file, dir, file, dir);
        shell("rm -f %s/id; cp %s/%s %s/id; ssh-keygen -p -m %s -N '' -f %s/id >/dev/null", dir, dir, file, dir, kinds[i].format, dir);
        for (size_t n = 0; n < ARRAY_LEN(libraries); n++)
            one_kind(kinds[i].type, kinds[i].bits, kinds[i].format, NULL, libraries[n]);
        shell("ssh-keygen -p -m %s -N 'open sesame' -f %s/id >/dev/null", kinds[i].format, dir);
        for (size_t n = 0; n < ARRAY_LEN(libraries); n++)
            one_kind(kinds[i].type, kinds[i].bits, kinds[i].format, "open sesame", libraries[n]);
    }
}

/* ---- servers */

static const struct { const char *what, *options; enum ft_class class; const char *libssh2_says, *libssh_says; } servers[] = {
    { "RSA user keys with SHA-1 only, as old devices", "PubkeyAcceptedAlgorithms ssh-rsa", FT_DENIED, NULL, "set ssh.library: libssh2" },
    { "an RSA host key with SHA-1 only", "HostKeyAlgorithms ssh-rsa", FT_UNREACHABLE, NULL, "set ssh.library: libssh2" },
    { "the oldest key exchange", "KexAlgorithms diffie-hellman-group1-sha1", FT_UNREACHABLE, NULL, "set ssh.library: libssh2" },
    { "a cipher of old", "Ciphers aes256-cbc\nMACs hmac-sha1", FT_UNREACHABLE, NULL, "set ssh.library: libssh2" },
    { "a modern one", "HostKeyAlgorithms rsa-sha2-512\nPubkeyAcceptedAlgorithms rsa-sha2-512", FT_UNREACHABLE, advice, NULL },
    { "a strict one", "Ciphers aes256-gcm@openssh.com\nMACs hmac-sha2-512-etm@openssh.com", FT_UNREACHABLE, advice, NULL },
};

Test(keys, and_servers_that_are_older_or_stricter)
{
    make_key("hk_rsa", "rsa", "");
    make_key("id_rsa", "rsa", "");
    shell("cp %s/id_rsa.pub %s/authorized_keys", dir, dir);
    for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
        start_sshd("hk_rsa", text("%s\nHostKeyAlgorithms +ssh-rsa\nPubkeyAcceptedAlgorithms +ssh-rsa", servers[i].options));
        shell("rm -f %s/known_hosts", dir);
        trust("known_hosts", "hk_rsa");
        if (old_libssh2)
            expect(login_with("libssh2", "id_rsa"), servers[i].what, servers[i].class, servers[i].libssh2_says);
        expect(login_with("libssh", "id_rsa"), servers[i].what, servers[i].class, servers[i].libssh_says);
        stop_sshd();
    }
}
