# Throughput of statements that are no DDL.
#
# A machine that does other things as well changes its speed from second to
# second.  So the slices are short and many, and in a round each variant runs
# twice, in mirrored order, so that a drift hits all alike.  The servers are
# started anew every few rounds, so that a lucky layout of memory does not
# decide.

throughput_clients=4
rounds_of_a_start=5
declare -A workload_option=([select-only]=-S [simple-update]=-N)
declare -A workload_count

# Read what is going to be used, into the server's memory.
warm_up() {
	local variant

	for variant in "${variants[@]}"; do
		sql "$variant" -c 'SELECT count(*), sum(abalance) FROM pgbench_accounts' >/dev/null
		at "$variant" pgbench -n -S -c 1 -t 2000 >/dev/null 2>&1
	done
}

# How many processes a process has started, and not waited for.
children() {
	wc -w <"/proc/$1/task/$1/children"
}

# Processor time, in seconds, of the children that a process has waited for.
spent_by_children() {
	awk -v tick="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($14 + $15) / tick }' "/proc/$1/stat"
}

# slice VARIANT WORKLOAD LIMIT -> "transactions a second, processor seconds of
# the backends"
slice() {
	local pid before_children before tps

	pid=$(head -1 "${server_dir[$1]}/data/postmaster.pid")
	before_children=$(children "$pid")
	before=$(spent_by_children "$pid")
	tps=$(at "$1" pgbench -n -M prepared -c "$throughput_clients" -j 2 "${workload_option[$2]}" $3 2>&1 |
		sed -n 's/^tps = \([0-9.]*\).*/\1/p')
	# the backends are still on their way out
	while [ "$(children "$pid")" -gt "$before_children" ]; do
		sleep 0.01
	done
	echo "$tps $(spent_by_children "$pid") $before" | awk '{ print $1, $2 - $3 }'
}

restart_servers() {
	local dir

	for dir in "${server_dir[@]}"; do
		server_ctl "$dir" -m fast restart
	done
	warm_up
}

# throughput_round NUMBER -> lines "workload variant seconds processor-seconds",
# both for the same number of transactions
throughput_round() {
	local round=$1 workload variant order

	order=("${variants[@]}")
	order=("${order[@]:round % 3}" "${order[@]:0:round % 3}")
	order+=("${order[2]}" "${order[1]}" "${order[0]}")
	for workload in select-only simple-update; do
		for variant in "${order[@]}"; do
			echo "$variant $(slice "$variant" "$workload" "-t ${workload_count[$workload]}")"
		done | awk -v w="$workload" -v n="${workload_count[$workload]}" '
			{ wall[$1] += n / $2; spent[$1] += $3 }
			END { for (v in wall) print w, v, wall[v], spent[v] }'
	done
}

# throughput_ratio WORKLOAD VARIANT FIELD -> ratio of each round
throughput_ratio() {
	awk -v w="$1" -v v="$2" -v f="$3" '
		$2 == w && $3 == "plain" { plain[$1] = $f }
		$2 == w && $3 == v { measured[$1] = $f }
		END { for (round in measured) print plain[round] / measured[round] }' "$report/throughput.raw"
}

# throughput_row WORKLOAD VARIANT NAME TARGET
throughput_row() {
	local ratio low high processor processor_low processor_high

	read -r ratio low high < <(throughput_ratio "$1" "$2" 4 | summary)
	read -r processor processor_low processor_high < <(throughput_ratio "$1" "$2" 5 | summary)
	# a loss shows in both; other work of the machine, in the first above all
	verdict=$(judgement at_least "$4" "$ratio" "$low" "$high")
	[ "$verdict" = "$(judgement at_least "$4" "$processor" "$processor_low" "$processor_high")" ] ||
		verdict="within noise"
	note_verdict "throughput, $1, $3: $ratio ($low to $high)"
	row throughput "$1" "$3" "$(printf '%.3f' "$ratio")" "$(printf '%.3f to %.3f' "$low" "$high")" \
		"$(printf '%.3f' "$processor")" "$(printf '%.3f to %.3f' "$processor_low" "$processor_high")" \
		"at least $4" "$verdict"
	tail -1 "$report/throughput"
}

throughput() {
	local round workload target started=$SECONDS

	warm_up
	for workload in select-only simple-update; do
		workload_count[$workload]=$(slice plain "$workload" "-T 2" |
			awk -v s="$slice_seconds" -v c="$throughput_clients" '{ printf "%d", $1 * s / c + 1 }')
	done
	for ((round = 0; round < throughput_rounds; round++)); do
		[ $((round % rounds_of_a_start)) != 0 ] || restart_servers
		throughput_round "$round" | sed "s/^/$round /" >>"$report/throughput.raw"
		# on a machine with other work fewer rounds have to do
		[ "$round" -lt 11 ] || [ $((SECONDS - started)) -lt "$throughput_seconds" ] || break
	done
	head_row throughput "pgbench" "zdm" "throughput, ratio to a server without zdm" \
		"interval" "the same for a processor second" "interval" "target" ""
	for workload in select-only simple-update; do
		target=0.99
		[ "$workload" = select-only ] || target=0.98
		throughput_row "$workload" loaded "no window" "$target"
		throughput_row "$workload" window "a window open" "$target"
	done
}
