#include "cmd/destination_body.h"

#include <stdlib.h>

#include "base/mem.h"
#include "cmd/option_json.h"
#include "router/resource_id.h"
#include "json/json.h"
#include "json/member.h"

#define ID_MAX_BYTES 4096
#define ATTRIBUTE_FLAG "--delivery-attribute-mapping"

/* Kinds, and the option that says which one, with its member. The first that is given decides,
 * unless --endpoint-type does. */
static const struct kind {
    const char *word, *endpoint_type, *flag, *member;
} kinds[] = {
    {"webhook", "WebHook", "--endpoint", "endpointUrl"},
    {"azurefunction", "AzureFunction", "--function", "resourceId"},
    {"redisstream", "RedisStream", "--stream", "stream"},
    {"redislist", "RedisList", "--list", "list"},
    {"redischannel", "RedisChannel", "--channel", "channel"},
};
static const struct kind *const webhook_kind = &kinds[0], *const function_kind = &kinds[1];

/* NULL: it stays what it is. */
static const struct kind *kind_of(const struct cmdline *line)
{
    const char *word = cmdline_value(line, "--endpoint-type");

    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (word != NULL ? slice_eq_nocase(slice_of(word), slice_of(kinds[i].word))
                         : cmdline_value(line, kinds[i].flag) != NULL)
            return &kinds[i];
    return NULL;
}

bool destination_is_named(const struct cmdline *line)
{
    return kind_of(line) != NULL || cmdline_value(line, "--endpoint-type") != NULL;
}

/* APP/NAME in full. */
static int add_function(struct buf *out, const char *text)
{
    struct slice name = slice_of(text), app;
    struct buf id;

    if (slice_find_byte(name, '/') == name.len || !slice_cut(&name, '/', &app) || app.len == 0 ||
        name.len == 0 || slice_find_byte(name, '/') < name.len)
        return complain(EXIT_USAGE, "--function: '%s' is not APP/NAME", text);
    buf_init(&id, ID_MAX_BYTES);
    buf_addf(&id, RESOURCE_GROUP "/providers/Microsoft.Web/sites/%.*s/functions/%.*s",
             SLICE_ARG(app), SLICE_ARG(name));
    member_text(out, "resourceId", buf_slice(&id));
    buf_done(&id);
    return EXIT_OK;
}

static int add_endpoint(struct buf *out, const struct cmdline *line)
{
    const struct kind *kind = kind_of(line);

    if (kind == NULL)
        return EXIT_OK;
    const char *name = cmdline_value(line, function_kind->flag);
    const struct kind *given = kind == function_kind && name == NULL ? webhook_kind : kind;
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (given != &kinds[i] && cmdline_value(line, kinds[i].flag) != NULL)
            return complain(EXIT_USAGE, "%s is not for --endpoint-type %s", kinds[i].flag,
                            kind->word);
    if (given == function_kind)
        return add_function(out, name);
    option_add_text(out, line, given->flag, kind->member); /* or the whole id of a function */
    return EXIT_OK;
}

static int add_attribute(struct buf *out, const struct word_list *list)
{
    bool is_static = list->count > 1 && slice_eq_nocase(slice_of(list->words[1]), SLICE("static"));
    bool is_dynamic =
        list->count > 1 && slice_eq_nocase(slice_of(list->words[1]), SLICE("dynamic"));
    bool is_secret = false;

    if ((!is_static && !is_dynamic) || list->count < 3 || list->count > (is_static ? 4u : 3u) ||
        (list->count == 4 && !slice_to_bool(slice_of(list->words[3]), &is_secret)))
        return complain(EXIT_USAGE,
                        ATTRIBUTE_FLAG ": is NAME static VALUE [true] or NAME dynamic KEY");
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

    if (cmdline_value(line, ATTRIBUTE_FLAG) != NULL)
        return complain(EXIT_USAGE, ATTRIBUTE_FLAG ": write NAME static VALUE behind a space");
    while ((list = cmdline_list(line, ATTRIBUTE_FLAG, &at)) != NULL) {
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

static int write_properties(struct buf *out, const struct cmdline *line)
{
    int code = add_endpoint(out, line);

    option_add_text(out, line, "--connection", "connection");
    if (code == EXIT_OK)
        code = option_add_number(out, line, "--max-length", "maxLength");
    option_add_text(out, line, "--azure-active-directory-tenant-id",
                    "azureActiveDirectoryTenantId");
    option_add_text(out, line, "--azure-active-directory-application-id-or-uri",
                    "azureActiveDirectoryApplicationIdOrUri");
    if (code == EXIT_OK)
        code = option_add_number(out, line, "--max-events-per-batch", "maxEventsPerBatch");
    if (code == EXIT_OK)
        code = option_add_number(out, line, "--preferred-batch-size-in-kilobytes",
                                 "preferredBatchSizeInKilobytes");
    if (code == EXIT_OK)
        code = add_signing(out, line);
    return code == EXIT_OK ? add_attributes(out, line) : code;
}

int destination_body_write(struct buf *out, const struct cmdline *line)
{
    const char *word = cmdline_value(line, "--endpoint-type");
    const struct kind *kind = kind_of(line);
    size_t start = out->len;

    if (word != NULL && kind == NULL)
        return complain(EXIT_USAGE,
                        "--endpoint-type: '%s' is not webhook, azurefunction, redisstream, "
                        "redislist or redischannel",
                        word);
    member_open(out, "destination");
    buf_add_byte(out, '{');
    if (kind != NULL)
        member_text(out, "endpointType", slice_of(kind->endpoint_type));
    member_open(out, "properties");
    buf_add_byte(out, '{');
    size_t empty = out->len;
    int code = write_properties(out, line);
    buf_add(out, SLICE("}}"));
    if (kind == NULL && out->len == empty + 2)
        out->len = start; /* nothing was given */
    return code;
}
