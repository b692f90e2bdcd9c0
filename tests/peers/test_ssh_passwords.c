/* Passwords, questions, and servers that close in their own ways: what sshd does not do without accounts of its own, a small server
 * made with libssh does. */
#include <dlfcn.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include "test_ssh_server.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"        /* the old way to get a password is the short one */

#define FUNCTIONS(X) \
    X(bind_new) X(bind_free) X(bind_options_set) X(bind_listen) X(bind_accept) X(new) X(free) X(disconnect) X(handle_key_exchange) \
    X(message_get) X(message_free) X(message_type) X(message_subtype) X(message_reply_default) X(message_auth_password) \
    X(message_auth_reply_success) X(message_auth_set_methods) X(message_auth_kbdint_is_response) X(message_auth_interactive_request) \
    X(userauth_kbdint_getnanswers) X(userauth_kbdint_getanswer) X(message_channel_request_open_reply_accept) \
    X(message_channel_request_command) X(message_channel_request_reply_success) X(channel_write) X(channel_request_send_exit_status) \
    X(channel_send_eof) X(channel_close) X(get_error) X(set_auth_methods)

static struct {
#define MEMBER(name) typeof(ssh_##name) *name;
    FUNCTIONS(MEMBER)
#undef MEMBER
} lib;

static const char password[] = "hush hush";
static int methods;                   /* that the server offers */
static ssh_bind bound;
static int sessions;                  /* to serve */

static bool auth(ssh_session session, ssh_message message)
{
    const char *const prompts[] = { "Your name: ", "Password: " };
    char echo[] = { 1, 0 };

    if (lib.message_subtype(message) == SSH_AUTH_METHOD_PASSWORD && (methods & SSH_AUTH_METHOD_PASSWORD) &&
        strcmp(lib.message_auth_password(message), password) == 0) {
        lib.message_auth_reply_success(message, 0);
        return true;
    }
    if (lib.message_subtype(message) == SSH_AUTH_METHOD_INTERACTIVE && (methods & SSH_AUTH_METHOD_INTERACTIVE)) {
        if (!lib.message_auth_kbdint_is_response(message)) {
            lib.message_auth_interactive_request(message, "Welcome", "", 2, (const char **)(uintptr_t)prompts, echo);
            return true;
        }
        if (lib.userauth_kbdint_getnanswers(session) == 2 && strcmp(lib.userauth_kbdint_getanswer(session, 0), "") == 0 &&
            strcmp(lib.userauth_kbdint_getanswer(session, 1), password) == 0) {
            lib.message_auth_reply_success(message, 0);
            return true;
        }
    }
    lib.message_auth_set_methods(message, methods);
    return false;
}

static void answer(ssh_channel channel, const char *command)
{
    static char bytes[100000];

    memset(bytes, 'x', sizeof(bytes));
    lib.channel_write(channel, bytes, sizeof(bytes));
    if (strcmp(command, "no status") != 0)
        lib.channel_request_send_exit_status(channel, 7);
    lib.channel_send_eof(channel);
    lib.channel_close(channel);
}

static void serve(ssh_session session)
{
    ssh_channel channel = NULL;
    ssh_message message;
    bool at_once = false;

    while (!at_once && (message = lib.message_get(session))) {
        bool done = false;

        if (lib.message_type(message) == SSH_REQUEST_AUTH) {
            done = auth(session, message);
        } else if (lib.message_type(message) == SSH_REQUEST_CHANNEL_OPEN) {
            channel = lib.message_channel_request_open_reply_accept(message);
            done = channel != NULL;
        } else if (lib.message_type(message) == SSH_REQUEST_CHANNEL && lib.message_subtype(message) == SSH_CHANNEL_REQUEST_EXEC) {
            char *command = strdup(lib.message_channel_request_command(message));

            done = strcmp(command, "refused") != 0;
            if (done) {
                lib.message_channel_request_reply_success(message);
                answer(channel, command);
            }
            at_once = strcmp(command, "close at once") == 0;
            free(command);
        }
        if (!done)
            lib.message_reply_default(message);
        lib.message_free(message);
    }
}

static void *run_server(void *arg)
{
    (void)arg;
    for (int i = 0; i < sessions; i++) {
        ssh_session session = lib.new();

        if (lib.bind_accept(bound, session) == SSH_OK) {
            lib.set_auth_methods(session, methods);
            if (lib.handle_key_exchange(session) == SSH_OK)
                serve(session);
        }
        lib.disconnect(session);
        lib.free(session);
    }
    return NULL;
}

static pthread_t thread;

static void begin_serving(int offered, int n)
{
    unsigned port = free_port();
    bool no = false;

    methods = offered;
    sessions = n;
    sshd_port = (uint16_t)port;
    bound = lib.bind_new();
    lib.bind_options_set(bound, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no);
    lib.bind_options_set(bound, SSH_BIND_OPTIONS_BINDADDR, "127.0.0.1");
    lib.bind_options_set(bound, SSH_BIND_OPTIONS_BINDPORT, &port);
    lib.bind_options_set(bound, SSH_BIND_OPTIONS_HOSTKEY, in_dir("hk_ed25519"));
    cr_assert_eq(lib.bind_listen(bound), SSH_OK, "%s", lib.get_error(bound));
    shell("rm -f %s/known_hosts", dir);
    trust("known_hosts", "hk_ed25519");
    pthread_create(&thread, NULL, run_server, NULL);
}

static void end_serving(void)
{
    pthread_join(thread, NULL);
    lib.bind_free(bound);
}

static void begin(void)
{
    void *library = dlopen("libssh.so.4", RTLD_NOW);

    cr_assert(library, "%s", dlerror());
#define LOAD(name) lib.name = (typeof(ssh_##name) *)dlsym(library, "ssh_" #name); cr_assert(lib.name, "no ssh_" #name);
    FUNCTIONS(LOAD)
#undef LOAD
    begin_files();
    loop = ft_loop_new(NULL);
}

static void end(void)
{
    loop = ft_loop_free(loop);
    end_files();
}

TestSuite(server, .init = begin, .fini = end, .timeout = 60);

static const struct {
    int methods;
    const char *password, *command;
    enum ft_class class;
    int exit_status;
    size_t out_len;
    const char *why;
} cases[] = {
    { SSH_AUTH_METHOD_PASSWORD, password, "x", FT_CLASS_NONE, 7, 100000, "status 7" },
    { SSH_AUTH_METHOD_INTERACTIVE, password, "x", FT_CLASS_NONE, 7, 100000, "status 7" },
    { SSH_AUTH_METHOD_PASSWORD | SSH_AUTH_METHOD_INTERACTIVE, password, "x", FT_CLASS_NONE, 7, 100000, "status 7" },
    { SSH_AUTH_METHOD_PASSWORD, "wrong", "x", FT_DENIED, -1, 0, "not let in: the password is not accepted; the server accepts password" },
    { SSH_AUTH_METHOD_INTERACTIVE, "wrong", "x", FT_DENIED, -1, 0, "not let in: the password as an answer is not accepted" },
    { SSH_AUTH_METHOD_PASSWORD, password, "close at once", FT_CLASS_NONE, 7, 100000, "status 7" },
    { SSH_AUTH_METHOD_PASSWORD, password, "refused", FT_REFUSED, -1, 0, "the server refuses to run the command" },
};

Test(server, passwords_questions_and_ways_to_end)
{
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        const typeof(cases[0]) *c = &cases[i / 2];
        struct said said = { 0 };
        struct ft_ssh_req req;

        begin_serving(c->methods, 1);
        ssh = ft_ssh_new(loop, NULL);
        req = login_with(libraries[i % 2], NULL);
        req.password = c->password;
        req.command = c->command;
        converse(&said, req);
        cr_expect_eq(said.class, c->class, "%s %zu: %s", req.library, i / 2, said.why);
        cr_expect_eq(said.exit_status, c->exit_status, "%s %zu: %d", req.library, i / 2, said.exit_status);
        cr_expect_eq(said.out.len, c->out_len, "%s %zu: %zu bytes", req.library, i / 2, said.out.len);
        cr_expect(strstr(said.why, c->why), "%s %zu: %s", req.library, i / 2, said.why);
        cr_expect_not(strstr(said.why, c->password), "%s", said.why);
        forget(&said);
        ssh = ft_ssh_free(ssh);
        end_serving();
    }
}

Test(server, that_gives_no_status)
{
    struct said said = { 0 };
    struct ft_ssh_req req;

    begin_serving(SSH_AUTH_METHOD_PASSWORD, 1);
    ssh = ft_ssh_new(loop, NULL);
    req = login_with("libssh", NULL);
    req.password = password;
    req.command = "no status";
    converse(&said, req);
    cr_expect_eq(said.class, FT_CLASS_NONE);
    cr_expect_eq(said.exit_status, -1);
    cr_expect(strstr(said.why, "closed by the other side"), "%s", said.why);
    forget(&said);
    ssh = ft_ssh_free(ssh);
    end_serving();
}
