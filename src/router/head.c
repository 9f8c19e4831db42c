#include "router/head.h"

#include "base/id.h"

/* Only what we made ourselves is read from here again, and that is short; a longer one is the
 * publisher's, of any length, and stands in the body. */
static bool may_be_ours(struct slice id)
{
    return id.len <= ID_LEN + sizeof "\"\"" - 1;
}

void head_write(struct buf *out, const struct event *event)
{
    buf_add_u64(out, event->published_unix_us);
    buf_add_byte(out, ' ');
    if (event->schema == SCHEMA_CUSTOM && may_be_ours(event->fields[EVENT_ID]))
        event_write_field(out, event, EVENT_ID);
}

enum err head_read(const struct event_rules *rules, struct slice head, struct slice body,
                   struct event **ret, struct refusal *why)
{
    struct event_stamp stamp = {0};
    struct slice published;

    *why = (struct refusal){0};
    if (!slice_cut(&head, ' ', &published) || !slice_to_u64(published, &stamp.published_unix_us))
        return cause_set(&why->text, E_BAD_INPUT, "its head is malformed");
    stamp.id = head;
    return event_read(rules, body, &stamp, ret, why);
}
