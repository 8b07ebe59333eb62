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

// threads records on which CPUs the process's threads may run.
//
// A thread is bound if it has called Bind; Confine does not move it. New threads inherit the CPUs of the thread that
// the runtime clones them from. The runtime never clones a thread that a goroutine has locked, as every bound one is:
// in its place it clones a thread that it keeps for that purpose (startTemplateThread in its proc.go). So new threads
// are confined if the others are.
var threads struct {
	sync.RWMutex
	bound map[int][]int // by thread: the CPUs that it could use before Bind
	from  []int         // while the process is confined, the CPUs that it could use before; otherwise nil
	to    []int         // the CPUs that it is confined to
	own   map[int]bool  // threads that had exactly the CPUs of to before: the program itself has bound them
}

// CPUs lists the processors that this process may use, including those that Confine keeps it from.
func CPUs() ([]int, error) {
	threads.RLock()
	defer threads.RUnlock()
	return cpus()
}

// cpus is CPUs for callers that hold the lock. The calling thread may be bound. L.
func cpus() ([]int, error) {
	if threads.from != nil {
		return slices.Clone(threads.from), nil
	}
	if before := threads.bound[int(sys.Gettid())]; before != nil {
		return slices.Clone(before), nil
	}
	return sys.CPUs(0)
}

// Bind binds the calling thread, which its goroutine must have locked, to processors until the thread ends. The caller
// calls release when the thread is about to end.
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

// Confine restricts all threads of the process that are not bound, and all new ones, to the processors in to, until
// undo is called. Threads that the program itself has bound keep their processors. Confine fails with EBUSY while
// another Confine is in force.
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

// release undoes a Confine. L.
func release() error {
	from, to := threads.from, threads.to
	threads.from, threads.to = nil, nil
	return move(to, from)
}

// move moves all threads whose processors are exactly those in from to the processors in to. It repeats the search
// until it finds no more: a thread that is not moved yet may clone another meanwhile. Threads of the kernel that serve
// a ring stay where they are. L.
func move(from, to []int) (err error) {
	moved := map[int]bool{} // without it, move would never end if a smaller cpuset keeps a thread on from
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

// eachUnbound calls f for each thread that is not bound and may use exactly these processors. L.
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

// servesRing reports whether a thread is one of the kernel's for the work of a ring, which can't be moved, or is gone.
func servesRing(tid int) bool {
	name, err := os.ReadFile(filepath.Join(taskDir, strconv.Itoa(tid), "comm"))
	return err != nil || strings.HasPrefix(string(name), "iou-")
}

const taskDir = "/proc/self/task"

// Unconfined runs f on a thread that is not confined, so that a process that f starts, which inherits the processors of
// the thread, may use all that this process could. If the program itself has bound the calling thread, f runs on that
// as it is.
func Unconfined(f func() error) error {
	threads.RLock() // no Confine, and no undo, comes between here and the end of f
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
