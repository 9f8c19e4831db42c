/* cmd/commands.h - every subcommand, one row each. */
#ifndef CMD_COMMANDS_H
#define CMD_COMMANDS_H

#include "cmd/cmdline.h"

extern const struct command apply_command;
extern const struct command az_env_command;
extern const struct command deadletter_list_command;
extern const struct command deadletter_purge_command;
extern const struct command deadletter_redrive_command;
extern const struct command deadletter_show_command;
extern const struct command doctor_command;
extern const struct command events_tail_command;
extern const struct command function_invoke_command;
extern const struct command function_list_command;
extern const struct command function_logs_command;
extern const struct command function_show_command;
extern const struct command help_command;
extern const struct command init_command;
extern const struct command status_command;
extern const struct command subscription_create_command;
extern const struct command subscription_delete_command;
extern const struct command subscription_list_command;
extern const struct command subscription_secrets_command;
extern const struct command subscription_show_command;
extern const struct command subscription_update_command;
extern const struct command top_command;
extern const struct command cache_create_command;
extern const struct command cache_list_command;
extern const struct command cache_show_command;
extern const struct command cache_scale_command;
extern const struct command cache_update_command;
extern const struct command cache_patch_command;
extern const struct command cache_failover_command;
extern const struct command cache_reboot_command;
extern const struct command cache_flush_command;
extern const struct command cache_export_command;
extern const struct command cache_import_command;
extern const struct command cache_keys_command;
extern const struct command cache_delete_command;
extern const struct command topic_create_command;
extern const struct command topic_delete_command;
extern const struct command topic_keys_command;
extern const struct command topic_list_command;
extern const struct command topic_publish_command;
extern const struct command topic_show_command;
extern const struct command up_command;

#endif
