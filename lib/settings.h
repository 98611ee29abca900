/* What haul/settings.h has for S3 alone, for the services that keys come from. */
#ifndef SETTINGS_INTERNAL_H
#define SETTINGS_INTERNAL_H

#include <haul/settings.h>

#define SETTINGS_URL_SIZE sizeof(((struct haul_settings *) 0)->url)

/* Where a service is that is called so in a services section ("sts", "sso", "sso_oidc"): as
 * haul_settings_find() has it for S3, by AWS_ENDPOINT_URL_STS and so on; "": nobody says. 0, or
 * -1 with *err as there. */
int settings_service_url(const char *profile, const char *file, const char *service,
    char out[static SETTINGS_URL_SIZE], struct haul_error *err);

#endif
