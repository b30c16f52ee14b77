/*
 * check.h
 *		Assertions for plain C tests: count, and print what differs.
 */
#ifndef REASON_CHECK_H
#define REASON_CHECK_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned checks_passed;
static unsigned checks_failed;

#define CHECK(condition) \
	check_that((condition), __FILE__, __LINE__, #condition)

#define CHECK_TEXT(got, got_length, expected) \
	check_text((got), (got_length), (expected), strlen(expected), __FILE__, __LINE__)

#define CHECK_BYTES(got, got_length, expected, expected_length) \
	check_text((got), (got_length), (expected), (expected_length), __FILE__, __LINE__)

static inline bool
check_that(bool holds, const char *file, int line, const char *what)
{
	if (holds)
		checks_passed++;
	else
	{
		checks_failed++;
		fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
	}
	return holds;
}

static inline bool
check_text(const char *got, size_t got_length, const char *expected, size_t expected_length,
		   const char *file, int line)
{
	if (got_length == expected_length && (got_length == 0 || memcmp(got, expected, got_length) == 0))
	{
		checks_passed++;
		return true;
	}
	checks_failed++;
	fprintf(stderr, "%s:%d:\n  got      %.*s\n  expected %.*s\n", file, line,
			(int) (got_length > 2000 ? 2000 : got_length), got,
			(int) (expected_length > 2000 ? 2000 : expected_length), expected);
	return false;
}

/* The whole file, terminated for convenience; the caller frees. Exits when there is none. */
static inline char *
check_read_file(const char *path, size_t *length)
{
	FILE	   *file = fopen(path, "rb");
	char	   *data;
	long		size;

	if (!file || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0)
	{
		perror(path);
		exit(2);
	}
	rewind(file);
	data = malloc((size_t) size + 1);
	if (!data || fread(data, 1, (size_t) size, file) != (size_t) size)
	{
		perror(path);
		exit(2);
	}
	fclose(file);
	data[size] = '\0';
	*length = (size_t) size;
	return data;
}

/* main() ends with this. */
static inline int
check_summary(const char *name)
{
	printf("%s: %u passed, %u failed\n", name, checks_passed, checks_failed);
	return checks_failed ? 1 : 0;
}

#endif							/* REASON_CHECK_H */
