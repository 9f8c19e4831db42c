/* event/name.h - what topics and event subscriptions may be called (eventgrid.md 7). Pure. */
#ifndef EVENT_NAME_H
#define EVENT_NAME_H

#include "base/err.h"
#include "base/str.h"

#define TOPIC_NAME_MAX 50
#define SUBSCRIPTION_NAME_MAX 64

/* Each: E_OK, or E_BAD_INPUT with the rule that is broken in `why`. */
enum err topic_name_check(struct slice name, struct cause *why);
enum err subscription_name_check(struct slice name, struct cause *why);

#endif
