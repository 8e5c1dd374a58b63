# How long the application waits while a plan runs, and how long the plan takes:
# the plain statement, the SQL that an expert would write, and zdm.
#
# One server and one table of ZDM_BENCH_ROWS rows for all of it; what a statement
# has made is undone afterwards.  The expert's SQL and zdm take turns.  Of three
# plans the latencies over time are drawn.

plans_rows=${ZDM_BENCH_ROWS:-$([ -n "${BENCH_QUICK:-}" ] && echo 200000 || echo 5000000)}
plans_rounds=$([ -n "${BENCH_QUICK:-}" ] && echo 1 || echo 3)
plans_seconds=25
plans_drawn="create_index set_not_null volatile_default"
declare -A plans_title
declare -A plans_spent

plans_sql() {
	PGOPTIONS='-c zdm.mode=off' sql loaded "$@"
}

plans_fixture() {
	local n=$plans_rows part=$((plans_rows / 5))

	plans_sql <<-END
		CREATE TABLE parent (id int PRIMARY KEY, n int NOT NULL DEFAULT 0) WITH (fillfactor = 50);
		INSERT INTO parent SELECT i FROM generate_series(1, 1000) i;
		CREATE TABLE item (id bigint, code bigint, ref int, a int, b text NOT NULL DEFAULT '');
		INSERT INTO item SELECT i, i, 1 + i % 1000, i % 7919, 'item number ' || i FROM generate_series(1, $n) i;
		CREATE UNIQUE INDEX item_id ON item (id);
		CREATE INDEX item_ref ON item (ref);
		CREATE SEQUENCE item_seq START $((n + 1));
		CREATE MATERIALIZED VIEW summary AS SELECT ref, count(*), max(a) FROM item GROUP BY ref;
		CREATE UNIQUE INDEX ON summary (ref);
		CREATE TABLE event (id bigint NOT NULL, a int, b text) PARTITION BY RANGE (id);
		CREATE UNIQUE INDEX event_id ON event (id);
		CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (1) TO ($((part + 1)));
		CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM ($((part + 1))) TO ($((2 * part + 1)));
		CREATE TABLE event_3 PARTITION OF event FOR VALUES FROM ($((2 * part + 1))) TO ($((3 * part + 1)));
		CREATE TABLE event_rest PARTITION OF event DEFAULT;
		INSERT INTO event SELECT i, i % 7919, 'event number ' || i FROM generate_series(1, $((3 * part))) i;
		INSERT INTO event SELECT $((10 * n)) + i, i % 7919, 'event number ' || i FROM generate_series(1, $part) i;
		CREATE SEQUENCE event_seq START $((20 * n));
		CREATE TABLE event_next (id bigint NOT NULL, a int, b text);
		INSERT INTO event_next SELECT $((3 * part)) + i, i % 7919, 'event number ' || i FROM generate_series(1, $part) i;
		CREATE INDEX event_next_lookup ON event_next (id);
		CREATE TABLE log (id bigint NOT NULL, a int) PARTITION BY RANGE (id);
		CREATE TABLE log_old PARTITION OF log FOR VALUES FROM (MINVALUE) TO (1);
		CREATE TABLE log_new PARTITION OF log FOR VALUES FROM (1) TO (MAXVALUE);
		INSERT INTO log SELECT i - $part, i FROM generate_series(1, $((2 * part))) i;
		CREATE INDEX ON log (id);

		CREATE PROCEDURE brief(statement text) LANGUAGE plpgsql AS \$\$
		DECLARE
			done boolean := false;
		BEGIN
			LOOP
				BEGIN
					SET LOCAL lock_timeout = '200ms';
					EXECUTE statement;
					done := true;
				EXCEPTION WHEN lock_not_available THEN
				END;
				COMMIT;
				EXIT WHEN done;
				PERFORM pg_sleep(0.1 + random() * 0.1);
			END LOOP;
		END \$\$;

		CREATE PROCEDURE in_batches(target regclass, statement text) LANGUAGE plpgsql AS \$\$
		DECLARE
			lowest bigint;
			last bigint;
		BEGIN
			EXECUTE format('SELECT min(id), max(id) FROM %s', target) INTO lowest, last;
			FOR low IN lowest..last BY 5000 LOOP
				EXECUTE statement USING low, low + 4999;
				COMMIT;
			END LOOP;
		END \$\$;
		VACUUM (ANALYZE, FREEZE) parent, item, event, event_next, log, summary;
	END
}

# plans_split: plans.sql -> a file for each plan and part, and plans_names
plans_split() {
	local part=$((plans_rows / 5))

	mkdir "$report/plans.d"
	awk -v dir="$report/plans.d/" '
		/^-- plan / { name = $3; part = "plain"; sub(/^-- plan [^ ]* /, ""); print name " " $0; next }
		/^-- safe/ { part = "safe"; next }
		/^-- undo/ { part = "undo"; next }
		name && !/^$/ { print >(dir name "." part) }' "$here/plans.sql" >"$report/plans.list"
	sed -i -e "s/:next_end/$((4 * part + 1))/g" -e "s/:next/$((3 * part + 1))/g" \
		-e "s/:far_end/$((200 * plans_rows))/g" -e "s/:far/$((100 * plans_rows))/g" "$report"/plans.d/*
	plans_names=$(cut -d' ' -f1 "$report/plans.list")
	while read -r name title; do
		plans_title[$name]=$title
	done <"$report/plans.list"
}

# What the application does, and how often.  It deletes and upserts rows of its
# own client, so that two clients never insert the same row.
plans_application() {
	local n=$plans_rows name weight text

	plans_scripts=()
	while IFS='|' read -r name weight text; do
		printf '%b' "\\\\set id random(1, $n)\n\\\\set own random(1, $n / 8 - 1) * 8 + :client_id\n\\\\set a random(1, 1000)\n$text;\n" \
			>"$report/plans.d/$name.app"
		plans_scripts+=(-f "$report/plans.d/$name.app@$weight")
	done <<-END
		item_select|10|SELECT a, b FROM item WHERE id = :id
		item_update|8|UPDATE item SET a = :a WHERE id = :id
		item_insert|2|INSERT INTO item (id, code, ref, a) SELECT n, n, 1 + n % 1000, :a FROM nextval('item_seq') n
		item_delete|1|DELETE FROM item WHERE id = :own
		item_upsert|2|INSERT INTO item (id, code, ref, a) VALUES (:own, :own, 1 + :own % 1000, :a) ON CONFLICT (id) DO UPDATE SET a = excluded.a
		event_select|4|SELECT a, b FROM event WHERE id = :id
		event_update|4|UPDATE event SET a = :a WHERE id = :id
		event_next|2|UPDATE event_next SET a = :a WHERE id = 3 * ($n / 5) + :a
		event_insert|2|INSERT INTO event (id, a) SELECT n, :a FROM nextval('event_seq') n
		parent_update|1|UPDATE parent SET n = n + 1 WHERE id = :a
		summary_select|2|SELECT max FROM summary WHERE ref = :a
		log_select|2|SELECT a FROM log WHERE id = :a - 500
		log_insert|1|INSERT INTO log (id, a) VALUES (:a, :a)
	END
}

# plans_load NAME COMMAND ...: run a command while the application runs; prints
# when it began and when it ended, in microseconds, and leaves the application's
# log in NAME.log
plans_load() {
	local name=$1 folder=$report/plans.load started ended load
	shift

	rm -rf "$folder"
	mkdir "$folder"
	(
		cd "$folder"
		PGAPPNAME=application exec env PGHOST="${server_dir[loaded]}" PGDATABASE=bench \
			pgbench -n -M prepared -c 8 -j 1 -R 400 -T 3600 -l "${plans_scripts[@]}" >out 2>&1
	) &
	load=$!
	sleep 1
	started=$(date +%s%6N)
	"$@" >"$folder/command" 2>&1 || zdm_fail "$name failed: $(cat "$folder/command")"
	ended=$(date +%s%6N)
	sleep 0.7
	# pgbench writes its log when its clients are gone
	plans_sql -c "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'application'" >/dev/null
	wait "$load" || true
	! grep 'ERROR:' "$folder/out" >&2 || zdm_fail "the application broke during $name"
	cat "$folder"/pgbench_log.* >"$report/plans.d/$name.log"
	echo "$started $ended"
}

# plans_measure PLAN KIND ROUND: one statement or script; adds a line "plan kind
# round wait-in-ms seconds" to the raw numbers, and undoes it
plans_measure() {
	local plan=$1 kind=$2 round=$3 file=plain options='-c zdm.mode=off' started ended

	[ "$kind" != safe ] || file=safe
	[ "$kind" != zdm ] || options=
	read -r started ended < <(plans_load "$plan.$kind.$round" env PGOPTIONS="$options -c client_min_messages=warning" \
		PGHOST="${server_dir[loaded]}" PGDATABASE=bench psql -X -q -v ON_ERROR_STOP=1 -f "$report/plans.d/$plan.$file")
	[ -n "$ended" ] || exit 1
	awk -v from="$started" -v to="$ended" -v key="$plan $kind $round" '
		{ done = $5 * 1e6 + $6 }
		done >= from && done - $3 <= to && $3 > longest { longest = $3 }
		END { printf "%s %.1f %.3f\n", key, longest / 1000, (to - from) / 1e6 }' \
		"$report/plans.d/$plan.$kind.$round.log" >>"$report/plans.raw"
	tail -1 "$report/plans.raw"
	plans_series "$plan" "$kind" "$round" "$started" "$ended"
	rm "$report/plans.d/$plan.$kind.$round.log"
	plans_sql -c 'SET client_min_messages = warning' -f "$report/plans.d/$plan.undo" >/dev/null
	plans_sql -c CHECKPOINT
}

# plans_series PLAN KIND ROUND STARTED ENDED: for a drawing, the longest latency
# of what was due in each tenth of a second, from a second before the statement
# to a second after it
plans_series() {
	[ "$3" = 1 ] && [[ " $plans_drawn " = *" $1 "* ]] || return 0
	awk -v from="$4" -v to="$5" '
		{
			slot = int(($5 * 1e6 + $6 - $3 - from) / 1e5 + 1000) - 1000
			if (slot >= -10 && slot <= (to - from) / 1e5 + 8 && $3 > longest[slot])
				longest[slot] = $3
		}
		END { for (slot in longest) print slot / 10, longest[slot] / 1000 }' \
		"$report/plans.d/$1.$2.$3.log" | sort -g >"$report/plans.d/$1.$2.series"
	echo "$4 $5" | awk '{ print ($2 - $1) / 1e6 }' >"$report/plans.d/$1.$2.length"
}

# plans_numbers PLAN KIND FIELD
plans_numbers() {
	awk -v p="$1" -v k="$2" -v f="$3" '$1 == p && $2 == k { print $f }' "$report/plans.raw"
}

plans_longest() {
	plans_numbers "$1" "$2" 4 | sort -g | awk 'END { printf "%.0f", $1 }'
}

# plans_ratios PLAN -> of each round, zdm's time to that of the expert's SQL
plans_ratios() {
	awk -v p="$1" '
		$1 == p && $2 == "safe" { safe[$3] = $5 }
		$1 == p && $2 == "zdm" { zdm[$3] = $5 }
		END { for (round in zdm) print zdm[round] / safe[round] }' "$report/plans.raw"
}

# The same of all plans together, by their medians
plans_total() {
	local ratio

	ratio=$(for plan in $plans_names; do
		for kind in safe zdm; do
			echo "$kind $(plans_numbers "$plan" "$kind" 5 | summary || true)"
		done
	done | awk '{ sum[$1] += $2 } END { printf "%.3f", sum["zdm"] / sum["safe"] }')
	judge "time of all plans, ratio to safe SQL" at_most 1.05 "$ratio" "$ratio" "$ratio"
	row plans "all together" "" "" "" "" "" "" "" "$(printf '%.2f' "$ratio")" "" "$verdict"
}

plans_row() {
	local plan=$1 wait low high wait_verdict safe zdm ratio ratio_low ratio_high

	read -r wait low high < <(plans_numbers "$plan" zdm 4 | summary)
	judge "longest wait with zdm, ${plans_title[$plan]}" at_most 400 "$wait" "$low" "$high"
	wait_verdict=$verdict
	read -r safe _ < <(plans_numbers "$plan" safe 5 | summary)
	read -r zdm _ < <(plans_numbers "$plan" zdm 5 | summary)
	read -r ratio ratio_low ratio_high < <(plans_ratios "$plan" | summary)
	# a few milliseconds more or less decide about what is over at once
	if awk -v s="$safe" 'BEGIN { exit !(s < 0.5) }'; then
		verdict=$(awk -v s="$safe" -v z="$zdm" 'BEGIN { printf "%+.0f ms", (z - s) * 1000 }')
	else
		judge "time, ratio to safe SQL, ${plans_title[$plan]}" at_most 1.05 "$ratio" "$ratio_low" "$ratio_high"
	fi
	row plans "${plans_title[$plan]}" \
		"$(plans_longest "$plan" plain)" "$(plans_longest "$plan" safe)" "$(plans_longest "$plan" zdm)" \
		"$wait_verdict" "$(plans_numbers "$plan" plain 5 | awk '{ printf "%.2f", $1 }')" \
		"$(printf '%.2f' "$safe")" "$(printf '%.2f' "$zdm")" \
		"$(printf '%.2f' "$ratio")" "$(printf '%.2f to %.2f' "$ratio_low" "$ratio_high")" "$verdict"
	tail -1 "$report/plans"
}

# All rounds of one plan.  A long plan is not repeated as often.
plans_one() {
	local plan=$1 round kinds started=$SECONDS

	plans_measure "$plan" plain 1
	for ((round = 1; round <= plans_rounds; round++)); do
		kinds="safe zdm"
		[ $((round % 2)) = 1 ] || kinds="zdm safe"
		for kind in $kinds; do
			plans_measure "$plan" "$kind" "$round"
		done
		[ $((SECONDS - started)) -lt "$plans_seconds" ] || break
	done
	plans_row "$plan"
}

plans_draw() {
	local plan panels=0 length rows

	rows=$(awk -v n="$plans_rows" 'BEGIN { if (n % 1e6) print n; else print n / 1e6 " million" }')
	for plan in $plans_drawn; do
		[ ! -e "$report/plans.d/$plan.zdm.series" ] || panels=$((panels + 1))
	done
	[ "$panels" = 3 ] || return 0
	{
		cat <<-END
			set terminal svg size 900,900 background '#ffffff' font 'sans-serif,13'
			set output '$report/latency.svg'
			set multiplot layout 3,1
			set logscale y
			set yrange [0.2:20000]
			set ytics ('1 ms' 1, '10 ms' 10, '100 ms' 100, '1 s' 1000, '10 s' 10000)
			set grid ytics lc '#dddddd'
			set key top right opaque
			set xlabel 'seconds since the statement was sent'
			set ylabel 'longest latency'
		END
		for plan in $plans_drawn; do
			length=$(cat "$report/plans.d/$plan.plain.length" "$report/plans.d/$plan.zdm.length" | sort -g | tail -1)
			echo "set title '${plans_title[$plan]}, $rows rows'"
			echo "set xrange [-1:$length + 1]"
			echo "plot '$report/plans.d/$plan.plain.series' with lines lw 1.6 lc '#d1495b' title 'without zdm', \\"
			echo "	'$report/plans.d/$plan.zdm.series' with lines lw 1.6 lc '#00798c' title 'with zdm'"
		done
	} >"$report/latency.gp"
	gnuplot "$report/latency.gp" || zdm_fail "gnuplot failed"
}

plans() {
	local plan wanted=${ZDM_BENCH_PLANS:-.}

	plans_split
	plans_application
	plans_fixture
	head_row plans "statement" "longest wait, ms: plain" "safe SQL" "zdm" "zdm at most 400" \
		"time, s: plain" "safe SQL" "zdm" "ratio of zdm to safe SQL" "of the rounds" "at most 1.05"
	for plan in $plans_names; do
		[[ $plan =~ $wanted ]] || continue
		plans_one "$plan"
	done
	plans_total
	plans_draw
	plans_sql -c 'SET client_min_messages = warning' -c 'DROP TABLE parent, item, event, event_next, log CASCADE' -c 'DROP SEQUENCE item_seq, event_seq' \
		-c 'DROP PROCEDURE brief, in_batches'
}
