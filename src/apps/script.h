/* apps/script.h - which file of a function's folder is the one to run.
 * Rules: inner to the app loader. Blocks on the disk. */
#ifndef APPS_SCRIPT_H
#define APPS_SCRIPT_H

#include "apps/app.h"

/* script_find gives the absolute path of the primary script: `named` (scriptFile, relative to
 * `directory`), or what the folder suggests when it is NULL. E_OK and *ret (the caller's);
 * E_NOT_FOUND with a text without place in why. */
enum err script_find(const char *directory, const char *named, char **ret, struct cause *why);

/* script_runtime guesses the language from a file's ending: "python", "c", "node", "java",
 * "powershell", "dotnet-isolated"; "" = unknown. */
const char *script_runtime(const char *path);

#endif
