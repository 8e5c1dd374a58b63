/*-------------------------------------------------------------------------
 *
 * ddl.h
 *	  What a statement does: the lock it takes on each existing relation,
 *	  whether it rewrites or reads a table, and its hazards.
 *
 * This room only reads.  It takes no lock on a user's relation, executes
 * nothing, commits nothing, and knows neither windows nor settings: whether
 * a hazard matters now is decided in plan/.  All results are palloc'd in the
 * memory context that is current when ddl_analyze() is called.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_DDL_H
#define ZDM_DDL_H

#include "postgres.h"

#include "catalog/objectaddress.h"
#include "nodes/parsenodes.h"
#include "rules.h"
#include "storage/lockdefs.h"
#include "utils/relcache.h"

struct ZdmScript;
struct ZdmScriptRel;
struct ZdmPlan;

/*
 * A relation as the statement meets it: from the catalog, with the changes
 * that earlier statements of a script have made to it.
 */
typedef struct ZdmRel
{
	Oid			relid;			/* InvalidOid: made earlier in the script */
	const char *nspname;
	const char *relname;
	char		relkind;
	char		persistence;
	bool		is_new;			/* made in this transaction, or earlier in the
								 * script */
	bool		is_exempt;		/* new, temporary, or a system catalog: never
								 * a hazard, its locks do not count */
	bool		is_partition;
	bool		has_children;	/* may have partitions or inheritance children */
	Oid			owner;
	Oid			amoid;
	Oid			tablespace;		/* InvalidOid: the database's own */
	Oid			toastrelid;
	int64		size;			/* use ddl_rel_size() */
	struct ZdmScriptRel *script;	/* what the script has changed, or NULL */
} ZdmRel;

/* A column as the statement meets it. */
typedef struct ZdmCol
{
	const char *name;
	AttrNumber	attnum;			/* 0: added earlier in the script */
	Oid			typid;			/* InvalidOid: a type made in the script */
	int32		typmod;
	Oid			collation;
	bool		not_null;		/* enforced for every row */
	bool		has_default;	/* a DEFAULT, identity or generated column */
	char		identity;		/* as attidentity */
	char		generated;		/* as attgenerated */
	bool		is_new;			/* added in the script */
} ZdmCol;

/* An index of an existing relation. */
typedef struct ZdmIndex
{
	Oid			indexoid;
	const char *name;
	Oid			amoid;
	bool		is_unique;
	bool		is_primary;
	bool		is_exclusion;
	bool		is_valid;
	int			nkeyatts;
	int			natts;
	AttrNumber *attnums;		/* natts; 0 stands for an expression */
	Bitmapset  *expr_attnums;	/* columns used in expressions and predicate;
								 * plain attribute numbers */
	bool		has_exprs;
	bool		has_predicate;
	bool		nulls_not_distinct;
	Oid			constraint;		/* the constraint it implements, or InvalidOid */
} ZdmIndex;

/* A constraint of an existing relation. */
typedef struct ZdmConstraint
{
	Oid			oid;
	const char *name;
	char		contype;
	bool		is_valid;
	bool		is_enforced;
	bool		is_inherited;	/* from a parent, be it local too */
	Oid			conrelid;
	Oid			confrelid;
	Oid			conindid;
	Oid			conparentid;
	int			nkeys;
	AttrNumber *conkey;
	AttrNumber *confkey;		/* nkeys of them, FK only */
} ZdmConstraint;

/* A lock that the statement takes on an existing relation. */
typedef struct ZdmRelLock
{
	ZdmRel	   *rel;
	LOCKMODE	mode;
} ZdmRelLock;

/* What the statement would do to a running application. */
typedef struct ZdmHazard
{
	ZdmRuleId	rule;
	ZdmSeverity cap;			/* not to be taken more seriously than this */
	ZdmRel	   *rel;			/* the relation that suffers, or NULL */
	const char *object;			/* for people: table "public.customer" */
	const char *column;			/* column concerned, or NULL */
	const char *name;			/* constraint, index or other object, or NULL */
	Node	   *node;			/* the part of the parse tree: AlterTableCmd,
								 * Constraint, IndexStmt, ... for plan/ */
	ObjectAddress subject;		/* what has to be born in the window for the
								 * hazard to be void; relation or column by
								 * default */
	bool		warn_outside_window;	/* warns only while no window is open:
										 * a refused maintenance job would be
										 * an outage */
	bool		rejects_writes; /* can reject a write of a client that does
								 * not know the column: stays a hazard on a
								 * column born in the window */
	bool		can_wait;		/* whatever cap says, a window that defers
								 * keeps the object to its end, for an abort */
	bool		awaits_going;	/* something that waits to be dropped depends
								 * on its object: that can go only after it,
								 * born in the window or not */
	const char *message;		/* one line: what would happen to which object */
} ZdmHazard;

/*
 * What a transaction has done so far; for rules that need more than one
 * statement.  Lives as long as the transaction (or its stand-in in a script).
 */
typedef struct ZdmXact
{
	bool		has_ddl;		/* some DDL on an existing or new relation */
	List	   *locks;			/* ZdmRelLock, held to the end */
	List	   *fk_targets;		/* Oids of existing tables that FKs of this
								 * transaction reference */
	List	   *scanned;		/* Oids of tables that an ALTER TABLE read or
								 * rewrote */
	List	   *dropped_tables; /* String: qualified names dropped */
	List	   *dropped_indexes;	/* Oids of tables that lost an index */
} ZdmXact;

/* One statement under analysis: what is known of it, and what was found. */
typedef struct ZdmDdl
{
	/* given */
	Node	   *stmt;			/* raw parse tree, never changed here */
	const char *sql;			/* its text, without what is around it */
	const char *query;			/* the whole string, which locations in stmt
								 * count from; or NULL */
	struct ZdmScript *script;	/* what earlier statements made, or NULL */
	ZdmXact    *xact;			/* never NULL */
	int64		small_table;	/* bytes; a smaller table is harmless to read */
	bool		in_block;		/* inside a transaction block, function, DO or
								 * multi-statement string */
	bool		in_function;	/* in a function or DO block */
	bool		sees_sessions;	/* say who holds the locks needed right now */
	List	   *reserved;		/* char *: qualified names that are not to be
								 * chosen, though nothing has them yet */
	List	   *going;			/* ZdmClaim: what will have been dropped when
								 * the statement takes away what it does, and
								 * is as good as gone; or NIL */

	/* the ALTER TABLE under analysis, for its commands' handlers, or NULL */
	AlterTableStmt *alter;

	/* found */
	const char *command;		/* command tag */
	const char *object;			/* what the statement is about, or NULL */
	List	   *locks;			/* ZdmRelLock, one for each existing relation */
	bool		rewrites;		/* rewrites an existing table */
	bool		scans;			/* reads all of an existing table */
	bool		runs_alone;		/* commits by itself or waits long under a
								 * weak lock (CONCURRENTLY, VACUUM, VALIDATE):
								 * not for the lock budget */
	bool		commits;		/* commits by itself, but takes locks that
								 * block others: the lock budget bounds each
								 * wait */
	bool		replaces;		/* what it makes takes the place of an object
								 * that was there: CREATE OR REPLACE, REINDEX */
	bool		awaits_going;	/* something of ddl->going depends on what it
								 * drops */
	bool		rebuilds;		/* likewise its indexes and constraints: ALTER
								 * COLUMN TYPE */
	List	   *hazards;		/* ZdmHazard */
	const char *undefined;		/* what does not exist, or NULL */
	List	   *undefined_in;	/* AlterTableCmd: those of an ALTER TABLE that
								 * name such */
	List	   *fk_targets;		/* Oids of existing tables that its FKs
								 * reference */
	List	   *dropped_tables; /* as in ZdmXact */
	List	   *dropped_indexes;	/* likewise */

	/* what plan/ has made of it, to be asked for more than once */
	struct ZdmPlan *plan;
	bool		is_planned;		/* also if there is none */
} ZdmDdl;

/* dispatch.c */
extern void ddl_analyze(ZdmDdl *ddl);
extern void ddl_analyze_node(ZdmDdl *ddl, Node *stmt);
extern bool ddl_is_guarded(NodeTag tag);

/* blocked.c: who is in the way at this moment */
extern void ddl_blocked_rule(ZdmDdl *ddl);

/* found.c: noting what was found */
extern void ddl_lock(ZdmDdl *ddl, ZdmRel *rel, LOCKMODE mode);
extern void ddl_lock_tree(ZdmDdl *ddl, ZdmRel *rel, LOCKMODE mode);
extern void ddl_lock_owned_sequences(ZdmDdl *ddl, ZdmRel *rel);
extern void ddl_rewrite(ZdmDdl *ddl, ZdmRel *rel);
extern void ddl_scan(ZdmDdl *ddl, ZdmRel *rel);
extern LOCKMODE ddl_strongest_lock(const ZdmDdl *ddl);
extern LOCKMODE ddl_lock_on(const ZdmDdl *ddl, const ZdmRel *rel);
extern void ddl_undefined(ZdmDdl *ddl, const char *fmt,...) pg_attribute_printf(2, 3);

/*
 * undefined.c: what of the statement, which names what does not exist, the
 * server rejects at once, with the error that it has for all of it.  NULL if
 * it could do long work first, or if the statement names no such thing.
 */
extern Node *ddl_futile_part(const ZdmDdl *ddl);

/*
 * Add a hazard; returns it for further fields to be set, or NULL if it is
 * void.  ddl_hazard() is void on exempt relations (new, temporary, catalogs);
 * ddl_lock_hazard() also where all of the relation's tree is small or empty.
 * rel may be NULL in ddl_hazard().  node and column may be NULL.
 */
extern ZdmHazard *ddl_hazard(ZdmDdl *ddl, ZdmRuleId rule, ZdmRel *rel, Node *node,
							 const char *column, const char *fmt,...) pg_attribute_printf(6, 7);
extern ZdmHazard *ddl_lock_hazard(ZdmDdl *ddl, ZdmRuleId rule, ZdmRel *rel, Node *node,
								  const char *column, const char *fmt,...) pg_attribute_printf(6, 7);

/*
 * relation.c: relations.  Nothing here locks or waits: a relation that
 * another session holds in ACCESS EXCLUSIVE mode is looked up all the same.
 * A name that does not exist is noted by ddl_undefined() unless missing_ok.
 */
extern ZdmRel *ddl_rel(ZdmDdl *ddl, const RangeVar *rv, bool missing_ok);
extern ZdmRel *ddl_rel_listed(ZdmDdl *ddl, const RangeVar *rv);
extern ZdmRel *ddl_rel_by_names(ZdmDdl *ddl, List *names, bool missing_ok);
extern ZdmRel *ddl_rel_by_oid(ZdmDdl *ddl, Oid relid);
extern List *ddl_rel_tree(ZdmDdl *ddl, ZdmRel *rel);	/* itself first */
extern ZdmRel *ddl_rel_only(const ZdmRel *rel); /* without its children */
extern ZdmRel *ddl_rel_parent(ZdmDdl *ddl, ZdmRel *rel);	/* or NULL */
extern ZdmRel *ddl_default_partition(ZdmDdl *ddl, ZdmRel *parent);	/* or NULL */
extern ZdmRel *ddl_index_table(ZdmDdl *ddl, ZdmRel *index);
extern int64 ddl_rel_size(ZdmDdl *ddl, ZdmRel *rel);	/* bytes, whole tree */
extern bool ddl_rel_is_small(ZdmDdl *ddl, ZdmRel *rel);
extern const char *ddl_rel_qualified(const ZdmRel *rel);	/* quoted for SQL */
extern const char *ddl_rel_describe(const ZdmRel *rel); /* table "public.t" */

/* column.c: columns, types and defaults */
extern ZdmCol *ddl_col(ZdmDdl *ddl, ZdmRel *rel, const char *name, bool missing_ok);
extern const char *ddl_attname(ZdmRel *rel, AttrNumber attnum);
extern Node *ddl_col_stored_default(const ZdmRel *rel, const ZdmCol *col);
extern bool ddl_col_proven_not_null(ZdmDdl *ddl, ZdmRel *rel, const ZdmCol *col);
extern bool ddl_col_rejects_null(ZdmDdl *ddl, ZdmRel *rel, const ZdmCol *col);
extern bool ddl_type(ZdmDdl *ddl, const TypeName *typname, Oid *typid, int32 *typmod);
extern bool ddl_type_is_serial(const TypeName *typname);
extern bool ddl_domain_has_constraints(Oid typid);
extern bool ddl_expr_is_volatile(ZdmDdl *ddl, Node *expr);
extern bool ddl_is_volatile(Node *expr);	/* of an analyzed expression */
extern bool ddl_expr_is_null_constant(Node *expr);
extern struct ParseState *ddl_parsestate(const ZdmDdl *ddl);	/* for transformExpr() */
extern Node *ddl_fold(Node *expr);	/* fold constants, but run no user's code */

/* constraint_facts.c: indexes and constraints of existing relations */
extern List *ddl_rel_indexes(ZdmRel *rel);	/* of ZdmIndex; none for a new one */
extern ZdmIndex *ddl_index(Oid indexoid);	/* NULL if gone */

/* key columns, of String, of an index made in the script or not */
extern List *ddl_index_columns(ZdmRel *rel, ZdmRel *index);
extern List *ddl_rel_constraints(ZdmRel *rel);	/* of ZdmConstraint */
extern List *ddl_rel_referencing(ZdmRel *rel);	/* FKs of other tables on it */
extern ZdmConstraint *ddl_constraint(ZdmRel *rel, const char *name);	/* or NULL */
extern Bitmapset *ddl_constraint_columns(const ZdmConstraint *con);

/*
 * object.c: objects that are no relations, in the form in which DropStmt has
 * them.  Nothing here locks, waits or throws.
 */
extern bool ddl_object(ZdmDdl *ddl, ObjectType type, Node *object, bool missing_ok,
					   ObjectAddress *address);
extern ZdmRel *ddl_object_rel(ZdmDdl *ddl, Node *object, bool missing_ok);
extern Oid	ddl_rel_part_oid(ZdmRel *rel, ObjectType type, const char *name);
extern Oid	ddl_object_namespace(const ObjectAddress *address);
extern bool ddl_object_is_exempt(const ObjectAddress *address);
extern Oid	ddl_object_owner(const ObjectAddress *address); /* InvalidOid: none */
extern char *ddl_object_describe(const ObjectAddress *address);
extern ZdmHazard *ddl_object_hazard(ZdmDdl *ddl, ZdmRuleId rule,
									const ObjectAddress *address, Node *node,
									const char *fmt,...) pg_attribute_printf(5, 6);

extern Oid	ddl_role(ZdmDdl *ddl, const RoleSpec *role);	/* InvalidOid: noted */
extern char *ddl_role_names(List *roles);	/* of RoleSpec, quoted for people */

/*
 * going.c: is the object among ddl->going, or does it go with one of these,
 * without CASCADE?
 */
extern bool ddl_is_going(const ZdmDdl *ddl, const ObjectAddress *object);

/* likewise: does the object depend on its schema, or parent, only until then? */
extern bool ddl_is_leaving(const ZdmDdl *ddl, const ObjectAddress *object,
						   const ObjectAddress *owner);

/* likewise a constraint, by itself or with a column; the primary key that is */
extern bool ddl_constraint_is_going(const ZdmDdl *ddl, const ZdmConstraint *con);
extern ZdmConstraint *ddl_going_primary_key(const ZdmDdl *ddl, ZdmRel *rel);

/* depend.c: what goes when objects (ObjectAddress) are dropped */
extern List *ddl_drop_reach(ZdmDdl *ddl, List *targets, bool cascade);
extern List *ddl_drop_parts(ZdmDdl *ddl, List *targets);
extern List *ddl_sort_objects(List *addresses);
extern char *ddl_list_objects(List *addresses);
extern ZdmRel *ddl_part_rel(ZdmDdl *ddl, const ObjectAddress *address);

/* script.c: the stand-in for what earlier statements of a script made */
extern struct ZdmScript *ddl_script_create(MemoryContext context);
extern void ddl_script_apply(ZdmDdl *ddl, bool refused);

/* Handlers, one for each kind of statement, called through dispatch.c */
typedef void (*ZdmHandler) (ZdmDdl *ddl, Node *stmt);

/* alter_table.c */
extern void ddl_alter_table(ZdmDdl *ddl, Node *stmt);
extern void ddl_alter_table_move_all(ZdmDdl *ddl, Node *stmt);
extern bool ddl_alter_recurses(const ZdmDdl *ddl);	/* not ALTER TABLE ONLY */
extern LOCKMODE ddl_alter_lock(const AlterTableStmt *alter);	/* on the table itself */
extern void ddl_note_brief_lock(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd, const char *what);

/* alter_column.c */
extern void ddl_alter_column(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd);

/* add_column.c */
extern void ddl_add_column(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd);
extern ColumnDef *ddl_added_column(const ZdmDdl *ddl, const char *name);
extern Node *ddl_coldef_default(const ColumnDef *def);
extern bool ddl_coldef_is_auto_increment(const ColumnDef *def);

/*
 * As ddl_col(), but a column that another command of the same ALTER TABLE
 * adds is found too (is_new, attnum 0).
 */
extern ZdmCol *ddl_alter_col(ZdmDdl *ddl, ZdmRel *rel, const char *name, bool missing_ok);
extern ZdmCol *ddl_kept_col(ZdmDdl *ddl, ZdmRel *rel, const char *name, bool missing_ok);

/* constraint.c */
extern void ddl_add_constraint(ZdmDdl *ddl, ZdmRel *rel, Constraint *con);
extern void ddl_set_not_null(ZdmDdl *ddl, ZdmRel *rel, Node *node, const char *column);
extern void ddl_validate_constraint(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd);
extern void ddl_drop_constraint(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd);
extern void ddl_alter_constraint(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd);

/* foreign_key.c; fk_attrs of con is set, also where it stands in a column */
extern void ddl_foreign_key(ZdmDdl *ddl, ZdmRel *rel, Constraint *con, bool scans);
extern bool ddl_inline_foreign_key_scans(const ColumnDef *def, const Constraint *con);
extern ZdmRel *ddl_fk_target(ZdmDdl *ddl, ZdmRel *rel, const Constraint *con);

/*
 * old_writers.c: does a new constraint reject rows of clients that do not
 * know it?  columns is a list of String.
 */
extern void ddl_rejects_old_writers(ZdmDdl *ddl, ZdmRel *rel, Node *node, List *columns,
									ConstrType contype, Node *check, const char *what);

extern bool ddl_check_rejects_null(ZdmDdl *ddl, ZdmRel *rel, Node *raw, const char *column);
extern List *ddl_check_columns(Node *check);
extern List *ddl_existing_check_columns(ZdmDdl *ddl, ZdmRel *rel, Node *check); /* of String, each once */

/* column_type.c */
extern void ddl_alter_column_type(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd);

/* index.c */
extern void ddl_create_index(ZdmDdl *ddl, Node *stmt);
extern void ddl_drop_index(ZdmDdl *ddl, DropStmt *stmt);
extern void ddl_reindex(ZdmDdl *ddl, Node *stmt);

/* partition.c */
extern void ddl_attach_partition(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd);
extern void ddl_detach_partition(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd);
extern void ddl_create_partition_of(ZdmDdl *ddl, CreateStmt *stmt, bool exists);
extern List *ddl_partitioned_indexes(ZdmRel *parent);	/* Oids */
extern Oid	ddl_index_like(ZdmRel *rel, ZdmRel *parent, Oid parentindex, List *taken);
extern List *ddl_own_foreign_keys(ZdmRel *rel); /* of ZdmConstraint */
extern bool ddl_has_foreign_key_like(ZdmRel *child, ZdmRel *parent, const ZdmConstraint *wanted);

/* partition_proof.c */
extern bool ddl_detach_adds_check(ZdmRel *child, const char **column);
extern bool ddl_fits_as_partition(ZdmRel *rel, ZdmRel *parent);
extern bool ddl_is_read_for_bounds(ZdmDdl *ddl, ZdmRel *parent, ZdmRel *rel,
								   PartitionBoundSpec *bound, bool is_default);
extern char *ddl_bounds_condition(ZdmDdl *ddl, ZdmRel *parent, ZdmRel *rel,
								  PartitionBoundSpec *bound, bool is_default);
extern bool ddl_bound_calls_function(PartitionBoundSpec *bound);
extern void ddl_check_overlap(ZdmDdl *ddl, ZdmRel *parent, const char *name,
							  PartitionBoundSpec *bound);
extern char *ddl_expression_text(Relation rel, Node *expr);

/* publication.c */
extern void ddl_replica_identity(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd);

/* create.c */
extern void ddl_create_table(ZdmDdl *ddl, Node *stmt);
extern void ddl_create_view(ZdmDdl *ddl, Node *stmt);
extern void ddl_create_trigger(ZdmDdl *ddl, Node *stmt);
extern void ddl_create_rule(ZdmDdl *ddl, Node *stmt);
extern void ddl_create_function(ZdmDdl *ddl, Node *stmt);
extern void ddl_create_schema(ZdmDdl *ddl, Node *stmt);
extern void ddl_create_statistics(ZdmDdl *ddl, Node *stmt);
extern void ddl_create_publication(ZdmDdl *ddl, Node *stmt);
extern void ddl_create_extension(ZdmDdl *ddl, Node *stmt);

/* maintenance.c */
extern void ddl_vacuum(ZdmDdl *ddl, Node *stmt);
extern void ddl_cluster(ZdmDdl *ddl, Node *stmt);
extern void ddl_refresh(ZdmDdl *ddl, Node *stmt);
extern void ddl_truncate(ZdmDdl *ddl, Node *stmt);
extern void ddl_lock_table(ZdmDdl *ddl, Node *stmt);
extern void ddl_dml(ZdmDdl *ddl, Node *stmt);	/* UPDATE, DELETE in a script */
extern bool ddl_option_is_on(List *options, const char *name, bool preset);
extern ZdmRel *ddl_lock_all(ZdmDdl *ddl, Oid nspoid, LOCKMODE mode);	/* largest, or NULL */

/* drop.c */
extern void ddl_drop(ZdmDdl *ddl, Node *stmt);
extern void ddl_drop_column(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd);
extern void ddl_drop_owned(ZdmDdl *ddl, Node *stmt);
extern void ddl_drop_database(ZdmDdl *ddl, Node *stmt);
extern char *ddl_shared_parts(const ZdmDdl *ddl, ZdmRel *rel, AttrNumber attnum,
							  bool as_sql);
extern void ddl_role_objects(ZdmDdl *ddl, List *roles, List **owned, List **granted);

/* rename.c */
extern void ddl_rename(ZdmDdl *ddl, Node *stmt);
extern void ddl_set_schema(ZdmDdl *ddl, Node *stmt);
extern List *ddl_typed_tables(ZdmDdl *ddl, ZdmRel *composite);	/* of ZdmRel */

/* security.c */
extern void ddl_grant(ZdmDdl *ddl, Node *stmt);
extern void ddl_grant_role(ZdmDdl *ddl, Node *stmt);
extern void ddl_policy(ZdmDdl *ddl, Node *stmt);
extern bool ddl_rel_has_row_security(ZdmRel *rel);
extern void ddl_owner(ZdmDdl *ddl, Node *stmt);
extern void ddl_reassign_owned(ZdmDdl *ddl, Node *stmt);
extern void ddl_comment(ZdmDdl *ddl, Node *stmt);

/*
 * type.c: the columns (ObjectAddress) of the domain, and of those over it;
 * pg_depend knows them all
 */
extern List *ddl_domain_columns(Oid domain);

/* type.c */
extern void ddl_alter_domain(ZdmDdl *ddl, Node *stmt);
extern void ddl_alter_enum(ZdmDdl *ddl, Node *stmt);
extern void ddl_alter_composite(ZdmDdl *ddl, ZdmRel *rel, AlterTableStmt *stmt);
extern void ddl_alter_sequence(ZdmDdl *ddl, Node *stmt);

#endif							/* ZDM_DDL_H */
