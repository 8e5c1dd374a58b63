/*-------------------------------------------------------------------------
 *
 * redirect.c
 *	  Statements that name a table by the name that it gets when a window
 *	  ends, while a view has that name.
 *
 * What a view can do it does: queries use it.  What it cannot, or what is kept
 * in the catalog, has to reach the table: such statements get its name in the
 * place of the view's, in their own text, before anybody looks at them.  So
 * their hazards are those of the table, and what is written down for later
 * names it too.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "claims.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "common/keywords.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/analyze.h"
#include "parser/parse_type.h"
#include "parser/parser.h"
#include "parser/scanner.h"
#include "parser/scansup.h"
#include "plan/constraint_plan.h"
#include "plan/index_plan.h"
#include "redirect.h"
#include "redirect_walk.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "window/alias.h"

/* A token of the statement's text. */
typedef struct Token
{
	int			start;
	int			end;
	const char *name;			/* what it means as a name, or NULL */
	bool		is_word;		/* a name or keyword without quotes */
} Token;

/* A piece of the text to be replaced. */
typedef struct Edit
{
	int			start;
	int			end;
	const char *text;
} Edit;

/* One statement that is redirected. */
typedef struct Redirect
{
	const char *sql;
	Token	   *tokens;
	int			count;
	int			next;			/* token after the last name that was found
								 * without its location */
	List	   *edits;			/* Edit */
	List	   *tables;			/* Oids: named by a view */
} Redirect;

/* The view of that name, be it such a view or not; InvalidOid if there is none. */
static Oid
find_view(const char *catalog, const char *schema, const char *name)
{
	Oid			relid;

	if (catalog != NULL && strcmp(catalog, get_database_name(MyDatabaseId)) != 0)
		return InvalidOid;
	if (schema != NULL)
	{
		Oid			nspoid = LookupNamespaceNoError(schema);

		relid = OidIsValid(nspoid) ? get_relname_relid(name, nspoid) : InvalidOid;
	}
	else
		relid = RelnameGetRelid(name);
	return OidIsValid(relid) && get_rel_relkind(relid) == RELKIND_VIEW ? relid : InvalidOid;
}

static Oid
find_view_of_list(List *names, int count)
{
	const char *name = strVal(list_nth(names, count - 1));

	return find_view(count > 2 ? strVal(list_nth(names, count - 3)) : NULL,
					 count > 1 ? strVal(list_nth(names, count - 2)) : NULL, name);
}

/* The view whose row type that is, or an array of it; InvalidOid if none. */
static Oid
find_view_of_type(const TypeName *type)
{
	TypeName   *element;
	Oid			typid;
	Oid			relid;

	if (type->names == NIL || list_length(type->names) > 2)
		return InvalidOid;
	element = makeTypeNameFromNameList(type->names);
	typid = LookupTypeNameOid(NULL, element, true);
	relid = OidIsValid(typid) ? get_typ_typrelid(typid) : InvalidOid;
	return OidIsValid(relid) && get_rel_relkind(relid) == RELKIND_VIEW ? relid : InvalidOid;
}

/*
 * Does the statement name any view?
 */
static void
look_at_relation(void *arg, const RangeVar *rv, ZdmNameUse use)
{
	*(bool *) arg |= use == ZDM_NAME_GRANT ||
		OidIsValid(find_view(rv->catalogname, rv->schemaname, rv->relname));
}

static void
look_at_names(void *arg, List *names, bool has_part, bool is_column)
{
	*(bool *) arg |= OidIsValid(find_view_of_list(names, list_length(names) - (has_part ? 1 : 0)));
}

static void
look_at_type(void *arg, const TypeName *type)
{
	*(bool *) arg |= OidIsValid(find_view_of_type(type));
}

static void
look_at_column(void *arg, const ColumnRef *column, bool in_query)
{
}

/* Likewise a query that has been analyzed, of CREATE MATERIALIZED VIEW */
static bool
reads_view(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, RangeTblEntry))
		return ((RangeTblEntry *) node)->rtekind == RTE_RELATION &&
			((RangeTblEntry *) node)->relkind == RELKIND_VIEW;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, reads_view, context, QTW_EXAMINE_RTES_BEFORE);
	return expression_tree_walker(node, reads_view, context);
}

bool
redirect_may_concern(Node *stmt)
{
	bool		found = false;
	ZdmNameVisitor visitor = {look_at_relation, look_at_names, look_at_type, look_at_column,
	&found};

	if (IsA(stmt, CreateTableAsStmt) &&
		((CreateTableAsStmt *) stmt)->objtype == OBJECT_MATVIEW &&
		IsA(((CreateTableAsStmt *) stmt)->query, Query))
		return reads_view(((CreateTableAsStmt *) stmt)->query, NULL);
	redirect_walk(&visitor, stmt);
	return found;
}

/* What the token means as a name; NULL for strings, numbers and operators. */
static char *
name_of_token(const char *word, int length, bool *is_plain)
{
	char		first = word[0];
	StringInfoData buf;

	*is_plain = false;
	if (first == '"')
	{
		initStringInfo(&buf);
		for (int i = 1; i < length - 1; i++)
		{
			appendStringInfoChar(&buf, word[i]);
			if (word[i] == '"')
				i++;
		}
		truncate_identifier(buf.data, buf.len, false);
		return buf.data;
	}
	if ((!isalpha((unsigned char) first) && first != '_' && !IS_HIGHBIT_SET(first)) ||
		word[length - 1] == '\'' || word[length - 1] == '"')
		return NULL;
	*is_plain = true;
	return downcase_truncate_identifier(word, length, false);
}

/* Cut the text, which has passed the parser, into tokens. */
static void
scan_tokens(Redirect *redirect)
{
	core_yy_extra_type extra;
	core_yyscan_t scanner = scanner_init(redirect->sql, &extra, &ScanKeywords, ScanKeywordTokens);
	core_YYSTYPE value;
	YYLTYPE		start;
	int			size = 64;

	extra.escape_string_warning = false;
	redirect->tokens = palloc(size * sizeof(Token));
	while (core_yylex(&value, &start, scanner) != 0)
	{
		Token	   *token;

		if (redirect->count == size)
			redirect->tokens = repalloc(redirect->tokens, (size *= 2) * sizeof(Token));
		token = &redirect->tokens[redirect->count++];
		token->start = start;
		/* the scanner ends the token with a zero byte in its own copy */
		token->end = start + strlen(extra.scanbuf + start);
		token->name = name_of_token(redirect->sql + start, token->end - start, &token->is_word);
	}
	scanner_finish(scanner);
}

static bool
is_sign(const Redirect *redirect, int i, char sign)
{
	return i >= 0 && i < redirect->count &&
		redirect->tokens[i].end == redirect->tokens[i].start + 1 &&
		redirect->sql[redirect->tokens[i].start] == sign;
}

static bool
is_word(const Redirect *redirect, int i, const char *word)
{
	return i >= 0 && i < redirect->count && redirect->tokens[i].is_word &&
		strcmp(redirect->tokens[i].name, word) == 0;
}

/* The token at that place of the text, where the parser says that one is */
static int
token_at(const Redirect *redirect, int location)
{
	for (int i = 0; i < redirect->count; i++)
	{
		if (redirect->tokens[i].start == location)
			return i;
	}
	elog(ERROR, "no token at offset %d of: %s", location, redirect->sql);
}

/* Replace tokens from first to before end. */
static void
replace_tokens(Redirect *redirect, int first, int end, const char *replacement)
{
	Edit	   *edit = palloc(sizeof(Edit));

	edit->start = redirect->tokens[first].start;
	edit->end = end > first ? redirect->tokens[end - 1].end : edit->start;
	edit->text = replacement;
	redirect->edits = lappend(redirect->edits, edit);
}

static char *
qualified_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
}

/* The table that such a view stands for, noted; InvalidOid for other views. */
static Oid
table_of(Redirect *redirect, Oid viewid)
{
	Oid			table = OidIsValid(viewid) ? alias_table(viewid) : InvalidOid;

	if (OidIsValid(table))
		redirect->tables = list_append_unique_oid(redirect->tables, table);
	return table;
}

/* Rights on the table and all views that stand for it change together. */
static const char *
names_for_grant(Oid relid, bool *is_alone)
{
	List	   *views = alias_views(relid);
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	appendStringInfoString(&buf, qualified_name(relid));
	foreach(lc, views)
		appendStringInfo(&buf, ", %s", qualified_name(lfirst_oid(lc)));
	*is_alone = views == NIL;
	return buf.data;
}

static void
redirect_relation(void *arg, const RangeVar *rv, ZdmNameUse use)
{
	Redirect   *redirect = arg;
	Oid			table = table_of(redirect, find_view(rv->catalogname, rv->schemaname, rv->relname));
	const char *replacement;
	bool		is_alone = false;
	int			first;
	int			end;

	if (use == ZDM_NAME_GRANT)
	{
		Oid			named = OidIsValid(table) ? table : RangeVarGetRelid(rv, NoLock, true);

		if (!OidIsValid(named))
			return;
		replacement = names_for_grant(named, &is_alone);
	}
	else if (!OidIsValid(table))
		return;
	else if (use == ZDM_NAME_QUERY && rv->alias == NULL)
		replacement = psprintf("%s AS %s", qualified_name(table), quote_identifier(rv->relname));
	else
		replacement = qualified_name(table);
	if (is_alone)
		return;

	first = token_at(redirect, rv->location);
	end = first + 1 + (rv->schemaname ? 2 : 0) + (rv->catalogname ? 2 : 0);
	/* what follows "t *" is no alias: the star says what is so anyway */
	if (use == ZDM_NAME_QUERY && rv->inh && is_sign(redirect, end, '*'))
		end++;
	replace_tokens(redirect, first, end, replacement);
}

/* Do the names stand at that token, with dots in between? */
static bool
names_stand_at(const Redirect *redirect, int i, List *names)
{
	ListCell   *lc;

	if (is_sign(redirect, i - 1, '.'))
		return false;
	foreach(lc, names)
	{
		if (i >= redirect->count || redirect->tokens[i].name == NULL ||
			strcmp(redirect->tokens[i].name, strVal(lfirst(lc))) != 0)
			return false;
		if (is_sign(redirect, i + 1, '.') != (lnext(names, lc) != NULL))
			return false;
		i += 2;
	}
	return true;
}

/*
 * A name whose place the parse tree does not tell.  What comes before it in
 * the text are keywords, two at least, and names that were looked for before.
 */
static void
redirect_names(void *arg, List *names, bool has_part, bool is_column)
{
	Redirect   *redirect = arg;
	int			count = list_length(names) - (has_part ? 1 : 0);
	Oid			table = table_of(redirect, find_view_of_list(names, count));
	List	   *shown = is_column ? names : list_truncate(list_copy(names), count);

	if (!OidIsValid(table))
		return;
	for (int i = Max(redirect->next, 2); i < redirect->count; i++)
	{
		if (!names_stand_at(redirect, i, shown))
			continue;
		if (has_part && !is_column && !is_word(redirect, i - 1, "on"))
			continue;
		replace_tokens(redirect, i, i + 2 * count - 1, qualified_name(table));
		redirect->next = i + 2 * list_length(shown) - 1;
		return;
	}
	elog(ERROR, "name \"%s\" not found in: %s", NameListToString(names), redirect->sql);
}

static void
redirect_type(void *arg, const TypeName *type)
{
	Redirect   *redirect = arg;
	Oid			table = table_of(redirect, find_view_of_type(type));
	int			first;

	if (!OidIsValid(table) || type->location < 0)
		return;
	first = token_at(redirect, type->location);
	replace_tokens(redirect, first, first + 2 * list_length(type->names) - 1,
				   qualified_name(table));
}

/*
 * In a query the table has the view's name for an alias, but no schema before
 * it; elsewhere a column needs no table before it, whose name changes.
 */
static void
redirect_column(void *arg, const ColumnRef *column, bool in_query)
{
	Redirect   *redirect = arg;
	int			count = list_length(column->fields) - 1;
	Oid			table;
	int			first;

	if (count < 1 || count > 2 || !IsA(linitial(column->fields), String) ||
		!IsA(list_nth(column->fields, count - 1), String) || (in_query && count == 1))
		return;
	table = table_of(redirect, find_view_of_list(column->fields, count));
	if (!OidIsValid(table))
		return;
	first = token_at(redirect, column->location);
	if (in_query)
		replace_tokens(redirect, first, first + 2 * count - 1,
					   quote_identifier(strVal(lsecond(column->fields))));
	else if (IsA(llast(column->fields), String))
		replace_tokens(redirect, first, first + 2 * count, "");
	else
		replace_tokens(redirect, first, first + 2 * count - 1,
					   quote_identifier(get_rel_name(table)));
}

/*
 * The table as what is made now will know it: names are chosen by its new
 * name.  NULL if the statement does not name it so, or the name stays.
 */
static ZdmRel *
table_to_be(const RangeVar *rv)
{
	Oid			viewid = find_view(rv->catalogname, rv->schemaname, rv->relname);
	Oid			table = OidIsValid(viewid) ? alias_table(viewid) : InvalidOid;
	ZdmRel	   *rel;

	if (!OidIsValid(table) || strcmp(get_rel_name(table), rv->relname) == 0)
		return NULL;
	rel = palloc0(sizeof(ZdmRel));
	rel->relid = table;
	rel->nspname = get_namespace_name(get_rel_namespace(table));
	rel->relname = rv->relname;
	rel->relkind = get_rel_relkind(table);
	return rel;
}

/* Columns of an exclusion constraint in its name */
static char *
excluded_columns(const Constraint *con)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, con->exclusions)
	{
		const IndexElem *elem = linitial_node(IndexElem, lfirst_node(List, lc));

		names = lappend(names, makeString(elem->name ? elem->name : "expr"));
	}
	return zdm_columns_in_name(names);
}

/* column is that in whose definition the constraint stands, or NULL */
static void
name_constraint(Redirect *redirect, ZdmPlan *plan, const ZdmRel *rel, const Constraint *con,
				char *column)
{
	Constraint	whole = *con;
	const char *name;

	if (con->conname != NULL || con->indexname != NULL || con->location < 0)
		return;
	if (column != NULL)
		whole.keys = whole.fk_attrs = list_make1(makeString(column));
	switch (con->contype)
	{
		case CONSTR_NOTNULL:
			if (!COMPAT_NOT_NULL_HAS_CONSTRAINT)
				return;
			/* FALLTHROUGH */
		case CONSTR_CHECK:
		case CONSTR_PRIMARY:
		case CONSTR_UNIQUE:
		case CONSTR_FOREIGN:
			name = zdm_plan_name_constraint(plan, rel, &whole);
			break;
		case CONSTR_EXCLUSION:
			name = zdm_plan_choose_name(plan, rel, excluded_columns(con), "excl");
			break;
		default:
			return;
	}
	if (name != NULL)
	{
		int			first = token_at(redirect, con->location);

		replace_tokens(redirect, first, first,
					   psprintf("CONSTRAINT %s ", quote_identifier(name)));
	}
}

/* A sequence of its own gets its name from the table, and has no syntax for another. */
static void
check_no_sequence(const ZdmRel *rel, const ColumnDef *def)
{
	bool		found = def->typeName != NULL && ddl_type_is_serial(def->typeName);
	ListCell   *lc;

	foreach(lc, def->constraints)
		found |= ((const Constraint *) lfirst(lc))->contype == CONSTR_IDENTITY;
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_QUEUED_WORK),
				 errmsg("column \"%s\" cannot have a sequence of its own yet", def->colname),
				 errdetail("Table %s gets the name \"%s\" when the window ends; a sequence that is made before would be named after the table as it is now.",
						   qualified_name(rel->relid), rel->relname),
				 errhint("Add the column before the table is renamed, or after SELECT zdm_end_window(); or make the sequence yourself: CREATE SEQUENCE, and DEFAULT nextval(...).")));
}

static bool
is_not_null(Oid relid, const char *column)
{
	HeapTuple	tuple = SearchSysCacheAttName(relid, column);
	bool		result = HeapTupleIsValid(tuple) &&
		((Form_pg_attribute) GETSTRUCT(tuple))->attnotnull;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return result;
}

/* SET NOT NULL makes a constraint from 18 on, and has no syntax for its name. */
static void
name_not_null(Redirect *redirect, ZdmPlan *plan, const ZdmRel *rel, const AlterTableCmd *cmd)
{
	if (!COMPAT_NOT_NULL_HAS_CONSTRAINT || is_not_null(rel->relid, cmd->name))
		return;
	for (int i = 0; i + 4 < redirect->count; i++)
	{
		int			name = is_word(redirect, i + 1, "column") ? i + 2 : i + 1;

		if (!is_word(redirect, i, "alter") || !is_word(redirect, name + 1, "set") ||
			!is_word(redirect, name + 2, "not") || !is_word(redirect, name + 3, "null") ||
			redirect->tokens[name].name == NULL ||
			strcmp(redirect->tokens[name].name, cmd->name) != 0)
			continue;
		replace_tokens(redirect, i, name + 4,
					   psprintf("ADD CONSTRAINT %s NOT NULL %s",
								quote_identifier(zdm_plan_choose_name(plan, rel, cmd->name, "not_null")),
								quote_identifier(cmd->name)));
		return;
	}
}

static void
name_in_alter_table(Redirect *redirect, const AlterTableStmt *stmt)
{
	ZdmRel	   *rel = table_to_be(stmt->relation);
	ZdmDdl		ddl = {0};
	ZdmPlan		plan = {&ddl};
	ListCell   *lc;

	if (rel == NULL)
		return;
	ddl.reserved = claims_reserved();
	foreach(lc, stmt->cmds)
	{
		const AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);
		ListCell   *lcon;

		if (cmd->subtype == AT_AddConstraint)
			name_constraint(redirect, &plan, rel, castNode(Constraint, cmd->def), NULL);
		if (cmd->subtype == AT_SetNotNull)
			name_not_null(redirect, &plan, rel, cmd);
		if (cmd->subtype != AT_AddColumn)
			continue;
		check_no_sequence(rel, castNode(ColumnDef, cmd->def));
		foreach(lcon, castNode(ColumnDef, cmd->def)->constraints)
			name_constraint(redirect, &plan, rel, lfirst(lcon),
							castNode(ColumnDef, cmd->def)->colname);
	}
}

static void
name_index(Redirect *redirect, const IndexStmt *stmt)
{
	ZdmRel	   *rel = stmt->idxname == NULL ? table_to_be(stmt->relation) : NULL;
	ZdmNewIndex made;

	if (rel == NULL || !zdm_new_index(&made, stmt, redirect->sql))
		return;
	made.taken = claims_reserved();
	for (int i = 0; i < redirect->count; i++)
	{
		if (is_word(redirect, i, "on"))
		{
			replace_tokens(redirect, i, i,
						   psprintf("%s ", quote_identifier(zdm_new_index_name(&made, rel))));
			break;
		}
	}
}

/* CREATE STATISTICS, which needs no name from 16 on */
static void
name_statistics(Redirect *redirect, const CreateStatsStmt *stmt)
{
	ZdmRel	   *rel = stmt->defnames == NIL && IsA(linitial(stmt->relations), RangeVar) ?
		table_to_be(linitial(stmt->relations)) : NULL;
	List	   *names = NIL;
	ListCell   *lc;

	if (rel == NULL)
		return;
	foreach(lc, stmt->exprs)
	{
		const StatsElem *elem = lfirst(lc);

		names = lappend(names, makeString(elem->name ? elem->name : "expr"));
	}
	replace_tokens(redirect, 2, 2,
				   psprintf("%s ", quote_identifier(makeObjectName(rel->relname,
																   zdm_columns_in_name(names),
																   "stat"))));
}

/*
 * A table that is to be renamed can get another name behind that, or another
 * schema if it is to be moved; but not both, as the view would have a name
 * then that the table never gets.  And its old name it has still.
 */
static void
check_new_name(Node *stmt)
{
	const RangeVar *rv = NULL;
	const char *newname = NULL;
	const char *newschema = NULL;
	Oid			viewid;
	Oid			table;

	if (IsA(stmt, RenameStmt) && ((RenameStmt *) stmt)->subname == NULL)
	{
		rv = ((RenameStmt *) stmt)->relation;
		newname = ((RenameStmt *) stmt)->newname;
	}
	else if (IsA(stmt, AlterObjectSchemaStmt))
	{
		rv = ((AlterObjectSchemaStmt *) stmt)->relation;
		newschema = ((AlterObjectSchemaStmt *) stmt)->newschema;
	}
	viewid = rv ? find_view(rv->catalogname, rv->schemaname, rv->relname) : InvalidOid;
	table = OidIsValid(viewid) ? alias_table(viewid) : InvalidOid;
	if (!OidIsValid(table))
		return;
	if (newname != NULL ? strcmp(newname, get_rel_name(table)) == 0 :
		strcmp(newschema, get_namespace_name(get_rel_namespace(table))) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_QUEUED_WORK),
				 errmsg("%s is still called so, and gets another name when the window ends",
						qualified_name(table)),
				 errdetail("Old clients use it under that name, new ones as view %s.",
						   qualified_name(viewid)),
				 errhint("SELECT zdm_cancel(" INT64_FORMAT "); takes the view away, and the table keeps its name.",
						 alias_step(viewid))));
	if (newname != NULL ? get_rel_namespace(viewid) != get_rel_namespace(table) :
		strcmp(rv->relname, get_rel_name(table)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_ZDM_QUEUED_WORK),
				 errmsg("%s cannot be both renamed and moved to another schema while a window is open",
						qualified_name(table)),
				 errdetail("View %s has the name that it gets when the window ends.",
						   qualified_name(viewid)),
				 errhint("SELECT zdm_end_window(); and then send the statement again.")));
}

static int
by_start(const ListCell *a, const ListCell *b)
{
	const Edit *left = lfirst(a);
	const Edit *right = lfirst(b);

	return left->start != right->start ? left->start - right->start : left->end - right->end;
}

static char *
apply_edits(Redirect *redirect)
{
	StringInfoData buf;
	int			done = 0;
	ListCell   *lc;

	initStringInfo(&buf);
	list_sort(redirect->edits, by_start);
	foreach(lc, redirect->edits)
	{
		const Edit *edit = lfirst(lc);

		appendBinaryStringInfo(&buf, redirect->sql + done, edit->start - done);
		appendStringInfoString(&buf, edit->text);
		done = edit->end;
	}
	appendStringInfoString(&buf, redirect->sql + done);
	return buf.data;
}

/* The text that names tables instead of such views, or NULL. */
static char *
edit_statement(Redirect *redirect, Node *stmt)
{
	ZdmNameVisitor visitor = {redirect_relation, redirect_names, redirect_type, redirect_column,
	redirect};

	scan_tokens(redirect);
	redirect_walk(&visitor, stmt);
	if (redirect->edits == NIL)
		return NULL;
	check_new_name(stmt);
	if (IsA(stmt, AlterTableStmt))
		name_in_alter_table(redirect, (AlterTableStmt *) stmt);
	else if (IsA(stmt, IndexStmt))
		name_index(redirect, (IndexStmt *) stmt);
	else if (IsA(stmt, CreateStatsStmt))
		name_statistics(redirect, (CreateStatsStmt *) stmt);
	return apply_edits(redirect);
}

/*
 * The parse tree of the text.  CREATE MATERIALIZED VIEW comes with its query
 * analyzed.
 */
static Node *
parse_again(const char *sql)
{
	RawStmt    *raw = linitial_node(RawStmt, raw_parser(sql, RAW_PARSE_DEFAULT));

	if (!IsA(raw->stmt, CreateTableAsStmt))
		return raw->stmt;
	return parse_analyze_fixedparams(raw, sql, NULL, 0, NULL)->utilityStmt;
}

ZdmUtility *
redirect_utility(const ZdmUtility *utility)
{
	Node	   *stmt = utility->pstmt->utilityStmt;
	Redirect	redirect = {guard_statement_text(utility->pstmt, utility->query)};
	List	   *parsed = raw_parser(redirect.sql, RAW_PARSE_DEFAULT);
	ZdmUtility *result;
	char	   *sql;

	/* C code may have handed in any text with a parse tree of its own */
	if (list_length(parsed) != 1)
		return NULL;
	if (IsA(stmt, CreateTableAsStmt) ? !IsA(linitial_node(RawStmt, parsed)->stmt, CreateTableAsStmt) :
		!equal(linitial_node(RawStmt, parsed)->stmt, stmt))
		return NULL;
	sql = edit_statement(&redirect, linitial_node(RawStmt, parsed)->stmt);
	if (sql == NULL)
		return NULL;

	result = palloc(sizeof(ZdmUtility));
	*result = *utility;
	result->pstmt = makeNode(PlannedStmt);
	*result->pstmt = *utility->pstmt;
	result->pstmt->utilityStmt = parse_again(sql);
	result->pstmt->stmt_location = 0;
	result->pstmt->stmt_len = 0;
	result->query = sql;
	result->read_only_tree = false;
	result->redirected = redirect.tables;
	return result;
}

char *
redirect_sql(const char *sql)
{
	Redirect	redirect = {sql};
	List	   *parsed = raw_parser(sql, RAW_PARSE_DEFAULT);

	if (list_length(parsed) != 1 ||
		!redirect_may_concern(linitial_node(RawStmt, parsed)->stmt))
		return NULL;
	return edit_statement(&redirect, linitial_node(RawStmt, parsed)->stmt);
}
