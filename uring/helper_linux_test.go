//go:build linux

package uring

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/test/patience"
)

// waitMax bounds each wait for something that should come at once.
var waitMax = patience.Max

// endless is a time limit of waits that something else has to end, under patience.Within.
const endless = 24 * time.Hour

// need skips the test where io_uring is refused or a check failed on a kernel too old for it. That a kernel new enough
// fails a check is an error, and so is a check that fails for another reason.
func need(t testing.TB, checks ...string) {
	t.Helper()
	r, err := probed()
	if err != nil {
		t.Fatal(err)
	}
	if why := unfit(r); why != "" {
		t.Skip(why)
	}
	err = r.Require(checks...)
	if err == nil {
		return
	}
	var f *FeatureError
	if !errors.As(err, &f) || newerThan(f.Since) {
		t.Fatalf("%s should have it: %v", r.System, err)
	}
	t.Skip(err)
}

// needOp is need for an opcode that the kernel has since a release.
func needOp(t testing.TB, o Op, since string) {
	t.Helper()
	need(t)
	r, err := probed()
	if err != nil {
		t.Fatal(err)
	}
	if r.Ops.Has(o) {
		return
	}
	if newerThan(since) {
		t.Fatalf("%s should have %v", r.System, o)
	}
	t.Skip(&FeatureError{o.String(), since})
}

// newerThan says whether the running kernel is at least of this release.
func newerThan(since string) bool {
	var uts unix.Utsname
	if unix.Uname(&uts) != nil {
		return false
	}
	var have, want [2]int
	fmt.Sscanf(unix.ByteSliceToString(uts.Release[:]), "%d.%d", &have[0], &have[1])
	fmt.Sscanf(since, "%d.%d", &want[0], &want[1])
	return have[0] > want[0] || have[0] == want[0] && have[1] >= want[1]
}

// open opens a ring on this test's thread and closes it at the test's end.
func open(t testing.TB, entries int, cfg *Config) *Ring {
	t.Helper()
	need(t)
	lockThread(t)
	r, err := Open(entries, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error("Close:", err)
		}
	})
	return r
}

// enter waits for completions in a loop, which goes on if the wait ends early, and not where it would never end: on
// another thread than the ring's, to begin with.
func enter(t testing.TB, r *Ring, min uint32) {
	switch _, errno := r.Enter(min, true, -1); errno {
	case 0, syscall.EINTR, syscall.EAGAIN, syscall.EBUSY:
	default:
		t.Helper()
		t.Fatal("Enter: ", errno)
	}
}

// uninterrupted waits once more if a signal has ended the wait before anything was consumed: the scheduler sends some.
func uninterrupted(wait func() (int, syscall.Errno)) (n int, errno syscall.Errno) {
	for errno = syscall.EINTR; errno == syscall.EINTR && n == 0; {
		n, errno = wait()
	}
	return n, errno
}

// enterFor is the EnterFor of a test that knows how the wait ends.
func enterFor(r *Ring, min uint32, w Wait) syscall.Errno {
	_, errno := uninterrupted(func() (int, syscall.Errno) { return r.EnterFor(min, &w) })
	return errno
}

// lockThread keeps the test on its thread.
func lockThread(t testing.TB) {
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
}

// lockForever is for a goroutine whose thread is to end with it.
func lockForever() { runtime.LockOSThread() }

// onNewThread runs a test on a thread that did not exist before, on which no test has left anything. It tries threads
// until one is new, and holds the others meanwhile. What is to end on that thread the test ends itself: t.Cleanup is
// elsewhere.
func onNewThread(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	old := map[int]bool{}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range tasks {
		tid, _ := strconv.Atoi(e.Name())
		old[tid] = true
	}
	ended := make(chan struct{})
	defer close(ended)
	for range len(old) + 1 {
		found := make(chan bool)
		go func() {
			lockForever()
			if old[unix.Gettid()] {
				found <- false
				<-ended
				return
			}
			defer close(found)
			defer func() { found <- true }() // also if the test ends itself
			test(t)
		}()
		if <-found {
			return
		}
	}
	t.Fatalf("none of %d threads is new", len(old)+1)
}

// A geometry is one kind of ring. What the kernel guarantees it must guarantee on each.
type geometry struct {
	name    string
	entries int
	cfg     Config
}

const deferral = SetupDeferTaskrun | SetupSingleIssuer

var geometries = []geometry{
	{"default", 64, Config{}},
	{"two entries", 2, Config{CQEntries: 2}},
	{"coop", 64, Config{Without: deferral}},
	{"bare", 64, Config{Without: ^SetupFlags(0), WithoutRingFD: true}},
	{"array", 64, Config{Without: SetupNoSQArray, WithoutFeatures: FeatSingleMmap}},
	{"any thread", 64, Config{AnyThread: true}},
	{"sqpoll", 64, Config{SQPoll: true, SQPollIdle: time.Millisecond}},
}

// eachGeometry runs a test on every kind of ring.
func eachGeometry(t *testing.T, test func(t *testing.T, r *Ring)) {
	for _, g := range geometries {
		t.Run(g.name, func(t *testing.T) { test(t, open(t, g.entries, &g.cfg)) })
	}
}

var lastTag atomic.Uint64

// start submits one entry and returns the user data that its CQEs will have.
func start(t testing.TB, r *Ring, prep func(e *SQE)) uint64 {
	t.Helper()
	tag := lastTag.Add(1)
	e := r.SQE()
	if e == nil {
		t.Fatalf("no free SQE, %d pending", r.SQPending())
	}
	prep(e)
	e.SetUserData(tag)
	n, err := r.Submit()
	if err == nil && n == 0 && r.Flags()&SetupSQPoll != 0 { // the kernel's thread consumes when it gets to run
		patience.UntilBy(t, "an entry is consumed", runtime.Gosched, func() bool {
			n, err = r.Submit()
			return n != 0 || err != nil
		})
	}
	if n != 1 || err != nil {
		t.Fatalf("submitted 1 SQE, the kernel consumed %d, %v", n, err)
	}
	return tag
}

// finish waits for a CQE, the next one, which must have this user data.
func finish(t testing.TB, r *Ring, tag uint64) CQE {
	t.Helper()
	if _, err := r.Wait(1, waitMax); err != nil {
		t.Fatal("Wait:", err)
	}
	c, ok := r.CQE()
	if !ok || c.UserData != tag {
		t.Fatalf("want the CQE of %d, got %+v, %v", tag, c, ok)
	}
	return c
}

// kept is what entries alone refer to, whose memory the garbage collector does not look into: a thread of the kernel's
// that polls may read it long after the entry was submitted.
var kept struct {
	sync.Mutex
	all [][]byte
}

// lend keeps p for the kernel.
func lend(p []byte) []byte {
	kept.Lock()
	defer kept.Unlock()
	kept.all = append(kept.all, p)
	return p
}

// do runs one entry to its only CQE, and keeps what prep has.
func do(t testing.TB, r *Ring, prep func(e *SQE)) CQE {
	t.Helper()
	defer runtime.KeepAlive(prep)
	c := finish(t, r, start(t, r, prep))
	for c.Res == -int32(syscall.EINTR) { // a signal of the scheduler's has ended it before anything was done
		c = finish(t, r, start(t, r, prep))
	}
	if c.More() {
		t.Fatalf("%+v: more to come", c)
	}
	return c
}

// startAll submits entries together and returns the user data of each.
func startAll(t testing.TB, r *Ring, preps ...func(e *SQE)) []uint64 {
	t.Helper()
	var tags []uint64
	for _, prep := range preps {
		e := r.SQE()
		if e == nil {
			t.Fatalf("no free SQE, %d pending", r.SQPending())
		}
		prep(e)
		tags = append(tags, lastTag.Add(1))
		e.SetUserData(tags[len(tags)-1])
	}
	consumed := 0
	patience.UntilBy(t, "entries are consumed", runtime.Gosched, func() bool {
		n, err := r.Submit()
		if consumed += n; err != nil {
			t.Fatal("Submit:", err)
		}
		return consumed >= len(preps)
	})
	if r.SQPending() != 0 {
		t.Fatalf("submitted %d SQEs, %d are left", len(preps), r.SQPending())
	}
	return tags
}

// finishAll waits for one CQE of each, in any order, and returns them in that of the tags.
func finishAll(t testing.TB, r *Ring, tags ...uint64) []CQE {
	t.Helper()
	got := make([]CQE, len(tags))
	for range tags {
		if _, err := r.Wait(1, waitMax); err != nil {
			t.Fatal("Wait:", err)
		}
		c, ok := r.CQE()
		i := slices.Index(tags, c.UserData)
		if !ok || i < 0 || got[i].UserData != 0 {
			t.Fatalf("want a CQE each of %v, got %+v, %v", tags, c, ok)
		}
		got[i] = c
	}
	return got
}

// needFlag skips the test if the kernel is too old for a flag of an op, as EINVAL in its CQE says.
func needFlag(t testing.TB, c CQE, name, since string) CQE {
	t.Helper()
	if c.Res == -int32(syscall.EINVAL) && !newerThan(since) {
		t.Skip(&FeatureError{name, since})
	}
	return c
}

// table gives the ring a table of so many empty places for files.
func table(t testing.TB, r *Ring, n int) {
	t.Helper()
	fds := make([]int, n)
	for i := range fds {
		fds[i] = -1
	}
	if err := r.RegisterFiles(fds); err != nil {
		t.Fatal(err)
	}
}

// want fails the test unless the result is this one; errors are given as an Errno.
func want(t testing.TB, c CQE, res any) {
	t.Helper()
	var n int32
	switch res := res.(type) {
	case int:
		n = int32(res)
	case syscall.Errno:
		n = -int32(res)
	}
	if c.Res != n {
		t.Fatalf("result: want %v, got %s", res, result(c.Res))
	}
}

func result(res int32) string {
	if res < 0 {
		return syscall.Errno(-res).Error()
	}
	return fmt.Sprint(res)
}

// fdOf takes a result that is a descriptor and closes it at the test's end.
func fdOf(t testing.TB, c CQE) int {
	t.Helper()
	if c.Res < 0 {
		t.Fatal(result(c.Res))
	}
	closeLater(t, int(c.Res))
	return int(c.Res)
}

func closeLater(t testing.TB, fds ...int) {
	t.Cleanup(func() {
		for _, fd := range fds {
			syscall.Close(fd)
		}
	})
}

func socketpair(t testing.TB, typ int) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, fds[0], fds[1])
	return fds[0], fds[1]
}

func eventfd(t testing.TB) int {
	t.Helper()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, fd)
	return fd
}

func write(t testing.TB, fd int, text string) {
	t.Helper()
	if _, err := unix.Write(fd, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func signalEventfd(t testing.TB, fd int) { write(t, fd, "\x01\x00\x00\x00\x00\x00\x00\x00") }

// openFDs is the number of open descriptors.
func openFDs(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// ringMappings is how many parts of rings are mapped.
func ringMappings(t testing.TB) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(maps), "anon_inode:[io_uring]")
}
