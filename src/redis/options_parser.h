/* redis/options_parser.h - what the two notations of a connection string have in common; private to
 * options*.c. */
#ifndef REDIS_OPTIONS_PARSER_H
#define REDIS_OPTIONS_PARSER_H

#include "redis/options.h"

/* The options so far, and what can only be decided when all of the text was read. */
struct options_parser {
    struct redis_options *options; /* the parser's, until it is handed out */
    struct cause *why;
    int tls;                    /* -1 = not said */
    uint32_t sync_ms, async_ms; /* 0 = not said */
    uint32_t version;           /* 0 = not said */
    size_t rename_count;
};

/* options_set_key takes one `key=value`. E_BAD_INPUT: unknown key, or a value of the wrong type. */
enum err options_set_key(struct options_parser *parser, struct slice key, struct slice value);
/* options_add_endpoint takes host, host:port, [ipv6]:port or !path. */
enum err options_add_endpoint(struct options_parser *parser, struct slice text);
/* options_set_text replaces *to by a copy of `text`; an empty text gives NULL. */
void options_set_text(char **to, struct slice text);
/* options_is_url: does the text begin with a scheme, as "redis://"? */
bool options_is_url(struct slice text);
/* options_parse_url reads all of a URL into the parser. */
enum err options_parse_url(struct options_parser *parser, struct slice text);

#endif
