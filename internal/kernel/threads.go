package kernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"ringo/internal/posix"
	"ringo/internal/sys"
)

// threads is what is known of where the process's threads may run.
//
// A thread is bound if Bind has been asked for it, and then Confine does not move it. The runtime clones new threads
// from others with their places, except from one that a goroutine has locked, as it has one that is bound: there a
// thread that it keeps for that purpose is cloned (startTemplateThread in its proc.go). So what is confined stays so,
// whatever threads come.
var threads struct {
	sync.RWMutex
	bound map[int][]int // where each might run before
	from  []int         // where the process may run, while it is confined; nil: it is not
	to    []int         // where it is confined to
	own   map[int]bool  // those that the program itself has bound to just that
}

// CPUs lists the processors that this process may use, whether or not it is confined to fewer.
func CPUs() ([]int, error) {
	threads.RLock()
	defer threads.RUnlock()
	return cpus()
}

// cpus is CPUs, also for a caller whose thread is bound. L.
func cpus() ([]int, error) {
	if threads.from != nil {
		return slices.Clone(threads.from), nil
	}
	if before := threads.bound[int(sys.Gettid())]; before != nil {
		return slices.Clone(before), nil
	}
	return sys.CPUs(0)
}

// Bind binds the calling thread, which its goroutine has locked, to processors, until it ends. release says that it
// is about to.
func Bind(to []int) (release func(), err error) {
	tid := int(sys.Gettid())
	threads.Lock()
	defer threads.Unlock()
	before, err := cpus()
	if err != nil {
		return nil, fmt.Errorf("sched_getaffinity: %w", err)
	}
	if err := sys.SetCPUs(0, to); err != nil {
		return nil, fmt.Errorf("sched_setaffinity: %w", err)
	}
	if threads.bound == nil {
		threads.bound = map[int][]int{}
	}
	threads.bound[tid] = before
	return func() {
		threads.Lock()
		defer threads.Unlock()
		delete(threads.bound, tid)
	}, nil
}

// Confine keeps all threads of the process that are not bound, and those that are still to come, to some processors
// until undo. Threads that the program itself has bound stay where they are, before and after. It fails with EBUSY
// while another is in force.
func Confine(to []int) (undo func() error, err error) {
	threads.Lock()
	defer threads.Unlock()
	if threads.from != nil {
		return nil, fmt.Errorf("the process's threads are kept to the CPUs of another Run: %w", posix.EBUSY)
	}
	from, err := cpus()
	if err != nil {
		return nil, err
	}
	to = slices.Sorted(slices.Values(to)) // as the kernel lists them
	threads.from, threads.to, threads.own = from, to, map[int]bool{}
	err = eachUnbound(func(tid int) { threads.own[tid] = true }, to)
	if err == nil {
		err = move(from, to)
	}
	if err != nil {
		return nil, errors.Join(err, release())
	}
	return func() error {
		threads.Lock()
		defer threads.Unlock()
		return release()
	}, nil
}

// release ends what Confine began. L.
func release() error {
	from, to := threads.from, threads.to
	threads.from, threads.to = nil, nil
	return move(to, from)
}

// move moves all threads that are at a place, and goes on until there is none: one that is not moved yet may clone
// another meanwhile. A kernel's thread that serves a ring stays where the kernel has put it. L.
func move(from, to []int) (err error) {
	moved := map[int]bool{} // or one that a smaller cpuset keeps there would be moved for ever
	for again := true; again && err == nil; {
		again = false
		wrong := eachUnbound(func(tid int) {
			if threads.own[tid] || moved[tid] {
				return
			}
			switch fault := sys.SetCPUs(tid, to); {
			case fault == nil:
				moved[tid], again = true, true
			case !errors.Is(fault, posix.ESRCH) && !servesRing(tid):
				err = fmt.Errorf("sched_setaffinity of thread %d to CPUs %v: %w", tid, to, fault)
			}
		}, from)
		err = errors.Join(err, wrong)
	}
	return err
}

// eachUnbound calls f for the threads that may use these processors, no more and no fewer, and are not bound. L.
func eachUnbound(f func(tid int), cpus []int) error {
	list, err := os.ReadDir(taskDir)
	if err != nil {
		return err
	}
	for _, entry := range list {
		tid, err := strconv.Atoi(entry.Name())
		if err != nil || threads.bound[tid] != nil {
			continue
		}
		if at, err := sys.CPUs(tid); err == nil && slices.Equal(at, cpus) { // else it has ended
			f(tid)
		}
	}
	return nil
}

// servesRing reports whether a thread is the kernel's, for the work of a ring: these refuse to be moved.
func servesRing(tid int) bool {
	name, err := os.ReadFile(filepath.Join(taskDir, strconv.Itoa(tid), "comm"))
	return err != nil || strings.HasPrefix(string(name), "iou-")
}

const taskDir = "/proc/self/task"

// Unconfined runs f on a thread that is not confined: a process that f starts has its thread's place. A thread that the
// program has bound gives it that.
func Unconfined(f func() error) error {
	threads.RLock() // and what is not confined yet is not before f has ended
	defer threads.RUnlock()
	if threads.from == nil {
		return f()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	at, err := sys.CPUs(0)
	if err != nil {
		return fmt.Errorf("sched_getaffinity: %w", err)
	}
	if !slices.Equal(at, threads.to) {
		return f()
	}
	if err := sys.SetCPUs(0, threads.from); err != nil {
		return fmt.Errorf("sched_setaffinity: %w", err)
	}
	defer sys.SetCPUs(0, threads.to)
	return f()
}
