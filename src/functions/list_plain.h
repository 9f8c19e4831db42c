/* functions/list_plain.h - the programs of plain commands behind the scripts of lists. */
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

#endif
