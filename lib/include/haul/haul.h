/* libhaul: an S3 client library in C. This header brings in all of it; store.h is where a
 * script begins, client.h where a server does.
 *
 * There is nothing to initialise and nothing to end: the first store or client does it, on any
 * thread. No thread is started but a refresher and libcurl's for looking up names, no signal
 * raised (SIGPIPE neither) or handled (but see haul_credentials_from_process()), nothing
 * printed or logged. After fork() the child must not touch the stores and clients of its
 * parent, not even to free them.
 *
 * From C++ fill the structs field by field, or with C++20's designated initialisers in the
 * structs' own order: haul_request r{}; r.key = "a"; */
#ifndef HAUL_HAUL_H
#define HAUL_HAUL_H

#define HAUL_VERSION "0.1.0"

#include <haul/body.h>
#include <haul/checksum.h>
#include <haul/client.h>
#include <haul/credentials.h>
#include <haul/endpoint.h>
#include <haul/error.h>
#include <haul/file.h>
#include <haul/list.h>
#include <haul/object.h>
#include <haul/presign.h>
#include <haul/refresher.h>
#include <haul/request.h>
#include <haul/settings.h>
#include <haul/store.h>
#include <haul/upload.h>

#endif
