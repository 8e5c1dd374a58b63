/*-------------------------------------------------------------------------
 *
 * rehearse_domain.c
 *	  The errors that an ALTER DOMAIN which is put off would raise at once.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_type.h"
#include "ddl/catalog_scan.h"
#include "miscadmin.h"
#include "rehearse.h"
#include "scratch.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

static void check_containers(Oid type, const char *domain_name);

/* Does a table store the row type, or a type that is made of that one? */
static void
check_stored(Oid type, Oid relid, AttrNumber attnum, const char *domain_name)
{
	char		relkind = get_rel_relkind(relid);

	if (relkind == RELKIND_RELATION || relkind == RELKIND_MATVIEW ||
		relkind == RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot alter type \"%s\" because column \"%s.%s\" uses it",
						domain_name, get_rel_name(relid), get_attname(relid, attnum, false))));
	if (OidIsValid(get_rel_type_id(relid)))
		check_containers(get_rel_type_id(relid), domain_name);
}

/*
 * As find_composite_type_dependencies(), which would open the tables: no column
 * may have the type, nor an array, range, domain or composite type of it.
 */
static void
check_containers(Oid type, const char *domain_name)
{
	ObjectAddress object;
	ZdmCatalogScan scan;
	HeapTuple	tuple;

	check_stack_depth();
	ObjectAddressSet(object, TypeRelationId, type);
	catalog_scan_depend(&scan, &object, true);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		CHECK_FOR_INTERRUPTS();
		if (form->classid == TypeRelationId)
			check_containers(form->objid, domain_name);
		else if (form->classid == RelationRelationId && form->objsubid > 0 &&
				 get_atttype(form->objid, form->objsubid) == type)
			check_stored(type, form->objid, form->objsubid, domain_name);
	}
	catalog_scan_end(&scan);
}

/*
 * A constraint has to be true of all values, and the server looks for them
 * in columns alone.
 */
static void
check_uses(Oid domain)
{
	char	   *name = format_type_be(domain);
	ObjectAddress object;
	ZdmCatalogScan scan;
	HeapTuple	tuple;

	check_stack_depth();
	ObjectAddressSet(object, TypeRelationId, domain);
	catalog_scan_depend(&scan, &object, true);
	while (HeapTupleIsValid(tuple = catalog_scan_next(&scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		if (form->classid == TypeRelationId && get_typtype(form->objid) == TYPTYPE_DOMAIN)
			check_uses(form->objid);
		else if (form->classid == TypeRelationId)
			check_containers(form->objid, name);
		else if (form->classid == RelationRelationId && form->objsubid > 0 &&
				 OidIsValid(get_rel_type_id(form->objid)))
			check_containers(get_rel_type_id(form->objid), name);
	}
	catalog_scan_end(&scan);
}

static void
check_constraint_name(Oid domain, const Constraint *con, const char *domain_name)
{
	if (con->conname != NULL && ConstraintNameIsUsed(CONSTRAINT_DOMAIN, domain, con->conname))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("constraint \"%s\" for domain \"%s\" already exists",
						con->conname, domain_name)));
}

void
rehearse_domain(const ZdmDdl *ddl)
{
	AlterDomainStmt *stmt = copyObject(castNode(AlterDomainStmt, ddl->stmt));
	const char *name = strVal(llast(stmt->typeName));
	bool		is_proven = true;
	ZdmDdl		scratch = *ddl;
	ObjectAddress domain;

	if ((stmt->subtype != 'C' && stmt->subtype != 'O') ||
		!ddl_object(&scratch, OBJECT_DOMAIN, (Node *) stmt->typeName, true, &domain))
		return;
	if (stmt->subtype == 'C')
	{
		const Constraint *con = castNode(Constraint, stmt->def);

		check_constraint_name(domain.objectId, con, name);
		is_proven = !con->skip_validation;
	}
	(void) scratch_run_on_domain(stmt, ddl->query, domain.objectId);
	if (is_proven)
		check_uses(domain.objectId);
}
