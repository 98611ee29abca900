#include "error.h"

#include <stdarg.h>
#include <stdio.h>

int error_set(struct error *err, enum exit_code exit, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err->exit = exit;
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return -1;
}
