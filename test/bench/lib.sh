# Shared by the parts of the benchmark.  Sourced by run, never run.

report=$ZDM_WORK/report
misses=0
mkdir "$report"

# In SQL: the nanoseconds that the session has had a processor so far.
processor_time="split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint"

# psql on a variant's database
sql() {
	local variant=$1
	shift

	at "$variant" psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}

# at VARIANT COMMAND ...: run a client against it.  The variants are
#   plain    a server that has not loaded zdm
#   loaded   a server that has, in a database with the extension
#   window   the same, in a database where a window is open
at() {
	local variant=$1 host=$PGHOST
	shift

	[ "$variant" != plain ] || host=$plain_dir
	PGHOST=$host PGDATABASE=bench_$variant "$@"
}

# The folders of the two servers.
servers() {
	printf '%s\n' "$plain_dir" "$PGHOST"
}

# server_ctl DIR OPTION ...: pg_ctl as the user that runs the servers
server_ctl() {
	local dir=$1
	shift

	(cd / && zdm_as_user pg_ctl -D "$dir/data" -l "$dir/data/server.log" -w -s "$@" \
		</dev/null >/dev/null 2>&1) || zdm_fail "pg_ctl $* failed: $(tail -3 "$dir/data/server.log")"
}

# Numbers from stdin, one a line -> their median, and the ends of an interval
# that holds the true median with a probability of about 95 % (by ranks; of
# fewer than six numbers: the least and the greatest).
summary() {
	sort -g | awk '
		{ v[NR] = $1 }
		END {
			if (NR == 0)
				exit 1
			k = int((NR - 2 * sqrt(NR)) / 2)
			k = k < 0 ? 0 : k
			m = int((NR + 1) / 2)
			print (NR % 2 ? v[m] : (v[m] + v[m + 1]) / 2), v[1 + k], v[NR - k]
		}'
}

# judge NAME at_least|at_most TARGET MEDIAN LOW HIGH: a target counts as missed
# when the whole interval misses it; if only the median does, it takes a
# quieter machine to tell.  Sets verdict.
judge() {
	local name=$1 sense=$2 target=$3 median=$4 low=$5 high=$6

	verdict=$(awk -v sense="$sense" -v t="$target" -v m="$median" -v l="$low" -v h="$high" \
		-v slack="$slack" '
		BEGIN {
			# as if it were "at most", which is what the other one is upside down
			if (sense == "at_least") {
				m = -m
				l = -h
				t = -t
			}
			limit = t + slack * (t < 0 ? -t : t)
			print ((l > limit) ? "missed" : (m > t) ? "within noise" : "met")
		}')
	if [ "$verdict" = missed ]; then
		misses=$((misses + 1))
		zdm_say "missed: $name: $median ($low to $high), target ${sense/_/ } $target"
	fi
}

# row SECTION FIELD ...: one line of a section's table
row() {
	local section=$1 line='|' field
	shift

	for field in "$@"; do
		line+=" $field |"
	done
	echo "$line" >>"$report/$section"
}

# head_row SECTION FIELD ...: the table's head
head_row() {
	local section=$1
	shift

	row "$section" "$@"
	row "$section" "${@/#*/---}"
}
