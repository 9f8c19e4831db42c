/* apps/fingerprint.h - have the files of an app changed? */
#ifndef APPS_FINGERPRINT_H
#define APPS_FINGERPRINT_H

#include <stdint.h>

/* fingerprint_directory sums up names, sizes and times of the files in a directory and its
 * sub-directories (two levels; hidden ones, __pycache__ and what workers write there are left out).
 * Reads the disk: made for work_run(). */
uint64_t fingerprint_directory(const char *path);

#endif
