# Sourced by run, idle and strace: build the programs, start a server by name, stop it, describe the machine.
#
# Servers by name:
#   c-uring  c-epoll                       the C references in bench/c
#   gonet  gonet2                          net, a goroutine per connection; one and two Ps
#   ringo-DRIVER-HANDLER                   ringo echo, one loop: ringo-uring-request, ringo-uring-conn, ringo-epoll-request, …
#   NAME of an -add NAME=COMMAND           any other; {port} and {size} are filled in, and it must print "listening" when ready

bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$bench/bin
work=$(mktemp -d)
server_cpu=0 load_cpu=1
port=$((20000 + RANDOM % 8000)) # below the ephemeral range; every start takes the next one
server_pid=""
declare -A added=()
ringo_extra=()

cleanup() {
	stop_server
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say() { echo "$@" >&2; }

die() {
	say "$(basename "$0"): $*"
	exit 2
}

build() {
	mkdir -p "$bin"
	gcc -O2 -Wall -o "$bin/uring_echo" "$bench/c/uring_echo.c"
	gcc -O2 -Wall -o "$bin/epoll_echo" "$bench/c/epoll_echo.c"
	(cd "$bench" && go build -o "$bin/" ./cmd/...)
	rm -f "$bin/ringo" # a stale one must not be measured
	(cd "$bench/.." && go build -o "$bin/ringo" ./cmd/ringo) ||
		say "cmd/ringo does not build: its servers will be reported as failed"
	ulimit -Sn "$(ulimit -Hn)"
}

about() {
	echo "host     $(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), Linux $(uname -r)"
	echo "tools    $(go env GOVERSION), $(gcc --version | head -1)"
	echo "commit   $(git -C "$bench" rev-parse --short HEAD)$(git -C "$bench" diff --quiet HEAD -- .. || echo ' with changes')"
	echo "mitigations"
	(cd /sys/devices/system/cpu/vulnerabilities && grep -v "^Not affected" -- * | sed 's/^/         /; s/:/: /')
	echo "cores    server on $server_cpu, load on $load_cpu"
}

# server_command NAME SIZE sets the array cmd.
server_command() {
	local name=$1 size=$2 addr=127.0.0.1:$port driver handler
	local buf=$((size > 4096 ? size : 4096))
	case $name in
	c-uring) cmd=("$bin/uring_echo" "$port") ;;
	c-epoll) cmd=("$bin/epoll_echo" "$port") ;;
	gonet) cmd=(env GOMAXPROCS=1 "$bin/gonet-echo" -listen "$addr" -buf "$buf") ;;
	gonet2) cmd=(env GOMAXPROCS=2 "$bin/gonet-echo" -listen "$addr" -buf "$buf") ;;
	ringo-*-*)
		driver=${name#ringo-} handler=${name##*-}
		driver=${driver%-*}
		cmd=("$bin/ringo" echo -listen "tcp://$addr" -driver "$driver" -loops 1 -handler "$handler" "${ringo_extra[@]}")
		;;
	*)
		[[ -v added[$name] ]] || return 1
		local text=${added[$name]}
		text=${text//\{port\}/$port}
		read -ra cmd <<<"${text//\{size\}/$size}"
		;;
	esac
}

known_server() {
	local cmd
	server_command "$1" 64
}

# start_server NAME SIZE sets server_pid; on failure it sets reason and returns 1.
start_server() {
	port=$((port + 1))
	server_command "$1" "$2"
	if [[ $1 == ringo-* && ! -x $bin/ringo ]]; then
		reason="cmd/ringo did not build"
		return 1
	fi
	: >"$work/server.log" # here, not in the child: the last server's "listening" must be gone before the first look
	taskset -c "$server_cpu" "${cmd[@]}" >>"$work/server.log" 2>&1 &
	server_pid=$!
	local deadline=$((SECONDS + 10))
	until grep -q '^listening' "$work/server.log"; do
		if ! kill -0 "$server_pid" 2>/dev/null; then
			reason="did not start: $(tail -n 1 "$work/server.log")"
			server_pid=""
			return 1
		fi
		if ((SECONDS >= deadline)); then
			reason="was not ready after 10 s: $(tail -n 1 "$work/server.log")"
			stop_server
			return 1
		fi
		sleep 0.02
	done
	if [[ $1 == ringo-* ]] && ! grep -q "^listening.* driver=${cmd[5]}\b" "$work/server.log"; then
		reason="runs on another driver: $(head -n 1 "$work/server.log")"
		stop_server
		return 1
	fi
}

stop_server() {
	[[ -n $server_pid ]] || return 0
	kill "$server_pid" 2>/dev/null || true
	local i
	for ((i = 0; i < 100; i++)); do
		kill -0 "$server_pid" 2>/dev/null || break
		sleep 0.05
	done
	kill -9 "$server_pid" 2>/dev/null && say "$(basename "$0"): server $server_pid ignored SIGTERM for 5 s"
	wait "$server_pid" 2>/dev/null || true
	server_pid=""
}

load() { taskset -c "$load_cpu" "$bin/load" -addr "127.0.0.1:$port" -pid "$server_pid" "$@"; }

# json_text makes a line fit to stand between quotes in JSON.
json_text() { tr -d '"\\' <<<"$*" | tr -c '[:print:]' ' ' | sed 's/ *$//'; }
