/*-------------------------------------------------------------------------
 *
 * qualify.c
 *	  The text of a statement for later: its relations get their schemas, and
 *	  the names that they have by then.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "parser/parser.h"
#include "plan/advice.h"
#include "plan/qualify.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* The relations (RangeVar) that a utility statement names itself */
static List *
relations_of(Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_AlterTableStmt:
			return list_make1(((AlterTableStmt *) stmt)->relation);
		case T_IndexStmt:
			return list_make1(((IndexStmt *) stmt)->relation);
		case T_CreateStmt:
			return list_concat(list_make1(((CreateStmt *) stmt)->relation),
							   ((CreateStmt *) stmt)->inhRelations);
		case T_GrantStmt:
			if (((GrantStmt *) stmt)->targtype == ACL_TARGET_OBJECT &&
				(((GrantStmt *) stmt)->objtype == OBJECT_TABLE ||
				 ((GrantStmt *) stmt)->objtype == OBJECT_SEQUENCE))
				return ((GrantStmt *) stmt)->objects;
			return NIL;
		case T_CreatePolicyStmt:
			return list_make1(((CreatePolicyStmt *) stmt)->table);
		case T_AlterPolicyStmt:
			return list_make1(((AlterPolicyStmt *) stmt)->table);
		case T_RenameStmt:
			return ((RenameStmt *) stmt)->relation ? list_make1(((RenameStmt *) stmt)->relation) : NIL;
		case T_AlterObjectSchemaStmt:
			return ((AlterObjectSchemaStmt *) stmt)->relation ?
				list_make1(((AlterObjectSchemaStmt *) stmt)->relation) : NIL;
		case T_AlterOwnerStmt:
			return ((AlterOwnerStmt *) stmt)->relation ? list_make1(((AlterOwnerStmt *) stmt)->relation) : NIL;
		case T_CreateTrigStmt:
			return list_make1(((CreateTrigStmt *) stmt)->relation);
		case T_RuleStmt:
			return list_make1(((RuleStmt *) stmt)->relation);
		case T_ReindexStmt:
			return ((ReindexStmt *) stmt)->relation ? list_make1(((ReindexStmt *) stmt)->relation) : NIL;
		case T_RefreshMatViewStmt:
			return list_make1(((RefreshMatViewStmt *) stmt)->relation);
		case T_ClusterStmt:
			return ((ClusterStmt *) stmt)->relation ? list_make1(((ClusterStmt *) stmt)->relation) : NIL;
		case T_CreateStatsStmt:
			return ((CreateStatsStmt *) stmt)->relations;
		default:
			return NIL;
	}
}

static int
by_location_backwards(const ListCell *a, const ListCell *b)
{
	return ((const RangeVar *) lfirst(b))->location - ((const RangeVar *) lfirst(a))->location;
}

/* The schema in which an unqualified name is found, or in which it is made */
static const char *
schema_of(Node *stmt, const RangeVar *rv)
{
	Oid			relid = RangeVarGetRelid(rv, NoLock, true);

	if (OidIsValid(relid))
		return get_namespace_name(get_rel_namespace(relid));
	if (IsA(stmt, CreateStmt) && ((CreateStmt *) stmt)->relation == rv)
		return get_namespace_name(RangeVarGetCreationNamespace(rv));
	return NULL;
}

/* ALTER DOMAIN has its name as the third word. */
static char *
qualify_domain(const ZdmDdl *ddl, char *sql, const AlterDomainStmt *stmt)
{
	ZdmDdl		scratch = *ddl;
	ObjectAddress domain;

	if (list_length(stmt->typeName) > 1 ||
		!ddl_object(&scratch, OBJECT_DOMAIN, (Node *) stmt->typeName, true, &domain))
		return sql;
	return psprintf("ALTER DOMAIN %s.%s",
					quote_identifier(get_namespace_name(ddl_object_namespace(&domain))),
					zdm_sql_skip(sql, 2));
}

char *
zdm_sql_qualify(const ZdmDdl *ddl)
{
	char	   *sql = zdm_sql_trim(ddl->sql);
	Node	   *stmt = linitial_node(RawStmt, raw_parser(sql, RAW_PARSE_DEFAULT))->stmt;
	List	   *relations = list_copy(relations_of(stmt));
	ListCell   *lc;

	if (IsA(stmt, AlterDomainStmt))
		return qualify_domain(ddl, sql, (const AlterDomainStmt *) stmt);
	list_sort(relations, by_location_backwards);
	foreach(lc, relations)
	{
		const RangeVar *rv = lfirst(lc);
		const char *schema;

		if (!IsA(rv, RangeVar) || rv->schemaname != NULL || rv->location < 0)
			continue;
		schema = schema_of(stmt, rv);
		if (schema != NULL)
			sql = psprintf("%.*s%s.%s", rv->location, sql, quote_identifier(schema),
						   sql + rv->location);
	}
	return sql;
}
