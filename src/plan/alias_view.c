/*-------------------------------------------------------------------------
 *
 * alias_view.c
 *	  The view that has a relation's new name until the window ends.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "plan/alias_view.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

/* What a view is made of: the relation's row of pg_class, and its columns */
typedef struct Source
{
	Oid			relid;
	Form_pg_class form;			/* in the copy below */
	HeapTuple	tuple;
	char	   *name;			/* qualified, quoted */
	Acl		   *acl;			/* or NULL: the owner's alone */
	List	   *columns;		/* char *, not quoted */
	List	   *column_acls;	/* Acl *, or NULL, of each */
	bool		has_column_rights;
} Source;

static void
read_columns(Source *source)
{
	for (AttrNumber attnum = 1; attnum <= source->form->relnatts; attnum++)
	{
		HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(source->relid),
											Int16GetDatum(attnum));
		Form_pg_attribute attribute;
		Acl		   *acl = NULL;
		Datum		value;
		bool		isnull;

		if (!HeapTupleIsValid(tuple))
			continue;
		attribute = (Form_pg_attribute) GETSTRUCT(tuple);
		if (!attribute->attisdropped)
		{
			value = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attacl, &isnull);
			if (!isnull)
				acl = DatumGetAclPCopy(value);
			source->columns = lappend(source->columns, pstrdup(NameStr(attribute->attname)));
			source->column_acls = lappend(source->column_acls, acl);
			source->has_column_rights |= acl != NULL && ACL_NUM(acl) > 0;
		}
		ReleaseSysCache(tuple);
	}
}

static Source *
read_source(Oid relid)
{
	Source	   *source = palloc0(sizeof(Source));
	Datum		value;
	bool		isnull;

	source->relid = relid;
	source->tuple = SearchSysCacheCopy1(RELOID, ObjectIdGetDatum(relid));
	if (!HeapTupleIsValid(source->tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	source->form = (Form_pg_class) GETSTRUCT(source->tuple);
	source->name = quote_qualified_identifier(get_namespace_name(source->form->relnamespace),
											  NameStr(source->form->relname));
	value = SysCacheGetAttr(RELOID, source->tuple, Anum_pg_class_relacl, &isnull);
	if (!isnull)
		source->acl = DatumGetAclPCopy(value);
	read_columns(source);
	return source;
}

/* Is it a view that asks for the rights of whoever uses it? */
static bool
is_invokers_view(const Source *source)
{
	Datum		value;
	bool		isnull;
	ViewOptions *options;

	if (source->form->relkind != RELKIND_VIEW)
		return false;
	value = SysCacheGetAttr(RELOID, source->tuple, Anum_pg_class_reloptions, &isnull);
	options = isnull ? NULL : (ViewOptions *) view_reloptions(value, false);
	return options != NULL && options->security_invoker;
}

/*
 * Where the owner's rights would be too many, or too few, the view has to ask
 * for those of whoever uses it.
 */
static bool
needs_invoker(const Source *source)
{
	AclMode		rights = ACL_SELECT;

	if (source->form->relkind != RELKIND_MATVIEW)
		rights |= ACL_INSERT | ACL_UPDATE | ACL_DELETE;
	return source->form->relrowsecurity || is_invokers_view(source) ||
		pg_class_aclmask(source->relid, source->form->relowner, rights, ACLMASK_ALL) != rights;
}

bool
zdm_alias_view_serves(Oid relid)
{
	const Source *source = read_source(relid);

	/* the view's own query reads all columns, with the rights of the invoker */
	return source->columns != NIL && !(needs_invoker(source) && source->has_column_rights);
}

static void
append_create(StringInfo buf, const Source *source, const char *verb, const char *view)
{
	ListCell   *lc;

	appendStringInfo(buf, "%s VIEW %s %sAS SELECT ", verb, view,
					 needs_invoker(source) ? "WITH (security_invoker = true) " : "");
	foreach(lc, source->columns)
		appendStringInfo(buf, "%s%s", lc == list_head(source->columns) ? "" : ", ",
						 quote_identifier(lfirst(lc)));
	appendStringInfo(buf, " FROM %s", source->name);
}

static const char *
role_name(Oid roleid)
{
	return OidIsValid(roleid) ? quote_identifier(GetUserNameFromId(roleid, false)) : "PUBLIC";
}

/* "SELECT (a), UPDATE (a)", of one column, or of the whole if column is NULL */
static char *
list_rights(AclMode rights, const char *column)
{
	static const struct
	{
		AclMode		right;
		const char *name;
	}			names[] = {
		{ACL_SELECT, "SELECT"},
		{ACL_INSERT, "INSERT"},
		{ACL_UPDATE, "UPDATE"},
		{ACL_DELETE, "DELETE"},
		{ACL_TRUNCATE, "TRUNCATE"},
		{ACL_REFERENCES, "REFERENCES"},
		{ACL_TRIGGER, "TRIGGER"},
		{COMPAT_ACL_MAINTAIN, "MAINTAIN"},
	};
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < lengthof(names); i++)
	{
		if ((rights & names[i].right) == 0)
			continue;
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", names[i].name);
		if (column != NULL)
			appendStringInfo(&buf, " (%s)", quote_identifier(column));
	}
	return buf.data;
}

/* Roles that may grant a right further each say what somebody has. */
static AclMode
rights_of(const Acl *acl, Oid grantee, AclMode *with_option)
{
	AclMode		rights = 0;

	*with_option = 0;
	for (int i = 0; i < ACL_NUM(acl); i++)
	{
		const AclItem *item = &ACL_DAT(acl)[i];

		if (item->ai_grantee != grantee)
			continue;
		rights |= ACLITEM_GET_PRIVS(*item);
		*with_option |= ACLITEM_GET_GOPTIONS(*item);
	}
	return rights;
}

static List *
grantees_of(const Acl *acl)
{
	List	   *result = NIL;

	for (int i = 0; i < ACL_NUM(acl); i++)
		result = list_append_unique_oid(result, ACL_DAT(acl)[i].ai_grantee);
	return result;
}

static void
append_grant(StringInfo buf, const char *view, const char *column, Oid grantee, AclMode rights,
			 const char *option)
{
	if (rights != 0)
		appendStringInfo(buf, "; GRANT %s ON %s TO %s%s", list_rights(rights, column), view,
						 role_name(grantee), option);
}

static void
append_grants(StringInfo buf, const Source *source, const char *view, const Acl *acl,
			  const char *column)
{
	ListCell   *lc;

	foreach(lc, acl ? grantees_of(acl) : NIL)
	{
		Oid			grantee = lfirst_oid(lc);
		AclMode		with_option;
		AclMode		rights = rights_of(acl, grantee, &with_option);

		if (grantee == source->form->relowner && column == NULL)
		{
			if (rights == ACL_ALL_RIGHTS_RELATION)
				continue;
			appendStringInfo(buf, "; REVOKE ALL ON %s FROM %s", view, role_name(grantee));
			with_option = 0;
		}
		append_grant(buf, view, column, grantee, rights & ~with_option, "");
		append_grant(buf, view, column, grantee, with_option, " WITH GRANT OPTION");
	}
}

/* ALTER DEFAULT PRIVILEGES gives rights on what the user makes. */
static void
append_default_revokes(StringInfo buf, const Source *source, const char *view, Oid nspoid)
{
	Acl		   *acl = get_user_default_acl(OBJECT_TABLE, GetUserId(), nspoid);
	ListCell   *lc;

	foreach(lc, acl ? grantees_of(acl) : NIL)
	{
		if (lfirst_oid(lc) != GetUserId() && lfirst_oid(lc) != source->form->relowner)
			appendStringInfo(buf, "; REVOKE ALL ON %s FROM %s", view, role_name(lfirst_oid(lc)));
	}
}

char *
zdm_alias_view_sql(Oid relid, const char *nspname, const char *relname)
{
	const Source *source = read_source(relid);
	char	   *view = quote_qualified_identifier(nspname, relname);
	Oid			nspoid = get_namespace_oid(nspname, true);
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	append_create(&buf, source, "CREATE", view);
	if (source->form->relowner != GetUserId())
		appendStringInfo(&buf, "; ALTER VIEW %s OWNER TO %s", view,
						 role_name(source->form->relowner));
	if (OidIsValid(nspoid))
		append_default_revokes(&buf, source, view, nspoid);
	append_grants(&buf, source, view, source->acl, NULL);
	foreach(lc, source->columns)
		append_grants(&buf, source, view,
					  list_nth(source->column_acls, foreach_current_index(lc)), lfirst(lc));
	return buf.data;
}

char *
zdm_alias_view_replace_sql(Oid relid, const char *nspname, const char *relname)
{
	StringInfoData buf;

	initStringInfo(&buf);
	append_create(&buf, read_source(relid), "CREATE OR REPLACE",
				  quote_qualified_identifier(nspname, relname));
	return buf.data;
}

char *
zdm_alias_view_note(Oid relid)
{
	const Source *source = read_source(relid);

	switch (source->form->relkind)
	{
		case RELKIND_VIEW:
			return NULL;
		case RELKIND_MATVIEW:
			return pstrdup("Until then a view has the new name, on which TABLESAMPLE and system columns fail, and which the catalogs show as a view.");
		default:
			return psprintf("Until then a view has the new name, on which these fail: GROUP BY of the primary key with other columns selected, ON CONFLICT ON CONSTRAINT, %ssystem columns (ctid, xmin, tableoid), WHERE CURRENT OF, TABLESAMPLE%s; pg_get_serial_sequence() knows no sequence of it, and the catalogs show it as a view without indexes and constraints.",
							COMPAT_MERGE_NEEDS_TABLE ? "MERGE, " : "",
							source->form->relkind == RELKIND_RELATION && source->form->relhassubclass ? "; ONLY is not heeded" : "");
	}
}
