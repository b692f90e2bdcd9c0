/* err.h: adds to fettle/err.h what the program itself uses. */
#pragma once
#include <fettle/err.h>

/* Put "<where>: " in front of what a lower level said. Returns reterr's code, so `return ft_err_in(…)` works;
 * with NULL reterr returns -EIO. */
__attribute__((format(printf, 2, 3)))
int ft_err_in(struct ft_err *reterr, const char *fmt, ...);

/* As ft_err_set, with a class. */
__attribute__((format(printf, 4, 5)))
int ft_err_class(struct ft_err *reterr, enum ft_class class, int code, const char *fmt, ...);

/* FT_CLASS_NONE when the name is none of them. */
enum ft_class ft_class_from_name(const char *name);
