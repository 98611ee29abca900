#include "error.h"

#include <stdarg.h>
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
