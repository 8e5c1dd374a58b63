# How long the application waits when an ALTER TABLE meets an open transaction.
#
# Both servers go through it in the same seconds.

waits_script() {
	cat <<-'END'
		\set aid random(1, 100000 * :scale)
		BEGIN;
		UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;
		SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
		COMMIT;
	END
}

# waits_on VARIANT -> the longest wait of a transaction, in milliseconds
waits_on() {
	local variant=$1 folder=$report/waits.$1 outcome=ran

	rm -rf "$folder"
	mkdir "$folder"
	(
		cd "$folder"
		at "$variant" pgbench -n -c 8 -j 1 -R 400 -T 7 -s 5 -l -f "$report/waits.sql" >log 2>&1
	) &
	sleep 0.5
	{
		echo 'BEGIN; SELECT count(*) FROM pgbench_accounts WHERE aid = 1;'
		sleep 5
		echo 'COMMIT;'
	} | sql "$variant" >/dev/null &
	sleep 0.5
	sql "$variant" -c 'ALTER TABLE pgbench_accounts ADD COLUMN added text' >"$folder/ddl" 2>&1 || outcome=failed
	wait
	[ "$outcome" = ran ] || zdm_fail "ALTER TABLE failed: $(cat "$folder/ddl")"
	sql "$variant" -c 'SET zdm.mode = off' -c 'ALTER TABLE pgbench_accounts DROP COLUMN added' >/dev/null
	cat "$folder"/pgbench_log.* | awk '$3 > max { max = $3 } END { printf "%.0f\n", max / 1000 }'
}

waits() {
	local round plain_ms plain_low plain_high ms low high

	waits_script >"$report/waits.sql"
	for ((round = 0; round < waits_rounds; round++)); do
		waits_on plain >>"$report/waits.plain.raw" &
		waits_on loaded >>"$report/waits.loaded.raw"
		wait
	done
	read -r plain_ms plain_low plain_high < <(summary <"$report/waits.plain.raw")
	read -r ms low high < <(summary <"$report/waits.loaded.raw")
	# otherwise nothing was in the way, and nothing was measured
	judge "longest wait without zdm" at_least 4000 "$plain_ms" "$plain_low" "$plain_high"
	judge "longest wait with zdm" at_most 400 "$ms" "$low" "$high"
	head_row waits "server" "longest wait of a transaction, ms" "of the rounds" "target" ""
	row waits "without zdm" "$plain_ms" "$plain_low to $plain_high" "" ""
	row waits "with zdm" "$ms" "$low to $high" "at most 400" "$verdict"
	row waits "ratio" "$(awk -v p="$plain_ms" -v z="$ms" 'BEGIN { printf "%.3f", z / p }')" "" "" ""
	cat "$report/waits"
}
