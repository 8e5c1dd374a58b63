/*-------------------------------------------------------------------------
 *
 * domain_verify.c
 *	  The query for the values that are in the way of a constraint still to
 *	  be added to a domain.
 *
 * It reads the columns that the server reads when it adds the constraint:
 * those of the domain, or of a domain over it, in tables and materialized
 * views.  Where an array, a range or a composite type with the domain is
 * stored the server adds none at all, so there is nothing to read.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "ddl/catalog_scan.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "plan/advice.h"
#include "plan/domain_verify.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/syscache.h"

static int
compare_columns(const ListCell *a, const ListCell *b)
{
	const ObjectAddress *left = lfirst(a);
	const ObjectAddress *right = lfirst(b);

	if (left->objectId != right->objectId)
		return left->objectId < right->objectId ? -1 : 1;
	return left->objectSubId - right->objectSubId;
}

/* Has it rows of its own, that other sessions can read too? */
static bool
has_rows(Oid relid)
{
	char		relkind = get_rel_relkind(relid);

	return (relkind == RELKIND_RELATION || relkind == RELKIND_MATVIEW) &&
		get_rel_persistence(relid) != RELPERSISTENCE_TEMP;
}

/* The columns of the domain, and of those over it, where rows can be looked for */
static List *
columns_with_rows(Oid domain)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, ddl_domain_columns(domain))
	{
		const ObjectAddress *column = lfirst(lc);

		if (has_rows(column->objectId))
			result = lappend(result, lfirst(lc));
	}
	list_sort(result, compare_columns);
	return result;
}

/*
 * Can the role read all rows?  Adding the constraint asks for no such right, so
 * the lack of it must not keep the window from ending.
 */
static bool
can_read(Oid relid, Oid role)
{
	Datum		may_use = OidFunctionCall3(F_HAS_SCHEMA_PRIVILEGE_OID_OID_TEXT,
										   ObjectIdGetDatum(role),
										   ObjectIdGetDatum(get_rel_namespace(relid)),
										   CStringGetTextDatum("USAGE"));

	return DatumGetBool(may_use) &&
		pg_class_aclcheck(relid, role, ACL_SELECT) == ACLCHECK_OK &&
		check_enable_rls(relid, role, true) != RLS_ENABLED;
}

/* "SELECT tableoid::regclass AS table, ctid, a::text AS value FROM ONLY t" of each */
static char *
values_text(Oid domain, Oid role)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(domain));
	Form_pg_type form;
	char	   *base;
	StringInfoData buf;
	ListCell   *lc;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	form = (Form_pg_type) GETSTRUCT(tuple);
	base = format_type_extended(form->typbasetype, form->typtypmod,
								FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
	ReleaseSysCache(tuple);
	initStringInfo(&buf);
	foreach(lc, columns_with_rows(domain))
	{
		const ObjectAddress *column = lfirst(lc);

		if (!can_read(column->objectId, role))
			continue;
		appendStringInfo(&buf, "%sSELECT tableoid::pg_catalog.regclass AS \"table\", ctid, %s::%s AS value FROM %s%s",
						 buf.len > 0 ? " UNION ALL " : "",
						 quote_identifier(get_attname(column->objectId, column->objectSubId, false)), base,
						 has_subclass(column->objectId) ? "ONLY " : "",
						 quote_qualified_identifier(get_namespace_name(get_rel_namespace(column->objectId)),
													get_rel_name(column->objectId)));
	}
	if (buf.len == 0)			/* there can be one when the window ends */
		appendStringInfo(&buf, "SELECT NULL::%s AS value WHERE false", base);
	return buf.data;
}

/* Of a composite type IS NULL looks into the value. */
static const char *
null_test(Oid domain)
{
	return type_is_rowtype(getBaseType(domain)) ? "value IS NOT DISTINCT FROM NULL" : "value IS NULL";
}

/* What is true of a value that breaks the constraint; NULL: it adds none */
static const char *
violation(const ZdmDdl *ddl, const AlterDomainStmt *stmt, Oid domain)
{
	const Constraint *con;
	char	   *expression;

	if (stmt->subtype == 'O')	/* SET NOT NULL */
		return null_test(domain);
	if (stmt->subtype != 'C')	/* ADD CONSTRAINT */
		return NULL;
	con = castNode(Constraint, stmt->def);
	if (con->contype == CONSTR_NOTNULL)
		return null_test(domain);
	if (con->contype != CONSTR_CHECK || con->skip_validation)
		return NULL;
	expression = zdm_sql_parenthesis(ddl->sql, "check");
	return expression ? psprintf("NOT %s", expression) : NULL;
}

char *
zdm_verify_domain(ZdmDdl *ddl, const AlterDomainStmt *stmt, Oid role)
{
	ObjectAddress domain;
	const char *condition;
	char	   *values;

	if (!ddl_object(ddl, OBJECT_DOMAIN, (Node *) stmt->typeName, true, &domain) ||
		get_typtype(domain.objectId) != TYPTYPE_DOMAIN)
		return NULL;
	condition = violation(ddl, stmt, domain.objectId);
	values = condition ? values_text(domain.objectId, role) : NULL;
	return values ? psprintf("SELECT * FROM (%s) AS used WHERE %s", values, condition) : NULL;
}
