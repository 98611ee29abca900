/* Object tags. They are kept, and come in x-amz-tagging, as "name=value&name=value" with
 * percent and plus. The operations on them are declared in operations.h. */
#ifndef ENDPOINT_TAGS_H
#define ENDPOINT_TAGS_H

#include "text.h"

/* NULL: they may be stored (as may none: NULL); else S3's code. */
const char *tags_refuse(const char *encoded);
unsigned tags_count(const char *encoded);

#endif
