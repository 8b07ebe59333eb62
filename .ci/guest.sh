# Sourced after lib.sh by the scripts that boot other kernels: getting kernels, and running a plan of internal/cmd/guest
# in a virtual machine.

# Kernels stay here for the next time. Delete the folder to get newer ones.
cache=${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/ringo-kernels

# need_program PROGRAM PACKAGE gets a Debian package unless the program is there.
need_program() { command -v "$1" >/dev/null || installed "$2"; }

# kernel SUITE ARCH prints the path of the kernel that Debian gives to virtual machines of the cloud, which has most that
# the guests need built in. Beside it is the folder modules.
kernel() {
	local dir=$cache/$1-$2
	[[ -s $dir/vmlinuz && -d $dir/modules ]] || fetch_kernel "$1" "$2" "$dir" >&2 || give_up "no kernel of Debian $1 for $2: see above"
	echo "$dir/vmlinuz"
}

# fetch_kernel SUITE ARCH DIR asks the mirror that this system uses, by lists of its own: the system's stay as they are.
fetch_kernel() (
	suite=$1 arch=$2 dir=$3 key=/usr/share/keyrings/debian-archive-keyring.gpg
	need_program apt-get apt
	need_program xz xz-utils
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -1)
	[[ -n $mirror ]] || { apt-get update -qq && mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -1); }
	[[ -n $mirror ]] || { echo "apt-get knows no mirror of Debian"; return 1; }
	set -e
	mkdir -p "$cache"
	tmp=$(mktemp -d "$cache/fetch.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	mkdir -p "$tmp/lists/partial" "$tmp/cache/archives/partial"
	echo "deb [arch=$arch target=Packages signed-by=$key] $mirror $suite main" >"$tmp/sources.list"
	apt=(-o "Dir::Etc::SourceList=$tmp/sources.list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$tmp/lists"
		-o "Dir::Cache=$tmp/cache" -o "APT::Architectures::=$arch" -o APT::Sandbox::User=root)
	apt-get "${apt[@]}" update -qq
	package=$(apt-cache "${apt[@]}" depends "linux-image-cloud-$arch:$arch" | sed -n 's/^ *Depends: *\(linux-image-\)/\1/p' | head -1)
	# Since 2026 the kernel itself is in a package of its own, in another place.
	! apt-cache "${apt[@]}" show "${package/-image-/-binary-}" >/dev/null 2>&1 || package=${package/-image-/-binary-}
	echo "getting $package from $mirror, for $cache"
	cd "$tmp"
	apt-get "${apt[@]}" download -qq "$package"
	dpkg -x ./*.deb tree
	mkdir -p "$dir/modules"
	# Sockets of a machine with itself by AF_VSOCK, in the order in which they are loaded. What the package lacks is not there.
	n=0
	for module in vsock vmw_vsock_virtio_transport_common vsock_loopback; do
		file=$(find tree -name "$module.ko*" -type f | head -1) n=$((n + 1))
		case $file in
		*.ko) cp "$file" "$dir/modules/$n-$module.ko" ;;
		*.ko.xz) xz -dc "$file" >"$dir/modules/$n-$module.ko" ;;
		esac
	done
	mv "$(find tree -name 'vmlinuz*' -type f | head -1)" "$dir/vmlinuz"
)

# pack DIR ARCH PACKAGE... builds what guests run into DIR/bin: the tests of packages, as their paths with dashes (root.test
# is the module's), ringo and load, and packs them with DIR/plan and DIR/modules, if that is there, into DIR/initramfs.
pack() {
	local dir=$1 arch=$2 package name files=()
	shift 2
	local build=(env "GOARCH=$arch" go)
	mkdir -p "$dir/bin"
	"${build[@]}" build -ldflags='-s -w' -o "$dir/init" ./internal/cmd/guest || return
	"${build[@]}" build -ldflags='-s -w' -o "$dir/bin/ringo" ./cmd/ringo || return
	(cd bench && "${build[@]}" build -ldflags='-s -w' -o "$dir/bin/load" ./cmd/load) || return
	for package; do
		name=${package#./}
		[[ $name != . ]] || name=root
		"${build[@]}" test -c -ldflags='-s -w' -o "$dir/bin/${name//\//-}.test" "./$package" || return
	done
	for name in "$dir"/bin/*; do
		files+=("bin/${name##*/}=$name")
	done
	for name in "$dir"/modules/*.ko; do
		[[ ! -e $name ]] || files+=("modules/${name##*/}=$name")
	done
	go run ./internal/cmd/initramfs -o "$dir/initramfs" init="$dir/init" plan="$dir/plan" go.mod=go.mod "${files[@]}"
}

# disk DIR makes DIR/disk, an empty file system.
disk() {
	need_program mkfs.ext4 e2fsprogs
	rm -f "$1/disk"
	truncate -s 256M "$1/disk" && mkfs.ext4 -q "$1/disk"
}

# kvm KERNEL says whether this machine lends its processor to guests. /dev/kvm may be there and hang: so a guest is tried
# that has no file system and therefore ends at once. The answer holds until the next boot.
kvm() {
	[[ -w /dev/kvm ]] || return
	local answer
	answer=$cache/kvm-$(</proc/sys/kernel/random/boot_id)
	if [[ ! -e $answer ]]; then
		rm -f "$cache"/kvm-*
		(timeout 8 qemu-system-x86_64 -accel kvm "${machine[@]}" -kernel "$1" -append panic=-1 && echo yes || echo no) 2>&1 |
			tail -1 >"$answer"
	fi
	[[ $(<"$answer") == yes ]]
}

# What boots guests may set guest_mib, their memory, before this file is sourced, and guest_args, more of their kernel's
# command line. Protection keys are more than qemu 7 can do. CMPXCHG16B it can do, but leaves an address in the flags: the
# kernel falls over it when an interrupt comes right then.
machine=(-cpu max,-pku,-cx16 -m "${guest_mib:-1024}" -smp 2 -display none -nodefaults -no-reboot)

# boot NAME ARCH KERNEL DIR LIMIT runs DIR/initramfs, with DIR/disk, for at most so many seconds, as one step, and adds what
# passed of its plan to the counts.
boot() {
	step "$1" booted "$@"
	passed=$((passed + $(grep -c '^PASS ' "$logs/$(file_of "$1").log")))
}

booted() {
	local name=$1 arch=$2 kernel=$3 dir=$4 limit=$5 qemu console accel=tcg,thread=multi
	local machine=("${machine[@]}")
	case $arch in
	amd64)
		qemu=qemu-system-x86_64 console=ttyS0
		! kvm "$kernel" || accel=kvm
		;;
	arm64)
		qemu=qemu-system-aarch64 console=ttyAMA0
		machine=(-M virt "${machine[@]/max,-pku,-cx16/max,pauth-impdef=on}")
		;;
	esac
	disk "$dir" || give_up "could not make a file system"
	printf '%s: %s, %s, at most %d s\n' "$name" "$qemu" "$accel" "$limit"
	timeout --foreground --kill-after=10 "$limit" "$qemu" -accel "$accel" "${machine[@]}" -serial stdio -kernel "$kernel" \
		-drive "if=none,id=disk,format=raw,file=$dir/disk" -device nvme,drive=disk,serial=1 \
		-initrd "$dir/initramfs" -append "console=$console panic=-1 quiet nvme.poll_queues=1 disk=/dev/nvme0n1 ${guest_args-}" 2>&1 |
		sed -u 's/\r$//' | tee "$dir/log"
	local status=${PIPESTATUS[0]}
	grep '^guest: [0-9]* passed' "$dir/log" || echo "the machine ended early: exit code $status"
	grep -q '^guest: [0-9]* passed, 0 failed' "$dir/log"
}

# What guests leave out.
#
# What moves gigabytes, opens thousands of connections or has peers that send faster than an emulated server answers, and
# what reads the source tree.
heavy='^Test(Storm.*|CrowdsLeaveNothing|ServeFramesInPieces|ServeManyConnections|ServeDrainResetsNobody|GreedyConnections|Echoes|Allocs.*|PacketAllocs|Defects)$'
# What an emulated processor does while the host takes it away counts as computing: a guest can't tell. And stacks of
# 16384 tasks take it a minute.
deceived='^Test(NoComplaintOfABusyMachine|StoppedIsNoStall|IdleLoopSleeps|ComplaintBesideMany|AcceptWaitsOutEMFILE|PollBeyondTheLimit|Saturated)$'
# An emulated call takes so long that the scheduler gives the processor to another thread, and each thread that has
# entered a ring has workers of its own. And what answers so slowly overflows no queue.
crowded='^Test(Threads|WorkersBounded|Overflow)$'
