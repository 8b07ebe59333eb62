//go:build linux

package soft

import (
	"fmt"
	"path"
	"testing"

	"ringo/internal/driver"
	"ringo/internal/poller"
	"ringo/internal/test/drivertest"
	"ringo/internal/test/testmain"
	"ringo/internal/test/uringtest"
)

type maker = func(without []string) (poller.Poller, error)

// makers are the pollers by their names.
var makers = map[string]maker{
	"epoll":  poller.OpenEpoll,
	"poll":   poller.OpenPoll,
	"select": poller.OpenSelect,

	"uring-poll":          openRing,
	"uring-poll, oneshot": without(openRing, "multishot_poll"),
}

func openRing(without []string) (poller.Poller, error) { return poller.OpenRing(64, without) }

func without(mk maker, features ...string) maker {
	return func(more []string) (poller.Poller, error) { return mk(append(more, features...)) }
}

var levelTriggered = map[string]bool{"poll": true, "select": true, "uring-poll, oneshot": true}

// excused says why a driver need not pass a case.
func excused(d *engine, name string) (reason string) {
	if name == "five_thousand_descriptors" && d.bound < 5000 {
		reason = fmt.Sprintf("%s watches descriptors below %d only", d.p.Name(), d.bound)
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
		if reason := excused(d.(*engine), path.Base(t.Name())); reason != "" {
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
	t.Run("uring-poll", func(t *testing.T) { drivertest.Run(t, opener(openRing)) })
}

// TestContractWithout takes away what older kernels lack.
func TestContractWithout(t *testing.T) {
	testmain.NeedLong(t, "the whole contract as on older kernels; .ci/kernels boots some")
	t.Run("epoll without pwait2", func(t *testing.T) { drivertest.Run(t, opener(poller.OpenEpoll, "epoll_pwait2")) })
	t.Run("uring-poll as on 5.1", func(t *testing.T) { drivertest.Run(t, opener(openRing, "kernel=5.1")) })
}
