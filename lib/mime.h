/* Content types by names' endings, of a file in the form of /etc/mime.types and of a small
 * table. */
#ifndef MIME_H
#define MIME_H

/* A file's types; immutable, any thread. NULL: it can't be read, is over 1 MiB, or there is no
 * memory. */
struct mime_types *mime_read(const char *path);
void mime_free(struct mime_types *m); /* NULL is fine */

/* What stands behind the name's last dot decides, in any case. types NULL: the small table
 * alone. Never NULL. */
const char *mime_find(const struct mime_types *types, const char *name);

#endif
