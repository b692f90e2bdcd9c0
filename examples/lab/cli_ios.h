/* cli_ios.h: what cli_ios.c and cli_ios_show.c share. */
#pragma once
#include "lab.h"

enum lab_ios_mode { IOS_USER, IOS_PASSWORD, IOS_ENABLED, IOS_CONFIG, IOS_INTERFACE, IOS_VLAN };

struct lab_ios {
    struct lab *lab;
    int sw;
    char from[64];
    bool eos;
    enum lab_ios_mode mode;
    int port, vlan;               /* of the mode */
    int session;                  /* EOS: in this configuration session, -1 */
    int revert_minutes;           /* IOS: of the timer that runs */
    int screen;
};

const char *lab_ios_word(const char *text, const char *word);          /* what follows the word; NULL: another one */
struct lab_switch *lab_ios_switch(const struct lab_ios *s);
void lab_ios_port_name(const struct lab_ios *s, int port, bool brief, char ret[48]);
int lab_ios_find_port(const struct lab_ios *s, const char *name);      /* -1 */
const struct lab_candidate *lab_ios_candidate(const struct lab_ios *s);    /* of the configuration session; NULL: none */
bool lab_ios_vlan_name(const struct lab_ios *s, int id, char ret[64]);

/* ---- cli_ios_show.c ---- */
void lab_ios_show(struct lab_ios *s, const char *what, struct ft_buf *out);
/* The configuration as the vendor writes it; port -1: whole. */
void lab_ios_config(const struct lab_ios *s, const struct lab_candidate *cand, int port, struct ft_buf *out);
/* The lines that only the first has, with the sign. */
void lab_ios_differ(const char *from, const char *other, char sign, struct ft_buf *out);
void lab_ios_sessions(const struct lab_ios *s, struct ft_buf *out);
