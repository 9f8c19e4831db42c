/* caches/saving.h - a server writes all that it holds to its folder, once, because somebody asks.
 * Rules: a save or rewrite that runs already is waited for, and then there is one more: what is on
 * the disk has all that was in the server at the call. There is no limit of time; one that hangs is
 * killed by its watch. Both: later E_OK; E_IO: the server could not, its log says why; else as
 * member_talk(), or E_CANCELED: aborted, and the server goes on with it by itself. */
#ifndef CACHES_SAVING_H
#define CACHES_SAVING_H

#include "caches/member.h"

/* saving_dump makes `dump.rdb`. */
void saving_dump(struct loop *loop, struct member *member, struct op *op);
/* saving_log turns the append-only file on, if it is not, and waits until it has all. */
void saving_log(struct loop *loop, struct member *member, struct op *op);

#endif
