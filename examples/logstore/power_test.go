package logstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"ringo/internal/test/testmain"
)

var small = &Config{Batch: block}

// history is what the callers of a store know of its log.
type history struct {
	t     testing.TB
	what  string   // for messages
	tried []string // keys, in the order in which they came to the log
	acked map[string]bool
	found []string // by the last recovery, in order
	s     *Store
}

func newHistory(t testing.TB, what string) *history {
	return &history{t: t, what: what, acked: map[string]bool{}}
}

// valueOf makes a record's value from its key. Some look like records, and some are long.
func valueOf(key string) []byte {
	n, _ := strconv.Atoi(key)
	switch n % 4 {
	case 0:
		return nil
	case 1:
		return place(encode(nil, key, []byte("a record in a record")), 0, int64(n), 0)
	case 2:
		return []byte(strings.Repeat(key+" ", 200))
	}
	return []byte("value of " + key)
}

// open recovers and checks what was found. Without ok, opening may fail of EIO, and gives false then.
func (h *history) open(d *disk, must bool) bool {
	h.t.Helper()
	s, err := OpenFS(d, small)
	if err != nil {
		if must || !errors.Is(err, syscall.EIO) && !errors.Is(err, errDead) {
			h.t.Fatalf("%s: Open: %v", h.what, err)
		}
		if d.open != 0 {
			h.t.Fatalf("%s: Open failed and left %d files open", h.what, d.open)
		}
		return false
	}
	h.s = s
	fault, calls := d.fault, d.calls
	d.fault = nil // what is looked at here is no part of the run
	h.check()
	d.fault, d.calls = fault, calls
	return true
}

// check compares the records that there are with those that may be: a begin of what was tried, with all that was
// acknowledged, and with all that an earlier recovery has shown.
func (h *history) check() {
	h.t.Helper()
	got := slices.SortedFunc(maps.Keys(h.s.index), func(a, b string) int {
		return int(h.s.index[a].at - h.s.index[b].at)
	})
	if len(got) > len(h.tried) || !slices.Equal(got, h.tried[:len(got)]) {
		h.t.Fatalf("%s: the log has %q, which is no begin of what was appended: %q", h.what, got, h.tried)
	}
	for _, key := range h.tried {
		if h.acked[key] && !slices.Contains(got, key) {
			h.t.Fatalf("%s: %q was acknowledged, and is lost; the log has %q", h.what, key, got)
		}
	}
	if len(got) < len(h.found) {
		h.t.Fatalf("%s: recovery found %q, and found %q before", h.what, got, h.found)
	}
	for _, key := range got {
		if v, err := h.s.Get(key); err != nil || string(v) != string(valueOf(key)) {
			h.t.Fatalf("%s: Get(%q) = %q, %v; want %q", h.what, key, v, err, valueOf(key))
		}
	}
	h.found, h.tried = got, h.tried[:len(got)]
}

// wave appends one record, and while that is being written n more, which make a batch: the same one in each run.
func (h *history) wave(d *disk, n int) (err error) {
	h.t.Helper()
	writing, goOn := make(chan struct{}, 1), make(chan struct{})
	next := d.fault
	d.mu.Lock()
	d.fault = func(c call) deed {
		if c.kind == "write" && c.name == "log" {
			select {
			case writing <- struct{}{}:
			default:
			}
			<-goOn
		}
		if next == nil {
			return proceed
		}
		return next(c)
	}
	d.mu.Unlock()
	ended := make(chan error, n+1)
	h.append(ended)
	select {
	case <-writing:
	case err := <-ended:
		ended <- err
	}
	for i := range n {
		h.append(ended)
		for waiting := 0; waiting <= i; runtime.Gosched() {
			h.s.mu.Lock()
			waiting = len(h.s.queue)
			if h.s.err != nil {
				waiting = n
			}
			h.s.mu.Unlock()
		}
	}
	close(goOn)
	for range n + 1 {
		err = errors.Join(err, <-ended)
	}
	d.mu.Lock()
	d.fault = next
	d.mu.Unlock()
	return err
}

// append starts an Append. Those acknowledged are known when all that a wave began have sent their error.
func (h *history) append(ended chan<- error) {
	key := fmt.Sprint(len(h.tried))
	h.tried = append(h.tried, key)
	go func() {
		_, err := h.s.Append(context.Background(), key, valueOf(key))
		if err == nil {
			h.s.mu.Lock() // guards acked too
			h.acked[key] = true
			h.s.mu.Unlock()
		}
		ended <- err
	}()
}

// waves are the batches of the script.
var waves = []int{0, 3, 1, 5, 0, 2, 4}

// script runs the script on a disk that may fail, and reports the error that ended it.
func (h *history) script(d *disk) error {
	if !h.open(d, false) {
		return errDead
	}
	for _, n := range waves {
		if err := h.wave(d, n); err != nil {
			h.poisoned(d, err)
			h.s.Close()
			return err
		}
	}
	if err := h.s.Close(); err != nil {
		h.t.Fatalf("%s: Close after a script without an error: %v", h.what, err)
	}
	return nil
}

// poisoned checks that a store which has failed stays so, and leaves the disk alone.
func (h *history) poisoned(d *disk, why error) {
	h.t.Helper()
	before := d.count()
	_, appended := h.s.Append(context.Background(), "late", nil)
	_, got := h.s.Get(h.tried[0])
	closed := h.s.Close()
	for _, err := range []error{appended, got, closed} {
		if err == nil || !strings.Contains(why.Error(), err.Error()) || !errors.Is(err, syscall.EIO) &&
			!errors.Is(err, errDead) {
			h.t.Fatalf("%s: a call after the failure gave %v; want it to give the failure: %v", h.what, err, why)
		}
	}
	if n := d.count(); n != before {
		h.t.Fatalf("%s: %d calls were made after the failure", h.what, n-before)
	}
}

// goOn recovers on what is left of a disk, twice, and appends.
func (h *history) goOn(d *disk) {
	h.t.Helper()
	h.open(d, true)
	if err := h.wave(d, 2); err != nil {
		h.t.Fatalf("%s: after the recovery: %v", h.what, err)
	}
	if err := h.s.Close(); err != nil {
		h.t.Fatalf("%s: Close after the recovery: %v", h.what, err)
	}
	again := d.after(nothing, rand.New(rand.NewPCG(1, 1)))
	h.open(again, true)
	h.s.Close()
}

// at does something to the nth call.
func at(n int, what deed) func(call) deed {
	return func(c call) deed {
		if c.n == n {
			return what
		}
		return proceed
	}
}

// The power goes off before each call of a script, and of the recovery that follows.
func TestPowerCuts(t *testing.T) {
	cuts := 0
	for n, over := 1, false; !over; n++ {
		for l := range losses {
			for seed := range uint64(1 + 7*(l/anything)) {
				random := rand.New(rand.NewPCG(uint64(n), seed))
				h := newHistory(t, fmt.Sprintf("cut before call %d, %v, seed %d", n, l, seed))
				d := newDisk()
				d.fault = at(n, cut)
				over = h.script(d) == nil
				h.goOn(d.after(l, random))
				cuts++
			}
		}
	}
	t.Log(cuts, "power cuts")
}

// The same while recovering from the worst that a cut can leave.
func TestPowerCutsInRecovery(t *testing.T) {
	testmain.NeedLong(t, "a power cut at each call; TestPowerCuts has those outside of recovery")
	cuts := 0
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 2))
		h := newHistory(t, fmt.Sprintf("seed %d", seed))
		d := newDisk()
		d.fault = at(40+int(seed), cut)
		h.script(d)
		left := d.after(anything, random)
		for n, over := 1, false; !over; n++ {
			again := *h
			again.acked = maps.Clone(h.acked)
			again.what = fmt.Sprintf("seed %d, cut before call %d of the recovery", seed, n)
			d := left.after(all, random)
			d.fault = at(n, cut)
			over = again.open(d, false)
			if over {
				again.s.Close()
			}
			again.goOn(d.after(loss(n)%losses, random))
			cuts++
		}
	}
	t.Log(cuts, "power cuts")
}

// Each call of the script fails, with and without effect. The store says so from then on and touches nothing. Then it
// is opened again, in the same system, and what it finds then a power cut does not take away.
func TestFaults(t *testing.T) {
	faults := 0
	for _, what := range []deed{fail, half} {
		for n, over := 1, false; !over; n++ {
			random := rand.New(rand.NewPCG(uint64(n), 3))
			for l := range losses {
				h := newHistory(t, fmt.Sprintf("call %d fails (%d), then %v", n, what, l))
				d := newDisk()
				d.fault = at(n, what)
				err := h.script(d)
				over = err == nil && d.count() < n
				if err != nil && !errors.Is(err, syscall.EIO) && !errors.Is(err, errDead) {
					t.Fatalf("%s: the error is %v", h.what, err)
				}
				if d.open != 0 {
					t.Fatalf("%s: %d files are open at the end", h.what, d.open)
				}
				d.fault = nil
				h.open(d, true)
				h.s.Close()
				h.goOn(d.after(l, random))
				faults++
			}
		}
	}
	t.Log(faults, "faults")
}

// A sync that failed is not tried again, though the next one would succeed: that one would cover nothing.
func TestSyncIsNotRepeated(t *testing.T) {
	h := newHistory(t, "a failed sync")
	d := newDisk()
	h.open(d, true)
	if err := h.wave(d, 1); err != nil {
		t.Fatal(err)
	}
	syncs := 0
	d.fault = func(c call) deed {
		if c.kind != "sync" {
			return proceed
		}
		if syncs++; syncs == 1 {
			return fail
		}
		return proceed
	}
	err := h.wave(d, 3)
	if !errors.Is(err, syscall.EIO) {
		t.Errorf("a record whose sync failed was acknowledged: %v", err)
	}
	h.poisoned(d, err)
	if syncs != 1 {
		t.Errorf("%d syncs, want the one that failed", syncs)
	}
	h.goOn(d.after(nothing, rand.New(rand.NewPCG(1, 1))))
}

// Random waves and faults through several lives of a log.
func TestRandomWeather(t *testing.T) {
	for seed := range uint64(150) {
		random := rand.New(rand.NewPCG(seed, 4))
		h := newHistory(t, fmt.Sprintf("seed %d", seed))
		d := newDisk()
		for range 1 + random.IntN(5) {
			n, what := d.count()+1+random.IntN(60), []deed{fail, half, cut}[random.IntN(3)]
			d.fault = at(n, what)
			if h.open(d, false) {
				for err := error(nil); err == nil && d.count() < n; {
					err = h.wave(d, random.IntN(6))
				}
				h.s.Close()
			}
			d.fault = nil
			if d.dead || random.IntN(2) == 0 {
				d = d.after(loss(random.IntN(int(losses))), random)
			}
		}
		h.goOn(d)
	}
}
