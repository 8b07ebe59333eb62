# Sourced by the scripts beside it, each of which runs alone: steps that are timed, whose output goes to a file each, and the
# tools they need. A step runs once: what fails has failed.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
exec </dev/null # nothing here asks anybody
unset RINGO_DRIVER RINGO_DEBUG RINGO_MASK # and what a shell happens to force is not tested
# One flavour of the standard library for all, guests and containers included; -race alone, which needs a C compiler,
# brings another: see raced. A process with -race sleeps for a second when it ends, and tests start hundreds.
export CGO_ENABLED=0 GORACE=atexit_sleep_ms=0
# A clone that belongs to another user is none of git's business here. And go test does not vet once more, with less than
# go vet asks, which would take the standard library through vet for each build: where there are packages, a step vets. No
# debugger looks at what is built here: a fifth of the compiler's time is what it writes for one. And of the rest a sixth is
# collecting its own garbage, of which there is little.
export GOFLAGS="-buildvcs=false -vet=off -gcflags=all=-dwarf=false '-toolexec=env GOGC=800'"

# What a script and its children make in passing is in the folder $work, and gone when it ends, however it ends. Tests that
# become another user look into it.
work=$(mktemp -d "${TMPDIR:-/tmp}/ci.XXXX") && chmod 755 "$work" || exit 2
export TMPDIR=$work
# Each step's output is a file of $logs. A script that runs as a step of another has its files in a folder beside that
# step's: one that is two steps, with different arguments, keeps what both said.
self=$(basename "$0")
logs=${CI_LOGS:-$PWD/.ci/log/$self}
mkdir -p "$logs" || exit 2

trap 'ended=$?; over; exit $ended' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
set -m # a step is a group of processes, which can be stopped as such

# over stops what still runs, and leaves no temporary files.
over() {
	local pid
	trap '' HUP INT TERM
	for pid in "${!running[@]}"; do
		kill -TERM -- "-$pid" 2>/dev/null
	done
	((${#running[@]} == 0)) || wait
	chmod -R u+w "$work" 2>/dev/null # Go's module cache is read-only
	rm -rf "$work"
}

lanes=1           # so many steps run at once
passed=0          # steps
failures=()       # the names of steps
declare -A running=() # the names of steps, by process
kept=             # the folder where a script that can be stopped keeps what came of its steps; see goes_on

# cpu sets processors to the seconds that this shell's children, as far as it has waited for them, had of processors.
cpu() {
	local stat
	read -r stat </proc/"$BASHPID"/stat
	stat=(${stat##*) })
	processors=$(((stat[13] + stat[14]) / 100))
}

# step NAME COMMAND... runs a command, and says in one line how long it took and what came of it. With more lanes than one it
# returns as soon as there is room for another step.
step() {
	local name=$1 file
	shift
	file=$(file_of "$name")
	if [[ $kept && -s $kept/$file ]]; then
		tell "$name" "$(<"$kept/$file")"
		return
	fi
	[[ ${headed-} || $self == all || $kept && -n $(ls -A "$kept") ]] || rm -rf "${logs:?}"/* # of an earlier run
	head_line
	{
		begin=$EPOCHSECONDS
		cpu && before=$processors
		trap 'status=$?; cpu; echo "$status $((EPOCHSECONDS - begin)) $((processors - before))" >"$work/$BASHPID.ended"' EXIT
		trap 'exit 143' HUP INT TERM
		export CI_LOGS=$logs/$file
		"$@"
	} >"$logs/$file.log" 2>&1 &
	running[$!]=$name
	while ((${#running[@]} >= lanes)); do
		ended
	done
}

# stoppable COMMAND... runs a command that takes long and is no step, so that the script can be stopped meanwhile.
stoppable() {
	local status
	"$@" &
	running[$!]=$1
	wait $!
	status=$?
	unset "running[$!]"
	return $status
}

file_of() { echo "${1//[^A-Za-z0-9.,=_-]/-}"; }

# all_ended waits for the steps that still run.
all_ended() {
	while ((${#running[@]} > 0)); do
		ended
	done
}

# ended waits for one step.
ended() {
	local pid status name file result
	wait -n -p pid "${!running[@]}"
	status=$?
	[[ ${pid-} ]] || return
	name=${running[$pid]} file=$(file_of "$name")
	unset "running[$pid]"
	result="$status 0 0"
	[[ ! -s $work/$pid.ended ]] || result=$(<"$work/$pid.ended")
	if [[ $result == "0 "* ]] && ran_none "$logs/$file.log"; then
		echo "no test was run" >>"$logs/$file.log"
		result=1${result#0}
	fi
	result+=" $(summary "$logs/$file.log")"
	[[ -z $kept ]] || echo "$result" >"$kept/$file"
	tell "$name" "$result"
}

# ran_none FILE reports whether a step's output says of each package that go test found no test in it.
ran_none() { grep -aq '^ok .*\[no tests to run\]$' "$1" && ! grep -aq '^ok .*[^]]$' "$1"; }

# summary FILE prints the line that sums up a step's output, if there is one: the last, such as "matrix: 7 passed, 0 failed".
summary() { tail -n 1 "$1" | grep -aE '^[a-z][a-z0-9 ./]*: [0-9].*(passed|played|killed)' | cut -c 1-90; }

# tell NAME "STATUS SECONDS PROCESSORS SUMMARY" prints a step's line, and counts it.
tell() {
	local name=$1 status seconds processors summary verdict=passed
	read -r status seconds processors summary <<<"$2"
	if ((status == 0)); then
		passed=$((passed + 1))
	else
		failures+=("$name")
		verdict="FAILED ($status)"
	fi
	head_line
	printf '%-30s %7d %7d  %s%s\n' "$name" "$seconds" "$processors" "$verdict" "${summary:+  $summary}"
}

head_line() {
	[[ ${headed-} ]] || printf '%-30s %7s %7s\n' step seconds "of CPU"
	headed=1
}

# skipped NAME WHY is for a step that can't be had here.
skipped() { head_line && printf '%-30s %7s %7s  skipped: %s\n' "$1" - - "$2"; }

# said FILE prints what a failed step's output has of interest: what the script in it says at its end, or the tests that
# failed, or else the last lines.
said() {
	local text
	text=$(sed -n '/^what .* said, of /,$p' "$1")
	[[ $text ]] || text=$(without_reports "$1" | grep -a -A 12 -e '--- FAIL' -e '^panic: ' -e '^fatal error: ' -e 'WARNING: DATA RACE' -e '^FAIL .*:')
	[[ $text ]] || text=$(tail -n 20 "$1")
	cut -c 1-300 <<<"$text" | head -n 60
}

# without_reports FILE prints tests' output less what follows the first line of a report of Ringo's: its stacks are long, and
# stand before the error that failed the test.
without_reports() {
	awk '{ match($0, /^ */); indent = RLENGTH }
		skip && indent > at { next }
		{ skip = 0; print }
		/^ *reports\.go:[0-9]+: / { skip = 1; at = indent }' "$1"
}

# finish WORD prints the summary line and exits. It says before what the steps that failed said, so that nobody has to look
# for it.
finish() {
	local processors name
	all_ended
	cpu
	for name in "${failures[@]}"; do
		printf '\nwhat %s said, of %s.log:\n' "$name" "$logs/$(file_of "$name")"
		said "$logs/$(file_of "$name").log"
	done
	printf '\ntook %d s (%d s of processors); output: %s\n' "$SECONDS" "$processors" "$logs"
	((${#failures[@]} == 0)) || printf 'failed: %s\n' "${failures[@]}"
	[[ -z $kept || $self == all ]] || rm -rf "$kept" # the next run is a new one
	printf '%s: %d passed, %d failed\n' "$1" "$passed" "${#failures[@]}"
	exit $((${#failures[@]} > 0))
}

# goes_on WHAT makes the script one that can be stopped and goes on where it was: steps of which it is known what came of
# them don't run again until all have run. WHAT is what the script was asked for. It is known for this commit, with what has
# been changed since; CI_STATE=NAME goes on across commits.
goes_on() {
	local commit name
	commit=$(git -c safe.directory='*' rev-parse --short=12 HEAD 2>/dev/null) || commit=tree
	[[ -z $(git -c safe.directory='*' diff HEAD 2>/dev/null | head -c 1) ]] ||
		commit+=-$(git -c safe.directory='*' diff HEAD | sha1sum | cut -c 1-8)
	name=$(file_of "$self${1:+ $1}")
	((${#name} < 100)) || name=${name::90}-$(sha1sum <<<"$name" | cut -c 1-8)
	kept=$PWD/.ci/log/state/${CI_STATE:-$commit}/$name
	[[ ! -d $kept || $self == all ]] || echo "goes on where it was stopped; to begin anew: rm -r $kept"
	mkdir -p "$kept"
}

# give_up TEXT is for what makes any further step pointless.
give_up() {
	echo "$(basename "$0"): $*" >&2
	exit 2
}

# installed PACKAGE... gets Debian packages.
installed() {
	local sudo="" lock
	exec {lock}>"/tmp/ringo-apt-$EUID.lock" && flock "$lock" # two steps may want something at a time
	command -v apt-get >/dev/null || give_up "needs $*, and there is no apt-get to install it with"
	((EUID == 0)) || sudo=sudo
	echo "installing $*"
	export DEBIAN_FRONTEND=noninteractive
	$sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends "$@" >/dev/null ||
		give_up "could not install $*"
	exec {lock}>&-
}

# need_go finds Go 1.25 or newer. An older one that can fetch a newer toolchain by itself will do.
need_go() {
	command -v go >/dev/null || PATH=$PATH:/usr/local/go/bin
	command -v go >/dev/null || installed golang-go
	[[ -n $(ls -A /etc/ssl/certs 2>/dev/null) ]] || installed ca-certificates # modules come by https
	command -v git >/dev/null || installed git
	local version minor
	version=$(go env GOVERSION) || give_up "this Go can't get the toolchain that go.mod asks for: install Go 1.25 or newer from https://go.dev/dl"
	minor=${version#go1.}
	((${minor%%[!0-9]*} >= 25)) || give_up "found $version, need Go 1.25 or newer: https://go.dev/dl"
}

# need_gcc finds a C compiler that can link, which go test -race needs.
need_gcc() {
	echo 'int main(void) { return 0; }' | gcc -x c -o /dev/null - 2>/dev/null || installed gcc libc6-dev
}

# raced COMMAND... runs a go command that has -race.
raced() { CGO_ENABLED=1 "$@"; }

# in_adapters COMMAND... runs a command in each module that stands between Ringo and other libraries, until one fails.
in_adapters() {
	local m
	for m in metrics/prometheus metrics/otel adapters/*/; do
		(cd "$m" && "$@") || return 1
	done
}

# need_wine sets wine to Wine's command, and makes a prefix for the script, in which Go's programs start: they ask
# bcryptprimitives.dll for random numbers, which came with Wine 9. The caller ends it with wine_over.
need_wine() {
	wine=$(command -v wine64 || ls /usr/lib/wine/wine64 2>/dev/null) || { installed wine64 && wine=/usr/lib/wine/wine64; }
	command -v x86_64-w64-mingw32-gcc >/dev/null || installed gcc-mingw-w64-x86-64
	export WINEPREFIX=$work/wine WINEDEBUG=-all
	"$wine" wineboot -i >/dev/null 2>&1 || give_up "wineboot: Wine can't make a prefix in $WINEPREFIX"
	local system=$WINEPREFIX/drive_c/windows/system32
	[[ -e $system/bcryptprimitives.dll ]] || x86_64-w64-mingw32-gcc -shared -o "$system/bcryptprimitives.dll" -x c - -ladvapi32 <<-'EOF' ||
		#include <windows.h>
		BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
		__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE p, SIZE_T n) { return SystemFunction036(p, n); }
	EOF
		give_up "mingw-w64 can't build bcryptprimitives.dll"
}

# wine_over ends what runs in the prefix, of which some goes on for a while by itself.
wine_over() { WINEPREFIX=$work/wine "$(dirname "$(readlink -f "$wine")")/wineserver" -k || true; }

# need_headers finds the kernel's headers, which the C programs of bench need.
need_headers() {
	echo '#include <linux/io_uring.h>' | gcc -x c -fsyntax-only - 2>/dev/null || installed linux-libc-dev
}

# need_mkfs gets what makes the file systems that the tests of package file mount, for whoever may mount any.
need_mkfs() {
	((EUID == 0)) && command -v apt-get >/dev/null || return 0 # those tests skip, and say so
	command -v mkfs.xfs >/dev/null && command -v mkfs.btrfs >/dev/null || installed xfsprogs btrfs-progs
}

# core lists the packages of which a mistake would be seen everywhere; the rest are tools and programs.
# The two whose tests take longest come first, for go test runs packages in this order: at the end they would be alone.
core() { go list ./sock ./file ./... | awk '!seen[$0]++' | grep -v -e /internal/cmd/ -e /internal/test/lint -e /internal/test/alloctest -e /internal/test/seccomptest -e /internal/test/testmain -e /internal/test/uringtest -e /cmd/ -e /examples/; }

# fuzz_targets lists the module's fuzz targets: the package, its folder, the name.
fuzz_targets() {
	local package folder file
	go list -f '{{$p := .}}{{range .TestGoFiles}}{{$p.ImportPath}} {{$p.Dir}} {{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$p.ImportPath}} {{$p.Dir}} {{.}}{{"\n"}}{{end}}' ./... |
		while read -r package folder file; do
			sed -n "s|^func \(Fuzz[A-Za-z0-9_]*\)(f \*testing\.F.*|$package $folder \1|p" "$folder/$file"
		done
}
