#include "server/own.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define FILES_MAX 65536

void own_start_log(const struct settings *settings)
{
    enum log_level level = LOG_INFO;

    (void)log_level_parse(slice_of(settings_text(settings, SETTING_LOG_LEVEL_ID)), &level);
    log_open(STDOUT_FILENO, level,
             slice_eq(slice_of(settings_text(settings, SETTING_LOG_FORMAT_ID)), SLICE("json")));
}

const char *const *own_child_environment(const char *const *all)
{
    size_t count = 0, kept = 0;

    while (all[count] != NULL)
        count++;
    const char **some = mem_new_array(count + 1, const char *);
    for (size_t i = 0; i < count; i++)
        if (!slice_has_prefix(slice_of(all[i]), SLICE("REDGRID_")))
            some[kept++] = all[i];
    return some;
}

/* Every run of a custom handler has a connection; 1024 files, as is usual, would not be enough. */
void own_raise_file_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= FILES_MAX)
        return;
    files.rlim_cur = files.rlim_max < FILES_MAX ? files.rlim_max : FILES_MAX;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}
