#include "cmd/commands.h"

#include "base/mem.h"

const struct command *const commands[] = {
    &up_command,
    &status_command,
    &top_command,
    &function_list_command,
    &function_show_command,
    &function_invoke_command,
    &function_logs_command,
    &init_command,
    &doctor_command,
    &help_command,
};
const size_t command_count = COUNT_OF(commands);
