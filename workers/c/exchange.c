#include "exchange.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "invocation.h"

#define WAKE_PAUSE_US 50
#define LOGS_MAX_BYTES (4u << 20) /* more than that and functions wait for the host to read */

enum err exchange_init(struct exchange *exchange, unsigned threads)
{
    *exchange =
        (struct exchange){.threads = threads, .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (exchange->wake_fd < 0)
        return err_from_errno(errno);
    pthread_mutex_init(&exchange->mutex, NULL);
    pthread_cond_init(&exchange->work, NULL);
    pthread_cond_init(&exchange->room, NULL);
    list_init(&exchange->todo);
    list_init(&exchange->done);
    buf_init(&exchange->logs, LOGS_MAX_BYTES + 2 * EXCHANGE_LOG_MAX_BYTES);
    return E_OK;
}

static void list_append(struct list *to, struct list *from)
{
    if (list_is_empty(from))
        return;
    from->head.next->prev = to->head.prev;
    to->head.prev->next = from->head.next;
    from->head.prev->next = &to->head;
    to->head.prev = from->head.prev;
    list_init(from);
}

void exchange_give(struct exchange *exchange, struct list *runs)
{
    if (list_is_empty(runs))
        return;
    pthread_mutex_lock(&exchange->mutex);
    list_append(&exchange->todo, runs);
    unsigned idle = exchange->idle_threads;
    bool is_one = exchange->todo.head.next == exchange->todo.head.prev;
    pthread_mutex_unlock(&exchange->mutex);
    if (idle == 0)
        return;
    if (is_one || exchange->threads == 1)
        pthread_cond_signal(&exchange->work);
    else
        pthread_cond_broadcast(&exchange->work);
}

void exchange_take(struct exchange *exchange, struct list *ret)
{
    list_init(ret);
    pthread_mutex_lock(&exchange->mutex);
    while (list_is_empty(&exchange->todo)) {
        exchange->idle_threads++;
        pthread_cond_wait(&exchange->work, &exchange->mutex);
        exchange->idle_threads--;
    }
    if (exchange->threads == 1)
        list_move(ret, &exchange->todo);
    else
        list_push(ret, list_shift(&exchange->todo));
    pthread_mutex_unlock(&exchange->mutex);
}

/* wants_wake decides under the lock; wake writes without it, so that the one who wakes up does not
 * run into the lock at once. */
static bool wants_wake(struct exchange *exchange, bool is_last)
{
    if (!exchange->is_io_asleep)
        return false;
    uint64_t now_us = clock_now_us();
    if (!is_last && now_us - exchange->woken_us < WAKE_PAUSE_US)
        return false;
    exchange->is_io_asleep = false;
    exchange->woken_us = now_us;
    return true;
}

static void wake(struct exchange *exchange)
{
    ssize_t written = write(exchange->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
    (void)written; /* cannot fail: the counter is read before it is full */
}

void exchange_done(struct exchange *exchange, struct redgrid_invocation *run, bool is_last)
{
    pthread_mutex_lock(&exchange->mutex);
    list_push(&exchange->done, &run->node);
    bool must_wake = wants_wake(exchange, is_last);
    pthread_mutex_unlock(&exchange->mutex);
    if (must_wake)
        wake(exchange);
}

void exchange_log(struct exchange *exchange, const struct rpc_message *message)
{
    pthread_mutex_lock(&exchange->mutex);
    while (exchange->logs.len > LOGS_MAX_BYTES)
        pthread_cond_wait(&exchange->room, &exchange->mutex);
    rpc_frame_add(&exchange->logs, RPC_FRAME_PLAIN, message);
    bool must_wake = wants_wake(exchange, exchange->logs.len > LOGS_MAX_BYTES);
    pthread_mutex_unlock(&exchange->mutex);
    if (must_wake)
        wake(exchange);
}

bool exchange_collect(struct exchange *exchange, struct list *done, struct buf *logs)
{
    pthread_mutex_lock(&exchange->mutex);
    bool is_any = !list_is_empty(&exchange->done) || exchange->logs.len > 0;
    list_append(done, &exchange->done);
    if (exchange->logs.len > 0) {
        buf_add(logs, buf_slice(&exchange->logs));
        buf_clear(&exchange->logs);
        pthread_cond_broadcast(&exchange->room);
    }
    pthread_mutex_unlock(&exchange->mutex);
    return is_any;
}

bool exchange_sleep(struct exchange *exchange)
{
    pthread_mutex_lock(&exchange->mutex);
    bool is_any = !list_is_empty(&exchange->done) || exchange->logs.len > 0;
    exchange->is_io_asleep = !is_any;
    pthread_mutex_unlock(&exchange->mutex);
    return !is_any;
}

void exchange_awake(struct exchange *exchange)
{
    uint64_t count;

    pthread_mutex_lock(&exchange->mutex);
    exchange->is_io_asleep = false;
    pthread_mutex_unlock(&exchange->mutex);
    ssize_t got = read(exchange->wake_fd, &count, sizeof count);
    (void)got; /* EAGAIN: it was something else that woke us */
}
