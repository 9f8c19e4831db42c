/* api/parameter.h - numbers in the query of a request. */
#ifndef API_PARAMETER_H
#define API_PARAMETER_H

#include "event/refusal.h"
#include "http/server.h"

struct parameter {
    const char *name;
    uint64_t absent; /* what holds without it */
    uint64_t min, max;
};

/* parameter_read: E_OK and *ret; or the error of the refusal in `why`, which names it. */
enum err parameter_read(const struct http_request *request, const struct parameter *parameter,
                        uint64_t *ret, struct refusal *why);

#endif
