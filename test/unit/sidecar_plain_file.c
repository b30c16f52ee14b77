/*
 * Secrets of files: all of the first line, or nothing.
 */
#include "check.h"

#include "base/plain_file.h"

#include <unistd.h>

static char path[] = "/tmp/reason-plain-file.XXXXXX";

/* What is read into so many bytes of a file of these. */
static const char *
secret_of(const char *bytes, size_t size)
{
	static char secret[64];
	FILE	   *file = fopen(path, "w");

	fputs(bytes, file);
	fclose(file);
	return plain_file_read_secret(path, secret, size) ? secret : "(none)";
}

static void
is(const char *got, const char *expected)
{
	CHECK_TEXT(got, strlen(got), expected);
}

int
main(void)
{
	close(mkstemp(path));
	is(secret_of("s3cret", 16), "s3cret");
	is(secret_of("s3cret\r\nand more of the file than fits\n", 16), "s3cret");
	is(secret_of("", 16), "(none)");
	is(secret_of("\n", 16), "(none)");
	/* what just fits, with and without the line's end */
	is(secret_of("123456789012345", 16), "123456789012345");
	is(secret_of("12345678901234\n", 16), "12345678901234");
	is(secret_of("123456789012345\n", 16), "123456789012345");
	/* a character more would have been cut off */
	is(secret_of("1234567890123456", 16), "(none)");
	is(secret_of("1234567890123456\n", 16), "(none)");
	unlink(path);
	return check_summary("sidecar_plain_file");
}
