# Instructions that a backend executes for a transaction, counted by valgrind:
# exact where throughput is noisy.
#
# Each count is the difference of two sessions, one with more transactions than
# the other, so what a session costs by itself is not in it.  Statistics, which
# a backend hands over when a second has gone by, would depend on the clock.

declare -A counted_name
counted_name=([select]="pgbench select-only" [update]="pgbench simple-update"
	[control]="BEGIN, SET LOCAL, PREPARE, EXECUTE, DEALLOCATE, COMMIT"
	[ddl]="CREATE TABLE, ALTER TABLE ADD COLUMN, CREATE INDEX, DROP TABLE")

start_counting() {
	local dir=$1 tries

	server_ctl "$dir" -m fast stop
	(
		cd /
		zdm_as_user valgrind --tool=callgrind --log-file=/dev/null \
			--callgrind-out-file="$dir/data/counted.%p" \
			"$(command -v postgres)" -D "$dir/data" -c track_counts=off </dev/null >>"$dir/data/server.log" 2>&1
	) &
	# a client that asks would be counted
	for ((tries = 0; tries < 600; tries++)); do
		! grep -q '^ready' "$dir/data/postmaster.pid" 2>/dev/null || return 0
		sleep 0.1
	done
	zdm_fail "the server does not start under valgrind: $(tail -3 "$dir/data/server.log")"
}

# count VARIANT WORKLOAD TRANSACTIONS -> instructions of the session's backend
#
# A backend's count is written when it exits.  pgbench has two sessions: one
# that looks at the tables, and then the one that does the work.
count() {
	local variant=$1 dir=${server_dir[$1]} options totals tries

	case $2 in
	select) options=(-S -M prepared) ;;
	update) options=(-N -M prepared) ;;
	*) options=(-f "$report/$2.sql") ;;
	esac
	rm -f "$dir"/data/counted.*
	at "$variant" pgbench -n -c 1 -t "$3" --random-seed=1 "${options[@]}" >"$report/count.log" 2>&1 ||
		zdm_fail "pgbench failed: $(cat "$report/count.log")"
	for ((tries = 0; tries < 300; tries++)); do
		totals=$(grep -s '^totals: ' "$dir"/data/counted.* || true)
		[ "$(wc -l <<<"$totals")" != 2 ] || break
		sleep 0.1
	done
	[ "$(wc -l <<<"$totals")" = 2 ] || zdm_fail "expected the counts of two backends, got \"$totals\""
	# pid:totals: count
	sed 's/.*counted\.//' <<<"$totals" | sort -n | awk 'END { print $2 }'
}

# per_transaction VARIANT WORKLOAD -> instructions
#
# The first session after a start or a vacuum does work for those after it.
per_transaction() {
	local many=$counted_transactions few first second

	[ "$2" != ddl ] || many=$((many / 20))
	few=$((many / 4))
	count "$1" "$2" "$few" >/dev/null
	first=$(count "$1" "$2" "$few")
	second=$(count "$1" "$2" $((few + many)))
	echo $(((second - first) / many))
}

# The same data for all, whatever has been done to it before.
reset_data() {
	local variant

	for variant in "${variants[@]}"; do
		sql "$variant" -c "ALTER DATABASE bench SET zdm.mode = off"
		at "$variant" pgbench -i -q -s 1 >/dev/null 2>&1
		sql "$variant" -c "ALTER DATABASE bench RESET zdm.mode"
	done
}

counted_scripts() {
	cat >"$report/control.sql" <<-'END'
		BEGIN;
		SET LOCAL work_mem = '4MB';
		PREPARE p AS SELECT 1;
		EXECUTE p;
		DEALLOCATE p;
		COMMIT;
	END
	cat >"$report/ddl.sql" <<-'END'
		CREATE TABLE made (id bigint PRIMARY KEY, name text NOT NULL);
		ALTER TABLE made ADD COLUMN added int;
		CREATE INDEX ON made (name);
		DROP TABLE made;
	END
}

instructions() {
	local dir workload variant ratio target
	local -A counts targets=([select]=0.99 [update]=0.98 [control]=0.98)

	reset_data
	counted_scripts
	for dir in "${server_dir[@]}"; do
		start_counting "$dir"
	done
	head_row instructions "transaction" "without zdm" "with zdm" "in a window" \
		"ratio" "target" ""
	for workload in select update control ddl; do
		for variant in "${variants[@]}"; do
			counts[$variant]=$(per_transaction "$variant" "$workload")
		done
		ratio=$(awk -v p="${counts[plain]}" -v l="${counts[loaded]}" -v w="${counts[window]}" \
			'BEGIN { printf "%.4f", p / (l > w ? l : w) }')
		target=${targets[$workload]:-}
		verdict=
		[ -z "$target" ] ||
			judge "instructions, ${counted_name[$workload]}" at_least "$target" "$ratio" "$ratio" "$ratio"
		row instructions "${counted_name[$workload]}" "${counts[plain]}" "${counts[loaded]}" \
			"${counts[window]}" "$ratio" "${target:+at least $target}" "$verdict"
		tail -1 "$report/instructions"
	done
	for dir in "${server_dir[@]}"; do
		server_ctl "$dir" -m fast stop
	done
	wait
}
