/* api/credential.h - what a request shows to be let in at a topic: to publish, and to receive from
 * its subscriptions (eventgrid.md 2.2).
 * Rules: the first of these that is there decides, whatever else is there: a key, in a header or in
 * the query; a SAS token; `Authorization`, which has a SAS token, a bearer token or a key.
 * To add one: a row in enum kind, where credential_of() finds it, its case in credential_check().
 */
#ifndef API_CREDENTIAL_H
#define API_CREDENTIAL_H

#include "event/refusal.h"
#include "event/topic.h"
#include "http/server.h"

struct identity;

/* credential_check: may it? `identity` is who gives out bearer tokens. E_OK; or the error of the
 * refusal in `why`. */
enum err credential_check(const struct http_request *request, const struct topic *topic,
                          const struct identity *identity, struct refusal *why);

#endif
