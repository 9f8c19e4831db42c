/* Programs, folders, ports. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/doctor.h"
#include "server/places.h"
#include "store/server_find.h"

#define LINE_BYTES_MAX 256
#define PATH_BYTES_MAX 4096

/* first_line_of runs a command of our own making and gives its first line; false if it failed. */
static bool first_line_of(const char *command, char *ret, size_t size)
{
    FILE *pipe = popen(command, "re");

    if (pipe == NULL)
        return false;
    ret[0] = '\0';
    if (fgets(ret, (int)size, pipe) != NULL)
        ret[strcspn(ret, "\n")] = '\0';
    return pclose(pipe) == 0;
}

static void check_server_program(struct doctor *doctor)
{
    const char *wanted = settings_text(doctor->settings, SETTING_STORE_SERVER_ID);
    char *path = server_find(wanted);

    if (path == NULL)
        note(doctor, FINDING_BAD,
             "sudo apt install redis-server (or valkey-server); or name one with --store-server",
             "%s is not installed: the private store cannot run",
             wanted[0] != '\0' ? wanted : "redis-server");
    else
        note(doctor, FINDING_OK, NULL, "server program: %s", path);
    free(path);
}

void check_programs(struct doctor *doctor)
{
    char line[LINE_BYTES_MAX];
    char *cc = program_find("cc"), *python = program_find("python3"), *workers = places_workers();

    check_server_program(doctor);
    if (cc != NULL)
        note(doctor, FINDING_OK, NULL, "C compiler: %s", cc);
    else
        note(doctor, FINDING_HINT, "sudo apt install gcc libc6-dev",
             "no C compiler (cc): functions in .c files cannot be compiled");
    if (python == NULL)
        note(doctor, FINDING_HINT, "sudo apt install python3",
             "no python3: functions in Python cannot run");
    else if (first_line_of("python3 --version 2>&1", line, sizeof line))
        note(doctor, FINDING_OK, NULL, "Python: %s, %s", python, line);
    if (python != NULL &&
        !first_line_of("python3 -c 'import venv, ensurepip' 2>&1", line, sizeof line))
        note(doctor, FINDING_HINT, "sudo apt install python3-venv",
             "python3 has no venv: packages in requirements.txt cannot be installed");
    if (workers != NULL)
        note(doctor, FINDING_OK, NULL, "language workers: %s", workers);
    else if (settings_text(doctor->settings, SETTING_WORKERS_DIR_ID)[0] == '\0')
        note(doctor, FINDING_BAD, "install redgrid whole (meson install), or set workers.dir",
             "the language workers are not beside the program");
    free(cc);
    free(python);
    free(workers);
}

static void check_listen(struct doctor *doctor)
{
    const char *address = settings_text(doctor->settings, SETTING_LISTEN_ID);
    struct addrinfo hints = {.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found = NULL;
    char *host = NULL, port[8];
    uint16_t number = 0;
    int yes = 1;

    if (!settings_address(slice_of(address), &host, &number))
        return;
    snprintf(port, sizeof port, "%u", (unsigned)number);
    int code = getaddrinfo(host, port, &hints, &found);
    free(host);
    if (code != 0) {
        note(doctor, FINDING_BAD, NULL, "listen: %s: %s", address, gai_strerror(code));
        return;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
        bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, 1) == 0)
        note(doctor, FINDING_OK, NULL, "HTTP address %s is free", address);
    else
        note(doctor, errno == EADDRINUSE ? FINDING_HINT : FINDING_BAD,
             errno == EADDRINUSE ? "if that is no redgrid of yours: choose another with --listen"
                                 : NULL,
             "HTTP address %s: %s", address, strerror(errno));
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
}

/* The folder need not be there yet: then the nearest one above it must let us make it. */
static void check_data(struct doctor *doctor)
{
    const char *data = settings_text(doctor->settings, SETTING_DATA_ID);
    char path[PATH_BYTES_MAX], lock[PATH_BYTES_MAX + 8];
    struct stat found;

    snprintf(path, sizeof path, "%s", data);
    while (stat(path, &found) != 0 && strchr(path, '/') != NULL && strrchr(path, '/') != path)
        *strrchr(path, '/') = '\0';
    if (stat(path, &found) != 0)
        snprintf(path, sizeof path, "%s", data[0] == '/' ? "/" : ".");
    if (access(path, W_OK | X_OK) != 0) {
        note(doctor, FINDING_BAD, "choose another with --data, or change its owner",
             "data folder %s: %s: %s", data, path, strerror(errno));
        return;
    }
    if (stat(data, &found) == 0 && (found.st_mode & 077) != 0)
        note(doctor, FINDING_HINT, "chmod 700 on the folder",
             "data folder %s can be read by other users", data);
    snprintf(lock, sizeof lock, "%s/lock", data);
    int fd = open(lock, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0)
        note(doctor, FINDING_HINT, NULL, "data folder %s is in use: a server runs with it", data);
    else
        note(doctor, FINDING_OK, NULL, "data folder %s", data);
    if (fd >= 0)
        close(fd);
}

void check_places(struct doctor *doctor)
{
    check_listen(doctor);
    check_data(doctor);
}
