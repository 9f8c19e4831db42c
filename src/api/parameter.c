#include "api/parameter.h"

#include <inttypes.h>

enum err parameter_read(const struct http_request *request, const struct parameter *parameter,
                        uint64_t *ret, struct refusal *why)
{
    struct slice text = http_request_parameter(request, slice_of(parameter->name));
    uint64_t value = parameter->absent;

    if (text.data != NULL &&
        (!slice_to_u64(text, &value) || value < parameter->min || value > parameter->max))
        return refuse(
            why, REFUSAL_REQUEST, "%s: '%.*s' is not a number from %" PRIu64 " to %" PRIu64 ".",
            parameter->name, SLICE_ARG(slice_first(text, 64)), parameter->min, parameter->max);
    *ret = value;
    return E_OK;
}
