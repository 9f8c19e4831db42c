#include "cmd/subscription_body.h"

#include <stdlib.h>
#include <string.h>

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
     .description = "webhook or azurefunction [webhook].",
     .choices = "webhook azurefunction"},
    {.flag = "--delivery-mode",
     .takes = "MODE",
     .description = "queue: no endpoint, clients receive events.",
     .choices = "queue"},
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
    {.flag = "--max-delivery-attempts", .takes = "N", .description = "1 to 30 [30]."},
    {.flag = "--event-ttl",
     .takes = "MINUTES",
     .description = "How long delivery is tried, 1 to 1440 [1440]."},
    {.flag = "--max-events-per-batch",
     .takes = "N",
     .description = "Events in one request, 1 to 5000; above 1 they come as an array [1]."},
    {.flag = "--preferred-batch-size-in-kilobytes", .takes = "N", .description = "1 to 1024 [64]."},
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

/* ---- destination ---- */

static int add_attribute(struct buf *out, const struct word_list *list)
{
    bool is_static = list->count > 1 && slice_eq_nocase(slice_of(list->words[1]), SLICE("static"));
    bool is_dynamic =
        list->count > 1 && slice_eq_nocase(slice_of(list->words[1]), SLICE("dynamic"));
    bool is_secret = false;

    if ((!is_static && !is_dynamic) || list->count < 3 || list->count > (is_static ? 4u : 3u) ||
        (list->count == 4 && !slice_to_bool(slice_of(list->words[3]), &is_secret)))
        return complain(EXIT_USAGE, "--delivery-attribute-mapping: is NAME static VALUE [true] or "
                                    "NAME dynamic KEY");
    member_text(out, "name", slice_of(list->words[0]));
    member_text(out, "type", is_static ? SLICE("Static") : SLICE("Dynamic"));
    member_open(out, "properties");
    member_text(out, is_static ? "value" : "sourceField", slice_of(list->words[2]));
    if (is_static)
        member_bool(out, "isSecret", is_secret);
    buf_add(out, SLICE("}}"));
    return EXIT_OK;
}

static int add_attributes(struct buf *out, const struct cmdline *line)
{
    const struct word_list *list;
    size_t at = 0, count = 0;

    while ((list = cmdline_list(line, "--delivery-attribute-mapping", &at)) != NULL) {
        if (count++ == 0)
            member_open(out, "deliveryAttributeMappings");
        buf_add_byte(out, count == 1 ? '[' : ',');
        int code = add_attribute(out, list);
        if (code != EXIT_OK)
            return code;
    }
    if (count > 0)
        buf_add_byte(out, ']');
    return EXIT_OK;
}

static bool is_function(const struct cmdline *line)
{
    return slice_eq_nocase(slice_of(cmdline_value(line, "--endpoint-type")),
                           SLICE("azurefunction"));
}

static int add_signing(struct buf *out, const struct cmdline *line)
{
    const char *secret = cmdline_value(line, "--signing-secret");

    if (cmdline_value(line, "--sign") == NULL && secret == NULL)
        return EXIT_OK;
    member_open(out, "signing");
    buf_add_byte(out, '{');
    int code = option_add_bool(out, line, "--sign", "isEnabled");
    member_text_if(out, "secret", slice_of(secret));
    buf_add_byte(out, '}');
    return code;
}

static int write_destination(struct buf *out, const struct cmdline *line)
{
    option_add_text(out, line, "--endpoint", is_function(line) ? "resourceId" : "endpointUrl");
    option_add_text(out, line, "--azure-active-directory-tenant-id",
                    "azureActiveDirectoryTenantId");
    option_add_text(out, line, "--azure-active-directory-application-id-or-uri",
                    "azureActiveDirectoryApplicationIdOrUri");
    int code = option_add_number(out, line, "--max-events-per-batch", "maxEventsPerBatch");
    if (code == EXIT_OK)
        code = option_add_number(out, line, "--preferred-batch-size-in-kilobytes",
                                 "preferredBatchSizeInKilobytes");
    if (code == EXIT_OK)
        code = add_signing(out, line);
    return code == EXIT_OK ? add_attributes(out, line) : code;
}

static int write_retry(struct buf *out, const struct cmdline *line)
{
    int code = option_add_number(out, line, "--max-delivery-attempts", "maxDeliveryAttempts");
    return code == EXIT_OK ? option_add_number(out, line, "--event-ttl", "eventTimeToLiveInMinutes")
                           : code;
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
        buf_add(out, strstr(open, "properties") != NULL ? SLICE("}}") : SLICE("}"));
    return code;
}

int subscription_body_write(struct buf *out, const struct cmdline *line)
{
    const char *kind = cmdline_value(line, "--endpoint-type");
    const char *mode = cmdline_value(line, "--delivery-mode");

    if (kind != NULL && !is_function(line) && !slice_eq_nocase(slice_of(kind), SLICE("webhook")))
        return complain(EXIT_USAGE, "--endpoint-type: '%s' is not webhook or azurefunction", kind);
    buf_add(out, SLICE("{\"properties\":{"));
    if (mode != NULL) {
        member_open(out, "deliveryConfiguration");
        member_text(out, "deliveryMode", slice_of(mode));
        buf_add_byte(out, '}');
    }
    int code = add_part(out, line,
                        is_function(line)
                            ? "\"destination\":{\"endpointType\":\"AzureFunction\",\"properties\":{"
                            : "\"destination\":{\"endpointType\":\"WebHook\",\"properties\":{",
                        write_destination);
    if (code == EXIT_OK)
        code = add_part(out, line, "\"filter\":{", write_filter);
    if (code == EXIT_OK)
        code = add_part(out, line, "\"retryPolicy\":{", write_retry);
    option_add_text(out, line, "--event-delivery-schema", "eventDeliverySchema");
    option_add_text(out, line, "--order-by", "orderBy");
    if (code == EXIT_OK)
        code = option_add_number(out, line, "--max-events-per-second", "maxEventsPerSecond");
    option_add_texts(out, line, "--labels", "labels");
    option_add_text(out, line, "--expiration-date", "expirationTimeUtc");
    buf_add(out, SLICE("}}"));
    return code;
}
