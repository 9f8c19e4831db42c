/* functions/list_plain.h - the programs of plain commands behind the scripts of lists: those for
 * elements in list_plain.c, those of the tender in list_tender_plain.c. */
#ifndef FUNCTIONS_LIST_PLAIN_H
#define FUNCTIONS_LIST_PLAIN_H

#include "functions/script.h"

void list_plain_fetch(struct plain *p);
void list_plain_pop(struct plain *p);
void list_plain_ack(struct plain *p);
void list_plain_bury(struct plain *p);
void list_plain_look(struct plain *p);

void list_plain_beat(struct plain *p);
void list_plain_find(struct plain *p);
void list_plain_recover(struct plain *p);
void list_plain_return(struct plain *p);

/* What both files need. A side is "1" where the head is popped. */
bool list_is_head(struct slice side);
bool list_can_move(struct plain *p); /* false: the program has failed, and says why */
void list_ask_move(struct plain *p, struct slice from, struct slice to, bool from_left);
/* list_letter writes XADD letters * fields element <element>, the fields being ARGV from `first`
 * on: p->arg_count - first + 5 slices. */
struct slice *list_letter(struct plain *p, struct slice letters, size_t first,
                          struct slice element);

#endif
