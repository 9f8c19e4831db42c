/* config/settings_internal.h - what settings.c (one value at a time) and load.c (all of them at
 * once) share. */
#ifndef CONFIG_SETTINGS_INTERNAL_H
#define CONFIG_SETTINGS_INTERNAL_H

#include "config/settings.h"

struct settings {
    struct setting_value {
        enum setting_source source;
        char **texts; /* NULL-terminated; one, but for lists */
        size_t count;
        uint64_t number; /* of numbers and booleans */
    } values[SETTING_COUNT];
};

void setting_value_clear(struct setting_value *value);
void setting_value_add(struct setting_value *value, char *text); /* takes the text */

#endif
