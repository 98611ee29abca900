/* A file that holds a token and nothing else, as orchestrators mount them: they replace it
 * while we run, so it is read each time. Any thread. */
#ifndef TOKENFILE_H
#define TOKENFILE_H

#include <haul/error.h>

#define TOKENFILE_BYTES_MAX (32 * 1024)

/* The token without the white space behind it, for tokenfile_free(). NULL with *err:
 * HAUL_BAD_CONFIG ("PATH, of WHOSE, can't be read: why"; it is empty, too large, or has control
 * characters inside), HAUL_NO_MEMORY. whose: the variable that names the file. */
char *tokenfile_read(const char *path, const char *whose, struct haul_error *err);
void tokenfile_free(char *token); /* wipes; NULL is fine */

/* Why a token can't be sent in a header ("is empty"); NULL: it can. */
const char *tokenfile_fault(const char *token);

#endif
