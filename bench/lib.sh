# Sourced by run, sockets, files, beside, idle and strace: build the programs, start a server by name, stop it, measure it, describe the
# machine.
#
# Servers by name:
#   c-uring  c-epoll                       the C references in bench/c
#   gnet  netpoll  nbio                    bench/cmd/peers: other libraries for Go, one poller
#   gonet  gonet2                          net, a goroutine per connection; one and two Ps
#   ringo-DRIVER-HANDLER                   ringo echo, one loop: ringo-uring-request, ringo-uring-conn, ringo-epoll-request, …
#   http-net  http-uring-goroutine  …      bench/cmd/serve: PROGRAM-net, or PROGRAM-DRIVER-HANDLER with one loop, PROGRAM
#                                          being echo, fasthttp, http, redis, tls or udp, and in tasks also
#                                          udpbatch, bulkrecv or bulksend
#   shards-uring-8  …                      bench/cmd/serve: redis with its keys spread over the loops, so many of them
#   proxy-net  proxy-uring  …              the same program's proxy, and ringo proxy with one loop, before c-epoll on the load's CPU
#   redis-server                           the real one, where it is installed
#   udp-c  bulkrecv-c  bulksend-c          bench/c/udp_echo.c and udp_bulk.c
#   NAME of an -add NAME=COMMAND           any other; {port} and {size} are filled in, and it must print "listening" when ready

bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$bench/bin
work=$(mktemp -d)
server_cpu=0 load_cpu=1
port=$((20000 + RANDOM % 8000)) # below the ephemeral range; every start takes the next one
server_pid="" backend_pid=""
files_max=0 # connections that a process may have
rounds=9 seconds=1 warmup=0.3 quiet=10 # what the scripts' options change
declare -A added=()
ringo_extra=() load_extra=()

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

programs() {
	local f new=$bin/.new
	for f in "$bench"/c/*.c; do
		gcc -O2 -Wall -pthread -o "$new" "$f"
		mv "$new" "$bin/$(basename "$f" .c)"
	done
	(cd "$bench" && go build -o "$bin/" ./cmd/...) # and go leaves those that are up to date
	(cd "$bench/.." && go build -o "$bin/ringo" ./cmd/ringo) || {
		rm -f "$bin/ringo" # a stale one must not be measured
		say "cmd/ringo does not build: its servers will be reported as failed"
	}
}

# build makes the programs in $bin, which measurements share that run at once: one builds at a time, and what another has
# running is left as it is, or is another file by then.
build() {
	mkdir -p "$bin"
	(flock 9; programs) 9>"$bin/.lock"
	# Root may have more than the hard limit: mode idle asks for 100,000 connections.
	ulimit -n "$(</proc/sys/fs/nr_open)" 2>/dev/null || ulimit -Sn "$(ulimit -Hn)"
	files_max=$((($(ulimit -Sn) - 1000) / 2)) # a connection of Ringo that a goroutine uses takes two
}

about() {
	echo "host     $(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), Linux $(uname -r)"
	echo "tools    $(go env GOVERSION), $(gcc --version | head -1)"
	echo "commit   $(git -C "$bench" rev-parse --short HEAD)$(git -C "$bench" diff --quiet HEAD -- .. || echo ' with changes')"
	echo "mitigations"
	(cd /sys/devices/system/cpu/vulnerabilities && grep -v "^Not affected" -- * | sed 's/^/         /; s/:/: /')
	echo "cores    server on $server_cpu, load on $load_cpu"
}

# server_command NAME SIZE sets the array cmd, and want_driver if the server is to say on which one it runs.
server_command() {
	local name=$1 size=$2 addr=127.0.0.1:$port program=${1%%-*} driver handler
	local buf=$((size > 4096 ? size : 4096))
	[[ $program == echo ]] && size=$buf
	driver=${name#*-} handler=${name##*-}
	driver=${driver%-*}
	want_driver=""
	case $name in
	c-uring) cmd=("$bin/uring_echo" "$port") ;;
	c-epoll) cmd=("$bin/epoll_echo" "$port") ;;
	gonet) cmd=(env GOMAXPROCS=1 "$bin/gonet-echo" -listen "$addr" -buf "$buf") ;;
	gonet2) cmd=(env GOMAXPROCS=2 "$bin/gonet-echo" -listen "$addr" -buf "$buf") ;;
	gnet | netpoll | nbio) cmd=("$bin/peers" -on "$name" -listen "$addr") ;;
	udp-c) cmd=("$bin/udp_echo" "$port") ;;
	bulkrecv-c) cmd=("$bin/udp_bulk" recv "$port") ;;
	bulksend-c) cmd=("$bin/udp_bulk" send "$port" "$size") ;;
	shards-*-*)
		want_driver=$driver
		cmd=("$bin/serve" -program shards -on "$driver" -loops "$handler" -listen "$addr")
		;;
	redis-server) cmd=(redis-server --port "$port" --save "" --appendonly no) ;;
	proxy-net) cmd=("$bin/serve" -program proxy -on net -listen "$addr" -to "127.0.0.1:$backend_port") ;;
	proxy-*)
		want_driver=${name#proxy-}
		cmd=("$bin/ringo" proxy -listen "tcp://$addr" -to "tcp://127.0.0.1:$backend_port" -driver "$want_driver" -loops 1)
		;;
	echo-net | fasthttp-net | http-net | redis-net | tls-net | udp-net)
		cmd=("$bin/serve" -program "$program" -on net -listen "$addr" -size "$size")
		;;
	echo-*-* | fasthttp-*-* | http-*-* | redis-*-* | tls-*-* | udp-*-* | udpbatch-*-* | bulkrecv-*-* | bulksend-*-*)
		want_driver=$driver
		cmd=("$bin/serve" -program "$program" -on "$driver" -handler "$handler" -listen "$addr" -size "$size")
		;;
	ringo-*-*)
		want_driver=$driver
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
	local cmd want_driver backend_port=0
	server_command "$1" 64
}

# start_server NAME SIZE sets server_pid; on failure it sets reason and returns 1.
start_server() {
	local cmd want_driver backend_port=$((port + 1))
	port=$((port + 2))
	server_command "$1" "$2"
	if [[ ${cmd[0]} == "$bin/ringo" && ! -x $bin/ringo ]]; then
		reason="cmd/ringo did not build"
		return 1
	fi
	if [[ $1 == proxy-* ]]; then
		taskset -c "$load_cpu" "$bin/epoll_echo" "$backend_port" >"$work/backend.log" 2>&1 &
		backend_pid=$!
		until grep -q '^listening' "$work/backend.log"; do
			kill -0 "$backend_pid" || { reason="the proxy's server: $(tail -n 1 "$work/backend.log")"; return 1; }
			sleep 0.02
		done
	fi
	: >"$work/server.log" # here, not in the child: the last server's "listening" must be gone before the first look
	taskset -c "$server_cpu" "${cmd[@]}" >>"$work/server.log" 2>&1 &
	server_pid=$!
	local deadline=$((SECONDS + 10))
	until grep -q -e '^listening' -e 'Ready to accept connections' "$work/server.log"; do
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
	if [[ -n $want_driver ]] && ! grep -q "^listening.* driver=$want_driver\b" "$work/server.log"; then
		reason="runs on another driver: $(head -n 1 "$work/server.log")"
		stop_server
		return 1
	fi
}

stop_server() {
	[[ -z $backend_pid ]] || kill "$backend_pid" 2>/dev/null || true
	backend_pid=""
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

load() { taskset -c "$load_cpu" "$bin/load" -addr "127.0.0.1:$port" -pid "$server_pid" -beside "${backend_pid:-0}" "${load_extra[@]}" "$@"; }

# check_cell CELL
check_cell() {
	[[ $1 =~ ^([a-z]+:)?[0-9]+x[0-9]+(x[0-9]+)?$ ]] || die "bad cell $1"
}

# measure_idle is measure for more idle connections than a process may have: as many servers as it takes, each with its load,
# at the same time, and a sample from each.
measure_idle() {
	local round=$1 cell=$2 server=$3 label=${4:-$2} mode conns size parts i ports=() pids=() loads=() reason=""
	IFS=:x read -r mode conns size <<<"$cell"
	parts=$(((conns + files_max - 1) / files_max))
	for ((i = 0; i < parts; i++)); do
		start_server "$server" "$size" || break
		pids+=("$server_pid") ports+=("$port")
	done
	for ((i = 0; i < ${#pids[@]}; i++)); do
		port=${ports[i]} server_pid=${pids[i]}
		load -mode idle -conns $((conns / parts)) -size "$size" -seconds "$seconds" -warmup "$warmup" -patience 60 -json \
			-label "$round $label $server" >"$work/part$i" 2>"$work/load$i.log" &
		loads+=($!)
	done
	for ((i = 0; i < ${#loads[@]}; i++)); do
		wait "${loads[i]}" || reason=${reason:-$(tail -n 1 "$work/load$i.log")}
		cat "$work/part$i" >>"$out/samples.jsonl"
	done
	[[ -z $reason ]] || failed "$round" "$label" "$server"
	for server_pid in "${pids[@]}"; do
		stop_server
	done
}

# failed ROUND LABEL SERVER appends reason in place of a sample.
failed() {
	say "round $1, $2, $3 FAILED: $reason"
	echo "{\"round\":$1,\"cell\":\"$2\",\"server\":\"$3\",\"failed\":\"$(json_text "$reason")\"}" >>"$out/samples.jsonl"
}

# measure ROUND CELL SERVER [LABEL] appends one sample to $out/samples.jsonl, whatever happens. Label is the cell's name there.
measure() {
	local reason="" line="" try label=${4:-$2}
	if [[ $2 =~ ^idle:([0-9]+)x && ${BASH_REMATCH[1]} -gt $files_max ]]; then
		measure_idle "$@"
		return
	fi
	for ((try = 0; try < 5; try++)); do
		sample "$1" "$2" "$3" "$label"
		starved || disturbed || break
	done
	if [[ -n $reason ]]; then
		failed "$1" "$label" "$3"
	else
		echo "$line" >>"$out/samples.jsonl"
	fi
}

# sample sets line, or reason.
sample() {
	local round=$1 cell=$2 server=$3 label=$4 mode=echo conns size depth
	reason="" line=""
	[[ $cell == *:* ]] && mode=${cell%%:*}
	IFS=x read -r conns size depth <<<"${cell#*:}"
	start_server "$server" "$size" || { stop_server; return 0; }
	line=$(load -mode "$mode" -conns "$conns" -size "$size" -depth "${depth:-1}" -seconds "$seconds" \
		-warmup "$warmup" -json -label "$round $label $server" 2>"$work/load.log") || true
	cat "$work/load.log" >&2
	if [[ -z $line ]]; then
		reason="$(tail -n 1 "$work/load.log")"
		kill -0 "$server_pid" 2>/dev/null || reason="died: $(tail -n 1 "$work/server.log")"
	fi
	stop_server
}

# starved says that other programs left the server or the load no time at all.
starved() { [[ $reason == *"no request was completed"* ]]; }

# disturbed says that the sample is worth nothing because other programs took too much of the machine.
disturbed() {
	[[ -z $reason ]] || return 1
	awk -v line="$line" -v limit="$quiet" 'BEGIN {
		match(line, /"other_core":[0-9.e+-]+/)
		exit !(substr(line, RSTART + 13, RLENGTH - 13) * 100 > limit)
	}'
}

# json_text makes a line fit to stand between quotes in JSON.
json_text() { tr -d '"\\' <<<"$*" | tr -c '[:print:]' ' ' | sed 's/ *$//'; }
