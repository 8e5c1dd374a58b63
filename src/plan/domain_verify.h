/*-------------------------------------------------------------------------
 *
 * domain_verify.h
 *	  The query for the values that are in the way of a constraint still to
 *	  be added to a domain.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_DOMAIN_VERIFY_H
#define ZDM_DOMAIN_VERIFY_H

#include "ddl/ddl.h"

/*
 * With the tables of now that the role can read; NULL if the statement adds no
 * constraint that has to be proven.
 */
extern char *zdm_verify_domain(ZdmDdl *ddl, const AlterDomainStmt *stmt, Oid role);

#endif							/* ZDM_DOMAIN_VERIFY_H */
