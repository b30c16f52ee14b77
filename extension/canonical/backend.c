/*
 * backend.c
 *		Memory, errors and parameters of the canonical core inside PostgreSQL.
 */
#include "canonical/backend.h"
#include "port/huge_pages.h"

#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"

int			reason_max_json_depth = 64;
int			reason_max_canonical_depth = 1000;

/* The reader and the writers take no stack for depth, only some memory. */
#define MAX_DEPTH_LIMIT 100000

void
canonical_define_parameters(void)
{
	DefineCustomIntVariable("reason.max_json_depth",
							"Sets how deep JSON that is to be recorded may be nested.",
							NULL,
							&reason_max_json_depth, 64, 1, MAX_DEPTH_LIMIT,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("reason.max_canonical_depth",
							"Sets how deep JSON may be nested that canonical_json() and digest() take.",
							"Documents that quote recorded JSON are a few levels deeper than what was recorded.",
							&reason_max_canonical_depth, 1000, 1, MAX_DEPTH_LIMIT,
							PGC_USERSET, 0, NULL, NULL, NULL);
}

void *
canonical_realloc(void *context, void *old, size_t size)
{
	void	   *result;

	/* Buffers grow in steps that take long enough to look up in between. */
	CHECK_FOR_INTERRUPTS();
	if (old)
		result = repalloc_huge(old, size);
	else
		result = MemoryContextAllocHuge(context ? (MemoryContext) context : CurrentMemoryContext, size);
	prefer_huge_pages(result, size);
	return result;
}

JsonLimits
canonical_write_limits(void)
{
	JsonLimits	limits = {
		.max_depth = reason_max_json_depth,
		.refuse_inexact_numbers = true
	};

	return limits;
}

static int
sqlstate_of(JsonErrorCode code)
{
	switch (code)
	{
		case JSON_ERROR_ENCODING:
			return ERRCODE_CHARACTER_NOT_IN_REPERTOIRE;
		case JSON_ERROR_NUL:
			return ERRCODE_UNTRANSLATABLE_CHARACTER;
		case JSON_ERROR_DUPLICATE:
			return ERRCODE_DUPLICATE_JSON_OBJECT_KEY_VALUE;
		case JSON_ERROR_NUMBER_RANGE:
		case JSON_ERROR_NUMBER_INEXACT:
			return ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE;
		case JSON_ERROR_DEPTH:
		case JSON_ERROR_SIZE:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		case JSON_ERROR_MEMORY:
			return ERRCODE_OUT_OF_MEMORY;
		case JSON_ERROR_SYNTAX:
		case JSON_ERROR_SURROGATE:
		case JSON_OK:
			break;
	}
	return ERRCODE_INVALID_TEXT_REPRESENTATION;
}

void
canonical_report(const JsonError *error)
{
	ereport(ERROR,
			(errcode(sqlstate_of(error->code)),
			 errmsg("invalid JSON: %s", error->message),
			 errdetail("JSON Pointer \"%s\", byte offset %zu.", error->pointer, error->offset),
			 error->code == JSON_ERROR_NUMBER_INEXACT ?
			 errhint("Write the number as a string to keep all its digits.") : 0));
	pg_unreachable();
}
