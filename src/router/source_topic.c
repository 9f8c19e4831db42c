#include "router/source_topic.h"

#include <stdlib.h>

#include "event/name.h"
#include "event/source.h"
#include "router/document.h"
#include "router/resource_id.h"
#include "router/router.h"
#include "json/member.h"

#define SUFFIX_BYTES 5 /* of a name: "-9999" */

struct slice source_topic_document(struct router *router, struct slice id)
{
    char room[RESOURCE_ID_MAX_BYTES];

    if (id.len > sizeof room || event_source_of(id) == NULL)
        return SLICE_NONE;
    return resources_get(router_resources(router), slice_lower(id, room));
}

static struct slice last_part(struct slice id)
{
    size_t at = id.len;

    while (at > 0 && id.data[at - 1] != '/')
        at--;
    return slice_from(id, at);
}

static void add_name(struct buf *out, const struct catalog *catalog, struct slice source)
{
    struct slice name = slice_first(last_part(source), TOPIC_NAME_MAX - SUFFIX_BYTES);
    struct cause why;

    buf_add_lower(out, name);
    for (unsigned i = 2; catalog_topic(catalog, buf_slice(out)) != NULL ||
                         topic_name_check(buf_slice(out), &why) != E_OK;
         i++) {
        buf_clear(out);
        buf_add_lower(out, name);
        buf_addf(out, "-%u", i);
    }
}

enum err source_topic_make(struct router *router, struct slice document, struct change *change)
{
    char *source = document_text(document, "id");
    struct buf id, name, properties;

    buf_init(&id, RESOURCE_ID_MAX_BYTES);
    buf_init(&name, RESOURCE_ID_MAX_BYTES);
    buf_init(&properties, RESOURCE_ID_MAX_BYTES);
    add_name(&name, router_catalog(router), slice_of(source));
    resource_id_system_topic(&id, slice_of(source), buf_slice(&name));
    member_text(&properties, "source", slice_of(source));
    member_text(&properties, "topicType", slice_of(event_source_of(slice_of(source))->type));
    buf_add_byte(&properties, '}');
    enum err err = change_topic(
        router_changes(router),
        &(struct change_request){.scope = buf_slice(&id),
                                 .name = buf_slice(&name),
                                 .properties = buf_slice(&properties),
                                 .labels = {.location = labels_read(document).location}},
        change);
    buf_done(&id);
    buf_done(&name);
    buf_done(&properties);
    free(source);
    return err;
}
