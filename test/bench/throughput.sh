# Throughput of statements that are no DDL.
#
# A machine that does other things as well changes its speed from second to
# second.  So the slices are short and many, and in a round each variant runs
# twice, in mirrored order, so that a drift hits all alike.  Both servers are
# started anew every few rounds, so that a lucky layout of memory does not
# decide.

throughput_clients=4
rounds_of_a_start=5
declare -A workload_option=([select-only]=-S [simple-update]=-N)
declare -A workload_count

# Read what is going to be used, into the server's memory.
warm_up() {
	local variant

	for variant in plain loaded window; do
		sql "$variant" -c 'SELECT count(*), sum(abalance) FROM pgbench_accounts' >/dev/null
		at "$variant" pgbench -n -S -c 1 -t 2000 >/dev/null 2>&1
	done
}

# transactions VARIANT WORKLOAD LIMIT -> transactions a second
transactions() {
	at "$1" pgbench -n -M prepared -c "$throughput_clients" -j 2 "${workload_option[$2]}" $3 2>&1 |
		sed -n 's/^tps = \([0-9.]*\).*/\1/p'
}

restart_servers() {
	local dir

	for dir in $(servers); do
		server_ctl "$dir" -m fast restart
	done
	warm_up
}

# throughput_round NUMBER -> lines "workload variant tps"
throughput_round() {
	local round=$1 workload variant order
	local -A sum

	order=(plain loaded window)
	order=("${order[@]:round % 3}" "${order[@]:0:round % 3}")
	order+=("${order[2]}" "${order[1]}" "${order[0]}")
	for workload in select-only simple-update; do
		sum=()
		for variant in "${order[@]}"; do
			sum[$variant]+=" $(transactions "$variant" "$workload" "-t ${workload_count[$workload]}")"
		done
		for variant in plain loaded window; do
			awk -v w="$workload" -v v="$variant" '{ print w, v, 2 / (1 / $1 + 1 / $2) }' \
				<<<"${sum[$variant]}"
		done
	done
}

# throughput_row WORKLOAD VARIANT NAME TARGET
throughput_row() {
	local ratio low high

	read -r ratio low high < <(awk -v w="$1" -v v="$2" '
		$1 == w && $2 == "plain" { plain = $3 }
		$1 == w && $2 == v { print $3 / plain }' "$report/throughput.raw" | summary)
	judge "throughput, $1, $3" at_least "$4" "$ratio" "$low" "$high"
	row throughput "$1" "$3" "$(printf '%.3f' "$ratio")" \
		"$(printf '%.3f to %.3f' "$low" "$high")" "at least $4" "$verdict"
	tail -1 "$report/throughput"
}

throughput() {
	local round workload target started=$SECONDS

	warm_up
	for workload in select-only simple-update; do
		workload_count[$workload]=$(transactions plain "$workload" "-T 2" |
			awk -v s="$slice_seconds" -v c="$throughput_clients" '{ printf "%d", $1 * s / c + 1 }')
	done
	for ((round = 0; round < throughput_rounds; round++)); do
		[ $((round % rounds_of_a_start)) != 0 ] || restart_servers
		throughput_round "$round" >>"$report/throughput.raw"
		# on a machine with other work fewer rounds have to do
		[ "$round" -lt 11 ] || [ $((SECONDS - started)) -lt "$throughput_seconds" ] || break
	done
	head_row throughput "pgbench" "zdm" "throughput, ratio to a server without zdm" \
		"interval" "target" ""
	for workload in select-only simple-update; do
		target=0.99
		[ "$workload" = select-only ] || target=0.98
		throughput_row "$workload" loaded "no window" "$target"
		throughput_row "$workload" window "a window open" "$target"
	done
}
