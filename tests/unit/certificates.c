/* Certificates for one test program, by openssl's command line. */
#include "certificates.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "temp.h"

static const char make_files[] =
    "key() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key"
    "    \"${@:2}\"; }\n"
    "sign() { key $2 -new -subj /CN=$2 -out $2.csr &&"
    "    openssl x509 -req -in $2.csr -CA $1.pem -CAkey $1.key -days $3 -out $2.pem"
    "        -extfile <(echo \"subjectAltName=$4\"); }\n"
    "for ca in good other; do"
    "    key $ca -x509 -days 2 -subj /CN=$ca-authority -out $ca.pem || exit;"
    "done\n"
    "sign good good-server 2 IP:127.0.0.1 && sign good expired -1 IP:127.0.0.1 &&"
    "sign good elsewhere 2 DNS:elsewhere.example && sign other other-server 2 IP:127.0.0.1 &&"
    "sign good good-client 2 email:a@b && sign other other-client 2 email:a@b &&"
    "openssl ec -in good-client.key -aes256 -passout pass:sesame -out locked.key &&"
    "cat good-client.pem locked.key >both.pem && echo rubbish >rubbish.pem &&"
    "printf 'openssl_conf = a\\n[a]\\nssl_conf = b\\n[b]\\nsystem_default = c\\n[c]\\n"
    "MaxProtocol = TLSv1.2\\n' >tls12.conf\n";

char *certificates_make(void)
{
    char command[256];
    char *folder = temp_make();
    free(temp_write_text(folder, "make", make_files));
    snprintf(command, sizeof command, "cd '%s' && bash make >log 2>&1", folder);
    if (system(command) != 0)
        errx(1, "no certificates: see %s/log", folder);
    return folder;
}

const char *certificates_at(const char *folder, const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}
