//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	waits "ringo/internal/test/patience"
	"ringo/internal/test/testmain"
)

// TestChurn: a few short rounds find nothing. That they find what there is the mistakes show that testdata/mutants
// plants in the programs.
func TestChurn(t *testing.T) {
	testmain.NeedLong(t, "a minute. .ci/churn plays for an hour, and TestReloadWeb of cmd/ringo starts servers anew")
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", dir, "ringo/cmd/ringo")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	for _, m := range manners {
		t.Run(m.name, func(t *testing.T) {
			var said strings.Builder
			w := newChurn(&said, 3*time.Second, memoryRounds+1)
			w.of, w.rest, w.brief = []*manner{m}, waits.Max, true
			if !runChurn(&options{dir: dir}, w) || w.restarts.Load() == 0 || w.requests.Load() == 0 {
				t.Error(said.String())
			}
		})
	}
}

// TestGauges: more of anything is told, and less of it is not.
func TestGauges(t *testing.T) {
	start := gauges{1, 2, 3, 4, 5, 6}
	for i, name := range gaugeNames {
		now := start
		if now[i]--; now.more(start) != nil {
			t.Errorf("%s: %v", name, now.more(start))
		}
		now[i] += 2
		want := fmt.Sprintf("it has %d %s, and had %d", now[i], name, start[i])
		if err := now.more(start); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestGrown: memory is compared with the median of the first rounds, and not before there are so many.
func TestGrown(t *testing.T) {
	for _, c := range []struct {
		sizes []int
		grown bool
	}{
		{[]int{10, 10, 10, 10, 100}, false},
		{[]int{10, 10, 10, 10, 100, 15}, false},
		{[]int{10, 10, 10, 10, 100, 16}, true},
		{[]int{100, 100, 10, 100, 10, 16, 150}, false},
		{[]int{100, 100, 10, 100, 10, 16, 151}, true},
	} {
		if err := grown(c.sizes); (err != nil) != c.grown {
			t.Errorf("%v: %v", c.sizes, err)
		}
	}
}

// TestLeadTo: a process's descriptors are counted, but for so many of the site.
func TestLeadTo(t *testing.T) {
	site := t.TempDir()
	if err := makeSite(site); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("exec 7<%s/f1.bin 8<%s/f2.bin 9</dev/null; echo; read x", site, site)
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	for kept, want := range []string{"7 f1.bin 8 f2.bin 9 null", "8 f2.bin 9 null", "9 null", "9 null"} {
		all, err := leadTo(cmd.Process.Pid, site, kept)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, of := range all {
			if n, to, _ := strings.Cut(of, " "); n == "9" || strings.HasPrefix(to, site) {
				got = append(got, n, filepath.Base(to))
			}
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%d are kept: %s, want %s", kept, got, want)
		}
	}
}

// TestEnded: processes that live are told.
func TestEnded(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	one := incarnationOf(cmd.Process.Pid)
	if err := ended([]incarnation{one}); err == nil {
		t.Error("a process that lives is not told")
	}
	other := incarnation{one.pid, incarnationOf(os.Getpid()).began + "1"}
	if err := ended([]incarnation{other}); err != nil {
		t.Errorf("another process of that number: %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if err := ended([]incarnation{one}); err != nil {
		t.Error(err)
	}
}

// TestAnswers: another status, length or byte is told.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		status, length int
		body, want     string
	}{
		{200, 4, "good", ""}, {404, 4, "good", "404"}, {200, 5, "good", "it has 5 bytes"},
		{200, 4, "goof", "wrong bytes"}, {200, -1, "goo", "wrong bytes"},
	} {
		a := &http.Response{Status: strconv.Itoa(c.status), StatusCode: c.status, ContentLength: int64(c.length),
			Body: io.NopCloser(strings.NewReader(c.body))}
		err := answers(a, 200, 4, []byte("good"))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestExcused: a client is excused that stood still while it was there, and was cut; no other is.
func TestExcused(t *testing.T) {
	began := time.Now()
	w := newChurn(io.Discard, time.Second, 1)
	w.stood.note(stall{began.Add(-1), time.Minute})
	w.stood.note(stall{began.Add(1), stoodLeast - 1})
	w.cuts("short", began, io.EOF)
	w.stood.note(stall{began.Add(1), 1})
	w.cuts("wrong", began, errors.New("wrong bytes"))
	w.cuts("late", began, os.ErrDeadlineExceeded)
	if n := w.failed.Load(); n != 3 {
		t.Errorf("%d have failed, want 3", n)
	}
	w.cuts("cut", began, fmt.Errorf("read: %w", syscall.ECONNRESET))
	if w.failed.Load() != 3 || w.excused.Load() != 1 {
		t.Errorf("%d have failed and %d are excused", w.failed.Load(), w.excused.Load())
	}
}
