/* arm/arm_internal.h - what the files of this folder share. */
#ifndef ARM_ARM_INTERNAL_H
#define ARM_ARM_INTERNAL_H

#include "arm/arm.h"
#include "arm/call.h"

struct arm {
    struct arm_options options;
    struct router *router; /* NULL: not there */
    char *token;           /* NULL: none is demanded */
    bool is_stopping;
};

#endif
