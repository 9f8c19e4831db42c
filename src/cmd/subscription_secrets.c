#include "base/mem.h"
#include "cmd/client.h"
#include "cmd/commands.h"
#include "cmd/fields.h"
#include "cmd/subscription_path.h"
#include "json/json.h"
#include "json/member.h"

#define PATH_BYTES_MAX 8192
#define BODY_BYTES_MAX 4096

static const struct option secrets_options[] = {
    {.flag = "--topic", .takes = "NAME", .description = "The topic whose events it gets."},
    {.flag = "--source-resource-id",
     .takes = "ID",
     .description = "The resource whose events it gets, instead."},
    {.flag = "--rotate",
     .takes = "YES|NO",
     .description = "Put a fresh one in force; the one before signs too, until the next time [no].",
     .choices = "yes no"},
    {.flag = "--secret",
     .takes = "SECRET",
     .description = "With --rotate: this one, not a fresh one; whsec_ and Base64."},
    {.flag = "--keep-previous",
     .takes = "YES|NO",
     .description = "With --rotate: no ends the one before at once, it has leaked [yes].",
     .choices = "yes no"},
};

/* The body of a rotation; empty = none is wanted. */
static int write_rotation(struct buf *out, const struct cmdline *line)
{
    const char *rotate = cmdline_value(line, "--rotate");
    const char *secret = cmdline_value(line, "--secret");
    const char *keep = cmdline_value(line, "--keep-previous");
    bool is_wanted = false, keeps = true;

    if (rotate != NULL && !slice_to_bool(slice_of(rotate), &is_wanted))
        return complain(EXIT_USAGE, "--rotate: '%s' is not yes or no", rotate);
    if (keep != NULL && !slice_to_bool(slice_of(keep), &keeps))
        return complain(EXIT_USAGE, "--keep-previous: '%s' is not yes or no", keep);
    if (!is_wanted && (secret != NULL || keep != NULL))
        return complain(EXIT_USAGE, "%s needs --rotate yes",
                        secret != NULL ? "--secret" : "--keep-previous");
    if (!is_wanted)
        return EXIT_OK;
    member_text_if(out, "secret", slice_of(secret));
    member_bool(out, "keepPrevious", keeps);
    buf_add_byte(out, '}');
    return EXIT_OK;
}

static int secrets(const struct cmdline *line)
{
    struct buf path, body;

    buf_init(&path, PATH_BYTES_MAX);
    buf_init(&body, BODY_BYTES_MAX);
    int code = write_rotation(&body, line);
    if (code == EXIT_OK)
        code = subscription_path_add(&path, line, line->words[0],
                                     body.len > 0 ? "/rotateSigningSecret" : "/getSigningSecrets");
    if (code == EXIT_OK)
        code = client_show(
            line,
            &(struct question){.method = "POST", .path = buf_text(&path), .body = buf_slice(&body)},
            fields_write);
    buf_done(&path);
    buf_done(&body);
    return code;
}

const struct command subscription_secrets_command = {
    .name = "subscription secrets",
    .takes = "NAME",
    .summary = "Show the secrets that deliveries are signed with, or put another in force.",
    .details = "Deliveries are signed with the secret in force and the one before it, so that a "
               "receiver can\nchange over in its own time.\n",
    .options = secrets_options,
    .option_count = COUNT_OF(secrets_options),
    .words_min = 1,
    .words_max = 1,
    .asks_server = true,
    .run = secrets,
};
