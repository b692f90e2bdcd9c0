#include "base/paths.h"
#include <limits.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/util.h"

static bool is_directory(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The directory above, in place. */
static void strip_last(char *path)
{
    char *slash = strrchr(path, '/');

    if (slash && slash != path)
        *slash = '\0';
    else
        strcpy(path, "/");
}

const char *ft_path_program(void)
{
    static char *found;
    char path[PATH_MAX];
    ssize_t n;

    if (found)
        return found;
    n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = '\0';
    strip_last(path);
    found = ft_strdup(path);
    return found;
}

/* The installed place is looked at first: a prefix may hold a "lua" directory that is not ours. */
static char *find(const char *in_build, const char *installed)
{
    const char *home = getenv("FETTLE_HOME");
    char *prefix, *path;

    if (home && *home)
        return ft_asprintf("%s/%s", home, in_build);
    prefix = ft_strdup(ft_path_program());
    strip_last(prefix);
    path = ft_asprintf("%s/%s", prefix, installed);
    if (!is_directory(path)) {
        free(path);
        path = ft_asprintf("%s/%s", prefix, in_build);
    }
    free(prefix);
    return path;
}

const char *ft_path_plugins(void)
{
    static char *path;

    return path ? path : (path = find("plugins", "lib/fettle/plugins"));
}

const char *ft_path_lua(void)
{
    static char *path;

    return path ? path : (path = find("lua", "share/fettle/lua"));
}

const char *ft_path_schemas(void)
{
    static char *path;

    return path ? path : (path = find("schemas", "share/fettle/schemas"));
}

static const char *home_directory(void)
{
    const char *home = getenv("HOME");
    struct passwd *user;

    if (home && *home == '/')
        return home;
    user = getpwuid(getuid());
    return user && user->pw_dir ? user->pw_dir : "/";
}

const char *ft_path_state(void)
{
    static char *path;
    const char *state = getenv("XDG_STATE_HOME");

    if (path)
        return path;
    path = state && *state == '/'      /* a relative one is to be ignored, says the XDG specification */
        ? ft_asprintf("%s/fettle", state)
        : ft_asprintf("%s/.local/state/fettle", home_directory());
    return path;
}
