/* libhaul: an S3 client library in C. This header brings in all of it. */
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
#include <haul/request.h>
#include <haul/store.h>
#include <haul/upload.h>

#endif
