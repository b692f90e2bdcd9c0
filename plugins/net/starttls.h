/* starttls.h: the few words in the clear before TLS begins. For worker threads; fd does not block. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* protocol: smtp, imap, pop3, ldap. True: the server is ready for the handshake. Else the sentence is in error. */
bool starttls_begin(int fd, const char *protocol, double until_ms, char *error, size_t size);
