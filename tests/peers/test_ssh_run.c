/* A run holds its SSH sessions: two steps with a wait between share one; a parked run lets go. With the switch plugin and a real sshd. */
#include "test_ssh_server.h"
#include "rig.h"
#include "data/json.h"

static struct rig rig;

/* The engine of the rig, with the real plugins and a switch that says one thing whatever it is asked. */
static void begin(void)
{
    struct ft_registry_opts opts;
    struct ft_engine_opts engine;

    begin_files();
    start_sshd("hk_ed25519", "ForceCommand echo this is the switch");
    trust("known_hosts", "hk_ed25519");
    rig_open(&rig);
    json_object_set_new(json_object_get(rig.config, "plugins"), "switch",
                        json_pack("{s:{s:s, s:s, s:s, s:s}, s:{s:{s:s, s:i}}}", "defaults", "user", user, "key_file", in_dir("id_ed25519"),
                                  "known_hosts", in_dir("known_hosts"), "vendor", "eos", "devices", "sw-1", "host", "127.0.0.1", "port", sshd_port));
    ft_engine_free(rig.engine);
    ft_registry_free(rig.registry);
    opts = (struct ft_registry_opts){ .loop = rig.loop, .secrets = rig.secrets, .config = rig.config, .dir = text("%s/plugins", getenv("FETTLE_BUILD") ?: ".") };
    rig.registry = ft_registry_new(&opts);
    rig.world.arg = rig.registry;
    engine = (struct ft_engine_opts){ .loop = rig.loop, .store = rig.store, .registry = rig.registry, .secrets = rig.secrets, .world = &rig.world };
    rig.engine = ft_engine_new(&engine);
}

static void end(void)
{
    rig_done(&rig);
    end_files();
}

TestSuite(run, .init = begin, .fini = end, .timeout = 60);

#define HEAD "fettle: 1\nname: t\ntitle: T\ncategory: incident\nseverity: P3\n"
#define SHOW(id) "  - {id: " id ", run: switch.show, with: {device: sw-1, command: show version}}\n"
#define LAST(id) "  - {id: " id ", run: switch.show, with: {device: sw-1, command: show version}, then: good}\n"

static struct ft_ssh_stats sessions(void)
{
    struct ft_ssh_stats stats = { 0 };

    cr_assert(ft_registry_ssh(rig.registry));
    ft_ssh_stats(ft_registry_ssh(rig.registry), &stats);
    return stats;
}

static void nothing(void *unused)
{
    (void)unused;
}

static void pass_minutes(unsigned minutes)
{
    ft_timer_start(rig.loop, minutes * 60000ull, nothing, NULL);
    ft_loop_run(rig.loop);
}

Test(run, holds_its_session_however_long_it_waits_between_two_steps)
{
    rig_run(&rig, HEAD "steps:\n" SHOW("before") "  - {id: pause, wait: 50m}\n" LAST("after"), NULL, false);
    cr_assert(rig.ended);
    cr_expect_eq(rig.end, FT_RUN_OK, "%s", ft_json_str(rig_event(&rig, "run.finished", NULL), "diagnosis"));
    cr_expect_eq(sessions().sessions_opened, 1, "%u", (unsigned)sessions().sessions_opened);
    cr_expect_eq(sessions().channels_opened, 2);
    pass_minutes(3);
    cr_expect_eq(sessions().sessions_open, 0, "nobody holds it after the run");
}

Test(run, that_is_parked_lets_go_and_that_goes_on_holds_again)
{
    rig_run(&rig, HEAD "steps:\n" SHOW("before") "  - {id: gate, approve: May I?}\n" SHOW("after") "  - {id: pause, wait: 50m}\n" LAST("last"), NULL, false);
    cr_assert(rig.parked);
    cr_expect_eq(sessions().sessions_open, 1);
    pass_minutes(3);
    cr_expect_eq(sessions().sessions_open, 0, "parked");
    rig_answer(&rig, "gate", "{\"approved\": true}");
    cr_assert(rig.ended);
    cr_expect_eq(sessions().sessions_opened, 2, "%u", (unsigned)sessions().sessions_opened);
    cr_expect_eq(sessions().channels_opened, 5, "%u: the three steps, and the plan ahead when the gate opened and when it was answered",
                 (unsigned)sessions().channels_opened);
}
