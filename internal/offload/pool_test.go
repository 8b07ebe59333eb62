package offload

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
)

// jobMax ends a hang; no test is right by it.
var jobMax = patience.Max

func closed(t *testing.T, p *Pool) {
	t.Helper()
	if left := p.Close(jobMax); left != 0 {
		t.Fatalf("%d workers are left", left)
	}
	if p.coming != 0 {
		t.Errorf("%d workers are said to be on their way", p.coming)
	}
}

func TestRunsAll(t *testing.T) {
	const max, jobs = 4, 1000
	p := New(max)
	var now, most, done atomic.Int32
	for range jobs {
		j := &Job{Run: func() {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			runtime.Gosched()
			now.Add(-1)
			done.Add(1)
		}}
		if !p.Submit(j) {
			t.Fatal("an open pool refused a job")
		}
	}
	closed(t, p)
	if done.Load() != jobs || most.Load() > max {
		t.Errorf("%d jobs ran, %d at once; want %d, at most %d", done.Load(), most.Load(), jobs, max)
	}
	if load := p.Load(); load.Running != 0 || load.Waiting != 0 {
		t.Errorf("load is %d running and %d queued in the end", load.Running, load.Waiting)
	}
}

// Short jobs that come together don't have a worker each: as long as one is on its way no other is started.
func TestWorkersComeOneByOne(t *testing.T) {
	p := New(8)
	started := 0
	work := p.work
	p.work = func() {}
	for i := range 20 {
		p.Submit(&Job{Run: func() { started++ }})
		if load := p.Load(); load.Running != 1 || load.Waiting != i+1 {
			t.Errorf("behind job %d, %d workers run and %d jobs wait", i, load.Running, load.Waiting)
		}
	}
	if _, longest := p.head, p.tail.since; longest.IsZero() || !p.head.since.IsZero() {
		t.Error("of 20 jobs for 8 workers the last one has a free worker, or the first one none")
	}
	p.mu.Lock()
	p.max = 1 // from here on, so that the jobs need no lock
	p.mu.Unlock()
	work()
	closed(t, p)
	if started != 20 {
		t.Errorf("%d jobs ran, want 20", started)
	}
}

// A job that waits holds up nobody: the pool has as many workers as it may if the jobs need them.
func TestJobsMeet(t *testing.T) {
	const max = 8
	p := New(max)
	var here atomic.Int32
	for range max {
		p.Submit(&Job{Run: func() {
			here.Add(1)
			for here.Load() < max {
				runtime.Gosched()
			}
		}})
	}
	patience.Until(t, "all jobs run at once", func() bool { return here.Load() == max })
	closed(t, p)
}

// hold occupies the only worker of p until the function it gives is called.
func hold(p *Pool) (release func()) {
	begun, gate := make(chan struct{}), make(chan struct{})
	p.Submit(&Job{Run: func() { close(begun); <-gate }})
	<-begun
	return func() { close(gate) }
}

func TestOrder(t *testing.T) {
	p := New(1)
	release := hold(p)
	var got []int // by one worker
	for i := range 10 {
		p.Submit(&Job{Run: func() { got = append(got, i) }})
	}
	if load := p.Load(); load.Running != 1 || load.Waiting != 10 {
		t.Errorf("load is %d running and %d queued, want 1 and 10", load.Running, load.Waiting)
	}
	release()
	closed(t, p)
	if !slices.IsSorted(got) || len(got) != 10 {
		t.Errorf("ran in the order %v", got)
	}
}

func TestCancel(t *testing.T) {
	for _, victim := range []int{0, 1, 2} { // head, middle, tail
		p := New(1)
		release := hold(p)
		var ran []int
		jobs := make([]*Job, 3)
		for i := range jobs {
			jobs[i] = &Job{Run: func() { ran = append(ran, i) }}
			p.Submit(jobs[i])
		}
		if !p.TryCancel(jobs[victim]) || p.TryCancel(jobs[victim]) {
			t.Fatalf("job %d: the first cancel must take it back and the second find nothing", victim)
		}
		late := &Job{Run: func() { ran = append(ran, 3) }} // the queue's end is in order
		p.Submit(late)
		release()
		closed(t, p)
		if p.TryCancel(late) {
			t.Error("a job that ran was taken back")
		}
		want := slices.DeleteFunc([]int{0, 1, 2, 3}, func(i int) bool { return i == victim })
		if !slices.Equal(ran, want) {
			t.Errorf("without job %d ran %v, want %v", victim, ran, want)
		}
	}
}

// Exactly one of cancel and worker gets a job.
func TestCancelRaces(t *testing.T) {
	p := New(2)
	var ran atomic.Int32
	taken := 0
	jobs := make([]Job, 2000)
	for i := range jobs {
		jobs[i].Run = func() { ran.Add(1) }
		p.Submit(&jobs[i])
		if i%2 == 0 && p.TryCancel(&jobs[i]) {
			taken++
		}
	}
	closed(t, p)
	if int(ran.Load())+taken != len(jobs) {
		t.Errorf("%d ran and %d were taken back, of %d", ran.Load(), taken, len(jobs))
	}
}

// A job may be submitted again from within its own Run.
func TestAgain(t *testing.T) {
	p := New(1)
	n := 0
	var all sync.WaitGroup
	all.Add(1)
	j := new(Job)
	j.Run = func() {
		if n++; n == 100 {
			all.Done()
			return
		}
		p.Submit(j)
	}
	p.Submit(j)
	all.Wait()
	closed(t, p)
}

func TestClose(t *testing.T) {
	p := New(1)
	release := hold(p)
	if left := p.Close(time.Millisecond); left != 1 {
		t.Errorf("Close left %d workers behind, want the 1 that is stuck", left)
	}
	if p.Submit(&Job{Run: func() { t.Error("a refused job ran") }}) {
		t.Error("a closed pool took a job")
	}
	release()
	closed(t, p)
	closed(t, New(1))
}

func TestMisuse(t *testing.T) {
	for name, misuse := range map[string]func(p *Pool){
		"no workers":      func(*Pool) { New(0) },
		"submitted twice": func(p *Pool) { j := &Job{Run: func() {}}; p.Submit(j); p.Submit(j) },
		"another's job": func(p *Pool) {
			j := &Job{Run: func() {}}
			p.Submit(j)
			New(1).TryCancel(j)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := New(1)
			release := hold(p)
			defer closed(t, p)
			defer release()
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			misuse(p)
		})
	}
}

func TestNoAllocs(t *testing.T) {
	p := New(1)
	done := make(chan struct{}, 1)
	j := &Job{Run: func() { done <- struct{}{} }}
	round := func() {
		p.Submit(j)
		<-done
	}
	if got := alloctest.Least(100, 0.01, round); got > 0.01 { // the runtime's own, now and then
		t.Errorf("%v allocations a job, want 0", got)
	}
	closed(t, p)
}

// A job may end its goroutine; its place in the pool is not lost.
func TestGoexit(t *testing.T) {
	p := New(2)
	done := make(chan bool)
	for i := range 10 {
		j := &Job{}
		j.Run = func() {
			defer func() { done <- true }()
			if i%2 == 0 {
				runtime.Goexit()
			}
		}
		p.Submit(j)
	}
	for range 10 {
		<-done
	}
	closed(t, p)
}
