/* terminal.h: what a switch's terminal shows, made readable: control sequences away, prompts, pagers and questions found.
 *
 * Pure: bytes in, text out; no host, no clock. The dialogue (session.h) feeds it and asks what the switch waits for. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define TERM_MAX_TEXT (2u << 20)      /* of one command's output */

enum term_sees {
    TERM_NOTHING,                     /* still talking */
    TERM_CANDIDATE,                   /* looks like a prompt, but the prompt is not known yet */
    TERM_PROMPT,
    TERM_PAGER,                       /* --More-- */
    TERM_QUESTION,                    /* [yes,no], [confirm], a file name */
    TERM_PASSWORD,
    TERM_INPUT,                       /* the text asked for (`until`) is there */
};

struct term {
    void *(*alloc)(void *arg, size_t size);   /* memory that dies with the owner */
    void *arg;
    char *text;                       /* cleaned, NUL-terminated */
    size_t len, size, line;           /* line: where the current line begins */
    unsigned char escape;             /* state within a control sequence */
    bool carriage, overflow;
    char base[128];                   /* the prompt's fixed part ("user@host", "sw1"); "" until learned */
    bool renames;                     /* the name in the prompt may have been changed: any prompt is taken then */
};

/* False: more than TERM_MAX_TEXT (or no memory); the rest is dropped and `overflow` stays set. */
bool term_feed(struct term *t, const char *bytes, size_t len);
/* until: text that also ends the wait; may be NULL. */
enum term_sees term_look(const struct term *t, const char *until);
/* The current line is the prompt: remember its fixed part. */
void term_learn(struct term *t);
/* The last character of the prompt that is seen: '>', '#', '%', '$'; 0 when there is none. */
char term_prompt_end(const struct term *t);
/* A new command begins: forget the text. */
void term_reset(struct term *t);
/* Has the command been echoed? (Prompts before that belong to something else.) */
bool term_echoed(const struct term *t, const char *command);
/* The output of `command`: without echo, prompt, banner lines ("{master:0}", "[edit]"); and without log lines unless keep_logs. Owner's memory; NULL: none left. */
char *term_output(struct term *t, const char *command, bool keep_logs);
