//go:build linux

package ringo_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/race"
	"ringo/internal/test/patience"
	"ringo/internal/test/seccomptest"
	"ringo/internal/test/testmain"
	"ringo/stats"
)

// say tells a test what came of a Run in a child process: the driver and its
// reason, or the error and what is known about it.
func say(cfg ringo.Config) {
	var info stats.Info
	err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
		if l.Index() == 0 {
			info = l.Info()
		}
		return l.Sleep(0)
	})
	var setup *ringo.SetupError
	switch {
	case err == nil:
		fmt.Printf("%s %d: %s\n", info.Name, info.Entries, info.Reason)
	case errors.As(err, &setup):
		var errno syscall.Errno
		errors.As(err, &errno)
		fmt.Printf("refused %s %s %s: %v\n", setup.Driver, setup.Step, unix.ErrnoName(errno), err)
	default:
		fmt.Printf("failed: %v\n", err)
	}
}

func init() {
	children["say"] = func() {
		cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
		cfg.Loops = 2
		say(cfg)
	}
	children["few descriptors"] = fewDescriptors
	children["little memory"] = littleMemory
}

// sandboxed runs the child "say" under a seccomp policy.
func sandboxed(t *testing.T, p seccomptest.Policy, driver string, env ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := seccomptest.Command(t, p, self)
	cmd.Env = childEnvironment("say", append([]string{"RINGO_TEST_DRIVER=" + driver, "RINGO_DRIVER="}, env...)...)
	text, code := output(t, cmd)
	if code != 0 || strings.Count(text, "\n") != 1 {
		t.Fatalf("exit status %d, want 0 and one line, though there are two loops\n%s", code, text)
	}
	return text
}

// Where io_uring is refused, auto takes epoll and says why, and whoever asks for
// uring hears the step, the errno and what it may come from.
func TestUringRefused(t *testing.T) {
	t.Parallel()
	if usable()["uring"] != nil {
		t.Skip("io_uring is refused here anyway: ", usable()["uring"])
	}
	setup := uint32(unix.SYS_IO_URING_SETUP)
	for _, c := range []struct {
		name   string
		policy seccomptest.Policy
		step   string
		errno  string
		hint   string
	}{
		{"by seccomp", seccomptest.DenyUring(), "io_uring_setup", "EPERM", "seccomp"},
		{"by a kernel without it", seccomptest.DenyUringENOSYS(), "io_uring_setup", "ENOSYS", ""},
		{"by seccomp, after setup", seccomptest.DenyEnter(), "io_uring_enter", "EPERM", "seccomp"},
		{"for want of memory", seccomptest.Deny(seccomptest.Rule{Number: setup, Errno: syscall.ENOMEM}),
			"io_uring_setup", "ENOMEM", "RLIMIT_MEMLOCK"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := sandboxed(t, c.policy, "uring")
			if want := fmt.Sprintf("refused uring %s", c.step); !strings.HasPrefix(text, want) ||
				!strings.Contains(text, " "+c.errno+": ") || !strings.Contains(text, c.hint) {
				t.Errorf("uring: %swant %s... %s", text, want, c.hint)
			}
			text = sandboxed(t, c.policy, "epoll", "RINGO_DRIVER=uring") // who asks is named too
			if want := "RINGO_DRIVER asks for uring: uring: " +
				c.step; !strings.HasPrefix(text, "refused uring "+c.step) || !strings.Contains(text, want) {
				t.Errorf("RINGO_DRIVER=uring: %swant %s", text, want)
			}
			text = sandboxed(t, c.policy, "auto")
			if !strings.HasPrefix(text, "epoll 0: ") || !strings.Contains(text, c.step) ||
				!strings.Contains(text, c.hint) {
				t.Errorf("auto: %swant epoll, because of %s, %s", text, c.step, c.hint)
			}
			if text = sandboxed(t, c.policy, "epoll"); text != "epoll 0: Config.Driver asks for it\n" {
				t.Errorf("epoll: %s", text)
			}
		})
	}
}

// fewDescriptors allows the process one descriptor more at a time, until Run works.
func fewDescriptors() {
	cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
	cfg.Loops = 2
	if r, w, err := os.Pipe(); err == nil { // starts Go's own poller, which keeps two
		r.Close()
		w.Close()
	}
	open := fillGaps()
	var limit unix.Rlimit
	unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	for n := range 40 {
		unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(open + n), Max: limit.Max})
		err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error { return l.Sleep(0) })
		unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
		if err == nil {
			break
		}
		fmt.Println(n, errors.Is(err, syscall.EMFILE), countOpen()-open, err)
	}
	say(cfg)
}

// fillGaps opens descriptors until there is none free below one that is in use, and
// gives their number.
func fillGaps() int {
	for {
		fd, err := syscall.Open("/dev/null", syscall.O_RDONLY, 0)
		if n := countOpen(); err != nil || fd == n-1 {
			return n
		}
	}
}

func countOpen() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries) - 1 // without the listing's own
}

// Want of descriptors is an error to report, and no reason for another driver: it
// would fail a moment later. When there are descriptors again, all is as before.
func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	for _, driver := range []string{"auto", "uring", "epoll"} {
		t.Run(driver, func(t *testing.T) {
			if err := usable()[driver]; err != nil {
				t.Skip(err)
			}
			text, code := output(t, child(t, "few descriptors", "RINGO_TEST_DRIVER="+driver, "RINGO_DRIVER="))
			lines := strings.Split(strings.TrimSpace(text), "\n")
			if code != 0 || len(lines) < 3 {
				t.Fatalf("exit status %d, want 0 and some failures\n%s", code, text)
			}
			last := len(lines) - 1
			for i, line := range lines[:last] {
				if !strings.HasPrefix(line, fmt.Sprintf("%d true 0 ", i)) {
					t.Errorf("with %d descriptors more: %s\nwant EMFILE, and none left open", i, line)
				}
			}
			want := driver
			if driver == "auto" {
				text, _ := output(t, child(t, "say", "RINGO_TEST_DRIVER=auto", "RINGO_DRIVER="))
				want, _, _ = strings.Cut(text, " ")
			}
			if !strings.HasPrefix(lines[last], want+" ") {
				t.Errorf("with descriptors enough: %s, want %s", lines[last], want)
			}
		})
	}
}

// littleMemory is an ordinary user with a limit on locked memory.
func littleMemory() {
	bytes, _ := strconv.ParseUint(os.Getenv("RINGO_TEST_MEMLOCK"), 10, 64)
	unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: bytes, Max: bytes})
	if err := syscall.Setgroups(nil); err != nil {
		fmt.Println("setgroups:", err)
	}
	if err := syscall.Setuid(65534); err != nil {
		fmt.Println("setuid:", err)
	}
	cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
	cfg.Entries = 1024
	say(cfg)
}

// Kernels charge rings of ordinary users to RLIMIT_MEMLOCK. auto makes do with
// smaller rings, and in the end without; whoever asks for uring hears of the limit.
func TestLittleLockedMemory(t *testing.T) {
	t.Parallel()
	needCharge(t)
	smaller := 0
	for _, kib := range []int{16, 32, 64, 128, 256, 512} {
		var entries int
		text := askWithMemory(t, "auto", "", kib)
		if _, err := fmt.Sscanf(text, "uring %d: ", &entries); err != nil && !strings.HasPrefix(text, "epoll ") {
			t.Errorf("auto with %d KiB: %s", kib, text)
		}
		if entries > 0 && entries < 1024 {
			smaller++
		}
		t.Logf("%d KiB: %s", kib, strings.TrimSpace(text))
	}
	if smaller == 0 {
		t.Error("no limit led to a smaller ring")
	}
	// What does for a ring and not for buffers in the kernel's hands does.
	// With two pages the self-test of buffer rings is what fails, with three the real one.
	for _, pages := range []int{2, 3} {
		if text := askWithMemory(t, "auto", "", pages*os.Getpagesize()>>10); strings.Contains(text, "PBUF_RING") {
			t.Errorf("auto with %d pages: %s\nwant a ring with plain buffers", pages, text)
		}
	}
}

// What remains of the limit on each kernel is a smaller ring, or epoll with the
// reason; and a refusal for who asks for a ring.
func TestLittleLockedMemoryOnKernels(t *testing.T) {
	t.Parallel()
	needCharge(t)
	masks := []string{"", "kernel=5.6", "kernel=5.10"} // one of each sort
	if testmain.Long() {
		masks = append(masks, "kernel=5.4", "kernel=5.15", "kernel=6.1", "kernel=6.6", "kernel=6.12")
	}
	for _, mask := range masks {
		t.Run(cmp.Or(mask, "this one"), func(t *testing.T) {
			// Before 5.7 there is no ring for us, whatever the limit, and before 6.1 auto takes none.
			old := mask == "kernel=5.4" || mask == "kernel=5.6"
			costly := mask == "kernel=5.10" || mask == "kernel=5.15"
			for _, kib := range []int{0, 8, 64} {
				text := askWithMemory(t, "auto", mask, kib)
				onEpoll := strings.HasPrefix(text, "epoll 0: ") &&
					(old || costly || strings.Contains(text, "RLIMIT_MEMLOCK"))
				onUring := strings.HasPrefix(text, "uring ") && !strings.HasPrefix(text, "uring 1024: ") &&
					!old && !costly && kib > 0
				if !onEpoll && !onUring {
					t.Errorf("auto with %d KiB: %s", kib, text)
				}
			}
			for _, kib := range []int{0, 8} {
				text := askWithMemory(t, "uring", mask, kib)
				if !strings.HasPrefix(text, "refused uring ") || !old && !strings.Contains(text, "RLIMIT_MEMLOCK") {
					t.Errorf("uring with %d KiB: %swant a refusal that names the limit", kib, text)
				}
			}
		})
	}
}

// needCharge skips a test where no limit refuses a ring.
func needCharge(t *testing.T) {
	t.Helper()
	if strings.HasPrefix(askWithMemory(t, "uring", "", 0), "uring 1024: ") {
		t.Skip("this kernel does not charge rings to RLIMIT_MEMLOCK")
	}
}

// charged is held by whoever has a child of the user whom askWithMemory takes: the kernel charges all of a user's
// processes together.
var charged sync.Mutex

// askWithMemory asks for a driver as an ordinary user with a limit on locked memory.
func askWithMemory(t *testing.T, driver, mask string, kib int) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can become another user, whose memory is not locked by others")
	}
	if usable()["uring"] != nil {
		t.Skip(usable()["uring"])
	}
	charged.Lock()
	defer charged.Unlock()
	text, code := output(t, child(t, "little memory", "RINGO_TEST_DRIVER="+driver, "RINGO_DRIVER=", "RINGO_MASK="+mask,
		fmt.Sprintf("RINGO_TEST_MEMLOCK=%d", kib<<10)))
	if code != 0 {
		t.Errorf("exit status %d: %s", code, text)
	}
	return text
}

// footprint is what a process has that a loop could leave behind.
type footprint struct {
	descriptors, threads, goroutines, mappings int
	resident                                   int // KiB
}

// takeFootprint looks; a child has nobody to fail but itself.
func takeFootprint() (f footprint) {
	count := func(dir string) int {
		entries, err := os.ReadDir(dir)
		if err != nil {
			panic(err)
		}
		return len(entries)
	}
	read := func(file string) []byte {
		text, err := os.ReadFile(file)
		if err != nil {
			panic(err)
		}
		return text
	}
	f.descriptors, f.threads = count("/proc/self/fd"), count("/proc/self/task")
	f.mappings = bytes.Count(read("/proc/self/maps"), []byte("\n"))
	f.goroutines = runtime.NumGoroutine()
	_, rss, _ := bytes.Cut(read("/proc/self/status"), []byte("VmRSS:"))
	rss, _, _ = bytes.Cut(rss, []byte("kB"))
	f.resident, _ = strconv.Atoi(string(bytes.TrimSpace(rss)))
	return f
}

func init() {
	// Runs as often as the environment says, and exits with 1 if that leaves
	// anything behind. What it finds it says in any case.
	children["restarts"] = func() {
		runs, err := strconv.Atoi(os.Getenv("RINGO_TEST_RUNS"))
		if err != nil {
			panic(err)
		}
		cfg := ringo.Config{Driver: os.Getenv("RINGO_TEST_DRIVER"), Loops: 1}
		once := func(n int) {
			for range n {
				ran := false
				err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
					return l.Go(func() { l.Sleep(0); ran = true }).Wait()
				})
				if err != nil || !ran {
					panic(fmt.Sprint("the task ran: ", ran, ", ", err))
				}
			}
		}
		once(max(10, runs/10))
		any := func(footprint) bool { return true }
		before := settled(any, any)
		same := func(now footprint) bool {
			return now.descriptors <= before.descriptors && now.goroutines <= before.goroutines &&
				now.threads <= before.threads+4 // the runtime's own, made now and then
		}
		grown := func(now footprint) bool { // the detector's memory grows for long
			return !race.Enabled && now.resident > before.resident+4<<10 || now.mappings > before.mappings+runs/2
		}
		// What Runs leave behind grows with each round, a mapping with each Run. Huge pages, what is paged in, and how
		// the runtime and the detector cut their own memory into mappings, are not the loops'.
		for round := 1; ; round++ {
			began := time.Now()
			once(runs)
			took := time.Since(began)
			now := settled(same, func(f footprint) bool { return !grown(f) })
			fmt.Printf("%d runs in %v: %+v, before: %+v\n", runs, took, now, before)
			if !same(now) || grown(now) && round == 3 {
				os.Exit(1)
			}
			if !grown(now) {
				return
			}
			before.resident, before.mappings = now.resident, now.mappings
		}
	}
}

// A thousand Runs, one after the other, each with a ring of the default size: none
// is refused, and the last leaves no more behind than the first few did. The kernel
// takes rings down behind the program's back; a Run that comes too soon must wait.
func TestRunAThousandTimes(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		runs := 50
		switch {
		case testmain.Long():
			runs = 1000
		case strings.HasPrefix(cfg.Driver, "uring"):
			runs = 200
		}
		text, code := output(t, child(t, "restarts", "RINGO_TEST_DRIVER="+cfg.Driver,
			fmt.Sprint("RINGO_TEST_RUNS=", runs)))
		if t.Log(text); code != 0 {
			t.Error("left behind, or failed: exit status ", code)
		}
	})
}

// settled gives the footprint once ok says so, or when no more is to be hoped for: threads and rings go in their own
// time, which is awaited as long as such things are, and memory in a hundred looks or not at all.
func settled(gone, small func(footprint) bool) (f footprint) {
	patience.Poll(runtime.Gosched, func() bool {
		f = takeFootprint()
		return gone(f)
	})
	for range 100 {
		debug.FreeOSMemory()
		if f = takeFootprint(); small(f) {
			break
		}
	}
	return f
}

// Loops that a program keeps after their end don't keep their buffers, 4 MiB each.
func TestEndedLoopsAreSmall(t *testing.T) {
	if race.Enabled {
		t.Skip("under the race detector memory means nothing")
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const runs = 8
		cfg.Loops, cfg.Buffers, cfg.BufferSize = 1, 256, 16384
		heap := func() uint64 {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		var kept []*ringo.Loop
		for range runs {
			if err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
				kept = append(kept, l)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if after := heap(); after > before+runs<<20 {
			t.Errorf("%d loops that have ended keep %d KiB", runs, (after-before)>>10)
		}
		runtime.KeepAlive(kept)
	})
}
