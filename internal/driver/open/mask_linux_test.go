//go:build linux

package open

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"ringo/internal/mask"
)

// What auto takes as one rung after the other goes missing, and what it says of
// those above.
func TestMaskedLadder(t *testing.T) {
	if m, _ := mask.Env(); m != nil {
		t.Skipf("%s masks already", m)
	}
	need(t, Uring)
	for _, c := range []struct {
		mask, driver string
		says         []string
	}{
		{"", "auto", []string{"uring: io_uring works here"}},
		{"kernel=6.1", "auto", []string{"uring: ", "io_uring works here"}},
		{"kernel=6.0", "auto", []string{"epoll: ", "costs more than epoll", "DEFER_TASKRUN", "6.1"}},
		{"kernel=5.10", "auto", []string{"epoll: ", "costs more than epoll", "DEFER_TASKRUN", "6.1"}},
		{"kernel=5.10", "uring", []string{"uring: asked for"}},
		{"kernel=5.10,epoll", "auto", []string{"uring: ", "epoll: ", "RINGO_MASK"}},
		{"kernel=5.6,epoll", "auto", []string{"poll: ", "FAST_POLL"}},
		{"kernel=5.6", "auto", []string{"epoll: ", "FAST_POLL"}},
		{"io_uring", "auto", []string{"epoll: ", "io_uring_setup", "not implemented"}},
		{"io_uring,epoll", "auto", []string{"poll: ", "io_uring_setup", "epoll", "RINGO_MASK"}},
		{"io_uring,epoll,poll", "auto", []string{"select: ", "epoll", "poll"}},
		{"io_uring,epoll,poll,select", "auto", []string{"SetupError of uring", "select", "RINGO_MASK"}},
		{"epoll", "epoll", []string{"SetupError of epoll", "RINGO_MASK"}},
		{"op:async_cancel", "auto", []string{"epoll: ", "ASYNC_CANCEL"}},
		{"op:async_cancel", "uring", []string{"SetupError of uring", "ASYNC_CANCEL"}},
		{"kernel=5.6", "uring", []string{"SetupError of uring", "FAST_POLL"}},
		{"kernel=5.6", "uring-poll", []string{"uring-poll: asked for"}},
		{"extarg", "auto", []string{"error: ", "RINGO_MASK", `"extarg"`}},
		{"extarg", "epoll", []string{"error: ", "RINGO_MASK", `"extarg"`}},
	} {
		t.Run(c.mask+" "+c.driver, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(self(t))
			cmd.Env = append(os.Environ(), childEnv+"="+c.driver, mask.Variable+"="+c.mask)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s=%s: %v\n%s", mask.Variable, c.mask, err, out)
			}
			got := string(out)
			if !strings.HasPrefix(got, c.says[0]) || strings.Count(got, "\n") != 1 {
				t.Errorf("%s=%s: %swant one line that begins with %q", mask.Variable, c.mask, got, c.says[0])
			}
			for _, word := range c.says[1:] {
				if !strings.Contains(got, word) {
					t.Errorf("%s=%s: %swant %q in it", mask.Variable, c.mask, got, word)
				}
			}
		})
	}
}
