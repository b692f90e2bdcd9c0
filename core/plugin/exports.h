/* exports.h: which symbols a shared object gives to others, read from the file itself (ELF, the machine's own word size). For plugin/ only. */
#pragma once
#include <stddef.h>

/* How many defined global symbols it has besides `allowed`, the sanitizers' and the linker's own (they begin with '_'). *ret_names: the first of them, "a, b, …", malloced
 * or NULL. 0 for a file that is no such object: whoever loads it says so. */
size_t ft_exports_besides(const char *path, const char *allowed, char **ret_names);
