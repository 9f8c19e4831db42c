/* config/manifest.h - files that declare topics and subscriptions, in YAML: as one JSON text, and
 * where in the files each part of it stands.
 *   topics:                          subscriptions:
 *     - name: orders                   - name: billing
 *       inputSchema: ..                  topic: orders
 * What the members mean is not known here (router/declaration.h). A plain number, true, false, null
 * and nothing are what JSON has of these; every other scalar is a text. `!env NAME` stands for the
 * value of a variable, `!file PATH` for what a file holds.
 * Rules: all mistakes are told, not only the first. Aliases are followed, within the limits below.
 */
#ifndef CONFIG_MANIFEST_H
#define CONFIG_MANIFEST_H

#include "base/buf.h"

#define MANIFEST_FILE_MAX_BYTES (1024 * 1024)
#define MANIFEST_JSON_MAX_BYTES (8 * 1024 * 1024)
#define MANIFEST_PARTS_MAX 100000 /* scalars, lists and mappings, with what aliases stand for */
#define MANIFEST_DEPTH_MAX 32
#define MANIFEST_MEMBERS_MAX 200 /* of one mapping */
#define MANIFEST_DOCUMENTS_MAX 1000

struct manifest;

struct manifest *manifest_new(void);
void manifest_free(struct manifest *manifest);

/* manifest_add takes in the documents of one file. `name` is what places are called by, `base` the
 * folder from which its relative paths are meant (NULL = the working one). */
void manifest_add(struct manifest *manifest, const char *name, const char *base, struct slice text);
/* manifest_add_file reads the file too. Blocks. */
void manifest_add_file(struct manifest *manifest, const char *path);

/* manifest_mistakes: "orders.yaml:3:5: topcs: is not known; ..", one a line; empty = none. */
struct slice manifest_mistakes(const struct manifest *manifest);
/* manifest_count: topics and subscriptions. */
size_t manifest_count(const struct manifest *manifest);
/* manifest_write appends {"topics":[..],"subscriptions":[..]}, if there are no mistakes. */
void manifest_write(const struct manifest *manifest, struct buf *out);
/* manifest_add_place appends "orders.yaml:3:5", the place of `subscriptions[3].filter` in that text
 * or of what is nearest around it. */
void manifest_add_place(const struct manifest *manifest, struct slice path, struct buf *out);

#endif
