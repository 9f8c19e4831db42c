#include <string.h>

#include "cmd/apply_page.h"
#include "cmd/client.h"
#include "cmd/commands.h"
#include "cmd/input.h"
#include "config/manifest.h"

#define PLACE_BYTES 4096
#define TEXT_BYTES 8192
#define BODY_BYTES (MANIFEST_JSON_MAX_BYTES + 65536)
/* An endpoint may take its time for its handshake, twice, and 16 are asked at once. */
#define HANDSHAKE_MS 90000u
#define HANDSHAKES_AT_ONCE 16u
#define TIMEOUT_MAX_MS (3600u * 1000)

static const struct option options[] = {
    {.flag = "-f",
     .takes = "FILE...",
     .description = "Files that say what there shall be; - is standard input."},
    {.flag = "--dry-run", .description = "Only show what would be done."},
    {.flag = "--prune",
     .description = "Remove the subscriptions of the topics named in the files that the files do "
                    "not name."},
};

/* ---- the files ---- */

static int add_input(struct manifest *manifest, const char *path)
{
    struct buf text;

    if (strcmp(path, "-") != 0) {
        manifest_add_file(manifest, path);
        return EXIT_OK;
    }
    buf_init(&text, MANIFEST_FILE_MAX_BYTES + 1);
    int code = input_read(path, &text);
    if (code == EXIT_OK)
        manifest_add(manifest, "stdin", NULL, buf_slice(&text));
    buf_done(&text);
    return code;
}

static int read_files(struct manifest *manifest, const struct cmdline *line)
{
    const char *single = cmdline_value(line, "-f"); /* behind '=' */
    const struct word_list *list;
    size_t count = 0;
    int code = EXIT_OK;

    if (single != NULL) {
        code = add_input(manifest, single);
        count++;
    }
    for (size_t at = 0; (list = cmdline_list(line, "-f", &at)) != NULL; count++)
        for (size_t i = 0; i < list->count && code == EXIT_OK; i++)
            code = add_input(manifest, list->words[i]);
    if (count == 0)
        return complain(EXIT_USAGE, "apply: needs -f FILE");
    struct slice rest = manifest_mistakes(manifest), mistake;
    while (rest.len > 0 && slice_cut(&rest, '\n', &mistake))
        if (mistake.len > 0)
            code = complain(EXIT_FAILED, "%.*s", SLICE_ARG(mistake));
    return code;
}

/* ---- the answer ---- */

/* "orders.yaml:3:5: " in front of what is said about a part of the text. */
static void complain_at(const struct manifest *manifest, const char *path, const char *what)
{
    struct buf text;

    buf_init(&text, TEXT_BYTES);
    manifest_add_place(manifest, slice_of(path), &text);
    buf_addf(&text, ": %s", what);
    (void)complain(EXIT_FAILED, "%s", buf_text(&text));
    buf_done(&text);
}

/* The field, from the topic or subscription on: of "topics[2].a.b" it is "a.b". */
static const char *field_of(const char *path)
{
    const char *dot = strchr(path, '.');
    return dot != NULL ? dot + 1 : "";
}

static int tell_mistakes(const struct manifest *manifest, const struct answer *answer)
{
    const json_t *details = jx_member(jx_member(answer->json, "error"), "details");
    struct buf text;

    if (json_array_size(details) == 0)
        return client_complain_status(answer->status, buf_slice(&answer->text));
    buf_init(&text, TEXT_BYTES);
    for (size_t i = 0; i < json_array_size(details); i++) {
        const json_t *detail = json_array_get(details, i);
        const char *path = field_text(detail, "target", ""), *field = field_of(path);
        buf_clear(&text);
        buf_addf(&text, "%s%s%s", field, field[0] != '\0' ? ": " : "",
                 field_text(detail, "message", "is wrong"));
        complain_at(manifest, path, buf_text(&text));
    }
    buf_done(&text);
    return complain(EXIT_FAILED, "nothing was changed");
}

static void tell_failures(const struct manifest *manifest, const json_t *answer)
{
    const json_t *resources = json_object_get(answer, "resources");
    struct buf text;

    buf_init(&text, TEXT_BYTES);
    for (size_t i = 0; i < json_array_size(resources); i++) {
        const json_t *resource = json_array_get(resources, i);
        const char *error = field_text(resource, "error", NULL);
        if (error == NULL)
            continue;
        buf_clear(&text);
        apply_page_name(&text, resource);
        buf_addf(&text, ": %s", error);
        complain_at(manifest, field_text(resource, "path", ""), buf_text(&text));
    }
    buf_done(&text);
}

static int tell(const struct manifest *manifest, const struct cmdline *line,
                const struct answer *answer, bool is_dry)
{
    struct buf out;

    buf_init(&out, ANSWER_BYTES_MAX);
    size_t failed = apply_page_write(&out, answer->json, is_dry);
    if (line->is_json) {
        buf_clear(&out);
        buf_add(&out, buf_slice(&answer->text));
    }
    int code = print(&out);
    if (failed == 0)
        return code;
    tell_failures(manifest, answer->json);
    return EXIT_FAILED;
}

/* ---- all of it ---- */

static int ask(const struct manifest *manifest, const struct cmdline *line)
{
    bool is_dry = cmdline_value(line, "--dry-run") != NULL;
    char path[64];
    struct answer answer;
    struct buf body;

    snprintf(path, sizeof path, "/api/apply?dryRun=%s&prune=%s", is_dry ? "yes" : "no",
             cmdline_value(line, "--prune") != NULL ? "yes" : "no");
    uint64_t timeout_ms = HANDSHAKE_MS * (1 + manifest_count(manifest) / HANDSHAKES_AT_ONCE);
    buf_init(&body, BODY_BYTES);
    manifest_write(manifest, &body);
    int code = client_ask(line,
                          &(struct question){.method = "POST",
                                             .path = path,
                                             .body = buf_slice(&body),
                                             .timeout_ms = timeout_ms < TIMEOUT_MAX_MS
                                                               ? (uint32_t)timeout_ms
                                                               : TIMEOUT_MAX_MS,
                                             .takes_400 = true},
                          &answer);
    buf_done(&body);
    if (code != EXIT_OK)
        return code;
    code = answer.status == 400 ? tell_mistakes(manifest, &answer)
                                : tell(manifest, line, &answer, is_dry);
    answer_done(&answer);
    return code;
}

static int run(const struct cmdline *line)
{
    struct manifest *manifest = manifest_new();
    int code = read_files(manifest, line);

    if (code == EXIT_OK)
        code = ask(manifest, line);
    manifest_free(manifest);
    return code;
}

const struct command apply_command = {
    .name = "apply",
    .takes = "",
    .summary = "Bring topics and subscriptions to what files declare.",
    .details =
        "  topics:\n"
        "    - name: orders\n"
        "  subscriptions:\n"
        "    - name: billing\n"
        "      topic: orders\n"
        "      destination: {endpointUrl: http://127.0.0.1:8080/events}\n"
        "\n"
        "The members are those of the HTTP interface; what is left out has its default. All "
        "mistakes are\nnamed with file, line and column before anything is changed. What is as "
        "declared is left alone:\napplied once more, nothing happens, and no endpoint is asked "
        "again, but for one that refused.\nSubscriptions that are not named stay, unless --prune "
        "is given; topics always do.\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .asks_server = true,
    .run = run,
};
