/* Functions for worker_test.c and worker_bench.c. */
#include <pthread.h>
#include <redgrid/function.h>
#include <stdio.h>
#include <time.h>

#define EXPORT(name)                                                                               \
    int name(struct redgrid_invocation *run);                                                      \
    int name(struct redgrid_invocation *run)

EXPORT(empty)
{
    (void)run;
    return REDGRID_OK;
}

static long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Takes 2 microseconds. */
EXPORT(spin)
{
    (void)run;
    for (long long end = now_ns() + 2000; now_ns() < end;)
        continue;
    return REDGRID_OK;
}

EXPORT(run)
{
    redgrid_return(run, redgrid_text("default"));
    return REDGRID_OK;
}

EXPORT(echo)
{
    redgrid_return(run, redgrid_message(run));
    return REDGRID_OK;
}

/* Tells what it sees, one output each. */
EXPORT(tell)
{
    char text[32];

    redgrid_output(run, "Key", redgrid_metadata(run, "Key"));
    redgrid_output(run, "input", redgrid_input(run, "value"));
    redgrid_output(run, "id", redgrid_invocation_id(run));
    redgrid_output(run, "name", redgrid_function_name(run));
    snprintf(text, sizeof text, "%d %zu", redgrid_retry_count(run), redgrid_message_count(run));
    redgrid_output(run, "counts", redgrid_text(text));
    for (size_t i = 0; i <= redgrid_message_count(run); i++)
        redgrid_output(run, "messages", redgrid_message_at(run, i));
    if (redgrid_metadata(run, "absent").data != NULL || redgrid_input(run, "absent").data != NULL)
        return redgrid_fail(run, "something absent is there");
    return REDGRID_OK;
}

EXPORT(fail)
{
    char *text = redgrid_copy(redgrid_message(run));
    int result = redgrid_fail(run, "no %s", text);
    free(text);
    return result;
}

EXPORT(number)
{
    (void)run;
    return 3;
}

static void *complete(void *ctx)
{
    struct redgrid_invocation *run = ctx;
    bool is_good = redgrid_is(redgrid_message(run), "good");

    redgrid_log(run, REDGRID_DEBUG, "later");
    redgrid_return(run, redgrid_message(run));
    redgrid_complete(run, is_good ? REDGRID_OK : redgrid_fail(run, "late failure"));
    return NULL;
}

EXPORT(later)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, complete, run) != 0)
        return REDGRID_FAILED;
    pthread_detach(thread);
    return REDGRID_LATER;
}

/* Ends before its function has returned. */
EXPORT(at_once)
{
    redgrid_complete(run, REDGRID_OK);
    return REDGRID_LATER;
}

EXPORT(block)
{
    while (!redgrid_is_canceled(run))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return REDGRID_FAILED;
}

EXPORT(chatty)
{
    char longer[3000];

    memset(longer, 'x', sizeof longer);
    redgrid_log(run, REDGRID_WARNING, "one %d", 1);
    redgrid_log(run, REDGRID_ERROR, "%.*s", (int)sizeof longer, longer);
    redgrid_log(run, REDGRID_INFO, "bad \xff utf-8");
    return REDGRID_OK;
}

/* More than anybody wants to read. */
EXPORT(flood)
{
    for (int i = 0; i < 40000; i++) {
        redgrid_log(run, REDGRID_INFO, "%d %01000d", i, 0);
        if (i == 10000)
            printf("a quarter\n");
    }
    return REDGRID_OK;
}

/* As many bytes as the message says. */
EXPORT(large)
{
    char *text = redgrid_copy(redgrid_message(run));
    size_t len = strtoul(text, NULL, 10); /* NOLINT(retired): a stranger has no others */
    char *bytes = calloc(len, 1);
    struct redgrid_slice value = {bytes, len};

    redgrid_return(run, value);
    free(text);
    free(bytes);
    return REDGRID_OK;
}

static int calls; /* without a lock: functions run one after another */

EXPORT(count)
{
    char text[16];

    snprintf(text, sizeof text, "%d", ++calls);
    redgrid_return(run, redgrid_text(text));
    return REDGRID_OK;
}

EXPORT(print)
{
    struct redgrid_slice message = redgrid_message(run);
    printf("printed %.*s\n", REDGRID_ARG(message));
    return REDGRID_OK;
}

/* Two of these end only if they run at the same time. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t met = PTHREAD_COND_INITIALIZER;
static int arrived;

EXPORT(meet)
{
    (void)run;
    pthread_mutex_lock(&mutex);
    arrived++;
    pthread_cond_broadcast(&met);
    while (arrived < 2)
        pthread_cond_wait(&met, &mutex);
    pthread_mutex_unlock(&mutex);
    return REDGRID_OK;
}

static void say_goodbye(void)
{
    printf("goodbye\n");
}

__attribute__((constructor)) static void load(void)
{
    atexit(say_goodbye);
}
