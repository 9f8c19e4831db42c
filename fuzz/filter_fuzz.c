/* A filter and an event: the first line is the filter's JSON, the rest the event's data. Alone and
 * in a matcher, the filter decides the same. */
#include <assert.h>

#include "event/matcher.h"
#include "fuzz.h"

static struct event *make_event(struct slice data)
{
    struct event_rules rules = {.schema = SCHEMA_CUSTOM, .topic = SLICE("/t")};
    struct event_stamp stamp = {0, SLICE_INIT("1")};
    struct event *event = NULL;

    return event_read(&rules, data, &stamp, &event, NULL) == E_OK ? event : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice rest = {(const char *)data, len}, json;
    struct filter filter = {0}, *filters[] = {&filter};
    struct lookup lookup;
    const size_t *hits;
    struct cause why;

    if (len == 0 || !slice_cut(&rest, '\n', &json))
        return 0;
    if (filter_read(json, NULL, &filter, &why) != E_OK)
        return 0;
    struct event *event = make_event(rest);
    if (event != NULL) {
        lookup_init(&lookup, 0);
        lookup_begin(&lookup, event);
        bool is_match = filter_matches(&filter, &lookup);
        lookup_done(&lookup);
        struct matcher *matcher = matcher_new(filters, 1);
        assert(matcher_match(matcher, event, &hits) == is_match);
        matcher_free(matcher);
        event_unref(event);
    }
    filter_done(&filter);
    return 0;
}
