/* A folder for one test: made, filled, removed. Whatever goes wrong ends the test program. */
#ifndef TEMP_H
#define TEMP_H

#include <stddef.h>

char *temp_make(void); /* the folder's path; temp_remove() frees it */

/* Writes a file in the folder and returns its path, which the caller frees. */
char *temp_write(const char *folder, const char *name, const void *data, size_t len);
char *temp_write_text(const char *folder, const char *name, const char *text);

char *temp_path(const char *folder, const char *name); /* which the caller frees, too */
unsigned temp_count(const char *folder);               /* how many names are in it */

void temp_remove(char *folder); /* with all that is in it */

#endif
