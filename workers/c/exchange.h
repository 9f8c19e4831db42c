/* workers/c/exchange.h - where the io thread and the threads that run functions meet.
 * Rules: one lock for all of it, held for a few list operations. Whole batches change hands, and a
 * thread is woken only if it sleeps: a wake costs more than an invocation.
 *
 *   io thread --give--> todo --take--> function threads --done--> done, logs --collect--> io thread
 *
 * While a batch runs, the io thread is not woken for every result, or it would write each by
 * itself; but no result may wait for the slow function behind it in the batch. So: a result wakes a
 * sleeping io thread if nothing follows it in the batch, or if the last wake is WAKE_PAUSE_NS ago;
 * and the io thread, after anything happened, sleeps for EXCHANGE_LINGER_MS only, and then looks
 * again. What was not announced is younger than the wake before it, hence found then. */
#ifndef WORKER_C_EXCHANGE_H
#define WORKER_C_EXCHANGE_H

#include <pthread.h>

#include "base/buf.h"
#include "base/list.h"
#include "wire/rpc.h"

#define EXCHANGE_LINGER_MS 1
#define EXCHANGE_LOG_MAX_BYTES (1u << 20) /* one message */

struct redgrid_invocation;

struct exchange {
    pthread_mutex_t mutex;
    pthread_cond_t work; /* todo is not empty */
    pthread_cond_t room; /* logs were taken */
    struct list todo;
    struct list done;
    struct buf logs; /* frames */
    unsigned threads;
    unsigned idle_threads;
    bool is_io_asleep;
    uint64_t woken_us; /* when the io thread was woken last */
    int wake_fd;       /* readable when the io thread shall look */
};

/* exchange_init: E_IO if the kernel gives no descriptor. */
enum err exchange_init(struct exchange *exchange, unsigned threads);

/* The io thread's. exchange_give empties `runs`. */
void exchange_give(struct exchange *exchange, struct list *runs);
/* exchange_collect moves what is done and logged to the caller: logs come before the results of the
 * runs that wrote them. False if there was nothing. */
bool exchange_collect(struct exchange *exchange, struct list *done, struct buf *logs);
/* exchange_sleep announces that the io thread goes to sleep; false if it has to collect first.
 * exchange_awake ends that. */
bool exchange_sleep(struct exchange *exchange);
void exchange_awake(struct exchange *exchange);

/* The function threads'. exchange_take waits for work: all there is if there is one thread, else
 * one, so that nobody waits behind a slow function while a thread is idle. */
void exchange_take(struct exchange *exchange, struct list *ret);
/* exchange_done hands a run back; `is_last`: the caller has nothing else to do just now. */
void exchange_done(struct exchange *exchange, struct redgrid_invocation *run, bool is_last);
/* exchange_log adds a message of at most EXCHANGE_LOG_MAX_BYTES for the host. Waits while too much
 * is there. Any thread. */
void exchange_log(struct exchange *exchange, const struct rpc_message *message);

#endif
