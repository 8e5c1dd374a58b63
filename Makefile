# zdm: zero-downtime schema changes, enforced by the server
#
#   make, make install      build and install for the server that PG_CONFIG names
#   make installcheck       run the suites against your own running cluster
#   make test, make demo    install what is missing, build, and use a throwaway cluster
#
# "make help" lists the rest.

EXTENSION = zdm
MODULE_big = zdm
PG_CONFIG ?= pg_config

# zdm.control is the only place that states the version.
ZDM_VERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" zdm.control)

OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))
DATA = $(sort $(wildcard src/sql/zdm--*.sql))
# a list that its includer gives a meaning to is no header of its own
HEADER_FILES = $(filter-out %_list.h,$(sort $(wildcard src/*.h src/*/*.h)))

# setup creates the extension that the other files use
regress_all = $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
REGRESS = $(filter setup,$(regress_all)) $(filter-out setup,$(regress_all))
REGRESS_OPTS = --inputdir=$(srcdir)

ISOLATION = $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=$(srcdir)/test/isolation --load-extension=zdm

TAP_TESTS = 1
PROVE_TESTS = test/t/*.pl

# WERROR= builds in spite of the warnings of a compiler that is not known yet
WERROR ?= -Werror
# PGXS passes on the flags of the compiler that built the server.
clang_flags = $(if $(findstring clang,$(shell $(CC) --version 2>/dev/null)), \
	-Wno-unknown-warning-option -Wno-ignored-optimization-argument \
	-Wno-ignored-attributes)
PG_CPPFLAGS = -I$(srcdir)/src -DZDM_VERSION=\"$(ZDM_VERSION)\"
PG_CFLAGS = -Wall -Wextra -Wshadow -Wmissing-prototypes \
	-Wdeclaration-after-statement -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers $(WERROR) -MMD -MP \
	$(clang_flags)
ifdef COVERAGE
PG_CFLAGS += --coverage
SHLIB_LINK += --coverage
endif

# No expression that is compiled just in time calls a function of zdm, so
# bitcode would be of no use and would make clang a build dependency.
override with_llvm := no

EXTRA_CLEAN = $(OBJS:.o=.d) $(OBJS:.o=.gcno) $(OBJS:.o=.gcda) .build-id

# A wildcard, because pg_config can be there without the server's headers.
PGXS := $(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null))
ifneq (,$(PGXS))
include $(PGXS)
else
all install installcheck clean uninstall:
	@echo 'no PGXS for PG_CONFIG=$(PG_CONFIG): install the server headers (Debian: postgresql-server-dev-NN), or run "make setup"' >&2; exit 1
endif

-include $(OBJS:.o=.d)

# Another server or other flags make every object out of date.
build_id := $(VERSION) $(CC) $(CFLAGS) $(CPPFLAGS)
.build-id: FORCE
	@printf '%s\n' '$(build_id)' | cmp -s - $@ || printf '%s\n' '$(build_id)' >$@
$(OBJS): .build-id Makefile
FORCE:

export PG_CONFIG

.PHONY: help setup test demo lint test-matrix test-core e2e bench fuzz docs \
	dist meta format headercheck list-regress list-isolation installcheck-server \
	installcheck-pgtap FORCE

help:
	@sed -n 's/^#: //p' Makefile

#: all, install, uninstall, clean   as with every PGXS extension
#: installcheck   pg_regress, isolation, pgTAP and TAP against your running cluster
installcheck: installcheck-server installcheck-pgtap
installcheck-server:
	@test/bin/check-server
installcheck-pgtap: installcheck-server
	test/bin/pgtap

#: setup          install the Debian packages that the other targets need
setup:
	test/bin/setup build test

#: test           every suite on a throwaway cluster
test:
	test/bin/setup build test
	test/bin/run-suites

#: lint           the checks that need no server
lint:
	test/bin/run-suites lint

#: demo           what zdm does, shown on a throwaway cluster
demo:
	test/bin/setup build
	test/bin/with-cluster test/demo/run

#: test-matrix    the suites on each further server version, in root folders made by debootstrap
test-matrix:
	test/bin/setup matrix
	test/bin/matrix

#: test-core      PostgreSQL's own regression suite with zdm loaded (PG_SRC=its source tree)
test-core:
	test/bin/setup build
	test/bin/with-cluster test/bin/core-suite

#: e2e            real clients
e2e:
	test/bin/setup build e2e
	test/bin/with-cluster test/e2e/run

#: bench          measure, and write docs/benchmarks.md (BENCH=plans: one part)
bench:
	test/bin/setup build bench
	test/bin/with-cluster test/bench/run

#: fuzz           random statements (FUZZ_STATEMENTS=100000)
fuzz:
	test/bin/setup build
	test/bin/with-cluster test/fuzz/run

#: docs           write docs/rules.md from zdm_rules(), and put the tables of docs/ddl.md right
docs:
	test/bin/setup build
	test/bin/with-cluster test/bin/gen-docs --write

#: meta           write the version of zdm.control into META.json
meta:
	test/bin/check-meta --write

#: dist           the PGXN archive
dist:
	test/bin/check-meta
	test/bin/dist

#: format         pgindent
format:
	test/bin/format

#: headercheck    compile each header alone
headercheck:
	@set -e; for header in $(HEADER_FILES); do \
		printf '#include "postgres.h"\n#include "%s"\n' "$${header#src/}" | \
		$(CC) $(CFLAGS) $(CPPFLAGS) -MF /dev/null -fsyntax-only -x c - || \
		{ echo "$$header does not compile alone" >&2; exit 1; }; \
	done

list-regress:
	@echo $(REGRESS)
list-isolation:
	@echo $(ISOLATION)
