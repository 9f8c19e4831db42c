/* loop/authority.h - a private certificate authority, and the server certificate that it signs, as
 * PEM files of one folder. Whoever trusts AUTHORITY_CA reaches the servers of this machine by TLS.
 * Rules: the authority is made once and lasts; the certificate is made anew when names are missing
 * in it or its time runs out. Keys are for this user only. A crash leaves files that are whole. */
#ifndef LOOP_AUTHORITY_H
#define LOOP_AUTHORITY_H

#include "base/err.h"

#define AUTHORITY_CA "ca.crt" /* the names of the files */
#define AUTHORITY_CERTIFICATE "server.crt"
#define AUTHORITY_KEY "server.key"

/* authority_open makes what is missing in the folder, which exists, for these names and addresses
 * (ended by NULL, one at least). Blocks on the disk. E_OK; or E_IO, E_DENIED with the file named,
 * E_BAD_INPUT, E_LIMIT for the names, E_TLS. */
enum err authority_open(const char *folder, const char *const *names, struct cause *why);

#endif
