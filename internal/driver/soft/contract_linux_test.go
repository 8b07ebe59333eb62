//go:build linux

package soft

import (
	"path"
	"strings"
	"testing"

	"ringo/internal/driver"
	"ringo/internal/driver/drivertest"
	"ringo/internal/poller"
)

// levelOnly are the cases that a level-triggered poller can't meet: it can't see
// an edge, so each completion of a multishot Poll is its last.
var levelOnly = map[string]string{
	"beside_a_receive":          noEdge,
	"multishot_at_each_arrival": noEdge,
	"multishot_is_no_level":     noEdge,
}

const noEdge = "a level-triggered poller ends a multishot Poll with each completion"

func opener(mk func([]string) (poller.Poller, error), without ...string) drivertest.Open {
	return func(t *testing.T, cfg driver.Config) driver.Driver {
		t.Helper()
		cfg.Without = without
		if reason := levelOnly[path.Base(t.Name())]; reason != "" && strings.Contains(t.Name(), "/level-triggered/") {
			t.Skip(reason)
		}
		d, err := open(cfg, "epoll", mk)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
}

func TestContract(t *testing.T) {
	t.Run("epoll", func(t *testing.T) { drivertest.Run(t, opener(poller.OpenEpoll)) })
	t.Run("epoll without pwait2", func(t *testing.T) { drivertest.Run(t, opener(poller.OpenEpoll, "epoll_pwait2")) })
	t.Run("level-triggered", func(t *testing.T) { drivertest.Run(t, opener(openLevel)) })
}
