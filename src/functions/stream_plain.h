/* functions/stream_plain.h - the programs of plain commands behind the scripts of streams. To
 * remove a consumer has none: what it was given meanwhile would be dropped. */
#ifndef FUNCTIONS_STREAM_PLAIN_H
#define FUNCTIONS_STREAM_PLAIN_H

#include "functions/script.h"

void stream_plain_keep(struct plain *p);
void stream_plain_ack_delete(struct plain *p);
void stream_plain_bury(struct plain *p);
void stream_plain_look(struct plain *p);

#endif
