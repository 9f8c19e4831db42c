/* api/caller.h - what is known of who asks, before it is let in: the token that it shows, the page
 * that sent it, the name under which it knows this machine. */
#ifndef API_CALLER_H
#define API_CALLER_H

#include "http/server.h"

/* caller_token is the token that it shows: as `Authorization: Bearer TOKEN`, or in the headers in
 * which Azure's SDKs show a secret to the endpoint of a managed identity. SLICE_NONE: none. */
struct slice caller_token(const struct http_request *request);
/* caller_is_foreign_page: is it a page of another origin, open in the operator's browser? Such must
 * change nothing. Browsers name the origin whenever they post. */
bool caller_is_foreign_page(const struct http_request *request);
/* caller_names_machine: does it call this machine by a name or address that nobody can make lead
 * elsewhere? Any other name that leads here may be a page's attempt to be taken by the browser for
 * one of this origin. True without a name. */
bool caller_names_machine(const struct http_request *request);
/* caller_is_machine: is it such a name or address, without a port? */
bool caller_is_machine(struct slice host);
/* caller_find_port gives the place of the colon in "HOST:PORT"; the length if there is none. */
size_t caller_find_port(struct slice host);

#endif
