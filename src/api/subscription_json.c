#include "api/subscription_json.h"

#include <stdlib.h>

#include "router/document.h"
#include "json/member.h"

enum err subscription_json_read(const struct member *member, struct subscription *ret,
                                struct cause *why)
{
    const struct subscription_rules rules = scope_stored_rules(member->scope);
    struct slice document = slice_of(member->document);
    char *name = document_text(document, "name");

    subscription_init(ret, name != NULL ? slice_of(name) : SLICE("-"), &rules);
    free(name);
    return subscription_read(ret, &rules, jx_scan_member(document, SLICE("properties")), why);
}

void subscription_json_settings(struct buf *out, const struct member *member)
{
    const struct subscription_rules rules = scope_stored_rules(member->scope);
    struct subscription subscription;
    struct cause why;

    if (subscription_json_read(member, &subscription, &why) == E_OK)
        subscription_write(out, &subscription, &rules);
    else
        member_text(out, "error", slice_of(why.text)); /* what it was made by is no longer valid */
    subscription_done(&subscription);
}
