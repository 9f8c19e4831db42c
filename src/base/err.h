/* base/err.h - what went wrong, as a number for code and as a text for people.
 * Rules: the number decides, the text explains. A cause is filled once by who fails and wrapped
 * once per layer, so that an operator reads `orders: function.json: bindings[0].key: is empty`. To
 * add an error: a row in ERRORS. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

#define ERRORS(X)                                                                                  \
    X(E_OK, "ok")                                                                                  \
    X(E_MORE, "more bytes are needed")                                                             \
    X(E_LIMIT, "over the limit")                                                                   \
    X(E_EMPTY, "nothing there")                                                                    \
    X(E_BAD_WIRE, "malformed bytes from a peer")                                                   \
    X(E_BAD_INPUT, "bad input")                                                                    \
    X(E_NOT_FOUND, "not found")                                                                    \
    X(E_EXISTS, "exists already")                                                                  \
    X(E_FULL, "as many as there may be")                                                           \
    X(E_DENIED, "not permitted")                                                                   \
    X(E_UNSUPPORTED, "not supported")                                                              \
    X(E_IO, "input or output failed")                                                              \
    X(E_REFUSED, "connection refused")                                                             \
    X(E_CLOSED, "connection closed")                                                               \
    X(E_DNS, "host name not found")                                                                \
    X(E_TLS, "TLS failed")                                                                         \
    X(E_TIMEOUT, "timed out")                                                                      \
    X(E_CANCELED, "canceled")                                                                      \
    X(E_REDIS, "the server answered with an error")                                                \
    X(E_CRASHED, "the process ended")                                                              \
    X(E_FAILED, "failed")

#define ERR_ENUM(name, text) name,
/* gcc 12 knows the attribute on functions only; clang checks the whole enum. */
#ifdef __clang__
enum __attribute__((warn_unused_result)) err { ERRORS(ERR_ENUM) };
#else
enum err { ERRORS(ERR_ENUM) };
#endif
#undef ERR_ENUM

#define CAUSE_MAX_BYTES 512

/* The text behind an error; longer ones are cut. Zeroed means: nothing to say. */
struct cause {
    char text[CAUSE_MAX_BYTES];
};

/* err_name tells the enum's name ("E_LIMIT"), err_text its meaning. Never NULL. Callable anywhere.
 */
const char *err_name(enum err err);
const char *err_text(enum err err);

/* err_from_errno maps an errno value (positive) to the nearest error; E_IO when there is none
 * nearer. */
enum err err_from_errno(int number);

/* cause_set replaces the text. Returns `err`, so that a failing function can end with it. `why` may
 * be NULL. */
enum err cause_set(struct cause *why, enum err err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* cause_wrap puts "<what>: " before the text (or before err_text() if there is none). E_OK passes
 * through and leaves `why` as it is. Returns `err`. `why` may be NULL. */
enum err cause_wrap(struct cause *why, enum err err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* cause_text is the text of `why`, or err_text(err) when it is empty. */
const char *cause_text(const struct cause *why, enum err err);

#endif
