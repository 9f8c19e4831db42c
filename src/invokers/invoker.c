#include "invokers/invoker.h"

#include "invokers/toolchain.h"

#define NAMES_MAX_BYTES 256

static const struct invoker_kind *const invoker_kinds[] = {
    &invoker_http_kind,
    &invoker_rpc_kind,
};

static enum err unknown_runtime(const struct app *app, struct cause *why)
{
    struct buf names;
    buf_init(&names, NAMES_MAX_BYTES);
    buf_add(&names, SLICE("custom, "));
    toolchain_add_names(&names);
    (void)cause_set(why, E_UNSUPPORTED,
                    *app->runtime == '\0'
                        ? "local.settings.json: Values.FUNCTIONS_WORKER_RUNTIME: is not set%s; it "
                          "is one of: %s"
                        : "local.settings.json: Values.FUNCTIONS_WORKER_RUNTIME: '%s' is not "
                          "known; it is one of: %s",
                    app->runtime, buf_text(&names));
    buf_done(&names);
    return E_UNSUPPORTED;
}

enum err invoker_start(const struct invoker_options *options, struct invoker **ret,
                       struct cause *why)
{
    for (size_t i = 0; i < COUNT_OF(invoker_kinds); i++)
        if (invoker_kinds[i]->serves(options->app->runtime))
            return invoker_kinds[i]->start(options, ret, why);
    return unknown_runtime(options->app, why);
}
