//go:build linux

package uring

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/posix"
	"ringo/internal/test/patience"
)

// setupTests show what each setup flag does; played ones need a kernel newer than any here.
var setupTests = []struct {
	flag   SetupFlags
	since  string
	run    func(t *testing.T)
	played bool
}{
	{SetupIOPoll, "5.1", testIOPoll, false},
	{SetupSQPoll, "5.13", testSQPoll, false},
	{SetupSQAff, "5.13", testSQAff, false},
	{SetupCQSize, "5.5", testCQSize, false},
	{SetupClamp, "5.6", testCQSize, false},
	{SetupAttachWQ, "5.13", testAttach, false},
	{SetupRDisabled, "5.10", testEnable, false},
	{SetupSubmitAll, "5.18", TestBadEntryInBatch, false},
	{SetupCoopTaskrun, "5.19", testTaskrun, false},
	{SetupTaskrunFlag, "5.19", testTaskrun, false},
	{SetupSQE128, "5.19", testSQE128, false},
	{SetupCQE32, "5.19", testCQE32, false},
	{SetupSingleIssuer, "6.0", testSingleIssuer, false},
	{SetupDeferTaskrun, "6.1", testTaskrun, false},
	{SetupNoMmap, "6.5", testMemory, false},
	{SetupRegisteredFDOnly, "6.5", testMemory, false},
	{SetupNoSQArray, "6.6", testResize, false},
	{SetupHybridIOPoll, "6.13", testIOPoll, false},
	{SetupCQEMixed, "6.18", testCQEMixed, false},
	{SetupSQEMixed, "6.19", testSQEMixed, true},
	{SetupSQRewind, "7.0", testRewind, true},
}

// TestSetup runs them; that each flag has a row it checks, too.
func TestSetup(t *testing.T) {
	var all SetupFlags
	done := map[uintptr]bool{} // tests that stand in several rows
	for _, row := range setupTests {
		all |= row.flag
		code := reflect.ValueOf(row.run).Pointer()
		if done[code] {
			continue
		}
		done[code] = true
		t.Run(row.flag.String(), func(t *testing.T) {
			need(t)
			row.run(t)
		})
	}
	if want := SetupFlags(1)<<len(setupNames) - 1; all != want {
		t.Errorf("no test of %v", want&^all)
	}
}

func testCQSize(t *testing.T) {
	r := open(t, 4, &Config{CQEntries: 64, With: SetupCQSize | SetupClamp})
	if r.CQEntries() != 64 {
		t.Errorf("CQ of %d", r.CQEntries())
	}
	if r := open(t, 4, &Config{Without: SetupCQSize}); r.CQEntries() != 8 {
		t.Errorf("by the kernel: CQ of %d", r.CQEntries())
	}
}

// testTaskrun: with either kind of cooperation the flag tells that there is work before an Enter has done it.
func testTaskrun(t *testing.T) {
	for _, cfg := range []Config{{With: SetupDeferTaskrun | SetupTaskrunFlag},
		{With: SetupCoopTaskrun | SetupTaskrunFlag, Without: SetupDeferTaskrun}} {
		r := openWith(t, 8, cfg, "6.1")
		a, b := socketpair(t, unix.SOCK_STREAM)
		tag := start(t, r, func(e *SQE) { e.PrepRecv(a, make([]byte, 8), 0) })
		write(t, b, "abc")
		if r.Flags()&SetupDeferTaskrun != 0 && (r.CQReady() != 0 || !r.NeedsEnter()) {
			t.Errorf("%d CQEs before Enter, NeedsEnter %v", r.CQReady(), r.NeedsEnter())
		}
		want(t, finish(t, r, tag), 3)
	}
}

func testSingleIssuer(t *testing.T) {
	r := openWith(t, 8, Config{With: SetupSingleIssuer, WithoutRingFD: true}, "6.0")
	errs := make(chan syscall.Errno)
	go func() { // on another thread, as this one is locked
		_, errno := r.Enter(0, true, -1)
		errs <- errno
	}()
	if errno := <-errs; errno != syscall.EEXIST && r.Flags()&SetupDeferTaskrun != 0 {
		t.Errorf("another thread: want EEXIST, got %v", errno)
	}
}

func testSQPoll(t *testing.T) {
	r := openWith(t, 4, Config{SQPoll: true, SQPollIdle: time.Millisecond}, "5.13")
	for i := range 100 {
		if err := r.WaitSQ(); err != nil {
			t.Fatal(err)
		}
		e := r.SQE()
		if e == nil {
			t.Fatal("no room after WaitSQ")
		}
		e.PrepNop()
		e.SetUserData(uint64(i))
		if _, errno := r.Enter(0, false, -1); errno != 0 {
			t.Fatal(errno)
		}
		if i%10 == 9 { // what the thread has taken completes without a call
			if _, err := r.Wait(10, waitMax); err != nil {
				t.Fatal(err)
			}
			for j := i - 9; j <= i; j++ {
				if c := finishReady(t, r); c.UserData != uint64(j) {
					t.Fatalf("want %d, got %d", j, c.UserData)
				}
			}
		}
	}
}

// testSQAff looks at the kernel's thread.
func testSQAff(t *testing.T) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	cpu := 0
	for i := range cpuMax {
		if all.IsSet(i) {
			cpu = i
		}
	}
	before := sqThreads(t)
	r := openWith(t, 4, Config{SQPoll: true, SQPollIdle: time.Millisecond, With: SetupSQAff, SQPollCPU: cpu}, "5.13")
	want(t, do(t, r, (*SQE).PrepNop), 0)
	found := false
	for tid, s := range sqThreads(t) {
		if _, old := before[tid]; !old {
			found = true
			if s.Count() != 1 || !s.IsSet(cpu) {
				t.Errorf("the thread runs on %d processors, want %d alone", s.Count(), cpu)
			}
		}
	}
	if !found {
		t.Error("no thread")
	}
	if _, err := Open(4, &Config{SQPollCPU: 1}); err == nil {
		t.Error("a processor without SQ_AFF: no error")
	}
}

// sqThreads are the process's threads that look at SQs, and their processors.
func sqThreads(t *testing.T) map[string]unix.CPUSet {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	threads := map[string]unix.CPUSet{}
	for _, e := range tasks {
		comm, err := os.ReadFile("/proc/self/task/" + e.Name() + "/comm")
		if err != nil || !strings.HasPrefix(string(comm), "iou-sqp-") {
			continue
		}
		var s unix.CPUSet
		if unix.SchedGetaffinity(atoi(e.Name()), &s) == nil {
			threads[e.Name()] = s
		}
	}
	return threads
}

func atoi(s string) (n int) {
	for _, c := range s {
		n = 10*n + int(c-'0')
	}
	return n
}

// testAttach: a second ring brings no second thread.
func testAttach(t *testing.T) {
	one := openWith(t, 4, Config{SQPoll: true, SQPollIdle: time.Millisecond}, "5.13")
	want(t, do(t, one, (*SQE).PrepNop), 0)
	before := sqThreads(t)
	two := openWith(t, 4, Config{SQPoll: true, SQPollIdle: time.Millisecond, Attach: one}, "5.13")
	if two.Flags()&SetupAttachWQ == 0 {
		t.Error("not attached")
	}
	want(t, do(t, two, (*SQE).PrepNop), 0)
	// One of a ring that has closed may come late.
	patience.Until(t, "no thread is there but those before", func() bool {
		for tid := range sqThreads(t) {
			if _, old := before[tid]; !old {
				return false
			}
		}
		return true
	})
	closed := open(t, 4, nil)
	closed.Close()
	if _, err := Open(4, &Config{Attach: closed}); err == nil {
		t.Error("to a closed ring: no error")
	}
}

func testSQE128(t *testing.T) {
	for _, without := range []SetupFlags{0, ^SetupFlags(0) &^ SetupSQE128} {
		r := openWith(t, 4, Config{With: SetupSQE128, Without: without}, "5.19")
		for turn := range 10 { // around the SQ, in each of its places
			for i := range 3 {
				e := r.SQE128()
				for j := range e.Rest {
					if e.Rest[j] != 0 {
						t.Fatalf("turn %d: not zeroed", turn)
					}
					e.Rest[j] = 0xff // NOPs don't look
				}
				e.PrepNop()
				e.SetUserData(uint64(turn*3 + i))
			}
			if n, err := r.Wait(3, waitMax); n != 3 || err != nil {
				t.Fatal(n, err)
			}
			for i := range 3 {
				c := finishReady(t, r)
				want(t, c, 0)
				if c.UserData != uint64(turn*3+i) {
					t.Fatalf("turn %d: %+v", turn, c)
				}
			}
		}
		want(t, do(t, r, func(e *SQE) { e.PrepNop() }), 0) // a plain one is the first half
		n := 0
		for r.SQE128() != nil {
			n++
		}
		seen := 0
		r.EachPending(func(*SQE) { seen++ })
		if n != r.SQEntries() || seen != n {
			t.Errorf("%d entries of %d, %d pending", n, r.SQEntries(), seen)
		}
		r.Wait(n, waitMax)
		r.Drain(make([]CQE, n))
		wantAllocs(t, 0, "SQE128", func() {
			r.SQE128().PrepNop()
			r.Wait(1, waitMax)
			r.CQE()
		})
	}
	defer func() {
		if recover() == nil {
			t.Error("a ring of plain entries: no panic")
		}
	}()
	open(t, 4, nil).SQE128()
}

// nopExtra makes a NOP whose CQE has 32 bytes and more to say (Linux 6.18).
func nopExtra(e *SQE) {
	const nopCQE32 = 1 << 5
	e.PrepNop()
	e.OpFlags = nopCQE32
	e.Off, e.Addr = 0x1111, 0x2222
}

func testCQE32(t *testing.T) {
	r := openWith(t, 4, Config{With: SetupCQE32}, "5.19")
	for turn := range 20 {
		for i := range 4 {
			r.SQE().PrepNop()
			_ = i
		}
		if _, err := r.Wait(4, waitMax); err != nil || r.CQReady() != 4 {
			t.Fatalf("turn %d: %d ready, %v", turn, r.CQReady(), err)
		}
		switch turn % 4 {
		case 0:
			if n := r.Drain(make([]CQE, 8)); n != 4 {
				t.Fatalf("drained %d", n)
			}
		case 1:
			if n := r.Drain32(make([]CQE32, 8)); n != 4 {
				t.Fatalf("drained %d", n)
			}
		case 2:
			if n := r.Peek(make([]CQE, 3)); n != 3 {
				t.Fatalf("peeked %d", n)
			}
			r.Advance(4)
		default:
			n := 0
			for c := range r.CQEs() {
				want(t, c, 0)
				n++
			}
			if n != 4 {
				t.Fatalf("iterated over %d", n)
			}
		}
		if _, ok := r.CQE(); ok || r.CQReady() != 0 {
			t.Fatalf("turn %d: more than that", turn)
		}
	}
	r.SQE().PrepNop()
	nopExtra(r.SQE())
	if _, err := r.Wait(2, waitMax); err != nil {
		t.Fatal(err)
	}
	r.CQE32()
	// Kernels before 6.10 do not look at a NOP's flags, those before 6.18 refuse this one.
	if c, ok := r.CQE32(); !ok || newerThan("6.18") && c.Extra != [2]uint64{0x1111, 0x2222} {
		t.Errorf("%+v, %v", c, ok)
	}
	wantAllocs(t, 0, "CQE32", func() {
		r.SQE().PrepNop()
		r.Wait(1, waitMax)
		r.CQE32()
	})
}

// testCQEMixed takes CQEs of both sizes, in all places of the ring, by each way there is.
func testCQEMixed(t *testing.T) {
	r := openWith(t, 8, Config{With: SetupCQEMixed, CQEntries: 8}, "6.18")
	next := uint64(0)
	check := func(c CQE) {
		t.Helper()
		want(t, c, 0)
		if c.UserData != next {
			t.Fatalf("want %d, got %d", next, c.UserData)
		}
		next++
	}
	for turn := range 60 {
		sizes := []bool{turn%2 == 0, turn%3 == 0, true}
		first := next
		for i, big := range sizes {
			e := r.SQE()
			e.PrepNop()
			if big {
				nopExtra(e)
			}
			e.SetUserData(first + uint64(i))
		}
		if _, err := r.Wait(3, waitMax); err != nil {
			t.Fatal(err)
		}
		switch turn % 4 {
		case 0:
			for _, big := range sizes {
				c, ok := r.CQE32()
				if !ok || big != (c.Extra == [2]uint64{0x1111, 0x2222}) {
					t.Fatalf("turn %d: big %v, %+v, %v", turn, big, c, ok)
				}
				check(c.CQE)
			}
		case 1:
			into := make([]CQE32, 4)
			if _, ok := r.CQE(); ok || r.Drain(make([]CQE, 4)) != 0 {
				t.Fatal("the short ways find something")
			}
			for _, c := range into[:r.Drain32(into)] {
				check(c.CQE)
			}
		case 2:
			into := make([]CQE, 4)
			n := r.Peek(into)
			for _, c := range into[:n] {
				check(c)
			}
			r.Advance(n)
		default:
			for c := range r.CQEs() {
				check(c)
			}
		}
		if next != first+3 {
			t.Fatalf("turn %d: took %d of 3", turn, next-first)
		}
	}
}

// testMemory has rings in memory of the caller's: of pages, of a huge page if there is one, and without a descriptor.
func testMemory(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		huge bool
	}{
		{"pages", Config{}, false}, {"large entries", Config{With: SetupSQE128 | SetupCQE32}, false},
		{"array", Config{Without: SetupNoSQArray}, false},
		{"huge page", Config{}, true}, {"index only", Config{With: SetupRegisteredFDOnly}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			const entries = 64
			size, err := MemorySize(entries, &c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			flags := unix.MAP_ANONYMOUS | unix.MAP_PRIVATE
			if c.huge {
				size, flags = 2<<20, flags|unix.MAP_HUGETLB
			}
			mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, flags)
			if err != nil {
				t.Skip("no such memory: ", err)
			}
			t.Cleanup(func() { unix.Munmap(mem) })
			c.cfg.Memory = mem
			fds, maps := openFDs(t), ringMappings(t)
			r := openWith(t, entries, c.cfg, "6.10")
			if n := ringMappings(t); n != maps {
				t.Errorf("%d mappings of rings, %d before", n, maps)
			}
			only := c.cfg.With&SetupRegisteredFDOnly != 0
			if only && (r.FD() != -1 || openFDs(t) != fds || !r.RingFD()) {
				t.Errorf("FD %d, %d descriptors, %d before", r.FD(), openFDs(t), fds)
			}
			for range 3 {
				for r.SQSpace() > 0 {
					r.SQE().PrepNop()
				}
				if n, err := r.Wait(entries, waitMax); n != entries || err != nil {
					t.Fatal(n, err)
				}
				if n := r.Drain(make([]CQE, 2*entries)); n != entries {
					t.Fatalf("%d CQEs", n)
				}
			}
			if _, err := r.ProbeOps(); err != nil {
				t.Error(err)
			}
			if err := r.Resize(8, 0); err == nil {
				t.Error("Resize: no error")
			}
			c.cfg.Memory = mem[:size-os.Getpagesize()]
			if !c.huge {
				if _, err := Open(entries, &c.cfg); err == nil {
					t.Error("a page too little: no error")
				}
			}
			c.cfg.Memory = mem[1:]
			if _, err := Open(entries, &c.cfg); err == nil {
				t.Error("not aligned: no error")
			}
		})
	}
	if _, err := MemorySize(0, nil); err == nil {
		t.Error("no entries: no error")
	}
	if _, err := Open(4, &Config{With: SetupNoMmap}); err == nil {
		t.Error("NO_MMAP without memory: no error")
	}
}

// TestRewind: a ring whose entries always begin at its beginning, with as many as it has and with few.
func TestRewind(t *testing.T) {
	r := openWith(t, 8, Config{With: SetupSQRewind}, "7.0")
	next, seen := uint64(0), uint64(0)
	for turn := range 100 {
		n := 1 + turn%8
		for range n {
			e := r.SQE()
			e.PrepNop()
			e.SetUserData(next)
			next++
		}
		if got, err := r.Wait(n, waitMax); got != n || err != nil || r.SQPending() != 0 || r.SQSpace() != 8 {
			t.Fatalf("turn %d: consumed %d of %d, %d are left, room for %d: %v", turn, got, n, r.SQPending(),
				r.SQSpace(), err)
		}
		for range n {
			if c := finishReady(t, r); c.UserData != seen || c.Res != 0 {
				t.Fatalf("want %d, got %+v", seen, c)
			}
			seen++
		}
	}
}

// testIOPoll reads by polling, where there is a device that can be polled.
func testIOPoll(t *testing.T) {
	for _, with := range []SetupFlags{0, SetupHybridIOPoll} {
		if with != 0 && !newerThan("6.13") {
			continue
		}
		r := openWith(t, 8, Config{IOPoll: true, With: with}, "5.1")
		a, _ := socketpair(t, unix.SOCK_STREAM)
		want(t, do(t, r, func(e *SQE) { e.PrepRecv(a, make([]byte, 1), 0) }), syscall.EINVAL)
	}
	dir := os.Getenv("TMPDIR")
	if dir == "" {
		dir = "/var/tmp"
	}
	f, err := os.CreateTemp(dir, "iopoll")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(f.Name())
	const size = 1 << 16
	if _, err := f.Write(make([]byte, size)); err != nil || f.Sync() != nil {
		t.Fatal(err)
	}
	f.Close()
	fd, err := unix.Open(f.Name(), unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("no O_DIRECT here: ", err)
	}
	closeLater(t, fd)
	for _, with := range []SetupFlags{0, SetupHybridIOPoll} {
		r, err := Open(8, &Config{IOPoll: true, With: with})
		if err != nil {
			continue // HYBRID_IOPOLL of an older kernel: said above
		}
		mem := mapped(t, size)
		for i := range 8 {
			e := r.SQE()
			e.PrepRead(fd, mem[i*4096:(i+1)*4096], int64(i*4096))
		}
		for range 8 {
			// A wait would have no time limit on such a ring.
			patience.Until(t, "a read that is polled for", func() bool {
				_, errno := r.Enter(0, true, -1)
				return r.CQReady() > 0 || errno != 0 && errno != syscall.EINTR && errno != syscall.EAGAIN
			})
			c := finishReady(t, r)
			if c.Res == -int32(syscall.EOPNOTSUPP) {
				r.Close()
				t.Skipf("the device of %s has no queue to poll (null_blk, or NVMe with nvme.poll_queues)", dir)
			}
			want(t, c, 4096)
		}
		r.Close()
	}
}

// TestConfigWith: what a ring must have is not given up, and what contradicts itself is said at once.
func TestConfigWith(t *testing.T) {
	k := &fakeKernel{refuse: func(f SetupFlags) posix.Errno {
		if f&SetupSubmitAll != 0 {
			return posix.EINVAL
		}
		return 0
	}}
	cfg := Config{With: SetupSubmitAll}
	cfg.seam.Kernel = k
	if _, err := Open(4, &cfg); !errors.Is(err, posix.EINVAL) {
		t.Errorf("want EINVAL, got %v", err)
	}
	for _, f := range k.setups {
		if f&SetupSubmitAll == 0 {
			t.Errorf("asked for %v", f)
		}
	}
	for _, cfg := range []Config{
		{With: SetupSQPoll}, {With: SetupIOPoll}, {With: SetupAttachWQ}, {With: SetupDeferTaskrun, AnyThread: true},
		{With: SetupClamp, Without: SetupClamp}, {SQPollCPU: -1},
	} {
		if _, err := Open(4, &cfg); err == nil {
			t.Errorf("%+v: no error", cfg)
		}
	}
}
