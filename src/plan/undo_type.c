/*-------------------------------------------------------------------------
 *
 * undo_type.c
 *	  What takes back ALTER COLUMN ... TYPE that runs at once: a widening.
 *
 * The column gets its former type if all values fit into it.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/toast_compression.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "parser/parse_coerce.h"
#include "parser/parser.h"
#include "plan/undo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static char *
type_text(Oid typid, int32 typmod)
{
	return format_type_extended(typid, typmod, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

/* A change of type gives the column the storage of the new one. */
static void
append_storage(StringInfo buf, const FormData_pg_attribute *form, const char *column)
{
	if (form->attstorage != get_typstorage(form->atttypid))
		appendStringInfo(buf, ", ALTER COLUMN %s SET STORAGE %s", column,
						 form->attstorage == TYPSTORAGE_PLAIN ? "PLAIN" :
						 form->attstorage == TYPSTORAGE_EXTERNAL ? "EXTERNAL" :
						 form->attstorage == TYPSTORAGE_MAIN ? "MAIN" : "EXTENDED");
	if (CompressionMethodIsValid(form->attcompression))
		appendStringInfo(buf, ", ALTER COLUMN %s SET COMPRESSION %s", column,
						 GetCompressionMethodName(form->attcompression));
}

static char *
collation_name(Oid collation)
{
	ObjectAddress object;

	ObjectAddressSet(object, CollationRelationId, collation);
	return getObjectIdentity(&object, false);
}

static char *
former_type(const FormData_pg_attribute *form)
{
	const char *column = quote_identifier(NameStr(form->attname));
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "ALTER COLUMN %s TYPE %s", column,
					 type_text(form->atttypid, form->atttypmod));
	if (OidIsValid(form->attcollation) && form->attcollation != get_typcollation(form->atttypid))
		appendStringInfo(&buf, " COLLATE %s",
						 collation_name(form->attcollation));
	append_storage(&buf, form, column);
	return buf.data;
}

/* Can a value of the new type be assigned to a column of the former one? */
static bool
is_assignable(const FormData_pg_attribute *form, const AlterTableCmd *cmd)
{
	ZdmXact		xact = {0};
	ZdmDdl		nobody = {.xact = &xact};
	Oid			typid;
	int32		typmod;

	return ddl_type(&nobody, castNode(ColumnDef, cmd->def)->typeName, &typid, &typmod) &&
		OidIsValid(typid) && can_coerce_type(1, &typid, &form->atttypid, COERCION_ASSIGNMENT);
}

void
zdm_undo_type(ZdmRel *rel, const AlterTableCmd *cmd, ZdmUndo *undo)
{
	HeapTuple	tuple = SearchSysCacheAttName(rel->relid, cmd->name);
	const FormData_pg_attribute *form;

	if (!HeapTupleIsValid(tuple))
		return;
	form = (Form_pg_attribute) GETSTRUCT(tuple);
	if (is_assignable(form, cmd) && !ddl_domain_has_constraints(form->atttypid))
		undo->sql = former_type(form);
	else
		undo->loss = psprintf("its values are not assigned to type %s without a check or conversion of your own",
							  type_text(form->atttypid, form->atttypmod));
	ReleaseSysCache(tuple);
}

/* Numbers that are too large, or have more digits behind the point */
static char *
numeric_condition(const char *column, int32 typmod)
{
	int			precision = ((typmod - VARHDRSZ) >> 16) & 0xffff;

	/* eleven bits with a sign, as make_numeric_typmod() has it */
	int			scale = (((typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;

	if (typmod < (int32) VARHDRSZ)
		return NULL;
	return psprintf("%s OPERATOR(pg_catalog.<>) 'NaN' AND (pg_catalog.abs(%s) OPERATOR(pg_catalog.>=) '1e%d' OR %s OPERATOR(pg_catalog.<>) pg_catalog.round(%s, %d))",
					column, column, precision - scale, column, column, scale);
}

/* A condition that a value has not the range of an integer type */
static char *
integer_condition(const char *column, Oid typid)
{
	const char *least = typid == INT2OID ? "-32768" : typid == INT4OID ? "-2147483648" :
		"-9223372036854775808";
	const char *most = typid == INT2OID ? "32767" : typid == INT4OID ? "2147483647" :
		"9223372036854775807";

	return psprintf("%s NOT BETWEEN '%s' AND '%s' OR %s OPERATOR(pg_catalog.<>) pg_catalog.round(%s)",
					column, least, most, column, column);
}

/* A condition that the value does not fit into the type; NULL: each does */
static char *
misfit_condition(const char *column, Oid typid, int32 typmod)
{
	Oid			base = getBaseTypeAndTypmod(typid, &typmod);

	switch (base)
	{
		case VARCHAROID:
			return typmod < (int32) VARHDRSZ ? NULL :
				psprintf("pg_catalog.length(%s::text) > %d", column, typmod - (int) VARHDRSZ);
		case VARBITOID:
			return typmod < 0 ? NULL : psprintf("pg_catalog.length(%s) > %d", column, typmod);
		case BITOID:
			return psprintf("pg_catalog.length(%s) <> %d", column, typmod < 0 ? 1 : typmod);
		case NUMERICOID:
			return numeric_condition(column, typmod);
		case TEXTOID:
			return NULL;
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return integer_condition(column, base);
		default:
			return psprintf("%s::%s OPERATOR(pg_catalog.<>) %s", column, type_text(typid, typmod), column);
	}
}

char *
zdm_undo_verify_types(const ZdmDdl *ddl, const char *undo_sql)
{
	List	   *stmts = raw_parser(undo_sql, RAW_PARSE_DEFAULT);
	AlterTableStmt *stmt = (AlterTableStmt *) linitial_node(RawStmt, stmts)->stmt;
	ZdmDdl		scratch = *ddl;
	ZdmRel	   *rel;
	StringInfoData buf;
	ListCell   *lc;

	if (!IsA(stmt, AlterTableStmt))
		return NULL;
	rel = ddl_rel(&scratch, stmt->relation, true);
	initStringInfo(&buf);
	foreach(lc, rel ? stmt->cmds : NIL)
	{
		const AlterTableCmd *cmd = lfirst(lc);
		Oid			typid;
		int32		typmod;
		char	   *condition;

		if (cmd->subtype != AT_AlterColumnType)
			continue;
		if (!ddl_type(&scratch, castNode(ColumnDef, cmd->def)->typeName, &typid, &typmod))
			continue;
		condition = misfit_condition(quote_identifier(cmd->name), typid, typmod);
		if (condition != NULL)
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? " OR " : "", condition);
	}
	if (buf.len == 0)
		return NULL;
	return psprintf("SELECT * FROM %s%s WHERE %s", stmt->relation->inh ? "" : "ONLY ",
					ddl_rel_qualified(rel), buf.data);
}
