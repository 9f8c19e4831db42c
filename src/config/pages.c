/* What the rows of the settings make for people to read. */
#include <string.h>

#include "config/settings.h"

#define HELP_FLAG_PLACES 24 /* as the options of commands (cmd/cmdline.c) */

static const char *type_text(enum setting_type type)
{
    switch (type) {
    case SETTING_TEXT:
        return "text";
    case SETTING_SECRET:
        return "secret: text, env:NAME or file:PATH";
    case SETTING_PATH:
        return "path";
    case SETTING_PATHS:
        return "list of paths";
    case SETTING_SECRETS:
        return "list of secrets: each a text, env:NAME or file:PATH";
    case SETTING_NAMES:
        return "list of names";
    case SETTING_BOOL:
        return "true or false";
    case SETTING_NUMBER:
        return "number";
    case SETTING_CHOICE:
        return "one of";
    case SETTING_ADDRESS:
        return "address:port";
    }
    return "";
}

static void add_words(struct buf *out, const char *words)
{
    struct slice rest = slice_of(words), word;

    for (const char *before = ""; slice_cut(&rest, ' ', &word); before = ", ")
        buf_addf(out, "%s%.*s", before, SLICE_ARG(word));
}

/* add_type writes "number from 1 to 4 ms", "one of human, json". */
static void add_type(struct buf *out, const struct setting *row)
{
    buf_addf(out, "%s", type_text(row->type));
    if (row->type == SETTING_NUMBER) {
        buf_addf(out, " from %llu to %llu", (unsigned long long)row->min,
                 (unsigned long long)row->max);
        if (row->extra[0] != '\0')
            buf_addf(out, " %s", row->extra);
    }
    if (row->type == SETTING_CHOICE) {
        buf_add_byte(out, ' ');
        add_words(out, row->extra);
    }
}

void settings_write_sample(struct buf *out)
{
    buf_add(
        out,
        SLICE(
            "# redgrid.yaml: settings of `redgrid up`. Every line is optional; the values are the "
            "defaults.\n"
            "# A setting can also be a flag or a variable, which win over this file, in this "
            "order.\n"
            "# Names with a dot may be nested (log: {level: debug}).\n"
            "# SIGHUP reads the file again; [restart] marks what changes at the next start "
            "only.\n"));
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *row = &setting_rows[i];
        if (i == SETTING_CONFIG_ID)
            continue;
        buf_addf(out, "\n# %s%s\n# ", row->description,
                 row->when == SETTING_LIVE ? "" : " [restart]");
        add_type(out, row);
        buf_addf(out, "; %s, ", row->flag);
        setting_variable((enum setting_id)i, out);
        bool is_list = setting_is_list(row->type);
        bool is_quoted =
            row->value[0] == '\0' || row->type == SETTING_CHOICE; /* no is a word here */
        if (is_list)
            buf_addf(out, "\n#%s: []\n", row->name);
        else
            buf_addf(out, is_quoted ? "\n#%s: \"%s\"\n" : "\n#%s: %s\n", row->name, row->value);
    }
}

void settings_write_docs(struct buf *out)
{
    buf_add(
        out,
        SLICE("# Settings\n\nMade by `redgrid help --settings-md` from the table in "
              "`src/config/settings.h`; a test fails when it is stale.\n\n"
              "A value comes from the highest of: flag, variable, `redgrid.yaml`, default. "
              "SIGHUP\nreads the file again: a change takes effect then, or not before the next "
              "start.\n\n"
              "| setting | type | default | flag | variable | a change | meaning |\n"
              "|---|---|---|---|---|---|---|\n"));
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *row = &setting_rows[i];
        buf_addf(out, "| `%s` | ", row->name);
        add_type(out, row);
        buf_addf(out, row->value[0] != '\0' ? " | `%s` | " : " | %s| ", row->value);
        buf_addf(out, "`%s` | `", row->flag);
        setting_variable((enum setting_id)i, out);
        buf_addf(out, "` | %s | %s |\n", row->when == SETTING_LIVE ? "at SIGHUP" : "at a start",
                 row->description);
    }
}

void settings_write_help(struct buf *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *row = &setting_rows[i];
        size_t wide = strlen(row->flag) + 1 + strlen(row->takes);
        bool is_long = wide >= HELP_FLAG_PLACES; /* too long to share a line */
        buf_addf(out, "  %s %s%s%*s%s", row->flag, row->takes, is_long ? "\n" : "",
                 (int)(is_long ? HELP_FLAG_PLACES + 3 : HELP_FLAG_PLACES + 1 - wide), "",
                 row->description);
        if (row->type == SETTING_CHOICE) {
            buf_add(out, SLICE(" One of "));
            add_words(out, row->extra);
            buf_add_byte(out, '.');
        }
        if (row->value[0] != '\0')
            buf_addf(out, " [%s]", row->value);
        buf_add_byte(out, '\n');
    }
}

static void add_roff(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '-' || *text == '\\')
            buf_add_byte(out, '\\');
        buf_add_byte(out, *text == '\'' ? '`' : *text);
    }
}

void settings_write_man(struct buf *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *row = &setting_rows[i];
        buf_add(out, SLICE(".TP\n.BI "));
        add_roff(out, row->flag);
        buf_addf(out, " \" %s\"\n", row->takes);
        add_roff(out, row->description);
        buf_addf(out, "\nSetting\n.BR %s ,\n", row->name);
        add_type(out, row);
        if (row->value[0] != '\0')
            buf_addf(out, "; default %s", row->value);
        buf_add(out, SLICE(". Variable\n.BR "));
        setting_variable((enum setting_id)i, out);
        buf_add(out, SLICE(" .\n"));
    }
}
