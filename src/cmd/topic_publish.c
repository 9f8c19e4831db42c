#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "cmd/client.h"
#include "cmd/commands.h"
#include "cmd/input.h"
#include "json/member.h"

#define PATH_BYTES_MAX 4096
#define BODY_BYTES_MAX (16u * 1024 * 1024)
#define CLOUD_EVENTS "CloudEventSchemaV1_0"
#define CUSTOM_EVENTS "CustomEventSchema"

static const struct option options[] = {
    {.flag = "--type", .takes = "TYPE", .description = "Its type, which filters look at."},
    {.flag = "--subject", .takes = "SUBJECT", .description = "What it is about."},
    {.flag = "--data", .takes = "JSON", .description = "What it tells."},
    {.flag = "--source",
     .takes = "SOURCE",
     .description = "Where it comes from, of a CloudEvent [redgrid]."},
    {.flag = "--file",
     .takes = "FILE",
     .description = "Whole events instead, one or an array, in the topic's schema; - reads "
                    "standard input."},
};

/* GET of the topic, or of what is below it. */
static int get(const struct cmdline *line, const char *tail, struct answer *ret)
{
    struct buf path;

    buf_init(&path, PATH_BYTES_MAX);
    buf_add(&path, SLICE("/api/topics/"));
    url_add_escaped(&path, slice_of(line->words[0]));
    buf_addf(&path, "%s", tail);
    int code = client_ask(line, &(struct question){.method = "GET", .path = buf_text(&path)}, ret);
    buf_done(&path);
    return code;
}

static void add_event(struct buf *out, const struct cmdline *line, bool is_cloud_event)
{
    const char *subject = cmdline_value(line, "--subject"), *data = cmdline_value(line, "--data");
    const char *source = cmdline_value(line, "--source");
    struct id id = id_secret();

    member_text(out, "id", id_slice(&id));
    member_text(out, is_cloud_event ? "type" : "eventType",
                slice_of(cmdline_value(line, "--type")));
    if (is_cloud_event) {
        member_text(out, "specversion", SLICE("1.0"));
        member_text(out, "source", slice_of(source != NULL ? source : "redgrid"));
    } else {
        member_text(out, "dataVersion", SLICE("1.0"));
    }
    member_text_if(out, "subject", slice_of(subject));
    member_time(out, is_cloud_event ? "time" : "eventTime", clock_unix_us(), 6);
    member_json_if(out, "data", slice_of(data));
    buf_add_byte(out, '}');
}

static bool is_json(const char *text)
{
    json_t *json = NULL;
    bool is_good = jx_parse(slice_of(text), NULL, NULL, &json, NULL) == E_OK;

    json_decref(json);
    return is_good;
}

static bool has_any(const struct cmdline *line, const char *const *flags)
{
    for (; *flags != NULL; flags++)
        if (cmdline_value(line, *flags) != NULL)
            return true;
    return false;
}

/* What would say nothing here is refused rather than ignored. */
static int check_words(const struct cmdline *line, struct slice schema)
{
    static const char *const parts[] = {"--type", "--subject", "--source", "--data", NULL};
    static const char *const envelope[] = {"--type", "--subject", "--source", NULL};

    if (cmdline_value(line, "--file") != NULL)
        return !has_any(line, parts)
                   ? EXIT_OK
                   : complain(EXIT_USAGE, "--file has whole events: leave --type, --subject, "
                                          "--source and --data out");
    if (slice_eq(schema, SLICE(CUSTOM_EVENTS)) && has_any(line, envelope))
        return complain(EXIT_USAGE, "this topic takes events of your own: --data is all of it, "
                                    "leave --type, --subject and --source out");
    if (slice_eq(schema, SLICE("EventGridSchema")) && cmdline_value(line, "--source") != NULL)
        return complain(EXIT_USAGE, "--source is for topics of CloudEvents: leave it out");
    return EXIT_OK;
}

/* read_body fills what is to be sent. */
static int read_body(const struct cmdline *line, struct slice schema, struct buf *ret)
{
    const char *file = cmdline_value(line, "--file"), *data = cmdline_value(line, "--data");
    const char *type = cmdline_value(line, "--type");
    bool is_custom = slice_eq(schema, SLICE(CUSTOM_EVENTS));

    int code = check_words(line, schema);

    if (code != EXIT_OK)
        return code;
    if (file != NULL)
        return input_read(file, ret);
    if (data != NULL && !is_json(data))
        return complain(EXIT_USAGE,
                        "--data: is no JSON; a text needs its quotes: --data '\"text\"'");
    if (is_custom && data == NULL)
        return complain(EXIT_USAGE, "this topic takes events of your own: give one with --data");
    if (!is_custom && type == NULL)
        return complain(EXIT_USAGE, "needs --type, or --file");
    if (slice_eq(schema, SLICE("EventGridSchema")) && cmdline_value(line, "--subject") == NULL)
        return complain(EXIT_USAGE, "--subject: events of this topic must have one");
    if (is_custom)
        buf_add(ret, slice_of(data));
    else
        add_event(ret, line, slice_eq(schema, SLICE(CLOUD_EVENTS)));
    return EXIT_OK;
}

static const char *content_type(struct slice schema, struct slice body)
{
    if (!slice_eq(schema, SLICE(CLOUD_EVENTS)))
        return "application/json";
    body = slice_trim(body);
    return body.len > 0 && body.data[0] == '[' ? "application/cloudevents-batch+json"
                                               : "application/cloudevents+json";
}

static int send(const struct cmdline *line, const json_t *topic, struct slice schema,
                struct slice key)
{
    struct buf path, body;
    struct answer answer;

    buf_init(&path, PATH_BYTES_MAX);
    buf_init(&body, BODY_BYTES_MAX);
    buf_addf(&path, "/topics/%s/api/events", field_text(topic, "name", ""));
    int code = read_body(line, schema, &body);
    if (code == EXIT_OK) {
        const struct http_header headers[] = {
            {SLICE("aeg-sas-key"), key},
            {SLICE("Content-Type"), slice_of(content_type(schema, buf_slice(&body)))},
        };
        code = client_ask(line,
                          &(struct question){.method = "POST",
                                             .path = buf_text(&path),
                                             .body = buf_slice(&body),
                                             .headers = headers,
                                             .header_count = COUNT_OF(headers)},
                          &answer);
        if (code == EXIT_OK)
            answer_done(&answer);
    }
    buf_done(&path);
    buf_done(&body);
    return code;
}

static int publish(const struct cmdline *line)
{
    struct answer topic, keys;
    int code = get(line, "", &topic);

    if (code != EXIT_OK)
        return code;
    const json_t *properties = json_object_get(topic.json, "properties");
    if (json_is_true(json_object_get(properties, "disableLocalAuth"))) {
        answer_done(&topic);
        return complain(
            EXIT_FAILED,
            "topic %s refuses keys (disableLocalAuth): only clients with a bearer token "
            "can publish to it",
            line->words[0]);
    }
    code = get(line, "/keys", &keys);
    if (code == EXIT_OK) {
        code = send(line, topic.json, slice_of(field_text(properties, "inputSchema", "")),
                    slice_of(field_text(keys.json, "key1", "")));
        answer_done(&keys);
    }
    answer_done(&topic);
    return code;
}

const struct command topic_publish_command = {
    .name = "topic publish",
    .takes = "NAME",
    .summary = "Publish an event, or a file of them, to a topic.",
    .details =
        "The event gets an id and the time of now. Done means stored: whatever happens to the "
        "server,\nit reaches every subscription that wants it.\n",
    .options = options,
    .option_count = COUNT_OF(options),
    .words_min = 1,
    .words_max = 1,
    .asks_server = true,
    .run = publish,
};
