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

# Each variant has a server of its own, with the same data in it:
#   plain    zdm is not loaded
#   loaded   it is, and the extension is created
#   window   the same, and a window is open
variants=(plain loaded window)
declare -A server_dir=([plain]=$ZDM_WORK/plain [loaded]=$PGHOST [window]=$ZDM_WORK/window)

# at VARIANT COMMAND ...: run a client against it
at() {
	local variant=$1
	shift

	PGHOST=${server_dir[$variant]} PGDATABASE=bench "$@"
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

# judgement at_least|at_most TARGET MEDIAN LOW HIGH -> a target counts as missed
# when the whole interval misses it; if only the median does, it takes a
# quieter machine to tell
judgement() {
	awk -v sense="$1" -v t="$2" -v m="$3" -v l="$4" -v h="$5" -v slack="$slack" '
		BEGIN {
			# as if it were "at most", which is what the other one is upside down
			if (sense == "at_least") {
				m = -m
				l = -h
				t = -t
			}
			limit = t + slack * (t < 0 ? -t : t)
			print ((l > limit) ? "missed" : (m > t) ? "within noise" : "met")
		}'
}

# Count the verdict if it is a bad one.
note_verdict() {
	if [ "$verdict" = missed ]; then
		misses=$((misses + 1))
		zdm_say "missed: $1"
	fi
}

# judge NAME SENSE TARGET MEDIAN LOW HIGH: the same, counted; sets verdict
judge() {
	local name=$1
	shift

	verdict=$(judgement "$@")
	note_verdict "$name: $3 ($4 to $5), target ${1/_/ } $2"
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
