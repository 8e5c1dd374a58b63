# What zdm adds to a DDL statement.
#
# Time as the client sees it, statement by statement in one session, and the
# processor time of its backend, which other work of the machine does not reach.
# The variants take turns, and the first statements of each kind, which fill
# caches, do not count.

ddl_count=50
ddl_uncounted=10
declare -A ddl_statement=(
	[create_table]='CREATE TABLE made_@ (id bigint PRIMARY KEY, name text NOT NULL)'
	[add_column]='ALTER TABLE small_@ ADD COLUMN added int'
	[create_index]='CREATE INDEX ON small_@ (name)')
ddl_processor="SELECT 'cpu ' || $processor_time;"
declare -A ddl_name=([create_table]="CREATE TABLE" [add_column]="ALTER TABLE ADD COLUMN"
	[create_index]="CREATE INDEX")

# The small tables have to be older than the window, so zdm does not look.
ddl_script() {
	local kind i

	cat <<-END
		SET zdm.mode = off;
		DO \$\$ BEGIN FOR i IN 1..$ddl_count LOOP
			EXECUTE format('CREATE TABLE small_%s (id int PRIMARY KEY, name text)', i);
			EXECUTE format('INSERT INTO small_%s SELECT g, g::text FROM generate_series(1, 100) g', i);
		END LOOP; END \$\$;
		RESET zdm.mode;
	END
	for kind in create_table add_column create_index; do
		for ((i = 1; i <= ddl_count; i++)); do
			[ "$i" != $((ddl_uncounted + 1)) ] ||
				printf '%s\n' "\\echo kind $kind" "$ddl_processor" '\timing on'
			echo "${ddl_statement[$kind]//@/$i};"
		done
		printf '%s\n' '\timing off' "$ddl_processor"
	done
	cat <<-END
		SET zdm.mode = off;
		DO \$\$ BEGIN FOR i IN 1..$ddl_count LOOP
			EXECUTE format('DROP TABLE small_%s, made_%s', i, i);
		END LOOP; END \$\$;
		VACUUM pg_class;
		VACUUM pg_attribute;
		VACUUM pg_depend;
	END
}

# ddl_session VARIANT -> lines "kind median processor", in microseconds a statement
ddl_session() {
	local kind

	sql "$1" -f "$report/ddl.sql" >"$report/ddl.times"
	for kind in create_table add_column create_index; do
		awk -v kind="$kind" '$1 == "kind" { on = $2 == kind } on' "$report/ddl.times" >"$report/ddl.kind"
		echo "$kind $(awk '$1 == "Time:" { print $2 * 1000 }' "$report/ddl.kind" | summary | cut -d' ' -f1)" \
			"$(awk -v n=$((ddl_count - ddl_uncounted)) '
				$1 == "cpu" { spent = $2 - spent }
				END { print spent / 1000 / n }' "$report/ddl.kind")"
	done
}

# ddl_added KIND VARIANT FIELD -> what is added in each round
ddl_added() {
	awk -v k="$1" -v v="$2" -v f="$3" '
		$2 == "plain" && $3 == k { plain[$1] = $f }
		$2 == v && $3 == k { measured[$1] = $f }
		END { for (round in measured) print measured[round] - plain[round] }' "$report/ddl.raw"
}

# ddl_row KIND VARIANT NAME
ddl_row() {
	local plain added low high processor processor_low processor_high

	read -r plain _ < <(awk -v k="$1" '$2 == "plain" && $3 == k { print $4 }' "$report/ddl.raw" | summary)
	read -r added low high < <(ddl_added "$1" "$2" 4 | summary)
	read -r processor processor_low processor_high < <(ddl_added "$1" "$2" 5 | summary)
	judge "time added to ${ddl_name[$1]}, $3" at_most 100 "$added" "$low" "$high"
	[ "$verdict" != met ] ||
		judge "processor time added to ${ddl_name[$1]}, $3" at_most 100 "$processor" "$processor_low" "$processor_high"
	row ddl "${ddl_name[$1]}" "$3" "$(printf '%.0f' "$added")" \
		"$(printf '%.0f to %.0f' "$low" "$high")" \
		"$(printf '%.0f' "$processor")" "$(printf '%.0f to %.0f' "$processor_low" "$processor_high")" \
		"$(awk -v p="$plain" -v a="$added" 'BEGIN { printf "%.2f", (p + a) / p }')" \
		"at most 100" "$verdict"
	tail -1 "$report/ddl"
}

ddl() {
	local round variant kind

	ddl_script >"$report/ddl.sql"
	for ((round = 0; round < ddl_rounds; round++)); do
		for variant in "${variants[@]:round % 3}" "${variants[@]:0:round % 3}"; do
			ddl_session "$variant" | sed "s/^/$round $variant /" >>"$report/ddl.raw"
		done
	done
	head_row ddl "statement" "zdm" "added, microseconds" "interval" \
		"processor time added" "interval" "time, ratio to without zdm" "target" ""
	for kind in create_table add_column create_index; do
		ddl_row "$kind" loaded "no window"
		ddl_row "$kind" window "a window open"
	done
}
