//go:build linux

package proc

import (
	"context"
	"os/exec"
	"testing"

	"ringo"
)

// BenchmarkRun is a command that does nothing, from a goroutine and from a task, here and by os/exec.
func BenchmarkRun(b *testing.B) {
	run := func(b *testing.B, made maker) {
		for b.Loop() {
			c, _ := made(nil, "/bin/true")
			if err := c.Run(); err != nil {
				b.Fatal(err)
			}
		}
	}
	onLoop := func(b *testing.B, f func(l *ringo.Loop)) {
		if err := ringo.Run(b.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			f(l)
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("goroutine/exec", func(b *testing.B) { run(b, theirs) })
	b.Run("goroutine/proc", func(b *testing.B) { run(b, ours) })
	b.Run("task/proc", func(b *testing.B) { onLoop(b, func(*ringo.Loop) { run(b, ours) }) })
	b.Run("task/offload-exec", func(b *testing.B) {
		onLoop(b, func(l *ringo.Loop) {
			for b.Loop() {
				err := l.Offload(func(context.Context) error { return exec.Command("/bin/true").Run() })
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}
