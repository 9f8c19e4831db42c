#include "arm/subscription_body.h"

#include <stdlib.h>

#include "api/subscription_json.h"
#include "arm/path.h"
#include "base/clock.h"
#include "router/document.h"
#include "router/resource_id.h"
#include "json/member.h"

void arm_subscription_open(struct buf *out, const struct scope *scope, struct slice name,
                           const char *state)
{
    struct slice owner = slice_of(topic_scope(scope->topic));
    struct buf text;

    buf_init(&text, 2 * ARM_PATH_MAX_BYTES);
    resource_id_subscription(&text, owner, name);
    member_text(out, "id", buf_slice(&text));
    member_text(out, "name", name);
    member_text(out, "type", SLICE("Microsoft.EventGrid/eventSubscriptions"));
    member_json(out, "systemData", SLICE_NONE);
    member_open(out, "properties");
    buf_clear(&text);
    arm_id_add_folded(&text, owner);
    member_text(out, "topic", buf_slice(&text));
    member_text(out, "provisioningState", slice_of(state));
    buf_done(&text);
}

void arm_subscription_close(struct buf *out)
{
    buf_add(out, SLICE("}}"));
}

void arm_subscription_write(struct buf *out, const struct member *member)
{
    struct slice document = slice_of(member->document);
    char *name = document_text(document, "name");

    arm_subscription_open(out, member->scope, slice_of(name),
                          document_state(document, clock_unix_ms()));
    subscription_json_settings(out, member);
    arm_subscription_close(out);
    free(name);
}
