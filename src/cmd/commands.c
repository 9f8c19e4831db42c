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
    &topic_create_command,
    &topic_list_command,
    &topic_show_command,
    &topic_keys_command,
    &topic_publish_command,
    &topic_delete_command,
    &subscription_create_command,
    &subscription_list_command,
    &subscription_show_command,
    &subscription_update_command,
    &subscription_delete_command,
    &subscription_secrets_command,
    &deadletter_list_command,
    &deadletter_show_command,
    &deadletter_redrive_command,
    &deadletter_purge_command,
    &apply_command,
    &events_tail_command,
    &az_env_command,
    &init_command,
    &doctor_command,
    &help_command,
};
const size_t command_count = COUNT_OF(commands);
