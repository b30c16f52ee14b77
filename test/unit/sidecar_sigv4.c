/*
 * AWS Signature Version 4 against the published cases.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html and the SigV4 test suite (get-vanilla).
 */
#include "check.h"

#include "net/credentials.h"
#include "net/sigv4.h"

#include <unistd.h>

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define S3_HOST {"host", "examplebucket.s3.amazonaws.com"}
#define S3_DATE {"x-amz-date", "20130524T000000Z"}

static const struct sigv4_credentials s3_example = {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
static const struct sigv4_credentials suite = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""};

static void
expect(const char *method, const char *path, const char *query, const struct http_header *headers, size_t count, const char *hash,
	   const char *signed_headers, const char *signature)
{
	struct sigv4_request request = {method, path, query, headers, count, hash, "us-east-1", "s3", 1369353600};
	char		got[1024];
	char		expected[1024];

	snprintf(expected, sizeof(expected),
			 "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=%s, Signature=%s",
			 signed_headers, signature);
	CHECK(sigv4_authorization(&request, &s3_example, got, sizeof(got)));
	CHECK_TEXT(got, strlen(got), expected);
}

static void
published_s3_cases(void)
{
	const struct http_header get[] = {S3_HOST, {"range", "bytes=0-9"}, {"x-amz-content-sha256", EMPTY}, S3_DATE};
	const struct http_header put[] = {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, S3_HOST,
									  {"x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"}, S3_DATE,
									  {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
	const struct http_header plain[] = {S3_HOST, {"x-amz-content-sha256", EMPTY}, S3_DATE};
	char		path[64];

	expect("GET", "/test.txt", "", get, 4, EMPTY, "host;range;x-amz-content-sha256;x-amz-date",
		   "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
	CHECK(sigv4_encode("/test$file.text", true, path, sizeof(path)));
	expect("PUT", path, "", put, 5, put[2].value, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
		   "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
	expect("GET", "/", "lifecycle=", plain, 3, EMPTY, "host;x-amz-content-sha256;x-amz-date",
		   "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
	expect("GET", "/", "max-keys=2&prefix=J", plain, 3, EMPTY, "host;x-amz-content-sha256;x-amz-date",
		   "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void
vanilla(void)
{
	/* headers in the wrong order, and white space that does not count */
	const struct http_header headers[] = {{"x-amz-date", "20150830T123600Z"}, {"host", "  example.amazonaws.com "}};
	struct sigv4_request request = {"GET", "/", "", headers, 2, EMPTY, "us-east-1", "service", 1440938160};
	char		got[512];
	const char *expected = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
		"SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

	CHECK(sigv4_authorization(&request, &suite, got, sizeof(got)));
	CHECK_TEXT(got, strlen(got), expected);
	CHECK(!sigv4_authorization(&request, &suite, got, 20));
}

static void
encoding(void)
{
	char		text[64];

	CHECK(sigv4_encode("a b/c=d~e", true, text, sizeof(text)));
	CHECK_TEXT(text, strlen(text), "a%20b/c%3Dd~e");
	CHECK(sigv4_encode("a/\xc3\xa9", false, text, sizeof(text)));
	CHECK_TEXT(text, strlen(text), "a%2F%C3%A9");
	CHECK(!sigv4_encode("abcd", false, text, 4));
	CHECK(!sigv4_encode("a b", false, text, 5));
}

static void
credentials_from_a_file(void)
{
	char		path[] = "/tmp/reason-sigv4.XXXXXX";
	static const char text[] = "[default]\naws_access_key_id = AK \naws_secret_access_key=a/b+c=\naws_session_token = tok==\n";
	struct sigv4_credentials credentials;
	int			fd = mkstemp(path);
	FILE	   *file;

	CHECK(write(fd, text, sizeof(text) - 1) == (ssize_t) sizeof(text) - 1);
	close(fd);
	CHECK(sigv4_load_credentials(path, &credentials));
	CHECK_TEXT(credentials.access_key, strlen(credentials.access_key), "AK");
	CHECK_TEXT(credentials.secret_key, strlen(credentials.secret_key), "a/b+c=");
	CHECK_TEXT(credentials.session_token, strlen(credentials.session_token), "tok==");
	/* a value that has no room is not cut off */
	file = fopen(path, "w");
	fprintf(file, "aws_access_key_id = AK\naws_secret_access_key = %0*d\n", (int) sizeof(credentials.secret_key), 1);
	fclose(file);
	CHECK(!sigv4_load_credentials(path, &credentials));
	unlink(path);
	CHECK(!sigv4_load_credentials(path, &credentials));
}

int
main(void)
{
	published_s3_cases();
	vanilla();
	encoding();
	credentials_from_a_file();
	return check_summary("sidecar_sigv4");
}
