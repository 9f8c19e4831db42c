#include "cmd/subscription_body.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/destination_body.h"
#include "cmd/option_json.h"
#include "json/member.h"

const struct option subscription_options[SUBSCRIPTION_OPTION_COUNT] = {
    {.flag = "--topic", .takes = "NAME", .description = "The topic whose events it gets."},
    {.flag = "--source-resource-id",
     .takes = "ID",
     .description = "The resource whose events it gets, instead."},
    {.flag = "--endpoint",
     .takes = "URL",
     .description = "Where events are posted; of azurefunction: the function's resource id."},
    {.flag = "--endpoint-type",
     .takes = "KIND",
     .description = "webhook, azurefunction, redisstream, redislist or redischannel [as the other "
                    "options say].",
     .choices = "webhook azurefunction redisstream redislist redischannel"},
    {.flag = "--function",
     .takes = "APP/NAME",
     .description = "Have them run a function of this server, which has an eventGridTrigger."},
    {.flag = "--connection",
     .takes = "CONNECTION",
     .description = "The Redis of the next three: its address, or a name that redgrid's "
                    "environment explains."},
    {.flag = "--stream", .takes = "KEY", .description = "Add them to this Redis stream."},
    {.flag = "--list",
     .takes = "KEY",
     .description = "Push them onto this Redis list, at its head."},
    {.flag = "--channel", .takes = "NAME", .description = "Publish them on this Redis channel."},
    {.flag = "--max-length",
     .takes = "N",
     .description = "About how many entries the stream keeps; 0 keeps all [0]."},
    {.flag = "--delivery-mode",
     .takes = "MODE",
     .description = "queue: no endpoint, clients receive events.",
     .choices = "queue"},
    {.flag = "--receive-lock-duration-in-seconds",
     .takes = "N",
     .description = "How long a client that received has to acknowledge, 60 to 300 [60]."},
    {.flag = "--max-delivery-count",
     .takes = "N",
     .description = "How often an event may be received, 1 to 10 [10]."},
    {.flag = "--event-time-to-live",
     .takes = "DURATION",
     .description = "How long an event waits to be received: PT1M, .. [P7D]."},
    {.flag = "--event-delivery-schema",
     .takes = "SCHEMA",
     .description = "EventGridSchema, CloudEventSchemaV1_0 or CustomInputSchema.",
     .choices = "EventGridSchema CloudEventSchemaV1_0 CustomInputSchema"},
    {.flag = "--included-event-types",
     .takes = "TYPE...",
     .description = "Only events of these types."},
    {.flag = "--subject-begins-with",
     .takes = "TEXT",
     .description = "Only events whose subject does."},
    {.flag = "--subject-ends-with",
     .takes = "TEXT",
     .description = "Only events whose subject does."},
    {.flag = "--subject-case-sensitive",
     .takes = "YES|NO",
     .description = "Whether these two look at case [no].",
     .choices = "yes no"},
    {.flag = "--advanced-filter",
     .takes = "KEY OPERATOR [VALUE...]",
     .description = "Only events whose key has such a value: data.n NumberGreaterThan 5; again for "
                    "more."},
    {.flag = "--enable-advanced-filtering-on-arrays",
     .takes = "YES|NO",
     .description = "Whether a key may lead to an array [no].",
     .choices = "yes no"},
    {.flag = "--max-delivery-attempts",
     .takes = "N",
     .description = "How often delivery is tried, 1 to 30 [30]."},
    {.flag = "--event-ttl",
     .takes = "MINUTES",
     .description = "How long delivery is tried, 1 to 1440 [1440]."},
    {.flag = "--max-events-per-batch",
     .takes = "N",
     .description = "Events in one request, 1 to 5000; above 1 they come as an array [1]."},
    {.flag = "--preferred-batch-size-in-kilobytes",
     .takes = "N",
     .description = "How large such a request may grow, 1 to 1024 [64]."},
    {.flag = "--delivery-attribute-mapping",
     .takes = "NAME static|dynamic VALUE [SECRET]",
     .description = "A header of each delivery: `x-team static blue`, `x-n dynamic data.n`; again "
                    "for more."},
    {.flag = "--sign",
     .takes = "YES|NO",
     .description = "Sign deliveries as Standard Webhooks does; `subscription secrets` shows with "
                    "what [no].",
     .choices = "yes no"},
    {.flag = "--signing-secret",
     .takes = "SECRET",
     .description = "Sign with this one, not with one made here; whsec_ and Base64."},
    {.flag = "--order-by",
     .takes = "KEY",
     .description =
         "Events with the same subject, or value of data.x, come one after the other; '' "
         "ends it."},
    {.flag = "--azure-active-directory-tenant-id",
     .takes = "ID",
     .description = "With the next one, a bearer token is sent to the endpoint."},
    {.flag = "--azure-active-directory-application-id-or-uri",
     .takes = "ID",
     .description = "Who that token is for."},
    {.flag = "--max-events-per-second",
     .takes = "N",
     .description = "Evenly, from each node; 0 = as many as there are [0]."},
    {.flag = "--deadletter-endpoint",
     .takes = "ACCOUNT/CONTAINER",
     .description = "Blob storage for what is given up, of an account in storage.accounts; as a "
                    "resource id too; '' = this server."},
    {.flag = "--labels", .takes = "TEXT...", .description = "Notes of yours."},
    {.flag = "--expiration-date",
     .takes = "TIME",
     .description = "When it is no longer needed, 2030-01-01T00:00:00Z."},
};

static int write_filter(struct buf *out, const struct cmdline *line)
{
    option_add_texts(out, line, "--included-event-types", "includedEventTypes");
    option_add_text(out, line, "--subject-begins-with", "subjectBeginsWith");
    option_add_text(out, line, "--subject-ends-with", "subjectEndsWith");
    int code = option_add_bool(out, line, "--subject-case-sensitive", "isSubjectCaseSensitive");
    if (code == EXIT_OK)
        code = option_add_bool(out, line, "--enable-advanced-filtering-on-arrays",
                               "enableAdvancedFilteringOnArrays");
    return code == EXIT_OK ? option_add_filters(out, line, "--advanced-filter") : code;
}

/* ---- parts ---- */

static int write_retry(struct buf *out, const struct cmdline *line)
{
    int code = option_add_number(out, line, "--max-delivery-attempts", "maxDeliveryAttempts");
    return code == EXIT_OK ? option_add_number(out, line, "--event-ttl", "eventTimeToLiveInMinutes")
                           : code;
}

/* .../storageAccounts/ACCOUNT/blobServices/default/containers/CONTAINER, or the two alone. */
static int add_dead_letters(struct buf *out, const struct cmdline *line)
{
    static const char between[] = "/blobServices/default/containers/";
    const char *value = cmdline_value(line, "--deadletter-endpoint");
    struct slice place = slice_of(value);
    size_t at = slice_find(place, slice_of(between)), skip = sizeof between - 1;

    if (value == NULL)
        return EXIT_OK;
    if (at == place.len && (place.len == 0 || place.data[0] != '/')) {
        at = slice_find_byte(place, '/');
        skip = 1;
    }
    struct slice container = slice_from(place, at + skip);
    if (place.len > 0 && (at == 0 || container.len == 0))
        return complain(EXIT_USAGE,
                        "--deadletter-endpoint: '%s' is not ACCOUNT/CONTAINER, or the resource id "
                        "of a container",
                        value);
    member_open(out, "deadLetterDestination");
    member_text(out, "endpointType",
                place.len > 0 ? SLICE("StorageBlob") : SLICE("redgrid.DeadLetterStream"));
    if (place.len > 0) {
        member_open(out, "properties");
        member_text(out, "resourceId", slice_first(place, at));
        member_text(out, "blobContainerName", container);
        buf_add_byte(out, '}');
    }
    buf_add_byte(out, '}');
    return EXIT_OK;
}

/* ---- all of it ---- */

/* A part goes out only if something of it was given. */
static int add_part(struct buf *out, const struct cmdline *line, const char *open,
                    int (*write)(struct buf *out, const struct cmdline *line))
{
    size_t start = out->len;

    buf_addf(out, "%s%s", out->data[start - 1] == '{' ? "" : ",", open);
    size_t empty = out->len;
    int code = write(out, line);
    if (out->len == empty)
        out->len = start;
    else
        buf_add_byte(out, '}');
    return code;
}

static int write_queue(struct buf *out, const struct cmdline *line)
{
    int code = option_add_number(out, line, "--receive-lock-duration-in-seconds",
                                 "receiveLockDurationInSeconds");
    if (code == EXIT_OK)
        code = option_add_number(out, line, "--max-delivery-count", "maxDeliveryCount");
    option_add_text(out, line, "--event-time-to-live", "eventTimeToLive");
    return code;
}

static int write_mode(struct buf *out, const struct cmdline *line)
{
    option_add_text(out, line, "--delivery-mode", "deliveryMode");
    return add_part(out, line, "\"queue\":{", write_queue);
}

int subscription_body_write(struct buf *out, const struct cmdline *line)
{
    buf_add(out, SLICE("{\"properties\":{"));
    int code = add_part(out, line, "\"deliveryConfiguration\":{", write_mode);
    if (code == EXIT_OK)
        code = destination_body_write(out, line);
    if (code == EXIT_OK)
        code = add_part(out, line, "\"filter\":{", write_filter);
    if (code == EXIT_OK)
        code = add_part(out, line, "\"retryPolicy\":{", write_retry);
    if (code == EXIT_OK)
        code = add_dead_letters(out, line);
    option_add_text(out, line, "--event-delivery-schema", "eventDeliverySchema");
    option_add_text(out, line, "--order-by", "orderBy");
    if (code == EXIT_OK)
        code = option_add_number(out, line, "--max-events-per-second", "maxEventsPerSecond");
    option_add_texts(out, line, "--labels", "labels");
    option_add_text(out, line, "--expiration-date", "expirationTimeUtc");
    buf_add(out, SLICE("}}"));
    return code;
}
