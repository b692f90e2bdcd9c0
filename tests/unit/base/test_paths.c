#include <criterion/criterion.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/paths.h"
#include "base/util.h"

/* Every test is a process of its own, so what a function keeps for the life of the process is fresh in each. */

Test(paths, lie_beside_the_program_in_a_build_tree)
{
    const char *program = ft_path_program();
    char *prefix = ft_strdup(program), *wanted;

    unsetenv("FETTLE_HOME");
    cr_assert_eq(program[0], '/');
    *strrchr(prefix, '/') = '\0';
    wanted = ft_asprintf("%s/plugins", prefix);
    cr_expect_str_eq(ft_path_plugins(), wanted);
    free(wanted);
    wanted = ft_asprintf("%s/lua", prefix);
    cr_expect_str_eq(ft_path_lua(), wanted);
    cr_expect_eq(ft_path_lua(), ft_path_lua(), "found once");
    free(wanted);
    free(prefix);
}

Test(paths, fettle_home_overrides)
{
    setenv("FETTLE_HOME", "/opt/fettle", 1);
    cr_expect_str_eq(ft_path_plugins(), "/opt/fettle/plugins");
    cr_expect_str_eq(ft_path_lua(), "/opt/fettle/lua");
    cr_expect_str_eq(ft_path_schemas(), "/opt/fettle/schemas");
}

static const struct { const char *state, *home, *path; } states[] = {
    { "/var/state", "/home/ada", "/var/state/fettle" },
    { NULL,         "/home/ada", "/home/ada/.local/state/fettle" },
    { "",           "/home/ada", "/home/ada/.local/state/fettle" },
    { "relative",   "/home/ada", "/home/ada/.local/state/fettle" },
};

static void expect_state(size_t i)
{
    setenv("HOME", states[i].home, 1);
    if (states[i].state)
        setenv("XDG_STATE_HOME", states[i].state, 1);
    else
        unsetenv("XDG_STATE_HOME");
    cr_expect_str_eq(ft_path_state(), states[i].path, "row %zu: %s", i, ft_path_state());
}

Test(paths, state_is_where_xdg_says) { expect_state(0); }
Test(paths, state_is_in_home_otherwise) { expect_state(1); }
Test(paths, an_empty_xdg_directory_is_none) { expect_state(2); }
Test(paths, a_relative_xdg_directory_is_ignored) { expect_state(3); }

Test(paths, state_has_a_place_without_a_home)
{
    unsetenv("HOME");
    unsetenv("XDG_STATE_HOME");
    cr_expect_eq(ft_path_state()[0], '/');
    cr_expect(strstr(ft_path_state(), "/.local/state/fettle"), "%s", ft_path_state());
}
