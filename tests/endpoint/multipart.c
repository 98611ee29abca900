/* The operations of a multipart upload. CompleteMultipartUpload's document is read by libxml2.
 */
#include "operations.h"

#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void op_create_upload(struct exchange *x)
{
    struct text headers = { 0 }, *out = &x->reply.body;
    char id[UPLOAD_ID_MAX] = "";
    const char *why = store_check_bucket(x->server->store, &x->bucket);
    kept_headers(x->request, &headers);
    if (why == NULL)
        why = upload_create(x->server->uploads, &x->bucket, &x->key, &headers, id);
    text_free(&headers);
    if (why != NULL) {
        exchange_fail(x, why);
        return;
    }
    xml_begin(out, "InitiateMultipartUploadResult");
    xml_element(out, "Bucket", &x->bucket);
    xml_element(out, "Key", &x->key);
    if (!x->play.no_upload_id)
        text_addf(out, "<UploadId>%s</UploadId>", id);
    text_puts(out, "</InitiateMultipartUploadResult>");
}

/* Checks what does not need the body. Returns whether the part may come. */
static bool accepts_part(struct exchange *x)
{
    const char *why =
        upload_check(x->server->uploads, &x->bucket, &x->key, exchange_param(x, "uploadId"));
    if (exchange_number(x, "partNumber", -1, 1, PARTS_MAX) < 0)
        why = "InvalidArgument";
    if (why != NULL)
        exchange_fail(x, why);
    return why == NULL;
}

static void put_part(
    struct exchange *x, struct draft *d, const unsigned char md5[static MD5_BYTES])
{
    struct text hex = { 0 };
    const char *why = upload_put_part(x->server->uploads, &x->bucket, &x->key,
        exchange_param(x, "uploadId"), x->part, d, md5);
    draft_drop(d);
    text_add_hex(&hex, md5, MD5_BYTES);
    if (why != NULL)
        exchange_fail(x, why);
    else
        set_etag(x, hex.at);
    text_free(&hex);
}

void op_upload_part(struct exchange *x)
{
    struct draft d;
    unsigned char md5[MD5_BYTES];
    if (accepts_part(x) && receive_draft(x, &d, md5) == 0)
        put_part(x, &d, md5);
}

void op_upload_part_copy(struct exchange *x)
{
    struct draft d;
    unsigned char md5[MD5_BYTES];
    if (!accepts_part(x) || copy_draft(x, &d, md5, NULL) < 0)
        return;
    put_part(x, &d, md5);
    write_copy_result(x, "CopyPartResult");
}

void op_abort_upload(struct exchange *x)
{
    const char *why =
        upload_abort(x->server->uploads, &x->bucket, &x->key, exchange_param(x, "uploadId"));
    if (why != NULL)
        exchange_fail(x, why);
    else
        x->reply.status = 204;
}

static void read_part(const xmlNode *part, struct wanted *w)
{
    for (const xmlNode *n = part->children; n != NULL; n = n->next) {
        xmlChar *content = xmlNodeGetContent(n);
        if (xmlStrEqual(n->name, BAD_CAST "PartNumber"))
            w->number = (unsigned) strtoul((const char *) content, NULL, 10);
        else if (xmlStrEqual(n->name, BAD_CAST "ETag"))
            text_puts(&w->etag, (const char *) content);
        xmlFree(content);
    }
}

static void free_list(struct wanted *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        text_free(&list[i].etag);
    free(list);
}

/* The <Part>s of the document; NULL: it is none, or has none. */
static struct wanted *read_list(const struct text *xml, unsigned *count)
{
    xmlDoc *doc = xmlReadMemory(text_c(xml), (int) xml->len, "complete.xml", NULL,
        XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    const xmlNode *root = doc != NULL ? xmlDocGetRootElement(doc) : NULL;
    struct wanted *list = calloc(PARTS_MAX, sizeof *list);
    *count = 0;
    if (list == NULL)
        abort();
    if (root != NULL && xmlStrEqual(root->name, BAD_CAST "CompleteMultipartUpload"))
        for (const xmlNode *n = root->children; n != NULL && *count < PARTS_MAX; n = n->next)
            if (xmlStrEqual(n->name, BAD_CAST "Part"))
                read_part(n, &list[(*count)++]);
    xmlFreeDoc(doc);
    if (*count > 0)
        return list;
    free(list);
    return NULL;
}

/* Joins the parts and puts the object in its place. NULL: done. */
static const char *complete(
    struct exchange *x, const struct wanted *list, unsigned count, char etag[static ETAG_MAX])
{
    struct upload *up;
    struct draft d = DRAFT_NONE;
    struct object o = { 0 };
    bool only_new = request_header(x->request, "If-None-Match") != NULL;
    const char *why = upload_begin_complete(x->server->uploads, &x->bucket, &x->key,
        exchange_param(x, "uploadId"), list, count, x->server->min_part_bytes, &up);
    if (why != NULL)
        return why;
    if (upload_assemble(x->server->uploads, up, list, count, &d, o.etag) < 0)
        why = "InternalError";
    memcpy(etag, o.etag, ETAG_MAX);
    text_add(&o.headers, up->headers.at, up->headers.len);
    if (why == NULL)
        why = store_publish(x->server->store, &x->bucket, &x->key, &d, &o, only_new);
    upload_end_complete(x->server->uploads, up, why == NULL);
    draft_drop(&d);
    object_free(&o);
    return why;
}

static void write_result(struct exchange *x, const char *etag)
{
    struct text *out = &x->reply.body, location = { 0 }, quoted = { 0 };
    text_addf(&location, "/%s/", text_c(&x->bucket));
    text_add_percent(&location, &x->key, "/");
    if (*x->play.etag != '\0')
        text_puts(&quoted, x->play.etag);
    else
        text_addf(&quoted, "\"%s\"", etag);
    xml_begin(out, "CompleteMultipartUploadResult");
    xml_element(out, "Location", &location);
    xml_element(out, "Bucket", &x->bucket);
    xml_element(out, "Key", &x->key);
    if (!x->play.no_etag)
        xml_element(out, "ETag", &quoted);
    text_puts(out, "</CompleteMultipartUploadResult>");
    text_free(&location);
    text_free(&quoted);
}

void op_complete_upload(struct exchange *x)
{
    struct text xml = { 0 };
    struct wanted *list = NULL;
    unsigned count = 0;
    char etag[ETAG_MAX];
    if (exchange_body_text(x, &xml) < 0)
        goto out;
    list = read_list(&xml, &count);
    const char *why = list != NULL ? complete(x, list, count, etag) : "MalformedXML";
    if (why != NULL)
        exchange_fail(x, why);
    else
        write_result(x, etag);
out:
    free_list(list, count);
    text_free(&xml);
}
