#include "cmd/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/commands.h"
#include "json/member.h"

#define TEXT_BYTES_MAX 4096

extern char **environ;

static const struct {
    const char *name;
    void (*check)(struct doctor *doctor);
} checks[] = {
    {"programs", check_programs},
    {"places", check_places},
    {"apps", check_apps},
};

static const char *const level_names[] = {
    [FINDING_OK] = "ok", [FINDING_HINT] = "hint", [FINDING_BAD] = "bad"};

void note(struct doctor *doctor, enum finding_level level, const char *advice, const char *fmt, ...)
{
    char text[TEXT_BYTES_MAX];
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    doctor->findings = mem_resize(doctor->findings, doctor->count + 1, sizeof *doctor->findings);
    doctor->findings[doctor->count++] =
        (struct finding){.level = level,
                         .text = slice_dup(slice_of(len < 0 ? "" : text)),
                         .advice = advice != NULL ? slice_dup(slice_of(advice)) : NULL};
}

static void write_json(const struct doctor *doctor, struct buf *out)
{
    buf_add_byte(out, '[');
    for (size_t i = 0; i < doctor->count; i++) {
        const struct finding *finding = &doctor->findings[i];
        if (i > 0)
            buf_add_byte(out, ',');
        member_text(out, "level", slice_of(level_names[finding->level]));
        member_text(out, "text", slice_of(finding->text));
        member_text(out, "advice", slice_of(finding->advice));
        buf_add_byte(out, '}');
    }
    buf_add(out, SLICE("]\n"));
}

static void write_table(const struct doctor *doctor, struct buf *out)
{
    for (size_t i = 0; i < doctor->count; i++) {
        const struct finding *finding = &doctor->findings[i];
        buf_addf(out, "%-5s %s\n", level_names[finding->level], finding->text);
        if (finding->advice != NULL)
            buf_addf(out, "      -> %s\n", finding->advice);
    }
}

static int run(const struct cmdline *line)
{
    struct doctor doctor = {.settings = line->settings};
    struct cause why = {0};
    struct buf out;
    bool is_bad = false;

    log_open(STDERR_FILENO, LOG_OFF, false); /* findings say it better */
    enum err err = settings_load(line->settings, (const char *const *)environ, &why);
    if (err)
        note(&doctor, FINDING_BAD, "mend the setting; `redgrid help up` lists them", "settings: %s",
             cause_text(&why, err));
    for (size_t i = 0; i < COUNT_OF(checks); i++)
        checks[i].check(&doctor);
    buf_init(&out, HELP_MAX_BYTES);
    if (line->is_json)
        write_json(&doctor, &out);
    else
        write_table(&doctor, &out);
    for (size_t i = 0; i < doctor.count; i++) {
        is_bad = is_bad || doctor.findings[i].level == FINDING_BAD;
        free(doctor.findings[i].text);
        free(doctor.findings[i].advice);
    }
    free(doctor.findings);
    int code = print(&out);
    return code == EXIT_OK && is_bad ? EXIT_FAILED : code;
}

const struct command doctor_command = {
    .name = "doctor",
    .takes = "",
    .summary = "Check the installation and the apps, and say what to mend.",
    .details = "Takes the options of `redgrid up`, so that it looks at what that would run. Exit "
               "code 1 when\n"
               "something keeps it from running.\n",
    .asks_server = true,
    .has_settings = true,
    .run = run,
};
