/* session.h: one run in the foreground: its view, its questions, Ctrl-C, its exit status. For run, resume and cancel. */
#pragma once
#include "cli/app.h"

struct session_opts {
    bool yes;                 /* approve what would be asked */
    bool text;                /* text for people also where there is no terminal */
    bool wait;                /* for people's approval, also where there is no terminal */
    const char *who;
};
/* start is given the observer; runs the loop to the end and returns the exit status. */
int session_run(struct app *app, const struct session_opts *opts,
                int (*start)(void *arg, const struct ft_run_observer *observer, void *observer_arg, struct ft_run **ret, struct ft_err *reterr), void *arg);
/* The same with a run that is there already. */
int session_resume(struct app *app, const struct session_opts *opts, const char *id);
