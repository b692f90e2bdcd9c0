/* paths.h: where fettle's own files lie. They are found from the program's place: ../plugins, ../lua, ../schemas beside
 * bin/ in a build tree, ../lib/fettle/plugins and ../share/fettle/{lua,schemas} when installed; FETTLE_HOME overrides. */
#pragma once

const char *ft_path_plugins(void);       /* directories without a final slash; kept for the life of the process */
const char *ft_path_lua(void);
const char *ft_path_schemas(void);
const char *ft_path_state(void);         /* $XDG_STATE_HOME/fettle or ~/.local/state/fettle: where a run's store lies by default */
const char *ft_path_program(void);       /* the running binary's directory */
