/* gap PORT PASSWORD CLIENTS COMMAND...: how long a client's writes pause while something is done to
 * their server. Each client INCRs a key of its own, one after the other over one connection, which
 * it makes again whenever it breaks, as client libraries do. COMMAND runs in the middle.
 * Prints one line: the median client's longest gap in ms, the longest of all, errors seen,
 * acknowledged writes, and how many of these are missing at the end. PASSWORD may be "". */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#define CLIENTS_MAX 256
#define MARGIN_US 700000 /* before and after the command */
#define TIMEOUT_S 30

struct client {
    pthread_t thread;
    int number;
    redisContext *connection;
    double longest_s, last_s;
    long acknowledged, errors;
};

static int port;
static const char *password;
static atomic_bool is_over;

static double now_s(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void drop(struct client *client)
{
    redisFree(client->connection);
    client->connection = NULL;
}

/* Does the server take it? */
static bool say(struct client *client, redisReply *reply)
{
    bool is_good = reply != NULL && reply->type != REDIS_REPLY_ERROR;

    if (reply != NULL)
        freeReplyObject(reply);
    if (!is_good)
        drop(client);
    return is_good;
}

static bool is_connected(struct client *client)
{
    if (client->connection != NULL)
        return true;
    client->connection =
        redisConnectWithTimeout("127.0.0.1", port, (struct timeval){.tv_sec = TIMEOUT_S});
    if (client->connection == NULL || client->connection->err != 0) {
        drop(client);
        return false;
    }
    redisSetTimeout(client->connection, (struct timeval){.tv_sec = TIMEOUT_S});
    return password[0] == '\0' ||
           say(client, redisCommand(client->connection, "AUTH %s", password));
}

static void *run(void *ctx)
{
    struct client *client = ctx;

    while (!atomic_load(&is_over)) {
        if (!is_connected(client) ||
            !say(client, redisCommand(client->connection, "INCR gap:%d", client->number))) {
            client->errors++;
            usleep(1000);
            continue;
        }
        double at_s = now_s();
        if (client->last_s > 0 && at_s - client->last_s > client->longest_s)
            client->longest_s = at_s - client->last_s;
        client->last_s = at_s;
        client->acknowledged++;
    }
    return NULL;
}

static long missing(struct client *client)
{
    long there = 0;

    while (!is_connected(client))
        usleep(1000);
    redisReply *reply = redisCommand(client->connection, "GET gap:%d", client->number);
    if (reply != NULL && reply->type == REDIS_REPLY_STRING)
        there = atol(reply->str);
    freeReplyObject(reply);
    drop(client);
    return client->acknowledged > there ? client->acknowledged - there : 0;
}

static int by_gap(const void *a, const void *b)
{
    double left = ((const struct client *)a)->longest_s;
    double right = ((const struct client *)b)->longest_s;

    return left < right ? -1 : left > right;
}

static int run_command(char **words)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO); /* ours is for the numbers */
        execvp(words[0], words);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    return status;
}

int main(int argc, char **argv)
{
    static struct client clients[CLIENTS_MAX];
    long acknowledged = 0, errors = 0, lost = 0;

    if (argc < 5 || atoi(argv[3]) < 1 || atoi(argv[3]) > CLIENTS_MAX)
        return 2;
    port = atoi(argv[1]);
    password = argv[2];
    int count = atoi(argv[3]);
    for (int i = 0; i < count; i++) {
        clients[i].number = i;
        pthread_create(&clients[i].thread, NULL, run, &clients[i]);
    }
    usleep(MARGIN_US);
    int status = run_command(argv + 4);
    usleep(MARGIN_US);
    atomic_store(&is_over, true);
    for (int i = 0; i < count; i++)
        pthread_join(clients[i].thread, NULL);
    for (int i = 0; i < count; i++) {
        drop(&clients[i]);
        lost += missing(&clients[i]);
        acknowledged += clients[i].acknowledged;
        errors += clients[i].errors;
    }
    qsort(clients, (size_t)count, sizeof clients[0], by_gap);
    printf("%.1f %.1f %ld %ld %ld\n", clients[count / 2].longest_s * 1e3,
           clients[count - 1].longest_s * 1e3, errors, acknowledged, lost);
    return status == 0 ? 0 : 1;
}
