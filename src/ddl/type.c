/*-------------------------------------------------------------------------
 *
 * type.c
 *	  ALTER DOMAIN, ALTER TYPE and ALTER SEQUENCE.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "ddl/catalog_scan.h"
#include "ddl/ddl.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* A column of a domain, or of a domain over it. */
typedef struct DomainUse
{
	ZdmRel	   *rel;
	const char *column;
} DomainUse;

List *
ddl_domain_columns(Oid domain)
{
	List	   *result = NIL;
	List	   *nested = NIL;
	ObjectAddress object;
	ZdmCatalogScan scan;
	HeapTuple	tuple;
	ListCell   *lc;

	check_stack_depth();
	ObjectAddressSet(object, TypeRelationId, domain);
	catalog_scan_depend(&scan, &object, true);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		CHECK_FOR_INTERRUPTS();
		if (form->classid == TypeRelationId && get_typtype(form->objid) == TYPTYPE_DOMAIN)
			nested = lappend_oid(nested, form->objid);
		else if (form->classid == RelationRelationId && form->objsubid > 0 &&
				 get_atttype(form->objid, form->objsubid) == domain)
		{
			ObjectAddress *column = palloc(sizeof(ObjectAddress));

			ObjectAddressSubSet(*column, RelationRelationId, form->objid, form->objsubid);
			result = lappend(result, column);
		}
	}
	catalog_scan_end(&scan);
	foreach(lc, nested)
		result = list_concat(result, ddl_domain_columns(lfirst_oid(lc)));
	return result;
}

static List *
domain_uses(ZdmDdl *ddl, Oid domain)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, ddl_domain_columns(domain))
	{
		const ObjectAddress *column = lfirst(lc);
		DomainUse  *use = palloc(sizeof(DomainUse));

		use->rel = ddl_rel_by_oid(ddl, column->objectId);
		use->column = get_attname(column->objectId, column->objectSubId, true);
		if (use->rel != NULL && use->column != NULL && !use->rel->is_exempt)
			result = lappend(result, use);
	}
	return result;
}

/*
 * The constraint has to be proven: each table that uses the domain is read
 * while writes to it are blocked.  One hazard, of the largest of them.
 */
static void
prove_domain_constraint(ZdmDdl *ddl, AlterDomainStmt *stmt, const ObjectAddress *domain,
						List *uses)
{
	ZdmRel	   *largest = NULL;
	List	   *relids = NIL;
	ZdmHazard  *hazard;
	ListCell   *lc;

	foreach(lc, uses)
	{
		ZdmRel	   *rel = ((DomainUse *) lfirst(lc))->rel;

		/* others have no rows of their own, or no chosen types */
		if (rel->relkind != RELKIND_RELATION && rel->relkind != RELKIND_MATVIEW)
			continue;
		ddl_lock(ddl, rel, ShareLock);
		ddl_scan(ddl, rel);
		relids = list_append_unique_oid(relids, rel->relid);
		if (largest == NULL || ddl_rel_size(ddl, rel) > ddl_rel_size(ddl, largest))
			largest = rel;
	}
	if (largest == NULL)
		return;

	hazard = ddl_lock_hazard(ddl, ZDM_RULE_DOMAIN_CONSTRAINT, largest, (Node *) stmt, NULL,
							 list_length(relids) > 1 ?
							 "proving the constraint of %s would read %s and %d more tables while writes to them are blocked" :
							 "proving the constraint of %s would read %s while writes to it are blocked",
							 ddl->object, ddl_rel_describe(largest), list_length(relids) - 1);
	if (hazard != NULL)
		hazard->subject = *domain;
}

/* A compat hazard of the clients of a table that uses the domain. */
static ZdmHazard *
domain_use_hazard(ZdmDdl *ddl, ZdmRuleId rule, AlterDomainStmt *stmt,
				  const ObjectAddress *domain, List *uses, const char *what)
{
	DomainUse  *use;
	ZdmHazard  *hazard;

	if (uses == NIL)
		return NULL;
	use = linitial(uses);
	hazard = ddl_hazard(ddl, rule, use->rel, (Node *) stmt, use->column,
						"changing %s, the type of column \"%s\" of %s, %s", ddl->object,
						use->column, ddl_rel_describe(use->rel), what);
	if (hazard != NULL)
		hazard->subject = *domain;
	return hazard;
}

static void
new_domain_constraint(ZdmDdl *ddl, AlterDomainStmt *stmt, const ObjectAddress *domain,
					  List *uses, bool proven_now)
{
	ZdmHazard  *hazard;

	if (proven_now)
		prove_domain_constraint(ddl, stmt, domain, uses);
	hazard = domain_use_hazard(ddl, ZDM_RULE_CONSTRAINT_REJECTS_OLD_WRITERS, stmt, domain, uses,
							   "would reject values that clients may still write");
	if (hazard != NULL)
		hazard->rejects_writes = true;
}

static void
drop_domain_constraint(ZdmDdl *ddl, AlterDomainStmt *stmt, const ObjectAddress *domain,
					   List *uses)
{
	ZdmHazard  *hazard;

	if (!OidIsValid(get_domain_constraint_oid(domain->objectId, stmt->name, true)))
	{
		if (!stmt->missing_ok)
			ddl_undefined(ddl, "constraint \"%s\" of %s does not exist", stmt->name,
						  ddl->object);
		return;
	}
	hazard = domain_use_hazard(ddl, ZDM_RULE_DROP_CONSTRAINT, stmt, domain, uses,
							   "would let clients read values that the constraint forbids");
	if (hazard != NULL)
	{
		hazard->name = stmt->name;
		hazard->cap = ZDM_SEVERITY_NOTE;
	}
}

static bool
domain_is_not_null(Oid domain)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(domain));
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	result = ((Form_pg_type) GETSTRUCT(tuple))->typnotnull;
	ReleaseSysCache(tuple);
	return result;
}

/* ALTER DOMAIN */
void
ddl_alter_domain(ZdmDdl *ddl, Node *node)
{
	AlterDomainStmt *stmt = (AlterDomainStmt *) node;
	ObjectAddress domain;
	List	   *uses;

	if (!ddl_object(ddl, OBJECT_DOMAIN, (Node *) stmt->typeName, false, &domain))
		return;
	ddl->object = ddl_object_describe(&domain);
	if (ddl_object_is_exempt(&domain))
		return;
	uses = domain_uses(ddl, domain.objectId);

	switch (stmt->subtype)
	{
		case 'T':				/* SET or DROP DEFAULT */
			(void) domain_use_hazard(ddl, ZDM_RULE_CHANGE_COLUMN_DEFAULT, stmt, &domain, uses,
									 "would give rows of old clients another default");
			break;
		case 'N':				/* DROP NOT NULL */
			if (domain_is_not_null(domain.objectId))
				(void) domain_use_hazard(ddl, ZDM_RULE_DROP_NOT_NULL, stmt, &domain, uses,
										 "would let clients read NULL");
			break;
		case 'O':				/* SET NOT NULL */
			if (!domain_is_not_null(domain.objectId))
				new_domain_constraint(ddl, stmt, &domain, uses, true);
			break;
		case 'C':				/* ADD CONSTRAINT */
			new_domain_constraint(ddl, stmt, &domain, uses,
								  !((Constraint *) stmt->def)->skip_validation ||
								  ((Constraint *) stmt->def)->contype == CONSTR_NOTNULL);
			break;
		case 'X':				/* DROP CONSTRAINT */
			drop_domain_constraint(ddl, stmt, &domain, uses);
			break;
		case 'V':				/* VALIDATE CONSTRAINT */
			if (OidIsValid(get_domain_constraint_oid(domain.objectId, stmt->name, true)))
				prove_domain_constraint(ddl, stmt, &domain, uses);
			else
				ddl_undefined(ddl, "constraint \"%s\" of %s does not exist", stmt->name,
							  ddl->object);
			break;
	}
}

static bool
enum_has_label(Oid enumoid, const char *label)
{
	return SearchSysCacheExists2(ENUMTYPOIDNAME, ObjectIdGetDatum(enumoid),
								 CStringGetDatum(label));
}

/* ALTER TYPE ... ADD VALUE, RENAME VALUE */
void
ddl_alter_enum(ZdmDdl *ddl, Node *node)
{
	AlterEnumStmt *stmt = (AlterEnumStmt *) node;
	ObjectAddress address;
	ZdmHazard  *hazard;
	bool		exists;

	if (!ddl_object(ddl, OBJECT_TYPE, (Node *) stmt->typeName, false, &address))
		return;
	ddl->object = ddl_object_describe(&address);
	if (get_typtype(address.objectId) != TYPTYPE_ENUM)
		return;					/* the server refuses it */
	if (stmt->oldVal != NULL)
	{
		hazard = ddl_object_hazard(ddl, ZDM_RULE_RENAME_ENUM_VALUE, &address, node,
								   "renaming value \"%s\" of %s would break clients that still read and write it",
								   stmt->oldVal, ddl->object);
		if (hazard != NULL)
			hazard->name = stmt->oldVal;
		return;
	}

	exists = strlen(stmt->newVal) < NAMEDATALEN &&
		enum_has_label(address.objectId, stmt->newVal);
	if (exists && stmt->skipIfNewValExists)
		return;
	hazard = ddl_object_hazard(ddl, ZDM_RULE_ADD_ENUM_VALUE, &address, node,
							   "clients may read value \"%s\" of %s, which they do not know",
							   stmt->newVal, ddl->object);
	if (hazard == NULL)
		return;
	hazard->name = stmt->newVal;
	if (!ddl->in_block)
		return;
	hazard = ddl_object_hazard(ddl, ZDM_RULE_ENUM_VALUE_SAME_TRANSACTION, &address, node,
							   "value \"%s\" of %s cannot be used before this transaction commits",
							   stmt->newVal, ddl->object);
	hazard->name = stmt->newVal;
}

/* One command of ALTER TYPE on a composite type. */
static void
alter_attribute(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	const char *attribute = cmd->name;

	switch (cmd->subtype)
	{
		case AT_AddColumn:
			attribute = ((ColumnDef *) cmd->def)->colname;
			(void) ddl_hazard(ddl, ZDM_RULE_ALTER_COLUMN_TYPE_IN_WINDOW, rel, (Node *) cmd, NULL,
							  "adding attribute \"%s\" to %s would break clients that write its values as rows",
							  attribute, ddl_rel_describe(rel));
			break;
		case AT_DropColumn:
			if (ddl_col(ddl, rel, attribute, cmd->missing_ok) != NULL)
				(void) ddl_hazard(ddl, ZDM_RULE_DROP_COLUMN, rel, (Node *) cmd, attribute,
								  "dropping attribute \"%s\" of %s would break clients that still use it",
								  attribute, ddl_rel_describe(rel));
			break;
		case AT_AlterColumnType:
			if (ddl_col(ddl, rel, attribute, false) != NULL)
				(void) ddl_hazard(ddl, ZDM_RULE_ALTER_COLUMN_TYPE_IN_WINDOW, rel, (Node *) cmd,
								  attribute,
								  "changing the type of attribute \"%s\" of %s would break clients that still use the old type",
								  attribute, ddl_rel_describe(rel));
			break;
		default:
			break;				/* the server refuses it for a type */
	}
}

/* The same command on a table OF the type, which CASCADE reaches. */
static void
alter_typed_table(ZdmDdl *ddl, ZdmRel *table, AlterTableCmd *cmd)
{
	ddl_lock_tree(ddl, table, AccessExclusiveLock);
	switch (cmd->subtype)
	{
		case AT_AddColumn:
			ddl_add_column(ddl, table, cmd);
			break;
		case AT_DropColumn:
			ddl_drop_column(ddl, table, cmd);
			break;
		case AT_AlterColumnType:
			ddl_alter_column_type(ddl, table, cmd);
			break;
		default:
			break;
	}
}

/* ALTER TYPE ... ADD, DROP, ALTER ATTRIBUTE */
void
ddl_alter_composite(ZdmDdl *ddl, ZdmRel *rel, AlterTableStmt *stmt)
{
	List	   *tables = NIL;
	ListCell   *lc;
	ListCell   *lc2;

	ddl_lock(ddl, rel, AccessExclusiveLock);
	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst(lc);

		ddl->rebuilds |= cmd->subtype == AT_AlterColumnType;
		alter_attribute(ddl, rel, cmd);
		/* without CASCADE a table of the type makes the statement fail */
		if (cmd->behavior == DROP_CASCADE && tables == NIL)
			tables = ddl_typed_tables(ddl, rel);
	}

	ddl->alter = stmt;
	foreach(lc, tables)
	{
		foreach(lc2, stmt->cmds)
			alter_typed_table(ddl, lfirst(lc), lfirst(lc2));
	}
}

/* Does the option change which numbers the sequence gives? */
static bool
changes_numbers(const DefElem *option)
{
	static const char *const names[] = {
		"restart", "increment", "minvalue", "maxvalue", "cycle", "as"
	};

	for (int i = 0; i < lengthof(names); i++)
	{
		if (strcmp(option->defname, names[i]) == 0)
			return true;
	}
	return false;
}

/* ALTER SEQUENCE */
void
ddl_alter_sequence(ZdmDdl *ddl, Node *node)
{
	AlterSeqStmt *stmt = (AlterSeqStmt *) node;
	ZdmRel	   *rel = ddl_rel(ddl, stmt->sequence, stmt->missing_ok);
	ListCell   *lc;

	if (rel == NULL)
		return;
	ddl->object = ddl_rel_describe(rel);
	if (rel->relkind != RELKIND_SEQUENCE)
		return;					/* the server refuses it */
	ddl_lock(ddl, rel, ShareRowExclusiveLock);
	foreach(lc, stmt->options)
	{
		const DefElem *option = lfirst(lc);

		if (!changes_numbers(option))
			continue;
		(void) ddl_hazard(ddl, ZDM_RULE_CHANGE_COLUMN_DEFAULT, rel, node, NULL,
						  "changing %s would give rows of running clients other numbers",
						  ddl_rel_describe(rel));
		return;
	}
}
