/* arm/accepted.h - answers to requests whose work goes on: where to ask how it is (azure-api.md 4).
 * Every unfinished answer has Retry-After: 1; clients wait for half a minute without. */
#ifndef ARM_ACCEPTED_H
#define ARM_ACCEPTED_H

#include "http/server.h"

enum accepted_form {
    ACCEPTED_PUT,    /* Azure-AsyncOperation names the operation, Location the resource */
    ACCEPTED_CACHE,  /* the same, for caches, whose operations have another name */
    ACCEPTED_ACTION, /* of POST and DELETE: both name the operation */
    ACCEPTED_GROUP,  /* Location alone, which names the operation */
};

struct accepted {
    enum accepted_form form;
    int status;             /* 200, 201, 202 */
    struct slice resource;  /* its id */
    struct slice operation; /* its GUID */
};

/* accepted_answer answers the request; `body` NULL = with nothing. */
void accepted_answer(struct http_request *request, const struct accepted *accepted,
                     struct buf *body);
/* accepted_retry_after is the header alone. */
void accepted_retry_after(struct http_request *request);

#endif
