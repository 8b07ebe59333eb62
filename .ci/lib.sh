# Sourced by the scripts beside it, each of which runs alone: steps that are printed and timed, and the tools they need.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
exec </dev/null # nothing here asks anybody
unset RINGO_DRIVER RINGO_DEBUG RINGO_MASK # and what a shell happens to force is not tested
# A clone that belongs to another user is none of git's business here. And go test does not vet once more, with less than
# go vet asks, which would take the standard library through vet for each build: where there are packages, a step vets.
export GOFLAGS="-buildvcs=false -vet=off"

passed=0
failures=()
again=() # what failed once and then passed, or failed again
attempts=2

# cpu sets processors to the seconds that this shell's children, as far as it has waited for them, had of processors.
cpu() {
	local stat
	read -r stat </proc/"$BASHPID"/stat
	stat=(${stat##*) })
	processors=$(((stat[13] + stat[14]) / 100))
}

# step NAME COMMAND... runs a command, shows it, and keeps count. What fails gets a second attempt, for the machine may have
# stood still for seconds; the end names it in any case. A script that has steps of its own gives them theirs: it is
# called with attempts=1.
step() {
	local name=$1 begin=$SECONDS status=0 processors before
	shift
	cpu && before=$processors
	printf '\n== %s: %s\n' "$name" "$*"
	"$@" || status=$?
	if ((status != 0 && attempts > 1)); then
		again+=("$name")
		printf '== %s FAILED (exit code %d) after %d s, and runs again\n' "$name" "$status" $((SECONDS - begin))
		begin=$SECONDS status=0
		"$@" || status=$?
	fi
	cpu
	if ((status == 0)); then
		passed=$((passed + 1))
		printf '== %s passed in %d s (%d s of processors)\n' "$name" $((SECONDS - begin)) $((processors - before))
	else
		failures+=("$name")
		printf '== %s FAILED (exit code %d) after %d s\n' "$name" "$status" $((SECONDS - begin))
	fi
}

# told names what ran twice, and what failed. A script that calls this one finds the former in the file that it named.
told() {
	((${#again[@]} == 0)) || [[ -z ${RINGO_AGAIN-} ]] || printf '%s\n' "${again[@]}" >>"$RINGO_AGAIN"
	((${#again[@]} == 0)) || printf 'not at the first attempt: %s\n' "${again[@]}"
	((${#failures[@]} == 0)) || printf 'failed: %s\n' "${failures[@]}"
}

# finish WORD prints the summary line and exits. Where all output is in the file $log, too, it says before what the tests
# that failed said, be it at a first attempt, so that nobody has to look for it.
finish() {
	local processors said
	cpu
	if [[ -s ${log-} && $((${#again[@]} + ${#failures[@]})) != 0 ]]; then
		said=$(grep -a -A 8 -e '--- FAIL' -e '^panic: ' "$log" | cut -c 1-300 | head -n 80)
		printf '\nwhat failed said:\n%s\n' "$said"
	fi
	printf '\ntook %d s (%d s of processors)\n' "$SECONDS" "$processors"
	told
	printf '%s: %d passed, %d failed\n' "$1" "$passed" "${#failures[@]}"
	exit $((${#failures[@]} > 0))
}

# give_up TEXT is for what makes any further step pointless.
give_up() {
	echo "$(basename "$0"): $*" >&2
	exit 2
}

# installed PACKAGE... gets Debian packages.
installed() {
	local sudo=""
	command -v apt-get >/dev/null || give_up "needs $*, and there is no apt-get to install it with"
	((EUID == 0)) || sudo=sudo
	echo "installing $*"
	export DEBIAN_FRONTEND=noninteractive
	$sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends "$@" >/dev/null ||
		give_up "could not install $*"
}

# need_go finds Go 1.25 or newer. An older one that can fetch a newer toolchain by itself will do.
need_go() {
	command -v go >/dev/null || PATH=$PATH:/usr/local/go/bin
	command -v go >/dev/null || installed golang-go
	[[ -n $(ls -A /etc/ssl/certs 2>/dev/null) ]] || installed ca-certificates # modules come by https
	local version minor
	version=$(go env GOVERSION) || give_up "this Go can't get the toolchain that go.mod asks for: install Go 1.25 or newer from https://go.dev/dl"
	minor=${version#go1.}
	((${minor%%[!0-9]*} >= 25)) || give_up "found $version, need Go 1.25 or newer: https://go.dev/dl"
}

# need_gcc finds a C compiler that can link, which go test -race needs.
need_gcc() {
	echo 'int main(void) { return 0; }' | gcc -x c -o /dev/null - 2>/dev/null || installed gcc libc6-dev
}

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
core() { go list ./sock ./file ./... | awk '!seen[$0]++' | grep -v -e /internal/cmd/ -e /internal/lint -e /internal/alloctest -e /internal/seccomptest -e /internal/testmain -e /internal/uringtest -e /cmd/ -e /examples/; }

# vetted SYSTEM/ARCHITECTURE... vets for systems that nothing is built for, where the module and its tests compile all the
# same. Each takes more than a minute of a processor, for the standard library.
vetted() {
	local system bad=0
	for system; do
		echo "$system"
		GOOS=${system%/*} GOARCH=${system#*/} go vet ./... || bad=1
	done
	return $bad
}

# fuzz_targets lists the module's fuzz targets: the package, its folder, the name.
fuzz_targets() {
	local package folder file
	go list -f '{{$p := .}}{{range .TestGoFiles}}{{$p.ImportPath}} {{$p.Dir}} {{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$p.ImportPath}} {{$p.Dir}} {{.}}{{"\n"}}{{end}}' ./... |
		while read -r package folder file; do
			sed -n "s|^func \(Fuzz[A-Za-z0-9_]*\)(f \*testing\.F.*|$package $folder \1|p" "$folder/$file"
		done
}
