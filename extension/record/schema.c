/*
 * schema.c
 *		Tables, indexes and sequences of schema reason, found by name.
 */
#include "postgres.h"

#include "record/schema.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "storage/lmgr.h"
#include "storage/sinval.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

Oid
schema_oid(void)
{
	return get_namespace_oid("reason", false);
}

bool
schema_exists(void)
{
	return OidIsValid(get_namespace_oid("reason", true));
}

Oid
schema_relation_oid(const char *name)
{
	Oid			oid = get_relname_relid(name, schema_oid());

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation reason.%s does not exist", name),
				 errhint("Run ALTER EXTENSION reasoning_graph UPDATE, or create the extension in this database.")));
	return oid;
}

/* As RangeVarGetRelid() does it, without asking for privileges: until nothing has changed by the time the lock is there. */
static Oid
lock_relation(const char *name, LOCKMODE lockmode)
{
	Oid			locked = InvalidOid;

	for (;;)
	{
		uint64		messages = SharedInvalidMessageCounter;
		Oid			oid = schema_relation_oid(name);

		if (oid == locked)
			return oid;
		if (OidIsValid(locked))
			UnlockRelationOid(locked, lockmode);
		LockRelationOid(oid, lockmode);
		if (SharedInvalidMessageCounter == messages)
			return oid;
		locked = oid;
	}
}

Relation
schema_open_table(const char *name, LOCKMODE lockmode)
{
	Relation	table = relation_open(lock_relation(name, lockmode), NoLock);

	/* Nothing else has rows that can be read without the executor. */
	if (table->rd_rel->relkind != RELKIND_RELATION)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation reason.%s is not a table", name)));
	return table;
}

Relation
schema_open_sequence(const char *name, LOCKMODE lockmode)
{
	Relation	sequence = relation_open(lock_relation(name, lockmode), NoLock);

	if (sequence->rd_rel->relkind != RELKIND_SEQUENCE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation reason.%s is not a sequence", name)));
	return sequence;
}

/* One that is not valid lacks rows, unless it is one whose name was given to another just now. */
static bool
is_exchanged(const char *name, Oid oid)
{
	AcceptInvalidationMessages();
	return get_relname_relid(name, schema_oid()) != oid;
}

Relation
schema_open_index(const char *name, Relation table, LOCKMODE lockmode)
{
	for (;;)
	{
		Relation	index = relation_open(lock_relation(name, lockmode), NoLock);
		Oid			oid = RelationGetRelid(index);

		if (index->rd_rel->relkind != RELKIND_INDEX || index->rd_rel->relam != BTREE_AM_OID)
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("relation reason.%s is not a B-tree index", name),
					 errhint("Recreate the index as the extension's script defines it.")));
		if (index->rd_index->indrelid != RelationGetRelid(table))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("index reason.%s is not one of table reason.%s", name, RelationGetRelationName(table)),
					 errhint("Recreate the index as the extension's script defines it.")));
		if (index->rd_index->indisvalid)
			return index;
		index_close(index, lockmode);
		if (!is_exchanged(name, oid))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("index reason.%s is not valid", name),
					 errhint("Run REINDEX INDEX reason.%s.", name)));
	}
}

AttrNumber
schema_column(Relation table, const char *name)
{
	TupleDesc	desc = RelationGetDescr(table);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), name) == 0)
			return attribute->attnum;
	}
	return InvalidAttrNumber;
}
