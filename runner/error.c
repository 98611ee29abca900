#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

int error_set(struct error *err, enum exit_code exit, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err->exit = exit;
    vsnprintf(err->text, sizeof err->text, format, args);
    for (char *at = err->text; *at != '\0'; at++)
        if ((unsigned char) *at < ' ' || *at == 0x7f) /* a name may hold anything */
            *at = ' ';
        else if ((unsigned char) at[0] == 0xc2 && (unsigned char) at[1] < 0xa0 && at[1] != '\0')
            at[0] = at[1] = ' '; /* the C1 controls, in UTF-8 */
    va_end(args);
    return -1;
}

int error_exhausted(struct error *err, const char *what)
{
    return error_set(
        err, EXIT_QUEUE, "%s: free memory, or raise the limits, then try again", what);
}

int error_no_memory(struct error *err)
{
    return error_exhausted(err, "out of memory");
}

const char *error_advice(int cause)
{
    static const struct {
        int cause;
        const char *next;
    } mendable[] = { { ENOSPC, ": make room there" }, { EDQUOT, ": make room there" },
        { EROFS, ": make it writable" }, { EMFILE, ": raise the limit of open files" },
        { ENFILE, ": let other programs close files" }, { ENOMEM, ": free some memory" } };
    for (size_t i = 0; i < sizeof mendable / sizeof *mendable; i++)
        if (mendable[i].cause == cause)
            return mendable[i].next;
    return "";
}
