/*
 * canonical_core.c
 *		The canonical core by itself: reading, writing and hashing, without PostgreSQL.
 *
 *	canonical_core FILE…	each a file of JSON texts, one a line
 *
 * Prints the best of several rounds, in megabytes of canonical bytes a second of processor time.
 */
#define _GNU_SOURCE
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/canonical.h"
#include "core/json_reader.h"
#include "core/sha256.h"

#define ROUNDS 7

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

typedef enum Work
{
	READ, WRITE, HASH
} Work;

/* Seconds for all lines; *bytes becomes the canonical bytes. */
static double
run(const char *text, size_t length, Work work, size_t *bytes)
{
	static JsonDocument document;
	static ByteBuffer out;
	const JsonLimits limits = {.max_depth = 1000};
	JsonError	error;
	uint8_t		digest[SHA256_LENGTH];
	double		best = 1e9;

	if (!out.realloc)
	{
		json_document_init(&document, NULL, NULL);
		buffer_init(&out, NULL, NULL);
	}
	for (int round = 0; round < ROUNDS; round++)
	{
		double		began = now();
		size_t		total = 0;

		for (const char *line = text; line < text + length;)
		{
			const char *end = memchr(line, '\n', (size_t) (text + length - line));

			if (!end)
				end = text + length;
			if (!json_read(&document, line, (size_t) (end - line), &limits, &error))
			{
				fprintf(stderr, "%s at %zu\n", error.message, error.offset);
				exit(1);
			}
			if (work != READ)
			{
				out.length = 0;
				canonical_write_value(&out, &document, json_root(&document));
				total += out.length;
			}
			if (work == HASH)
				sha256_of(digest, out.data, out.length);
			line = end + 1;
		}
		if (now() - began < best)
			best = now() - began;
		if (work != READ)
			*bytes = total;
	}
	return best;
}

static void
measure_file(const char *path)
{
	FILE	   *file = fopen(path, "rb");
	char	   *text;
	long		length;
	size_t		bytes = 0;
	double		seconds[3];
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

	if (!file || fseek(file, 0, SEEK_END) != 0 || (length = ftell(file)) < 0)
	{
		perror(path);
		exit(1);
	}
	rewind(file);
	text = malloc((size_t) length);
	if (!text || fread(text, 1, (size_t) length, file) != (size_t) length)
	{
		perror(path);
		exit(1);
	}
	fclose(file);
	for (int work = HASH; work >= READ; work--)
		seconds[work] = run(text, (size_t) length, (Work) work, &bytes);
	printf("core       %-14s %8.0f %8.0f %8.0f\n", name, (double) bytes / seconds[READ] / 1e6,
		   (double) bytes / seconds[WRITE] / 1e6, (double) bytes / seconds[HASH] / 1e6);
	free(text);
}

/* What a digest costs by size, and what it would by way of EVP with a context used again. */
static void
measure_sha256(size_t size)
{
	char	   *data = calloc(1, size);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t		digest[SHA256_LENGTH];
	size_t		count = 20000000 / (size + 200);
	double		ours = 1e9,
				evp = 1e9;

	if (!data || !context || !EVP_DigestInit_ex(context, EVP_sha256(), NULL))
		exit(1);
	for (int round = 0; round < ROUNDS; round++)
	{
		double		began = now();

		for (size_t i = 0; i < count; i++)
			sha256_of(digest, data, size);
		if (now() - began < ours)
			ours = now() - began;
		began = now();
		for (size_t i = 0; i < count; i++)
		{
			EVP_DigestInit_ex(context, NULL, NULL);
			EVP_DigestUpdate(context, data, size);
			EVP_DigestFinal_ex(context, digest, NULL);
		}
		if (now() - began < evp)
			evp = now() - began;
	}
	printf("sha256     %7zu bytes  %8.0f %8.0f\n", size, (double) (count * size) / ours / 1e6,
		   (double) (count * size) / evp / 1e6);
	EVP_MD_CTX_free(context);
	free(data);
}

int
main(int argc, char **argv)
{
	puts("           documents          read    write   sha256   (MB/s; each column does what is before it too)");
	for (int i = 1; i < argc; i++)
		measure_file(argv[i]);
	puts("           size               ours      EVP   (MB/s)");
	measure_sha256(64);
	measure_sha256(500);
	measure_sha256(1024);
	measure_sha256(1 << 20);
	return 0;
}
