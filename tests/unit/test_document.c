/* document.c: S3's documents read and written, and hostile ones refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buf.h"
#include "document.h"
#include "rows.h"
#include "xmlwrite.h"

static struct document *parse(const char *text)
{
    struct haul_error err;
    struct document *d = document_parse(text, strlen(text), &err);
    if (d == NULL)
        fail_msg("%s", err.text);
    return d;
}

static void assert_refused(const char *data, size_t len)
{
    struct haul_error err = { .code = HAUL_OK };
    assert_null(document_parse(data, len, &err));
    assert_int_equal(err.code, HAUL_BAD_REPLY);
    assert_int_not_equal(strlen(err.text), 0);
}

static void assert_text_refused(const char *text)
{
    print_message("%.60s\n", text);
    assert_refused(text, strlen(text));
}

static void an_error_is_read(void **state)
{
    (void) state;
    struct document *d = parse("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                               "<Error><Code>SlowDown</Code><Message>a &lt;b&gt; &amp; "
                               "<![CDATA[<c>]]><!-- no -->d</Message><Empty/></Error>");
    assert_string_equal(document_root(d), "Error");
    assert_string_equal(document_text(d, "Code"), "SlowDown");
    assert_string_equal(document_text(d, "Message"), "a <b> & <c>d");
    assert_string_equal(document_text(d, "Empty"), "");
    assert_null(document_text(d, "RequestId"));
    document_free(d);
}

static void only_the_roots_own_children_are_read(void **state)
{
    (void) state;
    struct document *d = parse("<Error><Detail><Code>Inner</Code></Detail></Error>");
    assert_null(document_text(d, "Code"));
    document_free(d);
}

/* Case 11. */
static void white_space_before_the_document_is_passed_over(void **state)
{
    (void) state;
    struct document *d = parse(" \r\n\t <?xml version=\"1.0\"?>  \n"
                               "<CompleteMultipartUploadResult><ETag> x </ETag>"
                               "</CompleteMultipartUploadResult>");
    assert_string_equal(document_root(d), "CompleteMultipartUploadResult");
    assert_string_equal(document_text(d, "ETag"), " x ");
    document_free(d);
}

static void namespaces_are_not_looked_at(void **state)
{
    (void) state;
    struct document *d = parse("<s3:Error xmlns:s3=\"urn:x\"><s3:Code>A</s3:Code></s3:Error>");
    assert_string_equal(document_root(d), "Error");
    assert_string_equal(document_text(d, "Code"), "A");
    document_free(d);
}

static void what_is_not_xml_is_refused(void **state)
{
    (void) state;
    assert_text_refused("");
    assert_text_refused("  \n ");
    assert_text_refused("hello");
    assert_text_refused("<Error><Code>A</Code>");
    assert_text_refused("<Error></Code>");
    assert_text_refused("<Error/><Error/>");
    assert_text_refused("<html><p>Bad gateway<br></html>");
    assert_text_refused("<Error>&undefined;</Error>");
    assert_refused("<Error>\0</Error>", 16);
    assert_refused("\0", 1);
}

static void a_tag_of_countless_attributes_is_refused(void **state)
{
    (void) state;
    char *text = malloc(1 << 20), *at = text;
    assert_non_null(text);
    at += sprintf(at, "<Error");
    for (unsigned i = 0; i < 60000; i++)
        at += sprintf(at, " a%u=''", i);
    at += sprintf(at, "/>");
    assert_refused(text, (size_t) (at - text));
    free(text);
}

static void what_xml_can_not_have_is_left_out_except_of_keys_in_listings(void **state)
{
    (void) state;
    struct haul_error err = { .code = HAUL_OK };
    struct haul_listing l;
    struct document *d = parse("<Error><Key>a&#x1;b\x02</Key><Code>A</Code></Error>");
    assert_string_equal(document_text(d, "Code"), "A");
    assert_string_equal(document_text(d, "Key"), "ab");
    document_free(d);
    d = parse("<Error><Key>\xff\xfe</Key><Code>A</Code></Error>");
    assert_string_equal(document_text(d, "Code"), "A");
    document_free(d);
    d = parse("<ListPartsResult><Key>&#x1;</Key><Part><PartNumber>1</PartNumber></Part>"
              "</ListPartsResult>");
    assert_int_equal(rows_listing(d, &l, &err), 0);
    assert_int_equal(l.count, 1);
    document_free(d);
    d = parse("<ListBucketResult><Contents><Key>a&#x1;</Key></Contents></ListBucketResult>");
    assert_int_equal(rows_listing(d, &l, &err), -1);
    assert_int_equal(err.code, HAUL_BAD_REPLY);
    document_free(d);
    d = parse("<ListBucketResult><Contents><Key>\xff</Key></Contents></ListBucketResult>");
    assert_int_equal(rows_listing(d, &l, &err), -1);
    document_free(d);
}

/* Case 59. */
static void a_doctype_is_refused_before_anything_in_it_counts(void **state)
{
    (void) state;
    assert_text_refused("<!DOCTYPE Error><Error/>");
    assert_text_refused("<!DOCTYPE Error SYSTEM \"file:///etc/passwd\"><Error/>");
    assert_text_refused("<!DOCTYPE Error PUBLIC \"x\" \"http://127.0.0.1:1/x.dtd\"><Error/>");
    assert_text_refused("<!DOCTYPE e [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><e>&x;</e>");
    assert_text_refused("<!DOCTYPE e [<!ENTITY a \"aaaaaaaaaa\">"
                        "<!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">"
                        "<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">]><e>&c;</e>");
    assert_text_refused("<!DOCTYPE e [<!ENTITY % x SYSTEM \"file:///etc/passwd\">%x;]><e/>");
}

static struct document *nested(size_t depth, struct haul_error *err)
{
    struct buf b = buf_make(1 << 20);
    for (size_t i = 0; i < depth; i++)
        buf_adds(&b, "<a>");
    for (size_t i = 0; i < depth; i++)
        buf_adds(&b, "</a>");
    struct document *d = document_parse(b.data, b.len, err);
    buf_free(&b);
    return d;
}

/* Case 59. */
static void depth_is_bounded(void **state)
{
    (void) state;
    struct haul_error err;
    struct document *d = nested(32, &err);
    assert_non_null(d);
    document_free(d);
    assert_null(nested(33, &err));
    assert_int_equal(err.code, HAUL_BAD_REPLY);
    assert_null(nested(10000, &err));
}

/* Cases 37 and 38. */
static void a_listing_of_objects_is_read(void **state)
{
    (void) state;
    struct haul_listing l;
    struct document *d = parse(
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>"
        "<IsTruncated>true</IsTruncated><NextContinuationToken>t+%2B</NextContinuationToken>"
        "<EncodingType>url</EncodingType>"
        "<Contents><Key>a+b%2Bc%20d%2520%C3%A4</Key>"
        "<LastModified>2026-01-31T12:00:00.123Z</LastModified>"
        "<ETag>&quot;e1&quot;</ETag><Size>18446744073709551615</Size></Contents>\n"
        "<Contents><Key>%20</Key></Contents><Contents><Key>%20</Key><Size>0</Size></Contents>"
        "<CommonPrefixes><Prefix>p</Prefix></CommonPrefixes></ListBucketResult>");
    assert_int_equal(rows_listing(d, &l, NULL), 0);
    assert_int_equal(l.count, 4);
    assert_true(l.truncated);
    assert_string_equal(l.continuation, "t+%2B");
    assert_string_equal(l.entries[0].key, "a b+c d%20\xc3\xa4");
    assert_string_equal(l.entries[0].etag, "\"e1\"");
    assert_true(l.entries[0].size == UINT64_MAX);
    assert_true(l.entries[0].modified_ms == 1769860800123);
    assert_string_equal(l.entries[1].key, " ");
    assert_null(l.entries[1].etag);
    assert_int_equal(l.entries[1].modified_ms, -1);
    assert_string_equal(l.entries[2].key, " ");
    document_free(d);
}

static struct haul_listing listing_of(struct document *d)
{
    struct haul_listing l;
    struct haul_error err;
    if (rows_listing(d, &l, &err) < 0)
        fail_msg("%s", err.text);
    return l;
}

static void common_prefixes_come_after_the_rows(void **state)
{
    (void) state;
    struct document *d =
        parse("<ListBucketResult><EncodingType>url</EncodingType>"
              "<CommonPrefixes><Prefix>a%2B/</Prefix></CommonPrefixes>"
              "<Contents><Key>b</Key><StorageClass>GLACIER</StorageClass></Contents>"
              "<CommonPrefixes><Prefix>c+d/</Prefix></CommonPrefixes></ListBucketResult>");
    struct haul_listing l = listing_of(d);
    assert_int_equal(l.count, 3);
    assert_int_equal(l.entries[0].kind, HAUL_ENTRY);
    assert_string_equal(l.entries[0].storage_class, "GLACIER");
    assert_int_equal(l.entries[1].kind, HAUL_COMMON_PREFIX);
    assert_string_equal(l.entries[1].key, "a+/");
    assert_string_equal(l.entries[2].key, "c d/");
    assert_int_equal(l.entries[2].modified_ms, -1);
    document_free(d);
}

static void versions_and_delete_markers_keep_their_order(void **state)
{
    (void) state;
    struct document *d = parse(
        "<ListVersionsResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
        "<NextKeyMarker>c%2B</NextKeyMarker><NextVersionIdMarker>v3</NextVersionIdMarker>"
        "<DeleteMarker><Key>a</Key><VersionId>v2</VersionId><IsLatest>true</IsLatest>"
        "</DeleteMarker><Version><Key>a</Key><VersionId>null</VersionId>"
        "<IsLatest>false</IsLatest><Size>5</Size></Version>"
        "<DeleteMarker><Key>c%2B</Key></DeleteMarker></ListVersionsResult>");
    struct haul_listing l = listing_of(d);
    assert_int_equal(l.count, 3);
    assert_int_equal(l.entries[0].kind, HAUL_DELETE_MARKER);
    assert_true(l.entries[0].is_latest);
    assert_string_equal(l.entries[0].version_id, "v2");
    assert_int_equal(l.entries[1].kind, HAUL_ENTRY);
    assert_false(l.entries[1].is_latest);
    assert_string_equal(l.entries[1].version_id, "null");
    assert_int_equal(l.entries[2].kind, HAUL_DELETE_MARKER);
    assert_null(l.entries[2].version_id);
    assert_string_equal(l.next_key, "c+");
    assert_string_equal(l.next_id, "v3");
    document_free(d);
}

/* Ceph's: NextKeyMarker stays as it is, which may be nothing that XML can hold. */
static void a_marker_that_is_not_encoded_with_the_rest_is_understood(void **state)
{
    static const struct {
        const char *keys, *marker, *next_key;
    } cases[] = {
        { "<Version><Key>a%2Bb%25</Key></Version>", "a+b%", "a+b%" },
        { "<Version><Key>a%2Bb%25</Key></Version>", "a%2Bb%25", "a+b%" },
        { "<Version><Key>%01+</Key></Version><Version><Key>a%02</Key></Version>", "a&#2;",
            "a\x02" },
        { "<Version><Key>%01+</Key></Version>", "&#1; ", "\x01 " },
        { "<Version><Key>a</Key></Version>"
          "<CommonPrefixes><Prefix>b%01</Prefix></CommonPrefixes>",
            "b&#1;", "b\x01" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        snprintf(text, sizeof text,
            "<ListVersionsResult><EncodingType>url</EncodingType><IsTruncated>true"
            "</IsTruncated><NextKeyMarker>%s</NextKeyMarker>%s</ListVersionsResult>",
            cases[i].marker, cases[i].keys);
        struct document *d = parse(text);
        assert_string_equal(listing_of(d).next_key, cases[i].next_key);
        document_free(d);
    }
}

static void buckets_are_truncated_when_there_is_a_token(void **state)
{
    (void) state;
    struct document *d =
        parse("<ListAllMyBucketsResult><Owner><ID>me</ID></Owner><Buckets><Bucket>"
              "<Name>one</Name><CreationDate>2026-01-31T12:00:00.000Z</CreationDate></Bucket>"
              "<Bucket><Name>two</Name></Bucket></Buckets></ListAllMyBucketsResult>");
    struct haul_listing l = listing_of(d);
    assert_int_equal(l.count, 2);
    assert_string_equal(l.entries[0].key, "one");
    assert_true(l.entries[0].modified_ms == 1769860800000);
    assert_string_equal(l.entries[1].key, "two");
    assert_false(l.truncated);
    document_free(d);
    d = parse("<ListAllMyBucketsResult><Buckets/><ContinuationToken>t</ContinuationToken>"
              "</ListAllMyBucketsResult>");
    l = listing_of(d);
    assert_int_equal(l.count, 0);
    assert_true(l.truncated);
    assert_string_equal(l.continuation, "t");
    document_free(d);
    d = parse("<ListAllMyBucketsResult/>");
    assert_int_equal(listing_of(d).count, 0);
    document_free(d);
}

static void keys_that_could_not_be_deleted_are_rows(void **state)
{
    (void) state;
    struct document *d =
        parse("<DeleteResult><Deleted><Key>gone</Key></Deleted><Error><Key>k</Key>"
              "<VersionId>v</VersionId><Code>AccessDenied</Code><Message>No</Message></Error>"
              "</DeleteResult>");
    struct haul_listing l = listing_of(d);
    assert_int_equal(l.count, 1);
    assert_int_equal(l.entries[0].kind, HAUL_DELETE_FAILED);
    assert_string_equal(l.entries[0].key, "k");
    assert_string_equal(l.entries[0].version_id, "v");
    assert_string_equal(l.entries[0].aws_code, "AccessDenied");
    assert_string_equal(l.entries[0].message, "No");
    assert_false(l.truncated);
    document_free(d);
}

static void tags_are_read(void **state)
{
    struct haul_pairs tags;
    (void) state;
    struct document *d = parse("<Tagging><TagSet><Tag><Key>a</Key><Value>1 &lt;</Value></Tag>"
                               "<Tag><Key>b</Key><Value/></Tag></TagSet></Tagging>");
    assert_int_equal(rows_tags(d, &tags, NULL), 0);
    assert_int_equal(tags.count, 2);
    assert_string_equal(tags.pairs[0].name, "a");
    assert_string_equal(tags.pairs[0].value, "1 <");
    assert_string_equal(tags.pairs[1].value, "");
    document_free(d);
    static const char *const bad[] = { "<Error/>", "<Tagging/>", "<Other><TagSet/></Other>",
        "<Tagging><TagSet><Tag><Key/><Value/></Tag></TagSet></Tagging>",
        "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct haul_error err = { .code = HAUL_OK };
        d = parse(bad[i]);
        tags = (struct haul_pairs){ NULL, 99 };
        assert_int_equal(rows_tags(d, &tags, &err), -1);
        assert_int_equal(err.code, HAUL_BAD_REPLY);
        assert_int_equal(tags.count, 99);
        document_free(d);
    }
}

static void only_what_xml_can_hold_is_text(void **state)
{
    static const char *const good[] = { "", "\t\n\r", "a\x7f", "\xc2\x80", "\xed\x9f\xbf",
        "\xee\x80\x80", "\xef\xbf\xbd", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf" },
                             *const bad[] = { "\x01", "a\x0b", "\x1f", "\x80", "\xff",
                                 "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x80\x80",
                                 "\xe2\x82", "\xed\xa0\x80", "\xef\xbf\xbe", "\xef\xbf\xbf",
                                 "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
                                 "\xf8\x88\x80\x80\x80" };
    (void) state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(xmlwrite_is_text(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        print_message("%zu\n", i);
        assert_false(xmlwrite_is_text(bad[i]));
    }
}

static void without_encoding_type_keys_are_taken_as_they_are(void **state)
{
    (void) state;
    struct haul_listing l;
    struct document *d = parse("<ListBucketResult><Contents><Key>a+b%2Fc</Key></Contents>"
                               "<IsTruncated>false</IsTruncated></ListBucketResult>");
    assert_int_equal(rows_listing(d, &l, NULL), 0);
    assert_string_equal(l.entries[0].key, "a+b%2Fc");
    assert_false(l.truncated);
    document_free(d);
}

static void an_empty_page_may_be_truncated(void **state)
{
    (void) state;
    struct haul_listing l;
    struct document *d = parse("<ListBucketResult><IsTruncated>true</IsTruncated>"
                               "<NextContinuationToken>t</NextContinuationToken>"
                               "</ListBucketResult>");
    assert_int_equal(rows_listing(d, &l, NULL), 0);
    assert_int_equal(l.count, 0);
    assert_true(l.truncated);
    document_free(d);
}

static void a_listing_of_parts_is_read(void **state)
{
    (void) state;
    struct haul_listing l;
    struct document *d = parse(
        "<ListPartsResult><UploadId>u</UploadId><NextPartNumberMarker>7</NextPartNumberMarker>"
        "<IsTruncated>true</IsTruncated>"
        "<Part><PartNumber>2</PartNumber><ETag>\"e2\"</ETag><Size>5242880</Size>"
        "<ChecksumCRC32C>AAAAAA==</ChecksumCRC32C></Part>"
        "<Part><PartNumber>7</PartNumber><ETag>\"e7\"</ETag><Size>1</Size></Part>"
        "</ListPartsResult>");
    assert_int_equal(rows_listing(d, &l, NULL), 0);
    assert_int_equal(l.count, 2);
    assert_int_equal(l.next_part, 7);
    assert_int_equal(l.entries[0].part_number, 2);
    assert_string_equal(l.entries[1].etag, "\"e7\"");
    assert_int_equal(l.entries[0].size, 5242880);
    assert_string_equal(l.entries[0].checksum, "AAAAAA==");
    assert_null(l.entries[1].checksum);
    document_free(d);
}

static void a_listing_of_uploads_is_read(void **state)
{
    (void) state;
    struct haul_listing l;
    struct document *d = parse(
        "<ListMultipartUploadsResult><EncodingType>url</EncodingType>"
        "<NextKeyMarker>a%2Fb</NextKeyMarker><NextUploadIdMarker>2%7E</NextUploadIdMarker>"
        "<IsTruncated>true</IsTruncated><Upload><Key>a%2Fb</Key><UploadId>2%7E</UploadId>"
        "<Initiated>2026-01-31T12:00:00Z</Initiated></Upload></ListMultipartUploadsResult>");
    assert_int_equal(rows_listing(d, &l, NULL), 0);
    assert_string_equal(l.next_key, "a/b");
    assert_string_equal(l.next_id, "2%7E");
    assert_string_equal(l.entries[0].key, "a/b");
    assert_string_equal(l.entries[0].upload_id, "2%7E");
    assert_true(l.entries[0].modified_ms == 1769860800000);
    document_free(d);
}

static void a_marker_is_decoded_only_if_the_names_beside_it_are_encoded_likewise(void **state)
{
    (void) state;
    static const struct {
        const char *rows, *marker, *expected;
    } cases[] = {
        { "<Version><Key>%2B</Key></Version>", "%2B", "+" }, /* AWS */
        { "<Version><Key>%2B</Key></Version>", "+", "+" },   /* Ceph */
        { "<Version><Key>%2525</Key></Version>", "%2525", "%25" },
        { "<Version><Key>%2525</Key></Version>", "%25", "%25" },
        { "<Version><Key>%252B</Key></Version><Version><Key>%2B</Key></Version>", "%2B", "+" },
        { "<CommonPrefixes><Prefix>%25/</Prefix></CommonPrefixes>"
          "<DeleteMarker><Key>!</Key></DeleteMarker>",
            "%/", "%/" },
        { "", "%2B", "+" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct haul_listing l;
        char text[512];
        snprintf(text, sizeof text,
            "<ListVersionsResult><EncodingType>url</EncodingType>%s"
            "<NextKeyMarker>%s</NextKeyMarker></ListVersionsResult>",
            cases[i].rows, cases[i].marker);
        struct document *d = parse(text);
        assert_int_equal(rows_listing(d, &l, NULL), 0);
        assert_string_equal(l.next_key, cases[i].expected);
        document_free(d);
    }
    struct haul_listing l;
    struct document *parts = parse("<ListPartsResult><EncodingType>url</EncodingType>"
                                   "<NextKeyMarker>a</NextKeyMarker><Part>"
                                   "<PartNumber>1</PartNumber></Part></ListPartsResult>");
    assert_int_equal(rows_listing(parts, &l, NULL), 0);
    document_free(parts);
}

static void a_listing_that_breaks_its_promises_is_refused(void **state)
{
    (void) state;
    static const char *const bad[] = {
        "<Error/>",
        "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key/></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>k</Key><Size>-1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>k</Key><Size/></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>k</Key><Size>18446744073709551616</Size></Contents>"
        "</ListBucketResult>",
        "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%zz</Key></Contents>"
        "</ListBucketResult>",
        "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%00</Key></Contents>"
        "</ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><CommonPrefixes/></ListBucketResult>",
        "<ListBucketResult><CommonPrefixes><Prefix/></CommonPrefixes></ListBucketResult>",
        "<ListBucketResult><EncodingType>url</EncodingType><CommonPrefixes><Prefix>%</Prefix>"
        "</CommonPrefixes></ListBucketResult>",
        "<ListVersionsResult><IsTruncated>true</IsTruncated></ListVersionsResult>",
        "<ListVersionsResult><DeleteMarker/></ListVersionsResult>",
        "<ListVersionsResult><EncodingType>url</EncodingType><NextKeyMarker>%</NextKeyMarker>"
        "</ListVersionsResult>",
        "<ListAllMyBucketsResult><Buckets><Bucket/></Buckets></ListAllMyBucketsResult>",
        "<DeleteResult><Error><Code>AccessDenied</Code></Error></DeleteResult>",
        "<ListPartsResult><Part><ETag>x</ETag></Part></ListPartsResult>",
        "<ListPartsResult><Part><PartNumber>0</PartNumber></Part></ListPartsResult>",
        "<ListPartsResult><Part><PartNumber>4294967296</PartNumber></Part></ListPartsResult>",
        "<ListPartsResult><IsTruncated>true</IsTruncated></ListPartsResult>",
        "<ListPartsResult><IsTruncated>true</IsTruncated>"
        "<NextPartNumberMarker>0</NextPartNumberMarker></ListPartsResult>",
        "<ListMultipartUploadsResult><Upload><Key>k</Key></Upload>"
        "</ListMultipartUploadsResult>",
        "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>"
        "<NextKeyMarker/></ListMultipartUploadsResult>",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct haul_listing l = { .count = 99 };
        struct haul_error err = { .code = HAUL_OK };
        struct document *d = parse(bad[i]);
        print_message("%s\n", bad[i]);
        assert_int_equal(rows_listing(d, &l, &err), -1);
        assert_int_equal(err.code, HAUL_BAD_REPLY);
        assert_int_equal(l.count, 99);
        document_free(d);
    }
}

/* Case 40. */
static void a_key_with_a_nul_byte_is_refused_by_name(void **state)
{
    (void) state;
    struct haul_listing l;
    struct haul_error err;
    struct document *d = parse("<ListBucketResult><EncodingType>url</EncodingType>"
                               "<Contents><Key>a%2Fb%00c</Key></Contents></ListBucketResult>");
    assert_int_equal(rows_listing(d, &l, &err), -1);
    assert_string_equal(
        err.text, "the listing's Key has a NUL byte, remove or rename it: a%2Fb%00c");
    document_free(d);
}

static void a_complete_document_escapes_its_etags_and_reads_back(void **state)
{
    (void) state;
    const struct haul_part parts[] = { { .number = 1, .etag = "\"e1\"" },
        { .number = 10000, .etag = "<&>" } };
    struct buf b = buf_make(1000);
    xmlwrite_parts(&b, parts, 2, HAUL_CHECKSUM_NONE);
    assert_string_equal(buf_text(&b),
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        "<Part><PartNumber>1</PartNumber><ETag>\"e1\"</ETag></Part>"
        "<Part><PartNumber>10000</PartNumber><ETag>&lt;&amp;&gt;</ETag></Part>"
        "</CompleteMultipartUpload>");
    document_free(parse(buf_text(&b)));
    buf_free(&b);
}

static void times_are_read_to_the_millisecond(void **state)
{
    (void) state;
    assert_true(rows_time_ms("1970-01-01T00:00:00Z") == 0);
    assert_true(rows_time_ms("2026-01-31T12:00:00.000Z") == 1769860800000);
    assert_true(rows_time_ms("2024-02-29T23:59:59.5Z") == 1709251199500);
    assert_true(rows_time_ms("2026-01-31T12:00:00.123456789Z") == 1769860800123);
}

static void what_is_no_time_is_refused(void **state)
{
    (void) state;
    static const char *const bad[] = {
        "",
        "2026",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00.000",
        "2026-01-31T12:00:00+01:00",
        "2026-02-30T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-00-01T12:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01 12:00:00Z",
        " 026-01-01T12:00:00Z",
        "2026-01--1T12:00:00Z",
        "2026-01-31T12:00:00.000Zx",
        "1969-12-31T23:59:59Z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        print_message("%s\n", bad[i]);
        assert_true(rows_time_ms(bad[i]) == -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_is_read),
        cmocka_unit_test(only_the_roots_own_children_are_read),
        cmocka_unit_test(white_space_before_the_document_is_passed_over),
        cmocka_unit_test(namespaces_are_not_looked_at),
        cmocka_unit_test(what_is_not_xml_is_refused),
        cmocka_unit_test(a_tag_of_countless_attributes_is_refused),
        cmocka_unit_test(what_xml_can_not_have_is_left_out_except_of_keys_in_listings),
        cmocka_unit_test(a_doctype_is_refused_before_anything_in_it_counts),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(a_listing_of_objects_is_read),
        cmocka_unit_test(common_prefixes_come_after_the_rows),
        cmocka_unit_test(versions_and_delete_markers_keep_their_order),
        cmocka_unit_test(a_marker_that_is_not_encoded_with_the_rest_is_understood),
        cmocka_unit_test(buckets_are_truncated_when_there_is_a_token),
        cmocka_unit_test(keys_that_could_not_be_deleted_are_rows),
        cmocka_unit_test(tags_are_read),
        cmocka_unit_test(only_what_xml_can_hold_is_text),
        cmocka_unit_test(without_encoding_type_keys_are_taken_as_they_are),
        cmocka_unit_test(an_empty_page_may_be_truncated),
        cmocka_unit_test(a_listing_of_parts_is_read),
        cmocka_unit_test(a_listing_of_uploads_is_read),
        cmocka_unit_test(a_marker_is_decoded_only_if_the_names_beside_it_are_encoded_likewise),
        cmocka_unit_test(a_listing_that_breaks_its_promises_is_refused),
        cmocka_unit_test(a_key_with_a_nul_byte_is_refused_by_name),
        cmocka_unit_test(a_complete_document_escapes_its_etags_and_reads_back),
        cmocka_unit_test(times_are_read_to_the_millisecond),
        cmocka_unit_test(what_is_no_time_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
