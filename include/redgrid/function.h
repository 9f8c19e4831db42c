/* redgrid/function.h - functions written in C (or anything that can call C).
 *
 * A function is an exported symbol with the type `redgrid_function`. It runs when its trigger
 * fires: a list element, a stream entry, a message on a channel. A complete one:
 *
 *     #include <redgrid/function.h>
 *
 *     int ListTrigger(struct redgrid_invocation *run)
 *     {
 *         struct redgrid_slice message = redgrid_message(run);
 *         redgrid_log(run, REDGRID_INFO, "got %.*s", REDGRID_ARG(message));
 *         return REDGRID_OK;
 *     }
 *
 * function.json names the source or the shared object ("scriptFile": "run.c" or "run.so") and the
 * symbol ("entryPoint": "ListTrigger"); without entryPoint it is the function's name, and if there
 * is no such symbol, `run`. In C++ write extern "C" before it. redgrid compiles a .c file itself;
 * by hand it is `cc -shared -fPIC -o run.so run.c`, with -I where this file is. Nothing is linked:
 * the worker process that loads the object has these calls.
 *
 * Threads: functions run one after another on one thread, so static data needs no lock. The setting
 * C_THREADPOOL_THREAD_COUNT (2..1000) lets that many run at once. The calls below are for whoever
 * works on the invocation at the moment; redgrid_log() and redgrid_is_canceled() are for any
 * thread.
 *
 * A crash ends the worker: the invocation has failed, others are run again, a new worker starts.
 * Standard output and standard error go to redgrid's log, line by line, without the invocation's
 * id: redgrid_log() is better. */
#ifndef REDGRID_FUNCTION_H
#define REDGRID_FUNCTION_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when existing functions would have to be compiled again. Every object that includes this
 * file says which one it was compiled for, and the worker refuses to load what does not fit. */
#define REDGRID_ABI 1
int32_t redgrid_abi(void);
__attribute__((weak, visibility("default"))) int32_t redgrid_abi(void)
{
    return REDGRID_ABI;
}

/* One run of a function. Valid until the function returns, or, if it returned REDGRID_LATER, until
 * redgrid_complete(). */
struct redgrid_invocation;

/* Bytes that somebody else owns: not NUL-terminated, and may hold NUL bytes. {NULL, 0} is "absent".
 * What the calls below return lives as long as the invocation; what they are given is copied. */
struct redgrid_slice {
    const char *data;
    size_t len;
};

/* For printf: "%.*s" with REDGRID_ARG(slice). */
#define REDGRID_ARG(slice) (int)(slice).len, ((slice).data != NULL ? (slice).data : "")

/* What a function returns. */
enum redgrid_result {
    REDGRID_OK = 0, /* done: the message is acknowledged, outputs are sent */
    REDGRID_FAILED =
        1, /* or any other number but 0 and -1: outputs are dropped, it is tried again */
    REDGRID_LATER = -1, /* not done yet: redgrid_complete() will say how it ended */
};

typedef int redgrid_function(struct redgrid_invocation *run);

/* What came in. */

/* redgrid_message is the trigger's value: text in the form that function.json asks for, or bytes
 * with "dataType": "binary". Of a batch ("cardinality": "many") it is the first. */
struct redgrid_slice redgrid_message(const struct redgrid_invocation *run);
/* redgrid_message_count is 1, or the size of the batch; redgrid_message_at gives one of it, absent
 * beyond the end. */
size_t redgrid_message_count(const struct redgrid_invocation *run);
struct redgrid_slice redgrid_message_at(const struct redgrid_invocation *run, size_t index);
/* redgrid_metadata is a fact about the message: "Key", "Id", "Channel", "DeliveryCount", ..; absent
 * if the trigger has no such fact. Objects are JSON text. */
struct redgrid_slice redgrid_metadata(const struct redgrid_invocation *run, const char *name);
/* redgrid_input is the value of an input binding by its name; absent if it is null or unknown. */
struct redgrid_slice redgrid_input(const struct redgrid_invocation *run, const char *name);
/* redgrid_invocation_id is new for every attempt; redgrid_function_name is the folder's name. */
struct redgrid_slice redgrid_invocation_id(const struct redgrid_invocation *run);
struct redgrid_slice redgrid_function_name(const struct redgrid_invocation *run);
/* redgrid_retry_count: which attempt of the retry policy this is, 0 = the first; 0 without a
 * policy.
 */
int32_t redgrid_retry_count(const struct redgrid_invocation *run);
/* redgrid_is_canceled: nobody waits for the result any more (functionTimeout); end soon. */
bool redgrid_is_canceled(const struct redgrid_invocation *run);

/* What goes out. */

enum redgrid_level {
    REDGRID_TRACE,
    REDGRID_DEBUG,
    REDGRID_INFO,
    REDGRID_WARNING,
    REDGRID_ERROR,
    REDGRID_CRITICAL,
};

/* redgrid_log writes a line of the function's log, with its name and the invocation's id. Waits if
 * redgrid is far behind reading. */
void redgrid_log(struct redgrid_invocation *run, enum redgrid_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void redgrid_log_list(struct redgrid_invocation *run, enum redgrid_level level, const char *format,
                      va_list arguments) __attribute__((format(printf, 3, 0)));

/* redgrid_output gives an output binding a value. Again with the same name: one more value, each a
 * command of its own. "$return" is a name like any other. */
void redgrid_output(struct redgrid_invocation *run, const char *name, struct redgrid_slice value);
/* redgrid_return sets the return value, which `redgrid function invoke` shows and the binding
 * "$return" takes; the last call counts. */
void redgrid_return(struct redgrid_invocation *run, struct redgrid_slice value);

/* redgrid_fail notes why it failed; the last call counts. Returns REDGRID_FAILED, for
 * `return redgrid_fail(run, "no order %s", id);`. A function that then returns REDGRID_OK has
 * succeeded all the same. */
int redgrid_fail(struct redgrid_invocation *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* redgrid_complete ends an invocation whose function returned, or is about to return,
 * REDGRID_LATER. From any thread, exactly once: `run` is gone afterwards. `result` is REDGRID_OK or
 * REDGRID_FAILED. */
void redgrid_complete(struct redgrid_invocation *run, int result);

/* Small helpers. */

/* redgrid_text wraps a C string. */
static inline struct redgrid_slice redgrid_text(const char *text)
{
    struct redgrid_slice slice = {text, text != NULL ? strlen(text) : 0};
    return slice;
}

/* redgrid_is: is it exactly this text? */
static inline bool redgrid_is(struct redgrid_slice slice, const char *text)
{
    size_t len = strlen(text);
    return slice.len == len && (len == 0 || memcmp(slice.data, text, len) == 0);
}

/* redgrid_copy is a NUL-terminated copy; free() ends it. NULL when memory is out. */
static inline char *redgrid_copy(struct redgrid_slice slice)
{
    char *copy = (char *)malloc(slice.len + 1);
    if (copy == NULL)
        return NULL;
    if (slice.len > 0)
        memcpy(copy, slice.data, slice.len);
    copy[slice.len] = '\0';
    return copy;
}

#ifdef __cplusplus
}
#endif

#endif
