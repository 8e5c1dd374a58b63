# Shared by the scripts in test/bin.  Sourced, never run.

set -eu
umask 022

ZDM_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PG_CONFIG=${PG_CONFIG:-pg_config}
zdm_self=$(basename "$0")

zdm_say() {
	printf '%s: %s\n' "$zdm_self" "$*" >&2
}

zdm_fail() {
	zdm_say "$@"
	exit 1
}

# The major version of the server that PG_CONFIG names.
zdm_major() {
	"$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/'
}

# A server does not run as root: root lends its work to this user.
zdm_run_user() {
	if [ "$(id -u)" != 0 ]; then
		id -un
	elif id -u postgres >/dev/null 2>&1; then
		echo postgres
	else
		echo nobody
	fi
}

zdm_as_user() {
	if [ "$(id -u)" = 0 ]; then
		runuser -u "$(zdm_run_user)" -- env HOME=/nonexistent "$@"
	else
		"$@"
	fi
}

# A private folder of the run user.  A socket's path has to fit in 107 bytes,
# and root's TMPDIR may be closed to others, so deep or closed ones are not used.
zdm_make_work() {
	local base=${TMPDIR:-/tmp} dir

	if [ ${#base} -gt 60 ] || ! zdm_as_user test -w "$base"; then
		base=/tmp
	fi
	dir=$(mktemp -d "$base/zdm.XXXXXX")
	if [ "$(id -u)" = 0 ]; then
		chown "$(zdm_run_user)" "$dir"
	fi
	echo "$dir"
}

# Settings of the caller's own server must not reach a throwaway one.
zdm_clear_pg_env() {
	local name

	for name in $(compgen -e PG); do
		[[ $name = PG_* ]] || unset "$name"
	done
	unset TEMP_CONFIG
}

# Build, and install where only the servers of this run see it: settings in
# WORK/stage.conf point them there.  18 has extension_control_path for that,
# Debian's older servers have extension_destdir.  Any other server takes a real
# installation, which needs the right to write into its folders; ZDM_INSTALL=system
# asks for one.
zdm_stage() {
	local work=$1 stage=$1/stage lib share

	make -C "$ZDM_TOP" -s -j"$(nproc)" all PG_CONFIG="$PG_CONFIG" >&2
	lib=$("$PG_CONFIG" --pkglibdir)
	share=$("$PG_CONFIG" --sharedir)
	: >"$work/stage.conf"
	if [ "${ZDM_INSTALL:-}" = system ]; then
		make -C "$ZDM_TOP" -s install PG_CONFIG="$PG_CONFIG" >&2
		return
	elif [ "$(zdm_major)" -ge 18 ]; then
		cat >"$work/stage.conf" <<-END
			extension_control_path = '$stage$share:\$system'
			dynamic_library_path = '$stage$lib:\$libdir'
		END
	elif grep -aq extension_destdir "$("$PG_CONFIG" --bindir)/postgres"; then
		cat >"$work/stage.conf" <<-END
			extension_destdir = '$stage'
			dynamic_library_path = '$stage$lib:\$libdir'
		END
	else
		zdm_say "this server cannot load extensions from a private folder: installing into $lib and $share"
		if [ -w "$lib" ]; then
			make -C "$ZDM_TOP" -s install PG_CONFIG="$PG_CONFIG" >&2
		else
			sudo make -C "$ZDM_TOP" -s install PG_CONFIG="$PG_CONFIG" >&2
		fi
		return
	fi
	make -C "$ZDM_TOP" -s install PG_CONFIG="$PG_CONFIG" DESTDIR="$stage" >&2
}
