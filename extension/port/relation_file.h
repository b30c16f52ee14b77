/*
 * relation_file.h
 *		Which file a relation is in: changes when the relation is rewritten or truncated.
 */
#ifndef REASON_PORT_RELATION_FILE_H
#define REASON_PORT_RELATION_FILE_H

#include "postgres.h"

#include "utils/rel.h"

#if PG_VERSION_NUM >= 160000
typedef RelFileLocator RelationFile;
#define relation_file_of(relation) ((relation)->rd_locator)
#define relation_file_equals(a, b) RelFileLocatorEquals(a, b)
#else
typedef RelFileNode RelationFile;
#define relation_file_of(relation) ((relation)->rd_node)
#define relation_file_equals(a, b) RelFileNodeEquals(a, b)
#endif

#endif							/* REASON_PORT_RELATION_FILE_H */
