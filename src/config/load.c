/* All settings at once: from every source, and once more while they are in force. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/settings_internal.h"

#define FILE_DEFAULT "redgrid.yaml"

bool settings_is_open(const struct settings *settings, enum setting_id id)
{
    char *host = NULL;
    bool is_open = settings_address(slice_of(settings_text(settings, id)), &host, NULL) &&
                   strcmp(host, "localhost") != 0 && strcmp(host, "::1") != 0 &&
                   !slice_has_prefix(slice_of(host), SLICE("127."));

    free(host);
    return is_open;
}

static enum err check_open(const struct settings *settings, enum setting_id id, struct cause *why)
{
    if (!settings_is_open(settings, id) ||
        settings_text(settings, SETTING_LISTEN_TOKEN_ID)[0] != '\0')
        return E_OK;
    return cause_set(why, E_BAD_INPUT,
                     "%s: %s can be reached from other machines: set listen.token "
                     "(REDGRID_LISTEN_TOKEN) to what callers must send, or listen on 127.0.0.1",
                     setting_rows[id].name, settings_text(settings, id));
}

enum err settings_check(const struct settings *settings, struct cause *why)
{
    enum err err = check_open(settings, SETTING_LISTEN_ID, why);
    if (err == E_OK)
        err = check_open(settings, SETTING_LISTEN_HTTPS_ID, why);
    if (err != E_OK)
        return err;
    if ((settings_text(settings, SETTING_LISTEN_CERT_ID)[0] == '\0') !=
        (settings_text(settings, SETTING_LISTEN_KEY_ID)[0] == '\0'))
        return cause_set(why, E_BAD_INPUT,
                         "listen.cert: needs listen.key, and the other way round");
    if (settings_number(settings, SETTING_WORKERS_MIN_ID) >
        settings_number(settings, SETTING_WORKERS_MAX_ID))
        return cause_set(why, E_BAD_INPUT, "workers.min: is above workers.max");
    if (settings_number(settings, SETTING_NODES_DEAD_ID) <
        2 * settings_number(settings, SETTING_NODES_HEARTBEAT_ID))
        return cause_set(
            why, E_BAD_INPUT,
            "nodes.dead_ms: must be at least twice nodes.heartbeat_ms, or servers that "
            "live are taken for dead");
    return E_OK;
}

static enum err read_file(struct settings *settings, struct cause *why)
{
    const char *path = settings_text(settings, SETTING_CONFIG_ID);

    if (path[0] != '\0')
        return settings_read_file(settings, path, why);
    if (access(FILE_DEFAULT, F_OK) != 0)
        return E_OK;
    return settings_read_file(settings, FILE_DEFAULT, why);
}

enum err settings_load(struct settings *settings, const char *const *environment, struct cause *why)
{
    enum err err = settings_read_environment(settings, environment, why);

    if (err == E_OK)
        err = read_file(settings, why); /* behind the environment, which may name it */
    return err ? err : settings_check(settings, why);
}

/* --- once more --- */

static bool value_eq(const struct setting_value *a, const struct setting_value *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->texts[i], b->texts[i]) != 0)
            return false;
    return true;
}

static void copy_flags(struct settings *to, const struct settings *from)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting_value *value = &from->values[i];
        if (value->source != SETTING_FLAG)
            continue;
        setting_value_clear(&to->values[i]);
        for (size_t k = 0; k < value->count; k++)
            setting_value_add(&to->values[i], slice_dup(slice_of(value->texts[k])));
        to->values[i].number = value->number;
        to->values[i].source = SETTING_FLAG;
    }
}

static void swap_live(struct settings *a, struct settings *b)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        struct setting_value kept = a->values[i];
        if (setting_rows[i].when != SETTING_LIVE)
            continue;
        a->values[i] = b->values[i];
        b->values[i] = kept;
    }
}

static void tell(struct buf *out, enum setting_id id, const struct settings *now)
{
    const struct setting *row = &setting_rows[id];
    bool is_shown = now != NULL && !setting_is_secret(row->type) && !setting_is_list(row->type);

    buf_addf(out, "%s%s", out->len > 0 ? ", " : "", row->name);
    if (is_shown)
        buf_addf(out, " = %s", settings_text(now, id));
}

enum err settings_reload(struct settings *settings, const char *const *environment,
                         struct buf *taken, struct buf *kept, struct cause *why)
{
    struct settings *fresh = settings_new();

    copy_flags(fresh, settings);
    enum err err = settings_load(fresh, environment, why);
    if (err == E_OK) {
        swap_live(settings, fresh);
        err = settings_check(settings, why); /* some of the old with some of the new */
        if (err)
            swap_live(settings, fresh);
    }
    for (size_t i = 0; err == E_OK && i < SETTING_COUNT; i++) {
        bool is_live = setting_rows[i].when == SETTING_LIVE;
        if (!value_eq(&settings->values[i], &fresh->values[i]))
            tell(is_live ? taken : kept, (enum setting_id)i, is_live ? settings : NULL);
    }
    settings_free(fresh);
    return err;
}
