#include "arm/subscription_errand.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/changing.h"
#include "arm/accepted.h"
#include "arm/arm_internal.h"
#include "arm/subscription_body.h"
#include "event/name.h"
#include "router/document.h"
#include "router/resource_id.h"
#include "router/source_topic.h"
#include "json/member.h"

#define URL_ROOM_BYTES 4096
#define SETTINGS_MAX_BYTES RESOURCE_MAX_BYTES

/* ---- what was asked for, as the record has it ---- */

struct asked {
    char *scope, *name, *url;
    struct buf properties; /* text in the record, so that numbers keep their digits */
    bool is_patch;
};

static void write_asked(struct buf *out, const struct arm_call *call,
                        const struct subscription_asked *asked)
{
    struct buf url;

    buf_init(&url, URL_ROOM_BYTES);
    http_request_add_url(&url, call->request);
    member_text(out, "scope", asked->scope);
    member_text(out, "name", asked->name);
    member_text(out, "url", buf_slice(&url));
    member_text(out, "properties", asked->properties);
    member_bool(out, "isPatch", asked->is_patch);
    buf_add_byte(out, '}');
    buf_done(&url);
}

static void read_asked(const struct errand *errand, struct asked *ret)
{
    struct slice arguments = slice_of(errand->record.arguments);
    struct slice properties = jx_scan_member(arguments, SLICE("properties"));

    ret->scope = document_text(arguments, "scope");
    ret->name = document_text(arguments, "name");
    ret->url = document_text(arguments, "url");
    ret->is_patch = slice_eq(jx_scan_member(arguments, SLICE("isPatch")), SLICE("true"));
    buf_init(&ret->properties, SETTINGS_MAX_BYTES);
    if (properties.len > 0)
        jx_scan_add_string(&ret->properties, properties);
}

static void asked_done(struct asked *asked)
{
    free(asked->scope);
    free(asked->name);
    free(asked->url);
    buf_done(&asked->properties);
}

/* ---- the system topic ---- */

static void begin(struct errand *errand);

static void on_topic(struct op *op, enum err err)
{
    struct errand *errand = container_of(op, struct errand, change.op);
    const struct cause why = op->why;

    if (err == E_OK)
        begin(errand);
    else if (err == E_EXISTS)
        errand_again(errand); /* somebody else makes it */
    else
        errand_end(errand, err, &why);
}

/* What is wrong with it, before a topic is made for it. */
static enum err check(const struct errand *errand, const struct asked *asked,
                      const struct arm_scope *scope, struct cause *why)
{
    struct jx_audit audit;
    struct topic topic;

    enum err err = subscription_name_check(slice_of(asked->name), why);
    if (err != E_OK)
        return cause_wrap(why, err, "name");
    topic_init(&topic, SLICE("-"), SLICE("-"));
    topic.source = slice_dup(slice_of(asked->scope));
    topic.type = slice_dup(slice_of(scope->source->type));
    const struct subscription_rules rules =
        catalog_rules(router_catalog(errand->arm->router), &topic);
    jx_audit_init(&audit);
    subscription_audit(&rules, buf_slice(&asked->properties), &audit);
    if (audit.count > 0)
        err = cause_set(why, E_BAD_INPUT, "%s: %s", audit.mistakes[0].path, audit.mistakes[0].text);
    jx_audit_done(&audit);
    topic_done(&topic);
    return err;
}

static void begin_topic(struct errand *errand, const struct asked *asked,
                        const struct arm_scope *scope)
{
    struct cause why = {0};

    enum err err = check(errand, asked, scope, &why);
    if (err != E_OK) {
        errand_end(errand, err, &why);
        return;
    }
    errand->change = (struct change){.op.done = on_topic};
    err = source_topic_make(errand->arm->router, scope->document, &errand->change);
    if (err == E_EXISTS)
        errand_again(errand);
    else if (err != E_OK)
        errand_end(errand, err, &errand->change.op.why);
}

/* ---- the subscription ---- */

static void on_changed(struct op *op, enum err err)
{
    struct errand *errand = container_of(op, struct errand, change.op);
    const struct cause why = op->why;

    errand_end(errand, err, &why);
}

static void write_body(struct errand *errand, const struct scope *scope, struct slice name)
{
    const char *state = errand->change.before != NULL ? "Updating" : "Creating";

    arm_subscription_open(&errand->body, scope, name, state);
    change_write_properties(&errand->body, &errand->change);
    arm_subscription_close(&errand->body);
}

static void begin_subscription(struct errand *errand, const struct asked *asked,
                               const struct scope *scope)
{
    struct slice owner = slice_of(topic_scope(scope->topic));

    errand->change = (struct change){.op.done = on_changed};
    enum err err =
        change_subscription(router_changes(errand->arm->router),
                            &(struct change_request){.scope = owner,
                                                     .name = slice_of(asked->name),
                                                     .properties = buf_slice(&asked->properties),
                                                     .url = slice_of(asked->url),
                                                     .is_patch = asked->is_patch},
                            &errand->change);
    if (err != E_OK) {
        errand_end(errand, err, &errand->change.op.why);
        return;
    }
    if (!errand->is_recorded)
        write_body(errand, scope, slice_of(asked->name));
    errand_record(errand);
}

static void begin(struct errand *errand)
{
    struct arm_scope scope;
    struct asked asked;
    struct cause why;

    read_asked(errand, &asked);
    if (buf_err(&asked.properties) != E_OK || asked.scope == NULL || asked.name == NULL) {
        errand_end(errand, cause_set(&why, E_LIMIT, "it says more than can be kept"), &why);
    } else if (!arm_scope_find(errand->arm->router, slice_of(asked.scope), &scope)) {
        errand_end(errand, cause_set(&why, E_NOT_FOUND, "there is no %s", asked.scope), &why);
    } else if (scope.scope == NULL) {
        begin_topic(errand, &asked, &scope);
    } else {
        begin_subscription(errand, &asked, scope.scope);
    }
    asked_done(&asked);
}

const struct errand_kind subscription_errand = {.name = "putEventSubscription", .run = begin};

/* The body stays, for those who ask before it has ended. */
static void answer(struct errand *errand)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    buf_add(&body, buf_slice(&errand->body));
    buf_add_byte(&body, '\n');
    accepted_answer(errand->request,
                    &(struct accepted){ACCEPTED_PUT, 201, slice_of(errand->record.resource),
                                       slice_of(errand->record.id)},
                    &body);
}

void subscription_errand_start(const struct arm_call *call, const struct subscription_asked *asked)
{
    struct buf text;

    buf_init(&text, RESOURCE_ID_MAX_BYTES);
    resource_id_subscription(&text, asked->scope, asked->name);
    struct errand *errand =
        errand_new(call->arm, &subscription_errand, call->request, buf_slice(&text));
    buf_done(&text);
    errand->answer = answer;
    buf_init(&text, SETTINGS_MAX_BYTES);
    write_asked(&text, call, asked);
    errand->record.arguments = buf_detach(&text); /* NULL if it is too much */
    errand_start(errand);
}
