/* What the environment and AWS's shared files say about where requests go. A store asks by
 * itself; who opens endpoints by hand may want to know.
 *
 *     struct haul_settings s;
 *     if (haul_settings_find(NULL, NULL, &s, &err) == 0 && *s.region != '\0')
 *         ...
 */
#ifndef HAUL_SETTINGS_H
#define HAUL_SETTINGS_H

#include <stdbool.h>

#include <haul/endpoint.h>
#include <haul/error.h>

HAUL_BEGIN

/* Where nobody says anything: "", false, HAUL_ADDRESS_AUTO. */
struct haul_settings {
    char region[64];    /* AWS_REGION, AWS_DEFAULT_REGION, the profile's region */
    char url[1024];     /* AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile's services section
                         * (s3 = endpoint_url), its endpoint_url. None of them when
                         * AWS_IGNORE_CONFIGURED_ENDPOINT_URLS or the profile's
                         * ignore_configured_endpoint_urls is true */
    char ca_file[1024]; /* AWS_CA_BUNDLE, the profile's ca_bundle */
    bool dualstack;     /* AWS_USE_DUALSTACK_ENDPOINT, the profile's s3 =
                         * use_dualstack_endpoint, its use_dualstack_endpoint */
    bool fips;          /* AWS_USE_FIPS_ENDPOINT, use_fips_endpoint */
    bool accelerate;    /* the profile's s3 = use_accelerate_endpoint */
    enum haul_addressing addressing; /* the profile's s3 = addressing_style */
};

/* profile and file as for haul_credentials_from_profile(); a profile that is nowhere says
 * nothing. Returns 0, or -1 with *err: HAUL_BAD_CONFIG (a file that can't be read, a value that
 * is not one of its kind; the text names file or variable). Any thread, as long as none changes
 * the environment.
 * https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html */
int haul_settings_find(
    const char *profile, const char *file, struct haul_settings *out, struct haul_error *err);

HAUL_END
#endif
