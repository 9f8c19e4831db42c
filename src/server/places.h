/* server/places.h - where what belongs to the program lies: beside it in a build tree, or
 * installed. */
#ifndef SERVER_PLACES_H
#define SERVER_PLACES_H

/* places_workers finds the built-in language workers: workers/ beside the program, or
 * ../libexec/redgrid/workers. free() ends it; NULL if there is neither. */
char *places_workers(void);
/* places_include finds the folder of redgrid/function.h: include/ beside the program, or
 * ../include. free() ends it; NULL if there is neither. */
char *places_include(void);

#endif
