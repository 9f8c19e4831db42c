#include "cmd/cache_body.h"

#include <stdlib.h>

#include "base/mem.h"

#include "cmd/option_json.h"
#include "json/member.h"

/* NAME=VALUE.. of an option, as members. */
static int add_pairs(struct buf *out, const struct cmdline *line, const char *flag)
{
    const struct word_list *list;

    if (cmdline_value(line, flag) != NULL)
        return complain(EXIT_USAGE, "%s: write NAME=.. behind a space", flag);
    for (size_t at = 0; (list = cmdline_list(line, flag, &at)) != NULL;)
        for (size_t i = 0; i < list->count; i++) {
            struct slice word = slice_of(list->words[i]), name;
            if (!slice_cut(&word, '=', &name) || name.len == 0 || word.data == NULL)
                return complain(EXIT_USAGE, "%s: '%s' is not NAME=VALUE", flag, list->words[i]);
            char *text = slice_dup(name);
            member_text(out, text, word);
            free(text);
        }
    return EXIT_OK;
}

static bool has_list(const struct cmdline *line, const char *flag)
{
    size_t at = 0;

    return cmdline_value(line, flag) != NULL || cmdline_list(line, flag, &at) != NULL;
}

static int add_configuration(struct buf *out, const struct cmdline *line)
{
    static const struct {
        const char *flag, *name;
    } own[] = {{"--port", "redgrid-port"},
               {"--server-path", "redgrid-server-path"},
               {"--max-memory", "redgrid-max-memory"}};
    bool is_there = has_list(line, "--set");

    for (size_t i = 0; i < COUNT_OF(own); i++)
        is_there = is_there || cmdline_value(line, own[i].flag) != NULL;
    if (!is_there)
        return EXIT_OK;
    member_open(out, "redisConfiguration");
    buf_add_byte(out, '{'); /* --set may name nothing */
    int code = add_pairs(out, line, "--set");
    for (size_t i = 0; i < COUNT_OF(own); i++)
        option_add_text(out, line, own[i].flag, own[i].name);
    buf_add_byte(out, '}');
    return code;
}

/* The server knows which sizes there are. */
static int add_sku(struct buf *out, const struct cmdline *line)
{
    struct slice tier = slice_of(cmdline_value(line, "--sku"));
    struct slice size = slice_of(cmdline_value(line, "--vm-size"));
    uint64_t capacity;

    if (tier.data == NULL && size.data == NULL)
        return EXIT_OK;
    member_open(out, "sku");
    member_text_if(out, "name", tier);
    if (size.data != NULL) {
        if (size.len < 2 || !slice_to_u64(slice_from(size, 1), &capacity))
            return complain(EXIT_USAGE, "--vm-size: '%s' is not C0 to C6 or P1 to P5", size.data);
        member_text(out, "family", slice_first(size, 1));
        member_u64(out, "capacity", capacity);
    }
    buf_add_byte(out, '}');
    return EXIT_OK;
}

static int add_properties(struct buf *out, const struct cmdline *line)
{
    int code = add_sku(out, line);

    if (code == EXIT_OK)
        code = option_add_number(out, line, "--shard-count", "shardCount");
    if (code == EXIT_OK)
        code = option_add_number(out, line, "--replicas-per-master", "replicasPerMaster");
    if (code == EXIT_OK)
        code = option_add_bool(out, line, "--enable-non-ssl-port", "enableNonSslPort");
    if (code != EXIT_OK)
        return code;
    option_add_text(out, line, "--minimum-tls-version", "minimumTlsVersion");
    return add_configuration(out, line);
}

int cache_body_write(struct buf *out, const struct cmdline *line, const char *location)
{
    int code = EXIT_OK;

    member_text_if(out, "location", slice_of(location));
    if (has_list(line, "--tags")) {
        member_open(out, "tags");
        buf_add_byte(out, '{');
        code = add_pairs(out, line, "--tags");
        buf_add_byte(out, '}');
    }
    member_open(out, "properties");
    buf_add_byte(out, '{');
    if (code == EXIT_OK)
        code = add_properties(out, line);
    buf_add(out, SLICE("}}"));
    return code;
}
