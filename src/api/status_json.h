/* api/status_json.h - what is known about a function, as JSON. */
#ifndef API_STATUS_JSON_H
#define API_STATUS_JSON_H

#include "base/buf.h"
#include "functions/host.h"

/* One object with all that a status page shows. */
void status_json(struct buf *out, const struct function_status *status);
/* What an outside scaler reads: numbers by name. */
void status_scale_json(struct buf *out, const struct function_status *status);
/* The array of all functions. */
void status_list_json(struct buf *out, struct host *host);

#endif
