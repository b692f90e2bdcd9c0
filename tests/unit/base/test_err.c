#include <criterion/criterion.h>
#include "base/err.h"
#include "base/util.h"

static int open_port(struct ft_err *reterr)
{
    return ft_err_set(reterr, -ECONNREFUSED, "port %d is closed", 443);
}

static int call_api(struct ft_err *reterr)
{
    return open_port(reterr) < 0 ? ft_err_in(reterr, "api '%s'", "mist") : 0;
}

Test(err, reads_from_outside_in)
{
    struct ft_err err = { 0 };

    cr_expect_eq(call_api(&err), -ECONNREFUSED);
    cr_expect_eq(err.code, -ECONNREFUSED);
    cr_expect_str_eq(err.text, "api 'mist': port 443 is closed");
    cr_expect_eq(ft_err_in(&err, "step 7"), -ECONNREFUSED);
    cr_expect_str_eq(err.text, "step 7: api 'mist': port 443 is closed");
}

Test(err, may_be_left_out)
{
    cr_expect_eq(open_port(NULL), -ECONNREFUSED);
    cr_expect_eq(call_api(NULL), -EIO);
    cr_expect_eq(ft_err_class(NULL, FT_TIMEOUT, -ETIMEDOUT, "too late"), -ETIMEDOUT);
}

Test(err, is_never_success_once_it_has_a_place)
{
    struct ft_err err = { 0 };

    cr_expect_eq(ft_err_in(&err, "nowhere"), -EIO);
}

Test(err, is_cut_at_its_size_and_not_beyond)
{
    struct ft_err err = { .code = -EINVAL, .class = FT_INVALID };
    char place[2000];

    memset(place, 'p', sizeof(place) - 1);
    place[sizeof(place) - 1] = '\0';
    strcpy(err.text, "inner");
    ft_err_in(&err, "%.990s", place);
    cr_expect_eq(strlen(err.text), 997);
    cr_expect_str_eq(err.text + 990, ": inner");
    ft_err_in(&err, "%.990s", place);
    cr_expect_eq(strlen(err.text), sizeof(err.text) - 1);
    ft_err_in(&err, "%s", place);
    cr_expect_eq(strlen(err.text), sizeof(err.text) - 1);
    cr_expect_eq(err.class, FT_INVALID, "the class stays");
}

Test(err, classes_have_names)
{
    struct ft_err err;

    ft_err_class(&err, FT_AMBIGUOUS, -EIO, "the answer of %s was lost", "ise");
    cr_expect_eq(err.class, FT_AMBIGUOUS);
    cr_expect_str_eq(err.text, "the answer of ise was lost");
    for (enum ft_class class = FT_UNREACHABLE; class <= FT_CANCELLED; class++)
        cr_expect_eq(ft_class_from_name(ft_class_name(class)), class, "%s", ft_class_name(class));
    cr_expect_eq(ft_class_from_name("none"), FT_CLASS_NONE);
    cr_expect_eq(ft_class_from_name("Timeout"), FT_CLASS_NONE);
    cr_expect_eq(ft_class_from_name(NULL), FT_CLASS_NONE);
    cr_expect_str_eq(ft_class_name((enum ft_class)99), "none");
}
