/* json/audit.h - all mistakes of a JSON value, not only the first, and the members that nobody
 * knows.
 * Rules: a reader whose views have an audit (jx_view.audit) notes there each mistake and each name
 * that it asks for; jx_audit_unknown() then notes the members that were not asked for. So what a
 * reader understands is said once, in the reader. Paths are `a.b[2].c`. */
#ifndef JSON_AUDIT_H
#define JSON_AUDIT_H

#include "base/buf.h"

#define JX_MISTAKES_MAX 100 /* more are not noted */

struct jx_mistake {
    char *path; /* "" = the whole */
    char *text;
};

struct jx_audit {
    struct jx_mistake mistakes[JX_MISTAKES_MAX];
    size_t count;
    struct jx_asked {
        char *path; /* of the object */
        char *name; /* NULL: whatever it holds is not judged */
    } * asked;
    size_t asked_count, asked_room;
};

void jx_audit_init(struct jx_audit *audit);
void jx_audit_done(struct jx_audit *audit);

/* jx_audit_note notes a mistake, unless there is one already at this place, around it or inside of
 * it: one fault is told once. `path` and `field` may each be "". */
void jx_audit_note(struct jx_audit *audit, const char *path, const char *field, const char *text);
/* jx_audit_note_cause notes the text of a cause, "a[2]: b: is missing", whose head is the path from
 * `path` on. */
void jx_audit_note_cause(struct jx_audit *audit, const char *path, const char *text);

/* jx_audit_move adds to an audit the mistakes of another, of something that lies at `path`, and
 * ends that one. */
void jx_audit_move(struct jx_audit *to, struct jx_audit *from, const char *path);

/* What the reader knows of the object at `path`. Both do nothing if the audit is NULL. */
void jx_audit_ask(struct jx_audit *audit, const char *path, const char *name);
void jx_audit_skip(struct jx_audit *audit, const char *path); /* it cannot tell */
/* jx_audit_unknown notes the members of `json`, a valid value, that nobody asked for. Objects of
 * which nobody asked anything are left alone. */
void jx_audit_unknown(struct jx_audit *audit, struct slice json);

#endif
