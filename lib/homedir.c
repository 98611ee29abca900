/* Whose ~ it is: see homedir.h. */
#include "homedir.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ENTRY_BYTES_MAX 16384

int homedir_find(char path[static PATH_MAX])
{
    char texts[ENTRY_BYTES_MAX];
    struct passwd entry, *found = NULL;
    const char *home = getenv("HOME");
    if ((home == NULL || *home == '\0') &&
        getpwuid_r(getuid(), &entry, texts, sizeof texts, &found) == 0 && found != NULL)
        home = entry.pw_dir;
    if (home != NULL && *home != '\0' && snprintf(path, PATH_MAX, "%s", home) < PATH_MAX)
        return 0;
    path[0] = '\0';
    return -1;
}
