#include "server/front.h"

#include "config/settings.h"

static struct principal_settings principal_of(const struct settings *settings)
{
    return (struct principal_settings){
        .client = settings_text(settings, SETTING_AZURE_CLIENT_ID_ID),
        .secret = settings_text(settings, SETTING_AZURE_CLIENT_SECRET_ID),
        .token = settings_text(settings, SETTING_LISTEN_TOKEN_ID)};
}

void front_open(struct front *front, const struct front_options *options)
{
    struct api_options api = options->api;
    bool is_certified = settings_text(options->settings, SETTING_LISTEN_CERT_ID)[0] != '\0';

    front->arm = arm_new(&(struct arm_options){.loop = api.loop,
                                               .node = options->node,
                                               .data = options->data,
                                               .is_certified = is_certified,
                                               .principal = principal_of(options->settings),
                                               .is_gone = options->is_gone,
                                               .ctx = api.program.ctx});
    api.token = settings_text(options->settings, SETTING_LISTEN_TOKEN_ID);
    api.rest = arm_handle;
    api.rest_ctx = front->arm;
    front->api = api_new(&api);
}

enum err front_listen(const struct front *front, const struct listeners_options *options,
                      struct listeners **ret, struct cause *why)
{
    struct listeners_options own = *options;

    own.handler = api_handle;
    own.begin = api_begin;
    own.ctx = front->api;
    enum err err = listeners_open(&own, ret, why);
    if (err == E_OK)
        arm_ports(front->arm, listeners_http_port(*ret), listeners_https_port(*ret));
    return err;
}

void front_reload(const struct front *front, const struct settings *settings,
                  struct listeners *listeners)
{
    struct principal_settings principal = principal_of(settings);

    api_token(front->api, principal.token);
    arm_principal(front->arm, &principal);
    listeners_reload(listeners);
}

void front_host(const struct front *front, struct host *host)
{
    api_host(front->api, host);
}

void front_router(const struct front *front, struct router *router, struct caches *caches)
{
    api_router(front->api, router);
    arm_router(front->arm, router, caches);
}

void front_close(struct front *front)
{
    api_free(front->api);
    arm_free(front->arm);
    *front = (struct front){0};
}
