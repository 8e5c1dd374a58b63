# zdm_check: its rate, and the memory it takes for a long script.

# One part of a script, of 20 statements, in which @ is a number: tables made
# in it and a table that is there, what is safe and what is not.
check_part() {
	cat <<-'END'
		CREATE TABLE invoice_@ (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
			customer_id int NOT NULL, number text NOT NULL, total numeric(12, 2) DEFAULT 0,
			CONSTRAINT invoice_@_number UNIQUE (number));
		COMMENT ON TABLE invoice_@ IS 'invoices of year @; those before are in the archive';
		CREATE INDEX invoice_@_customer ON invoice_@ (customer_id);
		ALTER TABLE invoice_@ ADD COLUMN paid_at timestamptz;
		ALTER TABLE invoice_@ ALTER COLUMN total SET NOT NULL;
		ALTER TABLE pgbench_accounts ADD COLUMN note_@ text;
		ALTER TABLE pgbench_accounts ADD COLUMN state_@ int NOT NULL DEFAULT 0;
		CREATE INDEX accounts_@ ON pgbench_accounts (bid, abalance);
		CREATE INDEX CONCURRENTLY accounts_@_b ON pgbench_accounts (bid);
		ALTER TABLE pgbench_accounts ADD CONSTRAINT positive_@ CHECK (abalance > -@) NOT VALID;
		ALTER TABLE pgbench_accounts ALTER COLUMN filler TYPE text;
		ALTER TABLE pgbench_tellers ALTER COLUMN tbalance SET DEFAULT @;
		INSERT INTO invoice_@ (customer_id, number) VALUES (1, 'A-@'), (2, 'B-@');
		UPDATE pgbench_branches SET bbalance = bbalance + 1 WHERE bid = @;
		CREATE OR REPLACE FUNCTION total_@(integer) RETURNS numeric LANGUAGE sql
			AS $$ SELECT sum(total) FROM invoice_@ WHERE customer_id = $1; $$;
		CREATE VIEW open_invoice_@ AS SELECT * FROM invoice_@ WHERE paid_at IS NULL;
		GRANT SELECT ON open_invoice_@ TO PUBLIC;
		ALTER TABLE pgbench_history RENAME COLUMN filler TO remark_@;
		ALTER TABLE pgbench_history RENAME COLUMN remark_@ TO filler;
		DROP TABLE IF EXISTS staging_@;
	END
}

# check_script PARTS FILE
check_script() {
	check_part | awk -v parts="$1" '
		{ text = text $0 "\n" }
		END {
			for (i = 1; i <= parts; i++) {
				part = text
				gsub(/@/, i, part)
				printf "%s", part
			}
		}' >"$2"
	chmod a+r "$2"
}

# check_session FILE -> processor seconds, kB the backend's memory came to
check_session() {
	sql loaded <<-END | paste -sd' '
		SET zdm.small_table = 0;
		SELECT FROM zdm_check('SELECT 1');
		CREATE TEMP TABLE script AS SELECT pg_read_file('$1') AS text;
		SELECT $processor_time AS before \gset
		SELECT count(*) AS rows FROM script, zdm_check(text) \gset
		SELECT ($processor_time - :before) / 1e9;
		SELECT substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s+(\d+)');
	END
}

check_speed() {
	local round rate low high file=$ZDM_WORK/script.sql

	check_script 500 "$file"
	for ((round = 0; round < check_rounds; round++)); do
		check_session "$file" | awk '{ print 10000 / $1 }' >>"$report/check.raw"
	done
	read -r rate low high < <(summary <"$report/check.raw")
	judge "zdm_check, statements a second" at_least 30000 "$rate" "$low" "$high"
	row check "script of 10000 statements, statements a second of one core" "$(printf '%.0f' "$rate")" \
		"$(printf '%.0f to %.0f' "$low" "$high")" "at least 30000" "$verdict"
	tail -1 "$report/check"
}

check_memory() {
	local parts=$((500 * 10000000 / $(wc -c <"$ZDM_WORK/script.sql"))) part megabytes hwm

	for part in 10 1; do
		check_script $((parts / part)) "$ZDM_WORK/long.sql"
		hwm=$(check_session "$ZDM_WORK/long.sql" | awk '{ print $2 }')
		megabytes=$(awk -v kb="$hwm" 'BEGIN { printf "%.0f", kb / 1024 }')
		if [ "$part" = 1 ]; then
			judge "zdm_check, MB for a script of 10 MB" at_most 200 "$megabytes" "$megabytes" "$megabytes"
			row check "script of 10 MB, memory of the backend at most, MB" "$megabytes" "" \
				"at most 200" "$verdict"
		else
			row check "script of 1 MB, memory of the backend at most, MB" "$megabytes" "" "" ""
		fi
		tail -1 "$report/check"
	done
}

check() {
	head_row check "zdm_check" "measured" "interval" "target" ""
	check_speed
	check_memory
}
