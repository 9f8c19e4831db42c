/* Which file a program's name means, and whether it can be executed: asked before the child is
 * made, so that a missing program is an error of the start and not an exit code. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "loop/process_internal.h"

#define FIND_PATH_MAX_BYTES 4096
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

extern char **environ;

static enum err check_file(const char *path)
{
    struct stat info;

    if (stat(path, &info) != 0)
        return err_from_errno(errno);
    if (!S_ISREG(info.st_mode) || access(path, X_OK) != 0)
        return E_DENIED;
    return E_OK;
}

static struct slice path_of(const char *const *env)
{
    static const struct slice name = SLICE_INIT("PATH=");

    if (env == NULL)
        env = (const char *const *)environ;
    for (; *env != NULL; env++)
        if (slice_has_prefix(slice_of(*env), name))
            return slice_from(slice_of(*env), name.len);
    return SLICE(DEFAULT_PATH);
}

static enum err check_candidate(struct buf *path, struct slice dir, const char *file)
{
    buf_clear(path);
    if (dir.len == 0 || dir.data[0] != '/') /* relative to what? never the current directory */
        return E_NOT_FOUND;
    buf_add(path, dir);
    buf_add_byte(path, '/');
    buf_add(path, slice_of(file));
    return check_file(buf_text(path));
}

static enum err search(const struct process_options *options, struct buf *path)
{
    struct slice rest = path_of(options->env), dir;
    enum err err = E_NOT_FOUND;

    while (slice_cut(&rest, ':', &dir)) {
        enum err found = check_candidate(path, dir, options->file);
        if (found == E_OK)
            return E_OK;
        if (found == E_DENIED)
            err = E_DENIED;
    }
    return err;
}

/* A path with a slash is the child's: relative to its directory. */
static enum err check_named(const struct process_options *options, struct buf *path)
{
    struct buf full;

    buf_add(path, slice_of(options->file));
    if (options->cwd == NULL || options->file[0] == '/')
        return check_file(options->file);
    buf_init(&full, FIND_PATH_MAX_BYTES);
    buf_addf(&full, "%s/%s", options->cwd, options->file);
    enum err err = check_file(buf_text(&full));
    buf_done(&full);
    return err;
}

static enum err check_dir(const char *dir, struct cause *why)
{
    struct stat info;

    if (dir == NULL)
        return E_OK;
    if (stat(dir, &info) != 0)
        return cause_set(why, err_from_errno(errno), "%s: %s", dir, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return cause_set(why, E_NOT_FOUND, "%s: not a directory", dir);
    if (access(dir, X_OK) != 0)
        return cause_set(why, E_DENIED, "%s: not permitted", dir);
    return E_OK;
}

enum err process_find(const struct process_options *options, char **ret, struct cause *why)
{
    bool is_path = strchr(options->file, '/') != NULL;
    struct buf path;

    enum err err = check_dir(options->cwd, why);
    if (err != E_OK)
        return err;
    buf_init(&path, FIND_PATH_MAX_BYTES);
    err = is_path ? check_named(options, &path) : search(options, &path);
    if (err == E_OK && (*ret = buf_detach(&path)) == NULL)
        err = E_LIMIT;
    buf_done(&path);
    if (err == E_DENIED)
        return cause_set(why, err, "%s: not an executable file", options->file);
    if (err == E_NOT_FOUND)
        return cause_set(why, err, "%s: not found%s", options->file, is_path ? "" : " in PATH");
    return err == E_OK ? E_OK : cause_set(why, err, "%s: %s", options->file, err_text(err));
}
