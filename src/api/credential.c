#include "api/credential.h"

#include "base/clock.h"
#include "router/identity.h"

#define URL_ROOM_BYTES 2048

enum kind { NOTHING, KEY, TOKEN, BEARER };

struct credential {
    enum kind kind;
    struct slice text;
};

static struct credential authorization_of(struct slice header)
{
    static const struct {
        const char *scheme;
        enum kind kind;
    } rows[] = {
        {"SharedAccessSignature ", TOKEN},
        {"Bearer ", BEARER},
        {"SharedAccessKey ", KEY},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice scheme = slice_of(rows[i].scheme);
        if (slice_has_prefix_nocase(header, scheme))
            return (struct credential){rows[i].kind, slice_trim(slice_from(header, scheme.len))};
    }
    return (struct credential){NOTHING, SLICE_NONE};
}

static struct credential credential_of(const struct http_request *request)
{
    struct slice key = http_request_header(request, SLICE("aeg-sas-key"));
    struct slice token = http_request_header(request, SLICE("aeg-sas-token"));

    if (key.data == NULL)
        key = http_request_parameter(request, SLICE("aeg-sas-key"));
    if (key.data != NULL)
        return (struct credential){KEY, key};
    if (token.data != NULL)
        return (struct credential){TOKEN, token};
    return authorization_of(http_request_header(request, SLICE("Authorization")));
}

/* The URL that a token was made for, as the client sees it. */
static struct slice url_of(const struct http_request *request, struct buf *room)
{
    http_request_add_url(room, request);
    buf_add(room, http_request_path(request));
    return buf_slice(room);
}

static enum err check_token(const struct http_request *request, const struct topic *topic,
                            struct slice token, struct cause *why)
{
    char bytes[URL_ROOM_BYTES];
    struct buf room = {.data = bytes, .cap = sizeof bytes, .max_bytes = sizeof bytes};
    struct slice url = url_of(request, &room);

    if (buf_err(&room))
        return cause_set(why, E_DENIED, "The request's URL is too long for a token.");
    return sas_verify(&topic->keys, token, url, clock_unix_ms(), why);
}

static enum err refuse_credential(const struct http_request *request, const struct cause *cause,
                                  struct refusal *why)
{
    char room[256];
    struct buf host = {.data = room, .cap = sizeof room, .max_bytes = sizeof room};

    buf_add_upper(&host, slice_first(http_request_header(request, SLICE("Host")), sizeof room));
    return refuse(why, REFUSAL_UNAUTHORIZED,
                  "The request authorization key is not authorized for %.*s. This is due to the "
                  "reason: %s",
                  SLICE_ARG(buf_slice(&host)), cause->text);
}

/* Keys, and tokens made of them. */
static enum err check_local(const struct http_request *request, const struct topic *topic,
                            struct credential given, struct refusal *why)
{
    struct cause cause = {0};

    if (given.kind == KEY && given.text.len == 0)
        return refuse(why, REFUSAL_SAS, "Request must have a value for aeg-sas-key.");
    if (topic->is_local_auth_disabled)
        return refuse(why, REFUSAL_UNAUTHORIZED,
                      "Keys and SAS tokens are disabled for this topic (disableLocalAuth).");
    enum err err = given.kind == KEY ? access_keys_fit(&topic->keys, given.text, &cause)
                                     : check_token(request, topic, given.text, &cause);
    return err == E_OK ? E_OK : refuse_credential(request, &cause, why);
}

static enum err check_bearer(const struct identity *identity, struct slice token,
                             struct refusal *why)
{
    struct cause cause = {0};

    if (identity_verify(identity, token, SLICE(TOKEN_AUDIENCE_PUBLISH), &cause) == E_OK)
        return E_OK;
    return refuse(why, REFUSAL_UNAUTHORIZED, "The bearer token is not accepted: %s", cause.text);
}

enum err credential_check(const struct http_request *request, const struct topic *topic,
                          const struct identity *identity, struct refusal *why)
{
    struct credential given = credential_of(request);

    switch (given.kind) {
    case KEY:
    case TOKEN:
        return check_local(request, topic, given, why);
    case BEARER:
        return check_bearer(identity, given.text, why);
    case NOTHING:
        break;
    }
    return refuse(why, REFUSAL_UNAUTHORIZED,
                  "Request must contain one of the following authorization signature: "
                  "aeg-sas-token, aeg-sas-key.");
}
