//go:build linux

package soft

import (
	"fmt"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"ringo/internal/driver"
	"ringo/internal/poller"
	"ringo/internal/posix"
	"ringo/internal/sys"
	"ringo/internal/test/drivertest"
	"ringo/internal/test/kqueuetest"
	"ringo/internal/test/testmain"
	"ringo/internal/test/uringtest"
)

type maker = func(without []string) (poller.Poller, error)

// makers are the pollers by their names.
var makers = map[string]maker{
	"epoll":  poller.OpenEpoll,
	"poll":   poller.OpenPoll,
	"select": poller.OpenSelect,

	"kqueue, as of Darwin": openShim(sys.KqueueTraits{Receipts: true, Urgent: true}, kqueuetest.Oddities{ETIMEDOUT: 7}),
	"kqueue, as of NetBSD": openShim(sys.KqueueTraits{}, kqueuetest.Oddities{DeadPipe: true, PipeRead: true}),
	"kqueue at its worst": openShim(sys.KqueueTraits{Receipts: true},
		kqueuetest.Oddities{EINTR: 5, ETIMEDOUT: 7, Spurious: 3, PipeRead: true}),

	"uring-poll":          openRing,
	"uring-poll, oneshot": without(openRing, "multishot_poll"),
}

func openRing(without []string) (poller.Poller, error) { return poller.OpenRing(64, without) }

// openShim gives the poller for kqueues on what stands for one.
func openShim(has sys.KqueueTraits, odds kqueuetest.Oddities) maker {
	return func([]string) (poller.Poller, error) {
		q, res := kqueuetest.New(has, odds)
		if res < 0 {
			return nil, os.NewSyscallError("epoll_create1", posix.Of(res))
		}
		return poller.KqueueOn(q)
	}
}

func without(mk maker, features ...string) maker {
	return func(more []string) (poller.Poller, error) { return mk(append(more, features...)) }
}

// kqueues are those of the makers. Without -long one of them has its turn each day.
var kqueues = []string{"kqueue, as of Darwin", "kqueue, as of NetBSD", "kqueue at its worst"}

var levelTriggered = map[string]bool{"poll": true, "select": true, "uring-poll, oneshot": true}

// excused says why a driver need not pass a case.
func excused(d *engine, test string) (reason string) {
	name := path.Base(test)
	if name == "five_thousand_descriptors" && d.bound < 5000 {
		reason = fmt.Sprintf("%s watches descriptors below %d only", d.p.Name(), d.bound)
	}
	if name == "a_peer_that_is_gone" && d.p.Name() == "kqueue" {
		reason = "kqueue tells a hang-up as the end of what comes: the other half may be one's own shutdown"
	}
	if strings.Contains(test, "at_its_worst/poll/room_to_write") || strings.Contains(test, "at_its_worst/alloc/poll") {
		reason = "who waits for readiness alone is told of events that nothing has happened for"
	}
	return reason
}

func opener(mk maker, without ...string) drivertest.Open {
	return func(t *testing.T, cfg driver.Config) driver.Driver {
		t.Helper()
		cfg.Without = without
		d, err := open(cfg, "soft", mk)
		if uringtest.Refused(err) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if reason := excused(d.(*engine), t.Name()); reason != "" {
			d.Close(new(driver.Queue))
			t.Skip(reason)
		}
		return d
	}
}

func TestContract(t *testing.T) {
	t.Run("epoll", func(t *testing.T) { drivertest.Run(t, opener(poller.OpenEpoll)) })
	t.Run("poll", func(t *testing.T) { drivertest.Run(t, opener(poller.OpenPoll)) })
	t.Run("select", func(t *testing.T) { drivertest.Run(t, opener(poller.OpenSelect)) })
	for i, name := range kqueues {
		if testmain.Long() || i == time.Now().YearDay()%len(kqueues) { // which differ in little
			t.Run(name, func(t *testing.T) { drivertest.Run(t, opener(makers[name])) })
		}
	}
	t.Run("uring-poll", func(t *testing.T) { drivertest.Run(t, opener(openRing)) })
}

// TestContractWithout takes away what older kernels lack.
func TestContractWithout(t *testing.T) {
	testmain.NeedLong(t, "the whole contract as on older kernels; .ci/kernels boots some")
	t.Run("epoll without pwait2", func(t *testing.T) { drivertest.Run(t, opener(poller.OpenEpoll, "epoll_pwait2")) })
	t.Run("uring-poll as on 5.1", func(t *testing.T) { drivertest.Run(t, opener(openRing, "kernel=5.1")) })
}
