/* caches/member_log.h - what a server logs, in the file `log` of its folder: copied to our log, and
 * its last words. Rules: a server may outlive us, so it writes to a file, and we read behind it. */
#ifndef CACHES_MEMBER_LOG_H
#define CACHES_MEMBER_LOG_H

#include "base/buf.h"
#include "store/last_words.h"

#define MEMBER_LOG_FILE "log"

struct member_log {
    const char *name; /* "orders/n1" */
    int fd;           /* -1 = not open */
    uint64_t at;      /* up to here it has been read */
    struct buf part;  /* of a line that is not complete */
    struct last_words words;
    bool has_crashed; /* what follows is the report of a crash: it stands in the words */
};

void member_log_init(struct member_log *log, const char *name);
void member_log_done(struct member_log *log);
/* member_log_open makes the file if it is not there; what stands in it is passed over, but for its
 * last words. It is fine as a server's output. E_IO, E_DENIED. */
enum err member_log_open(struct member_log *log, const char *folder, struct cause *why);
void member_log_forget(struct member_log *log); /* the words */
void member_log_close(struct member_log *log);  /* keeps the words */
/* member_log_read copies what has come; `is_last`: the server has ended, nothing follows. */
void member_log_read(struct member_log *log, bool is_last);

#endif
