/* The notation of StackExchange.Redis: `host:port,key=value,...`, and the table of its keys. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "redis/options_parser.h"

#define TEXT_MAX_BYTES 16384
#define NUMBER_MAX 2147483647
#define CONNECT_TIMEOUT_MS 5000
#define COMMAND_TIMEOUT_MS 5000
#define KEEPALIVE_S 60
#define PORT 6379
#define PORT_TLS 6380
#define PORT_SENTINEL 26379
#define VERSION_DEFAULT 0x030000
#define VERSION_AZURE 0x040000

/* What a value must be. */
enum kind { TEXT, FLAG, NUMBER, OTHER, IGNORED };

struct key {
    struct slice name;
    enum kind kind;
    size_t offset; /* of a TEXT; or of a FLAG, NO_OFFSET = read and forgotten */
    int64_t min;   /* of a NUMBER; at most NUMBER_MAX */
    enum err (*set)(struct options_parser *parser, struct slice value, int64_t number);
};
#define NO_OFFSET SIZE_MAX
#define AT(field) offsetof(struct redis_options, field)

static enum err set_database(struct options_parser *parser, struct slice value, int64_t number)
{
    (void)value;
    parser->options->database = number;
    return E_OK;
}

static enum err set_connect_timeout(struct options_parser *parser, struct slice value,
                                    int64_t number)
{
    (void)value;
    parser->options->connect_timeout_ms = (uint32_t)number;
    return E_OK;
}

static enum err set_sync_timeout(struct options_parser *parser, struct slice value, int64_t number)
{
    (void)value;
    parser->sync_ms = (uint32_t)number;
    return E_OK;
}

static enum err set_async_timeout(struct options_parser *parser, struct slice value, int64_t number)
{
    (void)value;
    parser->async_ms = (uint32_t)number;
    return E_OK;
}

static enum err set_keepalive(struct options_parser *parser, struct slice value, int64_t number)
{
    (void)value;
    parser->options->keepalive_s = number < 0 ? KEEPALIVE_S : (uint32_t)number;
    return E_OK;
}

static enum err set_tls(struct options_parser *parser, struct slice value, int64_t number)
{
    (void)value;
    parser->tls = (int)number;
    return E_OK;
}

static enum err forget(struct options_parser *parser, struct slice value, int64_t number)
{
    (void)parser;
    (void)value;
    (void)number;
    return E_OK;
}

static enum err set_tls_versions(struct options_parser *parser, struct slice value, int64_t number)
{
    struct slice rest = value;
    struct slice word;
    bool has12 = false;
    bool has13 = false;

    (void)number;
    while (slice_cut(&rest, '|', &word)) {
        word = slice_trim(word);
        if (slice_eq_nocase(word, SLICE("tls12")))
            has12 = true;
        else if (slice_eq_nocase(word, SLICE("tls13")))
            has13 = true;
        else
            return cause_set(parser->why, E_BAD_INPUT,
                             "Keyword 'sslProtocols' needs tls12, tls13 or both joined by '|', "
                             "not '%.*s'.",
                             SLICE_ARG(value));
    }
    parser->options->only_tls12 = has12 && !has13;
    parser->options->only_tls13 = has13 && !has12;
    return E_OK;
}

static enum err set_proxy(struct options_parser *parser, struct slice value, int64_t number)
{
    (void)number;
    bool is_none = slice_eq_nocase(value, SLICE("none"));
    if (!is_none && !slice_eq_nocase(value, SLICE("twemproxy")) &&
        !slice_eq_nocase(value, SLICE("envoyproxy")))
        return cause_set(parser->why, E_BAD_INPUT,
                         "Keyword 'proxy' needs none, twemproxy or envoyproxy, not '%.*s'.",
                         SLICE_ARG(value));
    parser->options->can_block = is_none;
    return E_OK;
}

static enum err set_version(struct options_parser *parser, struct slice value, int64_t number)
{
    struct slice rest = value;
    struct slice word;
    uint32_t version = 0;
    int words = 0;

    (void)number;
    while (slice_cut(&rest, '.', &word)) {
        uint64_t part;
        if (!slice_to_u64(word, &part) || part > 255 || ++words > 4)
            words = 5;
        else if (words <= 3) /* a fourth, the build, tells nothing */
            version |= (uint32_t)part << (24 - 8 * words);
    }
    if (words > 4 || version == 0)
        return cause_set(parser->why, E_BAD_INPUT,
                         "Keyword 'version' needs a version as 6.2 or 7.0.15, not '%.*s'.",
                         SLICE_ARG(value));
    parser->version = version;
    return E_OK;
}

static enum err set_protocol(struct options_parser *parser, struct slice value, int64_t number)
{
    (void)number;
    if (slice_eq_nocase(value, SLICE("resp2")) || slice_eq(value, SLICE("2")))
        parser->options->protocol = 2;
    else if (slice_eq_nocase(value, SLICE("resp3")) || slice_eq(value, SLICE("3")))
        parser->options->protocol = 3;
    else
        return cause_set(parser->why, E_BAD_INPUT,
                         "Keyword 'protocol' needs resp2 or resp3, not '%.*s'.", SLICE_ARG(value));
    return E_OK;
}

static enum err set_tunnel(struct options_parser *parser, struct slice value, int64_t number)
{
    (void)number;
    if (value.len == 0)
        return E_OK;
    return cause_set(parser->why, E_BAD_INPUT,
                     "Keyword 'tunnel' is not supported: connect to the server directly or through "
                     "a forwarded port.");
}

static const struct key keys[] = {
    {SLICE_INIT("user"), TEXT, AT(user), 0, NULL},
    {SLICE_INIT("password"), TEXT, AT(password), 0, NULL},
    {SLICE_INIT("defaultDatabase"), NUMBER, NO_OFFSET, 0, set_database},
    {SLICE_INIT("ssl"), FLAG, NO_OFFSET, 0, set_tls},
    {SLICE_INIT("sslHost"), TEXT, AT(tls_host), 0, NULL},
    {SLICE_INIT("sslProtocols"), OTHER, NO_OFFSET, 0, set_tls_versions},
    {SLICE_INIT("checkCertificateRevocation"), FLAG, AT(check_revocation), 0, NULL},
    {SLICE_INIT("name"), TEXT, AT(client_name), 0, NULL},
    {SLICE_INIT("connectTimeout"), NUMBER, NO_OFFSET, 1, set_connect_timeout},
    {SLICE_INIT("syncTimeout"), NUMBER, NO_OFFSET, 1, set_sync_timeout},
    {SLICE_INIT("asyncTimeout"), NUMBER, NO_OFFSET, 1, set_async_timeout},
    {SLICE_INIT("keepAlive"), NUMBER, NO_OFFSET, -1, set_keepalive},
    {SLICE_INIT("channelPrefix"), TEXT, AT(channel_prefix), 0, NULL},
    {SLICE_INIT("serviceName"), TEXT, AT(service_name), 0, NULL},
    {SLICE_INIT("sentinelUser"), TEXT, AT(sentinel_user), 0, NULL},
    {SLICE_INIT("sentinelPassword"), TEXT, AT(sentinel_password), 0, NULL},
    {SLICE_INIT("proxy"), OTHER, NO_OFFSET, 0, set_proxy},
    {SLICE_INIT("version"), OTHER, NO_OFFSET, 0, set_version},
    {SLICE_INIT("protocol"), OTHER, NO_OFFSET, 0, set_protocol},
    {SLICE_INIT("setlib"), FLAG, AT(set_library_name), 0, NULL},
    {SLICE_INIT("tunnel"), OTHER, NO_OFFSET, 0, set_tunnel},
    /* ours: TLS as redis-cli has it with --cacert, --cert, --key, --insecure */
    {SLICE_INIT("caFile"), TEXT, AT(ca_file), 0, NULL},
    {SLICE_INIT("certFile"), TEXT, AT(cert_file), 0, NULL},
    {SLICE_INIT("keyFile"), TEXT, AT(key_file), 0, NULL},
    {SLICE_INIT("tlsInsecure"), FLAG, AT(is_tls_insecure), 0, NULL},
    /* accepted without effect; the values must still be of their type */
    {SLICE_INIT("abortConnect"), FLAG, NO_OFFSET, 0, forget},
    {SLICE_INIT("connectRetry"), NUMBER, NO_OFFSET, 0, forget},
    {SLICE_INIT("tcpKeepAlive"), FLAG, NO_OFFSET, 0, forget},
    {SLICE_INIT("allowAdmin"), FLAG, NO_OFFSET, 0, forget},
    {SLICE_INIT("configChannel"), IGNORED, NO_OFFSET, 0, forget},
    {SLICE_INIT("configCheckSeconds"), NUMBER, NO_OFFSET, 0, forget},
    {SLICE_INIT("tiebreaker"), IGNORED, NO_OFFSET, 0, forget},
    {SLICE_INIT("resolveDns"), FLAG, NO_OFFSET, 0, forget},
    {SLICE_INIT("highIntegrity"), FLAG, NO_OFFSET, 0, forget},
    {SLICE_INIT("responseTimeout"), IGNORED, NO_OFFSET, 0, forget},
    {SLICE_INIT("writeBuffer"), IGNORED, NO_OFFSET, 0, forget},
    {SLICE_INIT("highPriorityThreads"), IGNORED, NO_OFFSET, 0, forget},
    {SLICE_INIT("preserveAsyncOrder"), IGNORED, NO_OFFSET, 0, forget},
};

void options_set_text(char **to, struct slice text)
{
    free(*to);
    *to = text.len > 0 ? slice_dup(text) : NULL;
}

static enum err set_flag(struct options_parser *parser, const struct key *key, struct slice value)
{
    bool flag;

    if (!slice_to_bool(value, &flag))
        return cause_set(parser->why, E_BAD_INPUT, "Keyword '%s' needs true or false, not '%.*s'.",
                         key->name.data, SLICE_ARG(value));
    if (key->offset == NO_OFFSET)
        return key->set(parser, value, flag);
    *(bool *)(void *)((char *)parser->options + key->offset) = flag;
    return E_OK;
}

static enum err set_number(struct options_parser *parser, const struct key *key, struct slice value)
{
    int64_t number;

    if (!slice_to_i64(value, &number) || number < key->min || number > NUMBER_MAX)
        return cause_set(parser->why, E_BAD_INPUT,
                         "Keyword '%s' needs a whole number of at least %d, not '%.*s'.",
                         key->name.data, (int)key->min, SLICE_ARG(value));
    return key->set(parser, value, number);
}

/* `$CMD=alias`: the command goes by another name on this server, or is not there. */
static enum err add_rename(struct options_parser *parser, struct slice command, struct slice alias)
{
    struct redis_options *options = parser->options;
    size_t at = parser->rename_count * 2;

    if (command.len == 0)
        return cause_set(parser->why, E_BAD_INPUT, "Keyword '$' names no command.");
    options->renames = mem_resize(options->renames, at + 3, sizeof *options->renames);
    options->renames[at] = slice_dup(command);
    for (char *c = options->renames[at]; *c != '\0'; c++)
        *c = upper_of(*c);
    options->renames[at + 1] = slice_dup(alias);
    options->renames[at + 2] = NULL;
    parser->rename_count++;
    return E_OK;
}

static const struct key *find_key(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (slice_eq_nocase(name, keys[i].name))
            return &keys[i];
    return NULL;
}

enum err options_set_key(struct options_parser *parser, struct slice name, struct slice value)
{
    if (name.len > 0 && name.data[0] == '$')
        return add_rename(parser, slice_from(name, 1), value);
    const struct key *key = find_key(name);
    if (key == NULL)
        return cause_set(parser->why, E_BAD_INPUT, "Keyword '%.*s' is not supported.",
                         SLICE_ARG(name));
    switch (key->kind) {
    case TEXT:
        options_set_text((char **)(void *)((char *)parser->options + key->offset), value);
        return E_OK;
    case FLAG:
        return set_flag(parser, key, value);
    case NUMBER:
        return set_number(parser, key, value);
    case OTHER:
    case IGNORED:
        break;
    }
    return key->set(parser, value, 0);
}

/* Endpoints are told apart by their number in messages: a comma in a password makes its tail look
 * like one. */
static enum err bad_endpoint(struct options_parser *parser, const char *what)
{
    return cause_set(parser->why, E_BAD_INPUT, "Endpoint %zu: %s.",
                     parser->options->endpoint_count + 1, what);
}

/* split_port takes host and port apart; *ret_port is SLICE_NONE if there is none. */
static bool split_port(struct slice text, struct slice *ret_host, struct slice *ret_port)
{
    size_t colon = slice_find_byte(text, ':');

    *ret_port = SLICE_NONE;
    if (text.data[0] == '[') {
        size_t end = slice_find_byte(text, ']');
        struct slice tail = slice_from(text, end + 1);
        if (end == text.len || (tail.len > 0 && tail.data[0] != ':'))
            return false;
        *ret_host = (struct slice){text.data + 1, end - 1};
        if (tail.len > 0)
            *ret_port = slice_from(tail, 1);
        return true;
    }
    *ret_host = slice_first(text, colon);
    if (slice_find_byte(slice_from(text, colon + 1), ':') < text.len - ret_host->len - 1)
        *ret_host = text; /* more than one colon: a bare IPv6 address */
    else if (colon < text.len)
        *ret_port = slice_from(text, colon + 1);
    return true;
}

enum err options_add_endpoint(struct options_parser *parser, struct slice text)
{
    struct redis_options *options = parser->options;
    struct slice host;
    struct slice port_text;
    uint64_t port = 0;

    if (options->endpoint_count == REDIS_ENDPOINTS_MAX)
        return cause_set(parser->why, E_BAD_INPUT, "More than %d endpoints.", REDIS_ENDPOINTS_MAX);
    if (text.len == 0)
        return bad_endpoint(parser, "is empty");
    struct redis_endpoint *endpoint = &options->endpoints[options->endpoint_count];
    if (text.data[0] == '!') {
        if (text.len == 1)
            return bad_endpoint(parser, "'!' must be followed by the path of a unix socket");
        endpoint->path = slice_dup(slice_from(text, 1));
        options->endpoint_count++;
        return E_OK;
    }
    if (!split_port(text, &host, &port_text) || host.len == 0)
        return bad_endpoint(parser, "must be host, host:port, [ipv6]:port or !path");
    if (port_text.data != NULL &&
        (!slice_to_u64(port_text, &port) || port == 0 || port > UINT16_MAX))
        return bad_endpoint(parser, "the port must be a number from 1 to 65535");
    endpoint->host = slice_dup(host);
    endpoint->port = (uint16_t)port;
    options->endpoint_count++;
    return E_OK;
}

static enum err parse_tokens(struct options_parser *parser, struct slice text)
{
    struct slice token;

    while (slice_cut(&text, ',', &token)) {
        token = slice_trim(token);
        size_t equals = slice_find_byte(token, '=');
        enum err err = E_OK;
        if (token.len == 0)
            continue;
        if (equals == token.len || token.data[0] == '!')
            err = options_add_endpoint(parser, token);
        else
            err = options_set_key(parser, slice_trim(slice_first(token, equals)),
                                  slice_trim(slice_from(token, equals + 1)));
        if (err)
            return err;
    }
    return E_OK;
}

static bool is_azure(const char *host)
{
    static const struct slice domains[] = {
        SLICE_INIT(".redis.cache.windows.net"),         SLICE_INIT(".redis.cache.chinacloudapi.cn"),
        SLICE_INIT(".redis.cache.usgovcloudapi.net"),   SLICE_INIT(".redis.cache.cloudapi.de"),
        SLICE_INIT(".redisenterprise.cache.azure.net"),
    };

    for (size_t i = 0; i < COUNT_OF(domains); i++)
        if (host != NULL && slice_has_suffix_nocase(slice_of(host), domains[i]))
            return true;
    return false;
}

/* Defaults that depend on the rest of the text. */
static void complete_endpoints(struct redis_options *options)
{
    uint16_t port = options->is_tls ? PORT_TLS : PORT;

    if (options->service_name != NULL)
        port = PORT_SENTINEL;
    for (size_t i = 0; i < options->endpoint_count; i++)
        if (options->endpoints[i].host != NULL && options->endpoints[i].port == 0)
            options->endpoints[i].port = port;
}

static void complete_azure(struct options_parser *parser)
{
    struct redis_options *options = parser->options;

    for (size_t i = 0; i < options->endpoint_count; i++) {
        if (!is_azure(options->endpoints[i].host))
            continue;
        options->assumed_version = VERSION_AZURE;
        if (options->endpoints[i].port == PORT_TLS && parser->tls < 0)
            options->is_tls = true;
    }
}

static enum err complete(struct options_parser *parser)
{
    struct redis_options *options = parser->options;

    if (options->endpoint_count == 0)
        return cause_set(parser->why, E_BAD_INPUT, "No endpoint is named.");
    options->is_tls = parser->tls == 1;
    options->assumed_version = VERSION_DEFAULT;
    complete_azure(parser);
    complete_endpoints(options);
    if (parser->sync_ms > 0)
        options->command_timeout_ms = parser->sync_ms;
    if (parser->async_ms > 0)
        options->command_timeout_ms = parser->async_ms;
    if (parser->version > 0)
        options->assumed_version = parser->version;
    if (options->channel_prefix == NULL)
        options->channel_prefix = slice_dup(SLICE(""));
    return E_OK;
}

enum err redis_options_parse(struct slice text, struct redis_options **ret, struct cause *why)
{
    struct options_parser parser = {.why = why, .tls = -1};
    enum err err;

    text = slice_trim(text);
    if (text.len > TEXT_MAX_BYTES || slice_find_byte(text, '\0') < text.len)
        return cause_set(why, E_BAD_INPUT, "The connection string is too long or holds a NUL.");
    parser.options = mem_new(struct redis_options);
    *parser.options = (struct redis_options){.refs = 1,
                                             .check_revocation = true,
                                             .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                             .command_timeout_ms = COMMAND_TIMEOUT_MS,
                                             .keepalive_s = KEEPALIVE_S,
                                             .can_block = true,
                                             .set_library_name = true};
    err = options_is_url(text) ? options_parse_url(&parser, text) : parse_tokens(&parser, text);
    if (err == E_OK)
        err = complete(&parser);
    if (err)
        redis_options_unref(parser.options);
    else
        *ret = parser.options;
    return err;
}
