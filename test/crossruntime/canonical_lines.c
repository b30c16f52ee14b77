/*
 * canonical_lines.c
 *		A JSON text a line in; SHA-256 and canonical form a line out: ours.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/canonical.h"
#include "core/json_reader.h"
#include "core/sha256.h"

int
main(void)
{
	const JsonLimits limits = {.max_depth = 1000};
	JsonDocument document;
	JsonError	error;
	ByteBuffer	out;
	char	   *line = NULL;
	size_t		capacity = 0;
	ssize_t		length;

	json_document_init(&document, NULL, NULL);
	buffer_init(&out, NULL, NULL);
	while ((length = getline(&line, &capacity, stdin)) > 0)
	{
		uint8_t		digest[SHA256_LENGTH];

		if (!json_read(&document, line, (size_t) length, &limits, &error))
		{
			fprintf(stderr, "%s at %zu: %s", error.message, error.offset, line);
			return 1;
		}
		out.length = 0;
		canonical_write_value(&out, &document, json_root(&document));
		sha256_of(digest, out.data, out.length);
		for (int i = 0; i < SHA256_LENGTH; i++)
			printf("%02x", digest[i]);
		printf(" %.*s\n", (int) out.length, out.data);
	}
	free(line);
	buffer_free(&out);
	json_document_free(&document);
	return 0;
}
