#include "api/caller.h"

#include <arpa/inet.h>
#include <stdio.h>

struct slice caller_token(const struct http_request *request)
{
    struct slice given = http_request_header(request, SLICE("Authorization"));

    if (slice_has_prefix_nocase(given, SLICE("Bearer ")))
        return slice_trim(slice_from(given, 7));
    given = http_request_header(request, SLICE("X-IDENTITY-HEADER"));
    return given.data != NULL ? given : http_request_header(request, SLICE("secret"));
}

bool caller_is_foreign_page(const struct http_request *request)
{
    struct slice origin = http_request_header(request, SLICE("Origin"));
    struct slice host = http_request_header(request, SLICE("Host"));

    if (origin.data == NULL)
        return false;
    for (size_t skip = 7; skip <= 8; skip++)
        if (slice_has_prefix(origin, skip == 7 ? SLICE("http://") : SLICE("https://")) &&
            slice_eq_nocase(slice_from(origin, skip), host))
            return false;
    return true;
}

size_t caller_find_port(struct slice host)
{
    size_t at = host.len;

    while (at > 0 && host.data[at - 1] >= '0' && host.data[at - 1] <= '9')
        at--;
    return at > 0 && host.data[at - 1] == ':' ? at - 1 : host.len;
}

bool caller_is_machine(struct slice host)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address;

    if (slice_eq_nocase(host, SLICE("localhost")) || slice_eq(host, SLICE("::1")) ||
        slice_eq(host, SLICE("[::1]")))
        return true;
    if (host.len >= sizeof text)
        return false;
    snprintf(text, sizeof text, "%.*s", SLICE_ARG(host));
    return inet_pton(AF_INET, text, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

bool caller_names_machine(const struct http_request *request)
{
    struct slice host = http_request_header(request, SLICE("Host"));

    return host.len == 0 || caller_is_machine(slice_first(host, caller_find_port(host)));
}
