/* Whose ~ it is. Any thread, as long as none changes the environment. */
#ifndef HOMEDIR_H
#define HOMEDIR_H

#include <limits.h>

/* HOME, else (cron, systemd) what the system knows of this user. Returns 0; -1 with path "":
 * there is none, or a longer one. */
int homedir_find(char path[static PATH_MAX]);

#endif
