/* Closing: HTTP, then HTTPS, then freed. */
#include "server/listeners.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "config/settings.h"
#include "loop/authority.h"
#include "loop/loop.h"
#include "store/datadir.h"
#include "json/member.h"

#define OFF "off"
#define URL_MAX_BYTES 8192
#define PATH_MAX_BYTES (DATADIR_PATH_MAX_BYTES + 32)

struct listeners {
    struct listeners_options options;
    struct http_server *http, *https; /* NULL: not served, or closed */
    uint16_t http_port, https_port;
    struct op step, *closed;
    uint32_t grace_ms;
    enum err result;
};

static const char *text(const struct listeners *listeners, enum setting_id id)
{
    return settings_text(listeners->options.settings, id);
}

static enum err explain(enum err err, enum setting_id id, const char *address, struct cause *why)
{
    const char *name = setting_rows[id].name, *flag = setting_rows[id].flag;

    if (err == E_EXISTS)
        return cause_set(why, err, "%s: %s is taken: choose another address with %s", name, address,
                         flag);
    if (err == E_DENIED)
        return cause_set(why, err,
                         "%s: %s is not allowed to this user, as ports below 1024 often are: "
                         "choose another address with %s",
                         name, address, flag);
    return cause_wrap(why, err, "%s", name);
}

static enum err open_one(struct listeners *listeners, enum setting_id id, const char *cert_file,
                         const char *key_file, struct http_server **ret, struct cause *why)
{
    const struct listeners_options *options = &listeners->options;
    const char *address = text(listeners, id);
    enum err err = http_server_start(
        options->loop,
        &(struct http_server_options){
            .address = address,
            .url = cert_file == NULL ? text(listeners, SETTING_PUBLIC_URL_ID) : NULL,
            .cert_file = cert_file,
            .key_file = key_file,
            .handler = options->handler,
            .begin = options->begin,
            .ctx = options->ctx,
            .body_max_bytes = options->body_max_bytes},
        ret, why);
    return err == E_OK ? E_OK : explain(err, id, address, why);
}

/* ---- HTTPS ---- */

/* What clients call this machine: the names of the loopback, what it listens on, and what the
 * operator says. */
enum err listeners_certificate(const struct settings *settings, const char *folder,
                               struct cause *why)
{
    const char *names[5 + 2 * SETTING_LIST_MAX + 1] = {"localhost", "127.0.0.1", "::1"};
    const char *const *said = settings_list(settings, SETTING_LISTEN_NAMES_ID);
    const char *const *caches = settings_list(settings, SETTING_CACHES_ADDRESS_ID);
    size_t count = 3;
    char *host = NULL;
    enum err err = folder_make(folder, why);

    if (err != E_OK)
        return err;
    (void)settings_address(slice_of(settings_text(settings, SETTING_LISTEN_HTTPS_ID)), &host, NULL);
    if (host != NULL && strcmp(host, "0.0.0.0") != 0 && strcmp(host, "::") != 0)
        names[count++] = host;
    for (; *said != NULL; said++)
        names[count++] = *said;
    for (; *caches != NULL; caches++)
        names[count++] = *caches;
    if (settings_text(settings, SETTING_CACHES_HOST_NAME_ID)[0] != '\0')
        names[count++] = settings_text(settings, SETTING_CACHES_HOST_NAME_ID);
    err = authority_open(folder, names, why);
    free(host);
    return err == E_BAD_INPUT || err == E_LIMIT ? cause_wrap(why, err, "listen.names") : err;
}

static bool is_optional(const struct listeners *listeners)
{
    return settings_source(listeners->options.settings, SETTING_LISTEN_HTTPS_ID) == SETTING_DEFAULT;
}

static enum err open_https(struct listeners *listeners, struct cause *why)
{
    char folder[PATH_MAX_BYTES], cert_file[PATH_MAX_BYTES + 16], key_file[PATH_MAX_BYTES + 16];

    if (strcmp(text(listeners, SETTING_LISTEN_HTTPS_ID), OFF) == 0)
        return E_OK;
    snprintf(folder, sizeof folder, "%s/tls", listeners->options.data);
    snprintf(cert_file, sizeof cert_file, "%s/" AUTHORITY_CERTIFICATE, folder);
    snprintf(key_file, sizeof key_file, "%s/" AUTHORITY_KEY, folder);
    const char *own_cert = text(listeners, SETTING_LISTEN_CERT_ID);
    bool is_own = own_cert[0] != '\0';
    enum err err = is_own ? E_OK : listeners_certificate(listeners->options.settings, folder, why);
    if (err == E_OK)
        err = open_one(listeners, SETTING_LISTEN_HTTPS_ID, is_own ? own_cert : cert_file,
                       is_own ? text(listeners, SETTING_LISTEN_KEY_ID) : key_file,
                       &listeners->https, why);
    if (err == E_EXISTS && is_optional(listeners)) {
        log_warn("SERVER-HTTPS", "nothing is served by HTTPS: %s", cause_text(why, err));
        return E_OK;
    }
    if (err == E_OK)
        listeners->https_port = http_server_port(listeners->https);
    return err;
}

/* ---- exported ---- */

enum err listeners_open(const struct listeners_options *options, struct listeners **ret,
                        struct cause *why)
{
    struct listeners *listeners = mem_new(struct listeners);

    listeners->options = *options;
    enum err err = open_one(listeners, SETTING_LISTEN_ID, NULL, NULL, &listeners->http, why);
    if (err != E_OK) {
        free(listeners);
        return err;
    }
    listeners->http_port = http_server_port(listeners->http);
    *ret = listeners; /* also after a failure below: there is something to be closed */
    if (settings_is_open(options->settings, SETTING_LISTEN_ID))
        log_warn("SERVER-OPEN",
                 "listening on %s: callers must send the token, which travels unencrypted: use "
                 "HTTPS, or put a TLS proxy in front",
                 text(listeners, SETTING_LISTEN_ID));
    return open_https(listeners, why);
}

uint16_t listeners_http_port(const struct listeners *listeners)
{
    return listeners->http_port;
}

uint16_t listeners_https_port(const struct listeners *listeners)
{
    return listeners->https_port;
}

static void write_url(struct buf *out, const char *scheme, const char *address, uint16_t port)
{
    buf_addf(out, "%s://%.*s:%u", scheme, (int)(strrchr(address, ':') - address), address,
             (unsigned)port);
}

void listeners_write_url(struct buf *out, const struct listeners *listeners)
{
    const char *url = text(listeners, SETTING_PUBLIC_URL_ID);

    if (url[0] != '\0')
        buf_add(out, slice_of(url));
    else
        write_url(out, "http", text(listeners, SETTING_LISTEN_ID), listeners->http_port);
}

void listeners_write_https(struct buf *out, const struct listeners *listeners)
{
    if (listeners->https_port > 0)
        write_url(out, "https", text(listeners, SETTING_LISTEN_HTTPS_ID), listeners->https_port);
}

void listeners_describe(struct buf *out, const struct listeners *listeners)
{
    struct buf url;

    buf_init(&url, URL_MAX_BYTES);
    listeners_write_url(&url, listeners);
    member_text(out, "url", buf_slice(&url));
    buf_clear(&url);
    listeners_write_https(&url, listeners);
    member_text(out, "httpsUrl", buf_slice(&url));
    buf_done(&url);
}

void listeners_reload(struct listeners *listeners)
{
    struct cause why = {0};

    enum err err = listeners->https != NULL ? http_server_reload(listeners->https, &why) : E_OK;
    if (err != E_OK)
        log_error("SERVER-CERTIFICATE", "%s; HTTPS goes on with the certificate it has",
                  cause_text(&why, err));
}

/* ---- closing ---- */

static void on_closed(struct op *op, enum err err)
{
    struct listeners *listeners = container_of(op, struct listeners, step);
    struct http_server *next = listeners->http != NULL ? listeners->http : listeners->https;

    if (err != E_OK)
        listeners->result = err;
    if (next != NULL) {
        if (listeners->http != NULL)
            listeners->http = NULL;
        else
            listeners->https = NULL;
        http_server_close(next, listeners->grace_ms, &listeners->step);
        return;
    }
    struct op *closed = listeners->closed;
    enum err result = listeners->result;
    free(listeners);
    op_end(closed, result);
}

void listeners_close(struct listeners *listeners, uint32_t grace_ms, struct op *op)
{
    op_begin(op, NULL, listeners);
    listeners->closed = op;
    listeners->grace_ms = grace_ms;
    listeners->step = (struct op){.done = on_closed};
    loop_later(listeners->options.loop, &listeners->step, E_OK);
}
