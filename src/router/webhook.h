/* router/webhook.h - a target that posts events to an HTTP endpoint (eventgrid.md 3.2).
 * Rules: an attempt has a limited time for all of it; redirects are not followed; what the
 * client may reach is the client's to know (http_client_options). */
#ifndef ROUTER_WEBHOOK_H
#define ROUTER_WEBHOOK_H

#include "event/target.h"

struct targets;

#define WEBHOOK_TIMEOUT_MS 30000 /* when nobody says otherwise */

/* webhook_new makes the target of one subscription; all are borrowed. E_BAD_INPUT: its URL is
 * none. webhook_free when no attempt is under way. */
enum err webhook_new(const struct targets *targets, const struct subscription *subscription,
                     struct target **ret, struct cause *why);
void webhook_free(struct target *target);

#endif
