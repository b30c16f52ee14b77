/*
 * S3's documents as they are read; every cut of one, and what only looks like one, is refused.
 */
#include "check.h"

#include "store/xml.h"

static const char listing[] =
	"\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- of a bucket -->\n"
	"<s3:ListVersionsResult xmlns:s3=\"http://s3.amazonaws.com/doc/2006-03-01/\" other='a>b'>\n"
	"  <s3:Name/>\n  <s3:IsTruncated>false</s3:IsTruncated>\n"
	"  <s3:Version><s3:Key>a&amp;b&#34;&#x3c;<![CDATA[<&>]]></s3:Key><s3:Owner><s3:ID>x</s3:ID></s3:Owner></s3:Version>\n"
	"</s3:ListVersionsResult >\n";

/* In memory of exactly its size, so that a byte read too far is found. */
static bool
reads(const char *bytes, size_t length, const char *root)
{
	char	   *copy = malloc(length ? length : 1);
	bool		ok;

	memcpy(copy, bytes, length);
	ok = xml_read(copy, length, root, NULL, NULL);
	free(copy);
	return ok;
}

static bool
text_is(const char *path, const char *expected)
{
	char		text[64];

	return xml_text(listing, sizeof(listing) - 1, "ListVersionsResult", path, text, sizeof(text)) && strcmp(text, expected) == 0;
}

static void
documents(void)
{
	const size_t whole = sizeof(listing) - 2;	/* without the line's end */

	CHECK(text_is("IsTruncated", "false"));
	CHECK(text_is("Name", ""));
	CHECK(text_is("Version/Key", "a&b\"<<&>"));
	CHECK(text_is("Version/Owner/ID", "x"));
	CHECK(!text_is("ID", "x"));
	CHECK(reads(listing, whole, "ListVersionsResult"));
	CHECK(!reads(listing, whole, "ListBucketResult"));
	for (size_t length = 0; length < whole; length++)
		CHECK(!reads(listing, length, "ListVersionsResult"));
}

static bool
is_document(const char *text)
{
	return reads(text, strlen(text), "A");
}

static void
others(void)
{
	char		deep[200] = "";

	CHECK(is_document("  <A/>  "));
	CHECK(is_document("<A b=\"c\"></A>"));
	CHECK(!is_document(""));
	CHECK(!is_document("A"));
	CHECK(!is_document("<A>"));
	CHECK(!is_document("</A>"));
	CHECK(!is_document("<A/><A/>"));
	CHECK(!is_document("<A/>more"));
	CHECK(!is_document("<A><B></A></B>"));
	CHECK(!is_document("<x:A></A>"));
	CHECK(!is_document("<A b></A>"));
	CHECK(!is_document("<A b=\"c></A>"));
	CHECK(!is_document("<A>&other;</A>"));
	CHECK(!is_document("<A>&#0;</A>"));
	CHECK(!is_document("<A>& </A>"));
	CHECK(!is_document("<!DOCTYPE A [<!ENTITY e \"e\">]><A>&e;</A>"));
	CHECK(!is_document("<!DOCTYPE html><html><body><A></A></body></html>"));
	CHECK(!is_document("<html><A></A></html>"));
	for (int i = 0; i < 40; i++)
		strcat(deep, "<A>");
	CHECK(!is_document(deep));
	CHECK(!reads("<A>a\0b</A>", 10, "A"));
}

int
main(void)
{
	documents();
	others();
	return check_summary("sidecar_xml");
}
