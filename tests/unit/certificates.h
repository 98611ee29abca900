/* Certificates for one test program, made when it runs. Whatever goes wrong ends it.
 *
 *     good.pem, other.pem            authorities that know nothing of each other
 *     good-server.pem other-server.pem good-client.pem other-client.pem
 *                                    what each has signed; servers for 127.0.0.1
 *     expired.pem elsewhere.pem      of the good one: of yesterday; for elsewhere.example
 *     NAME.key                       the key of each
 *     locked.key, both.pem           good-client's, under the password "sesame"; behind its
 *                                    certificate
 *     rubbish.pem                    none
 *     tls12.conf                     for OPENSSL_CONF: no newer TLS than 1.2
 */
#ifndef CERTIFICATES_H
#define CERTIFICATES_H

char *certificates_make(void); /* the folder's path; temp_remove() frees it */

/* A file's path, which the next few calls leave alone. */
const char *certificates_at(const char *folder, const char *name);

#endif
