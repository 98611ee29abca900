/* refusal.c: who refused, what it said, and what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "refusal.h"

static void a_refusal_names_the_endpoint_and_the_next_step(void **state)
{
    static const struct {
        enum haul_code code;
        const char *aws_code, *advice;
    } cases[] = {
        { HAUL_SERVER, "NoSuchBucket", "create the bucket" },
        { HAUL_SERVER, "InvalidAccessKeyId", "credentials" },
        { HAUL_SERVER, "SignatureDoesNotMatch", "secret key" },
        { HAUL_SERVER, "ExpiredToken", "fresh credentials" },
        { HAUL_SERVER, "AccessDenied", "may do" },
        { HAUL_SERVER, "AuthorizationHeaderMalformed", "region" },
        { HAUL_SERVER, "RequestTimeTooSkewed", "clock" },
        { HAUL_SERVER, "SlowDown", "concurrency" },
        { HAUL_SERVER, "NeverHeardOf", "server asks" },
        { HAUL_SERVER, "", "server asks" },
        { HAUL_NETWORK, "", "network" },
        { HAUL_TLS, "", "bkt: what it said" },
        { HAUL_NO_CREDENTIALS, "", "bkt: what it said" },
        { HAUL_BAD_REPLY, "", "url" },
    };
    struct manifest_endpoint endpoint = { .name = (char *) "archive" };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_error refusal;
        struct error err = { .exit = EXIT_DONE };
        haul_error_set(&refusal, cases[i].code, "what it said");
        strcpy(refusal.aws_code, cases[i].aws_code);
        refusal_explain(&refusal, &endpoint, "bkt", &err);
        assert_int_equal(err.exit, EXIT_PAUSED);
        const char *const words[] = { "archive", "bkt", "what it said", cases[i].advice };
        for (size_t n = 0; n < sizeof words / sizeof *words; n++)
            if (strstr(err.text, words[n]) == NULL)
                fail_msg("\"%s\" lacks \"%s\"", err.text, words[n]);
        assert_null(strchr(err.text, '\n'));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_names_the_endpoint_and_the_next_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
