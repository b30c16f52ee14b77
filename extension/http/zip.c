/*
 * zip.c
 *		Several files in one: a ZIP archive (PKWARE's APPNOTE.TXT 6.3, sections 4.3 and 4.4), stored as they are.
 *
 * Nothing is compressed: what is packed are hashes and signatures, and the
 * gateway's transport may compress.  Times are left at the format's first, so
 * that the same files give the same archive.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/pg_crc.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

PG_FUNCTION_INFO_V1(reason_http_zip);

#define LOCAL_HEADER 0x04034b50
#define CENTRAL_HEADER 0x02014b50
#define END_RECORD 0x06054b50
#define VERSION 10				/* 1.0: stored files, no more */
#define FLAG_UTF8 0x0800		/* general purpose bit 11: names are UTF-8 */
#define FIRST_DATE 0x0021		/* 1 January 1980 */
#define MOST_FILES 65535		/* of an archive without the extension for larger ones */

static void
put16(StringInfo out, uint16 value)
{
	char		bytes[] = {value & 0xFF, value >> 8};

	appendBinaryStringInfo(out, bytes, sizeof(bytes));
}

static void
put32(StringInfo out, uint32 value)
{
	put16(out, value & 0xFFFF);
	put16(out, value >> 16);
}

/* What both headers of a file say alike: from the version that is needed to the lengths of name and extra field. */
static void
put_common(StringInfo out, uint32 crc, uint32 length, uint16 name_length)
{
	put16(out, VERSION);
	put16(out, FLAG_UTF8);
	put16(out, 0);				/* method: stored */
	put16(out, 0);				/* time */
	put16(out, FIRST_DATE);
	put32(out, crc);
	put32(out, length);			/* compressed */
	put32(out, length);
	put16(out, name_length);
	put16(out, 0);				/* extra field */
}

static void
put_file(StringInfo out, StringInfo directory, text *name, bytea *body)
{
	uint32		offset = out->len - VARHDRSZ;	/* of the archive, which begins behind the length of the value */
	uint32		length = VARSIZE_ANY_EXHDR(body);
	uint16		name_length = VARSIZE_ANY_EXHDR(name);
	pg_crc32	crc;

	INIT_TRADITIONAL_CRC32(crc);
	COMP_TRADITIONAL_CRC32(crc, VARDATA_ANY(body), length);
	FIN_TRADITIONAL_CRC32(crc);

	put32(out, LOCAL_HEADER);
	put_common(out, crc, length, name_length);
	appendBinaryStringInfo(out, VARDATA_ANY(name), name_length);
	appendBinaryStringInfo(out, VARDATA_ANY(body), length);

	put32(directory, CENTRAL_HEADER);
	put16(directory, VERSION);	/* made by */
	put_common(directory, crc, length, name_length);
	put16(directory, 0);		/* comment */
	put16(directory, 0);		/* disk */
	put16(directory, 0);		/* internal attributes */
	put32(directory, 0);		/* external attributes */
	put32(directory, offset);
	appendBinaryStringInfo(directory, VARDATA_ANY(name), name_length);
}

static void
elements_of(ArrayType *array, Oid type, Datum **values, int *count)
{
	bool	   *nulls;

	deconstruct_array(array, type, -1, false, TYPALIGN_INT, values, &nulls, count);
	for (int i = 0; i < *count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("files of an archive have a name and a body")));
	}
}

/* http_zip(names text[], bodies bytea[]) → bytea */
Datum
reason_http_zip(PG_FUNCTION_ARGS)
{
	Datum	   *names;
	Datum	   *bodies;
	int			count;
	int			body_count;
	StringInfoData out;
	StringInfoData directory;
	uint32		start;

	elements_of(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, &names, &count);
	elements_of(PG_GETARG_ARRAYTYPE_P(1), BYTEAOID, &bodies, &body_count);
	if (count != body_count || count > MOST_FILES)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("an archive has as many names as bodies, at most %d", MOST_FILES)));
	initStringInfo(&out);
	initStringInfo(&directory);
	appendStringInfoSpaces(&out, VARHDRSZ);
	for (int i = 0; i < count; i++)
	{
		text	   *name = DatumGetTextPP(names[i]);

		if (VARSIZE_ANY_EXHDR(name) > 1024)
			ereport(ERROR,
					(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
					 errmsg("the name of a file in an archive has at most 1024 bytes")));
		put_file(&out, &directory, name, DatumGetByteaPP(bodies[i]));
	}
	start = out.len;
	appendBinaryStringInfo(&out, directory.data, directory.len);
	put32(&out, END_RECORD);
	put16(&out, 0);				/* this disk */
	put16(&out, 0);				/* the directory's */
	put16(&out, count);
	put16(&out, count);
	put32(&out, directory.len);
	put32(&out, start - VARHDRSZ);
	put16(&out, 0);				/* comment */
	SET_VARSIZE(out.data, out.len);
	PG_RETURN_BYTEA_P(out.data);
}
