/* arm/arm_internal.h - what the files of this folder share. */
#ifndef ARM_ARM_INTERNAL_H
#define ARM_ARM_INTERNAL_H

#include "arm/arm.h"
#include "arm/call.h"
#include "arm/place.h"
#include "arm/principal.h"
#include "base/list.h"

struct arm {
    struct arm_options options;
    struct router *router; /* NULL: not there */
    struct caches *caches; /* there whenever the router is */
    struct principal principal;
    struct arm_place place;
    struct list errands; /* struct errand, under way here */
    bool is_stopping;
};

#endif
