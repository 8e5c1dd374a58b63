/*-------------------------------------------------------------------------
 *
 * undo_view.c
 *	  What takes back CREATE OR REPLACE VIEW of a view that was there before.
 *
 * One that has got more columns has to be dropped and made anew, with all
 * that belongs to it.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_seclabel.h"
#include "catalog/pg_trigger.h"
#include "commands/comment.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "commands/seclabel.h"
#include "ddl/catalog_scan.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "parser/analyze.h"
#include "plan/advice.h"
#include "plan/undo.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* Does the query that is to be the view's give it new columns? */
static bool
adds_columns(const ZdmDdl *ddl, const ViewStmt *stmt, const ZdmRel *rel)
{
	RawStmt    *raw = makeNode(RawStmt);
	Query	   *query;
	int			count = 0;
	ListCell   *lc;

	raw->stmt = copyObject(stmt->query);
	query = parse_analyze_fixedparams(raw, ddl->query, NULL, 0, NULL);
	foreach(lc, query->targetList)
		count += !lfirst_node(TargetEntry, lc)->resjunk;
	return get_attname(rel->relid, count, true) == NULL;
}

/* "VIEW public.v WITH (...) AS SELECT ...", as it is now */
static char *
view_text(const ZdmRel *rel)
{
	StringInfoData options;
	ListCell   *lc;

	initStringInfo(&options);
	foreach(lc, zdm_undo_options_of(rel))
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		appendStringInfo(&options, "%s%s = %s", options.len > 0 ? ", " : " WITH (",
						 quote_identifier(option->defname),
						 quote_literal_cstr(option->arg ? defGetString(option) : "true"));
	}
	if (options.len > 0)
		appendStringInfoChar(&options, ')');
	return psprintf("VIEW %s%s AS %s", ddl_rel_qualified(rel), options.data,
					zdm_sql_trim(zdm_undo_definition(F_PG_GET_VIEWDEF_OID, rel->relid)));
}

static char *
grantee_text(Oid role)
{
	return role == ACL_ID_PUBLIC ? "PUBLIC" :
		pstrdup(quote_identifier(GetUserNameFromId(role, false)));
}

/* The names of rights, each followed by those columns if there are any */
static char *
rights_text(AclMode rights, const char *columns)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int bit = 0; bit < N_ACL_RIGHTS; bit++)
	{
		if ((rights & ((AclMode) 1 << bit)) != 0)
			appendStringInfo(&buf, "%s%s%s", buf.len > 0 ? ", " : "",
							 zdm_right_name((AclMode) 1 << bit), columns);
	}
	return buf.data;
}

/* GRANT of what an ACL gives; false if somebody else than the owner gave it */
static bool
append_grants(StringInfo buf, const Acl *acl, const ZdmRel *rel, const char *columns)
{
	const AclItem *items = ACL_DAT(acl);

	for (int i = 0; i < ACL_NUM(acl); i++)
	{
		AclMode		options = ACLITEM_GET_GOPTIONS(items[i]);
		AclMode		plain = ACLITEM_GET_PRIVS(items[i]) & ~options;

		if (items[i].ai_grantor != rel->owner)
			return false;
		if (items[i].ai_grantee == rel->owner && *columns == '\0')
			continue;			/* see append_rights() */
		if (plain != ACL_NO_RIGHTS)
			appendStringInfo(buf, "; GRANT %s ON %s TO %s", rights_text(plain, columns),
							 ddl_rel_qualified(rel), grantee_text(items[i].ai_grantee));
		if (options != ACL_NO_RIGHTS)
			appendStringInfo(buf, "; GRANT %s ON %s TO %s WITH GRANT OPTION",
							 rights_text(options, columns), ddl_rel_qualified(rel),
							 grantee_text(items[i].ai_grantee));
	}
	return true;
}

/* Has the owner given away rights of his own? */
static bool
owner_has_all(const Acl *acl, Oid owner)
{
	for (int i = 0; i < ACL_NUM(acl); i++)
	{
		if (ACL_DAT(acl)[i].ai_grantee == owner)
			return ACLITEM_GET_PRIVS(ACL_DAT(acl)[i]) == ACL_ALL_RIGHTS_RELATION;
	}
	return false;
}

/* What default privileges give to others is taken away first. */
static void
append_default_rights(StringInfo buf, const ZdmRel *rel)
{
	const Acl  *acl = get_user_default_acl(OBJECT_TABLE, rel->owner,
										   get_rel_namespace(rel->relid));

	for (int i = 0; acl != NULL && i < ACL_NUM(acl); i++)
	{
		if (ACL_DAT(acl)[i].ai_grantee != rel->owner)
			appendStringInfo(buf, "; REVOKE ALL ON %s FROM %s", ddl_rel_qualified(rel),
							 grantee_text(ACL_DAT(acl)[i].ai_grantee));
	}
}

/* The owner and rights; false if they cannot be given back */
static bool
append_rights(StringInfo buf, const ZdmRel *rel)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(rel->relid));
	bool		isnull = true;
	Datum		datum = (Datum) 0;
	Acl		   *acl;

	if (HeapTupleIsValid(tuple))
		datum = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relacl, &isnull);
	acl = isnull ? NULL : DatumGetAclPCopy(datum);
	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	if (rel->owner != GetUserId())
		appendStringInfo(buf, "; ALTER VIEW %s OWNER TO %s", ddl_rel_qualified(rel),
						 grantee_text(rel->owner));
	append_default_rights(buf, rel);
	return acl == NULL ||
		(owner_has_all(acl, rel->owner) && append_grants(buf, acl, rel, ""));
}

static void
append_comment(StringInfo buf, const ZdmRel *rel, AttrNumber attnum)
{
	char	   *comment = GetComment(rel->relid, RelationRelationId, attnum);

	if (comment != NULL && attnum != 0)
		appendStringInfo(buf, "; COMMENT ON COLUMN %s.%s IS %s", ddl_rel_qualified(rel),
						 quote_identifier(get_attname(rel->relid, attnum, false)),
						 quote_literal_cstr(comment));
	else if (comment != NULL)
		appendStringInfo(buf, "; COMMENT ON VIEW %s IS %s", ddl_rel_qualified(rel),
						 quote_literal_cstr(comment));
}

/* Comment, rights and default of a column; false if they cannot be given back */
static bool
append_column(StringInfo buf, ZdmRel *rel, HeapTuple tuple)
{
	Form_pg_attribute form = (Form_pg_attribute) GETSTRUCT(tuple);
	const char *column = quote_identifier(NameStr(form->attname));
	bool		isnull;
	Datum		datum = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attacl, &isnull);

	append_comment(buf, rel, form->attnum);
	if (form->atthasdef)
	{
		ZdmXact		xact = {0};
		ZdmDdl		nobody = {.xact = &xact};
		ZdmCol	   *col = ddl_col(&nobody, rel, NameStr(form->attname), true);
		Node	   *expr = col ? ddl_col_stored_default(rel, col) : NULL;

		if (expr == NULL)
			return false;
		appendStringInfo(buf, "; ALTER VIEW %s ALTER COLUMN %s SET DEFAULT %s",
						 ddl_rel_qualified(rel), column, zdm_undo_expression(rel, expr));
	}
	return isnull || append_grants(buf, DatumGetAclPCopy(datum), rel, psprintf(" (%s)", column));
}

static bool
append_columns(StringInfo buf, ZdmRel *rel)
{
	for (AttrNumber attnum = 1;; attnum++)
	{
		HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(rel->relid),
											Int16GetDatum(attnum));
		bool		result;

		if (!HeapTupleIsValid(tuple))
			return true;
		result = append_column(buf, rel, tuple);
		ReleaseSysCache(tuple);
		if (!result)
			return false;
	}
}

/* Does it have parts that are made by statements of their own? */
static bool
has_parts(const ZdmRel *rel)
{
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	bool		result;

	if (OidIsValid(getExtensionOfObject(RelationRelationId, rel->relid)))
		return true;
	catalog_scan_oid(&scan, TriggerRelationId, TriggerRelidNameIndexId,
					 Anum_pg_trigger_tgrelid, rel->relid);
	result = HeapTupleIsValid(catalog_scan_next(&scan));
	catalog_scan_end(&scan);
	catalog_scan_oid(&scan, RewriteRelationId, RewriteRelRulenameIndexId,
					 Anum_pg_rewrite_ev_class, rel->relid);
	while (!result && HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
		result = strcmp(NameStr(((Form_pg_rewrite) GETSTRUCT(tuple))->rulename), "_RETURN") != 0;
	catalog_scan_end(&scan);
	catalog_scan_oid(&scan, SecLabelRelationId, InvalidOid, Anum_pg_seclabel_objoid, rel->relid);
	while (!result && HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
		result = ((FormData_pg_seclabel *) GETSTRUCT(tuple))->classoid == RelationRelationId;
	catalog_scan_end(&scan);
	return result;
}

/* DROP VIEW and CREATE VIEW, with what belongs to it */
static void
make_anew(ZdmRel *rel, ZdmUndo *undo)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "DROP VIEW %s; CREATE %s", ddl_rel_qualified(rel), view_text(rel));
	if (has_parts(rel))
		undo->loss = "to take away its new columns it would have to be dropped, with its triggers, rules, security labels or its extension";
	else if (!append_rights(&buf, rel) || !append_columns(&buf, rel))
		undo->loss = "to take away its new columns it would have to be dropped, and somebody else than its owner has given rights on it, or its owner has not all of them";
	else
	{
		append_comment(&buf, rel, 0);
		undo->sql = buf.data;
	}
}

void
zdm_undo_view(const ZdmPolicy *policy, const ZdmDdl *ddl, const ViewStmt *stmt, ZdmUndo *undo)
{
	ZdmDdl		scratch = *ddl;
	ZdmRel	   *rel = stmt->replace ? ddl_rel(&scratch, stmt->view, true) : NULL;
	ObjectAddress object;

	if (rel == NULL || rel->is_exempt || rel->relkind != RELKIND_VIEW)
		return;
	ObjectAddressSet(object, RelationRelationId, rel->relid);
	if (zdm_undo_goes_itself(policy, &object))
		return;
	if (adds_columns(ddl, stmt, rel))
		make_anew(rel, undo);
	else
		undo->sql = psprintf("CREATE OR REPLACE %s", view_text(rel));
}
