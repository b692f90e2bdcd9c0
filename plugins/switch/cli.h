/* cli.h: what a switch's command line says, as values. Pure; fed by the dialogue and by the fuzzer. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>
#include <fettle/err.h>

/* Errors come with exit status 0, so they are read from the text. Gives the sentence (in `text`, shortened) and its class; false: no error. */
bool cli_error(const char *output, char *text, size_t size, enum ft_class *ret_class);

/* True for a command that only shows: begins with "show ", pipes only into filters, has nothing that a shell or the CLI would take as more. */
bool cli_is_show(const char *command, const char **ret_why);
/* Passwords, keys and communities in configuration text become ***; in place. */
void cli_mask_secrets(char *text);

/* Bytes that are not UTF-8 become '?'; in place. Every answer goes through this: the rest of the program knows UTF-8 only. */
void cli_make_utf8(char *text);
/* A JSON string of text that may have been cut within a character. Never NULL. */
json_t *cli_text(const char *text, size_t len);

/* ---- Junos: JSON in which every leaf is [{"data": "…"}] ---- */
/* The JSON in an answer, from its first '{' on. NULL with a sentence. New reference. */
json_t *junos_json(const char *answer, struct ft_err *reterr);
/* Every element that stands under this key anywhere (behind multi-routing-engine wrappers too). New array. */
json_t *junos_all(const json_t *root, const char *key);
const char *junos_text(const json_t *object, const char *key);                       /* object.key[0].data */
const char *junos_attribute(const json_t *object, const char *key, const char *attribute);

/* ---- Junos: configuration as `set` lines ---- */
struct set_line { const char *text; size_t len; };
/* The next line that begins with "set "; *at moves on. */
bool set_next(const char **at, struct set_line *ret);
/* Does the line go `set <path> …`? *ret_rest: what follows the path, without quotes, in `rest`. */
bool set_under(const struct set_line *line, const char *path, char *rest, size_t size);
/* The value behind the path in the first line that has it; false: none. */
bool set_value(const char *config, const char *path, char *ret, size_t size);

/* ---- Junos: show system commit ---- */
/* Is the newest commit still waiting for its confirmation? *ret_ours: its comment has `comment` in it. */
/* Is the newest commit that bears the comment in force for good? Not where the switch took it back behind it, or where it still waits. */
/* Did the switch itself take the newest commit with the comment back? */
bool commit_went_back(const char *log, const char *comment);
/* IOS: does `show archive config rollback timer` tell of one that runs? */
bool ios_timer_runs(const char *answer);
bool commit_stands(const char *log, const char *comment);
/* EOS: "  fettle-7f3c-1  completed": what became of a session. */
bool eos_session_is(const char *table, const char *name, const char *state);
bool commit_pending(const char *log, const char *comment, bool *ret_ours);

/* How many commits back the configuration lies that there was before the newest commits of this comment: a number for rollback. A commit without a comment
 * in front of them is their confirmation. 0: others committed since, or there are none. */
unsigned commit_depth(const char *log, const char *comment);

/* ---- EOS: show configuration sessions ---- */
/* The session whose commit waits for its confirmation; false: none. */
bool eos_pending(const char *table, char *ret_name, size_t size);

/* ---- numbers and words ---- */
json_int_t cli_speed_mbps(const char *text);                  /* "1000mbps", "10Gbps", "a-1000", "a-10G"; 0: unknown */
bool cli_mac(const char *text, char ret[18]);                 /* any notation, to lower case with colons */
/* Splits a line into words; returns how many (at most max). The words lie in `buffer`. */
size_t cli_words(const char *line, size_t len, char *buffer, size_t size, const char **words, size_t max);
/* "Gi1/0/7" and "GigabitEthernet1/0/7", "Et1" and "Ethernet1" are one port. */
bool cli_same_port(const char *a, const char *b);
