/* router/identity.h - who this server is: the key that its bearer tokens are signed with, and the
 * tokens made and checked with it (event/token.h).
 * Rules: one key for all nodes of a store (store/secret.h): the first node makes it. Until the
 * store has told, this node's own is used. */
#ifndef ROUTER_IDENTITY_H
#define ROUTER_IDENTITY_H

#include "event/subscription.h"
#include "event/token.h"

struct identity;
struct loop;
struct op;
struct redis;

#define IDENTITY_TENANT "00000000-0000-0000-0000-000000000002"
#define IDENTITY_CLIENT "00000000-0000-0000-0000-000000000003"
#define IDENTITY_TOKEN_S 86400 /* how long one is in force */

/* identity_start: `redis` is the store's, borrowed; `url` is that of this server, copied. Tokens
 * can be made at once; asking the store is tried until it answers. */
struct identity *identity_start(struct loop *loop, struct redis *redis, const char *url);
/* identity_stop: the op ends with E_OK when nothing is under way; then identity_free. */
void identity_stop(struct identity *identity, struct op *op);
void identity_free(struct identity *identity);

/* Who a token is for. */
struct identity_request {
    struct slice audience;
    struct slice tenant; /* SLICE_NONE = none */
    uint64_t now_unix_s;
};
void identity_write_token(struct buf *out, const struct identity *identity,
                          const struct identity_request *request);
/* identity_write_bearer appends "Bearer TOKEN" if the destination wants to be shown who calls;
 * false if it does not. */
#define IDENTITY_BEARER_MAX_BYTES 8192
bool identity_write_bearer(struct buf *out, const struct identity *identity,
                           const struct destination *destination, uint64_t now_unix_s);
/* identity_round counts the keys there were: a token that is kept is stale when it has changed. */
unsigned identity_round(const struct identity *identity);
/* identity_write_keys appends the set of public keys: {"keys":[..]}. */
void identity_write_keys(struct buf *out, const struct identity *identity);
/* The issuer in tokens: "URL/adfs". */
struct slice identity_issuer(const struct identity *identity);
/* identity_verify: is it a token of this server for this audience, in force now? E_OK; or E_DENIED
 * with a text for the client. */
enum err identity_verify(const struct identity *identity, struct slice token, struct slice audience,
                         struct cause *why);

#endif
