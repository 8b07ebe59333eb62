//go:build linux

package ringo_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"ringo"
	"ringo/internal/sys"
	"ringo/internal/test/patience"
)

// allowed is where the calling thread may run.
func allowed(t testing.TB) []int {
	t.Helper()
	cpus, err := sys.CPUs(0)
	if err != nil {
		t.Error(err)
	}
	return cpus
}

func needCPUs(t testing.TB, n int) []int {
	t.Helper()
	cpus, err := sys.CPUs(0)
	if err != nil {
		t.Fatal(err)
	}
	if len(cpus) < n {
		t.Skipf("needs %d CPUs, and the process may use %d", n, len(cpus))
	}
	return cpus
}

func same(t testing.TB, what string, got, want []int) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// Each loop's thread has its CPU, and no other thread any.
func TestPlacePerCPU(t *testing.T) {
	cpus := needCPUs(t, 1)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		before := allowed(t)
		cfg.Loops, cfg.Place = 0, ringo.PerCPU
		at := make([][]int, 1024)
		err := run(t, cfg, func(l *ringo.Loop) error {
			check := func() {
				at[l.Index()] = allowed(t)
				same(t, "Info's", l.Info().CPUs, at[l.Index()])
			}
			check()
			l.Sleep(0)
			l.Go(check).Wait()
			// A thread that the runtime starts while one that is bound runs must not inherit.
			return l.Offload(func(context.Context) error {
				same(t, "CPUs of a goroutine", allowed(t), before)
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		var all []int
		for _, set := range at {
			if len(set) > 1 {
				t.Errorf("a loop may use %v", set)
			}
			all = append(all, set...)
		}
		slices.Sort(all)
		if len(all) > len(cpus) || len(slices.Compact(slices.Clone(all))) != len(all) {
			t.Errorf("the loops are on %v, of %v", all, cpus)
		}
		same(t, "CPUs of the test", allowed(t), before)
	})
}

// Loops that are bound nowhere have the CPUs that the configuration says, all together.
func TestPlaceAmongCPUs(t *testing.T) {
	cpus := needCPUs(t, 1)
	cfg := anyDriver(t)
	cfg.Loops, cfg.CPUs = 2, cpus[len(cpus)-1:]
	mustRun(t, cfg, func(l *ringo.Loop) { same(t, "CPUs of a loop", allowed(t), cfg.CPUs) })
}

func TestPlaceRefuses(t *testing.T) {
	cpus := needCPUs(t, 1)
	for _, c := range []struct {
		change func(cfg *ringo.Config)
		want   string
	}{
		{func(cfg *ringo.Config) { cfg.Place, cfg.Loops = ringo.PerCPU, len(cpus)+1 },
			fmt.Sprintf("Config.Place: %d loops, but PerCPU has places for %d", len(cpus)+1, len(cpus))},
		{func(cfg *ringo.Config) { cfg.Place = 7 },
			"Config.Place is 7: want Anywhere, PerCPU, PerCore or PerNode"},
		{func(cfg *ringo.Config) { cfg.CPUs = []int{cpus[0], 1 << 20} },
			"Config.CPUs: the process may not use CPU 1048576"},
		{func(cfg *ringo.Config) { cfg.Reserve = -1 }, "Config.Reserve is -1: want 0 or more"},
		{func(cfg *ringo.Config) { cfg.Reserve = len(cpus) }, "Config.Reserve: "},
	} {
		cfg := anyDriver(t)
		c.change(&cfg)
		if err := refusal(t, &cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// otherThreads are the places of all threads of the process but some, and but those of the kernel's.
func otherThreads(t testing.TB, but ...int) map[int][]int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Error(err)
	}
	at := map[int][]int{}
	for _, entry := range list {
		tid, _ := strconv.Atoi(entry.Name())
		name, err := os.ReadFile(filepath.Join("/proc/self/task", entry.Name(), "comm"))
		if cpus, wrong := sys.CPUs(tid); err == nil && wrong == nil && !strings.HasPrefix(string(name), "iou-") &&
			!slices.Contains(but, tid) {
			at[tid] = cpus
		}
	}
	return at
}

// With a reserve a loop has its CPU for itself: all other threads, and those that come, are kept from it. At the end
// they are where they were.
func TestReserve(t *testing.T) {
	cpus := needCPUs(t, 2)
	bound := make(chan int) // a thread that the program itself has bound
	over := make(chan struct{})
	go func() {
		runtime.LockOSThread() // for good: the thread ends with its place
		if err := sys.SetCPUs(0, cpus[:1]); err != nil {
			t.Error(err)
		}
		bound <- syscall.Gettid()
		<-over
	}()
	defer close(over)
	own := <-bound
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		procs := runtime.GOMAXPROCS(0)
		cfg.Place, cfg.Reserve, cfg.Loops = ringo.PerCPU, 1, 1
		err := run(t, cfg, func(l *ringo.Loop) error {
			at := allowed(t)
			if len(at) != 1 {
				t.Errorf("the loop may use %v", at)
			}
			tid := syscall.Gettid()
			rest := slices.DeleteFunc(slices.Clone(cpus), func(cpu int) bool { return cpu == at[0] })
			check := func() { wantAll(t, rest, tid, own) }
			check()
			wantAtLeast(t, "GOMAXPROCS", runtime.GOMAXPROCS(0), 8*len(rest)+1)
			g := ringo.NewGroup(l)
			for range 8 { // calls that have the runtime start threads
				g.Go(func() error {
					return l.Offload(func(context.Context) error {
						runtime.LockOSThread() // for good: the next has another
						same(t, "CPUs of a new goroutine", allowed(t), rest)
						return nil
					})
				})
			}
			if err := g.Wait(); err != nil {
				return err
			}
			check()
			same(t, "CPUs of the thread that the program has bound", otherThreads(t)[own], cpus[:1])
			// A second Run may have loops of its own there, and no reserve.
			return l.Offload(func(ctx context.Context) error {
				second := cfg
				err := ringo.Run(ctx, &second, func(*ringo.Loop) error { return nil })
				if !errors.Is(err, syscall.EBUSY) {
					t.Errorf("a second reserve: %v, want EBUSY", err)
				}
				second.Reserve, second.CPUs = 0, at
				return ringo.Run(ctx, &second, func(l *ringo.Loop) error {
					same(t, "CPUs of the second Run's loop", allowed(t), at)
					return nil
				})
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		wantAll(t, cpus, own)
		same(t, "CPUs of the thread that the program has bound", otherThreads(t)[own], cpus[:1])
		equal(t, "GOMAXPROCS at the end", runtime.GOMAXPROCS(0), procs)
	})
}

func wantAtLeast(t testing.TB, what string, got, want int) {
	t.Helper()
	if got < want {
		t.Errorf("%s is %d, want %d at least", what, got, want)
	}
}

// What fails to begin leaves the threads where they were.
func TestReserveOfARunThatFails(t *testing.T) {
	cpus := needCPUs(t, 2)
	cfg := anyDriver(t)
	cfg.Reserve = 1
	failed := errors.New("failed")
	cfg.Start = func(*ringo.Loop) error { return failed }
	if err := run(t, cfg, func(*ringo.Loop) error { return nil }); !errors.Is(err, failed) {
		t.Error(err)
	}
	wantAll(t, cpus)
}

// wantAll wants all threads but some to be on these CPUs, once those of loops that are over have ended.
func wantAll(t *testing.T, cpus []int, but ...int) {
	t.Helper()
	eventually(t, fmt.Sprint("all threads on CPUs ", cpus), func() bool {
		for _, at := range otherThreads(t, but...) {
			if !slices.Equal(at, cpus) {
				return false
			}
		}
		return true
	})
}

// The CPUs are those that the process may use, not the machine's.
func TestPlaceWithinTheProcessesSet(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		text, code := output(t, child(t, "place", "RINGO_TEST_DRIVER="+cfg.Driver))
		cpus := needCPUs(t, 1)
		want := fmt.Sprintf("on %d\n<nil>\nringo: Config.Place: 2 loops, but PerCPU has places for 1: 1 CPU\n",
			cpus[len(cpus)-1:])
		if text != want || code != 0 {
			t.Errorf("exit status %d, %q\nwant 0, %q", code, text, want)
		}
	})
}

// Behind a Run the runtime follows the CPUs that the process may use, as it did before.
func TestGOMAXPROCSFollowsTheCPUs(t *testing.T) {
	needCPUs(t, 2)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		text, code := output(t, child(t, "follow", "GOMAXPROCS=", "RINGO_TEST_DRIVER="+cfg.Driver))
		if want := "<nil>\n<nil>\n"; text != want || code != 0 {
			t.Errorf("exit status %d, %q\nwant 0, %q", code, text, want)
		}
	})
}

// toOneCPU binds all threads of the process to the last of its CPUs.
func toOneCPU() {
	cpus, _ := sys.CPUs(0)
	threads, _ := os.ReadDir("/proc/self/task")
	for _, thread := range threads {
		tid, _ := strconv.Atoi(thread.Name())
		sys.SetCPUs(tid, cpus[len(cpus)-1:])
	}
}

func init() {
	children["follow"] = func() {
		cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
		fmt.Println(ringo.Run(context.Background(), &cfg, func(*ringo.Loop) error { return nil }))
		toOneCPU()
		fmt.Println(patience.Poll(runtime.Gosched, func() bool { return runtime.GOMAXPROCS(0) == 1 }))
	}
	children["place"] = func() {
		toOneCPU()
		for loops := 1; loops <= 2; loops++ {
			cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
			cfg.Place, cfg.Loops = ringo.PerCPU, loops
			fmt.Println(ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
				cpus, _ := sys.CPUs(0)
				fmt.Println("on", cpus)
				return nil
			}))
		}
	}
	// Says how many loops there are by default, and why.
	children["plan"] = func() {
		cfg := ringo.Config{Buffers: 2, BufferSize: 64, Entries: 32}
		err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
			if l.Index() == 0 {
				fmt.Println(len(l.Loops()), l.Info().Plan)
			}
			return nil
		})
		if err != nil {
			fmt.Println(err)
		}
	}
}

// cgroup makes one for processor time, below a parent that has a quota, of µs in 100 ms, until the test ends. There it
// puts what is started by the function that it gives.
func cgroup(t *testing.T, quota int) (enter func(pid int)) {
	t.Helper()
	for _, kind := range []struct{ dir, file, text string }{
		{"/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", fmt.Sprint(quota)},
		{"/sys/fs/cgroup", "cpu.max", fmt.Sprintf("%d 100000", quota)},
	} {
		parent := filepath.Join(kind.dir, fmt.Sprintf("ringo-test-%d", os.Getpid()))
		inner := filepath.Join(parent, "inner")
		err := os.MkdirAll(inner, 0o755)
		t.Cleanup(func() { os.Remove(inner); os.Remove(parent) })
		if err == nil {
			err = os.WriteFile(filepath.Join(parent, kind.file), []byte(kind.text), 0)
		}
		if err != nil {
			t.Log(err)
			continue
		}
		return func(pid int) {
			err := os.WriteFile(filepath.Join(inner, "cgroup.procs"), []byte(fmt.Sprint(pid)), 0)
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Skip("no cgroup can be made here")
	return nil
}

// The default number of loops follows the quota of a parent's cgroup.
func TestLoopsFollowTheQuota(t *testing.T) {
	for _, c := range []struct {
		quota int
		env   string
		want  string
	}{
		{50_000, "GOMAXPROCS=", "1 1 loop: the quota of the cgroups is 0.5 CPUs\n"},
		{150_000, "GOMAXPROCS=", "1 1 loop: the quota of the cgroups is 1.5 CPUs\n"},
		{50_000, "GOMAXPROCS=2",
			"2 2 loops: GOMAXPROCS is 2, though the quota of the cgroups is 0.5 CPUs, since the environment sets " +
				"GOMAXPROCS\n"},
		{50_000, "GOMAXPROCS=1", "1 1 loop: GOMAXPROCS is 1\n"},
		{200_000, "GOMAXPROCS=2", "2 2 loops: GOMAXPROCS is 2\n"},
	} {
		t.Run(fmt.Sprint(c.quota, " ", c.env), func(t *testing.T) {
			if c.quota >= 100_000 || c.env == "GOMAXPROCS=" { // with one, that is why there is one loop
				needCPUs(t, 2)
			}
			enter := cgroup(t, c.quota)
			cmd := child(t, "plan", c.env)
			// A process is in the cgroup of the one that starts it; a shell that waits for a line lets it be moved.
			cmd.Args = append([]string{"sh", "-c", `read x && exec "$0"`}, cmd.Path)
			cmd.Path = "/bin/sh"
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			var said strings.Builder
			cmd.Stdout = &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			enter(cmd.Process.Pid)
			fmt.Fprintln(in)
			if err := cmd.Wait(); err != nil || said.String() != c.want {
				t.Errorf("%q, %v, want %q", said.String(), err, c.want)
			}
		})
	}
}
