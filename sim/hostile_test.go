package sim_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ringo"
	"ringo/internal/posix"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/sim"
)

// Of a storm of crashes, pauses and lost packets those are left that it takes: here two crashes.
func TestShrinksToTheFewest(t *testing.T) {
	tb := &recorder{TB: t}
	sim.Run(tb, 1, func(w *sim.World) {
		w.Link = sim.Link{Latency: time.Millisecond, Loss: 0.05}
		server, boots := w.Host("server"), 0
		server.Run(nil, func(l *ringo.Loop) error { boots++; return echo(l) })
		w.Host("other").Run(nil, func(l *ringo.Loop) error { return l.Sleep(time.Minute) })
		w.Storm(10*time.Minute, sim.Storm{Crash: time.Minute, Pause: 20 * time.Second, Partition: 30 * time.Second,
			Clock: time.Minute})
		w.RunUntil(10*time.Minute, func() bool { return boots == 3 })
		if boots == 3 {
			w.Errorf("it began three times")
		}
	})
	tb.want(t, "it began three times", "2 faults came before")
	if n := strings.Count(tb.text, "server: the host crashes"); n != 2 {
		t.Errorf("%d crashes are left:\n%s", n, tb.text)
	}
}

// TestOfAnother fails where TestPlaysAgain has a process of its own run it.
func TestOfAnother(t *testing.T) {
	if os.Getenv("RINGO_SIM_OF_ANOTHER") == "" {
		return
	}
	sim.Explore(t, 50, func(w *sim.World) {
		server, boots := w.Host("server"), 0
		server.Run(nil, func(l *ringo.Loop) error { boots++; return echo(l) })
		w.Storm(10*time.Minute, sim.Storm{Crash: 10 * time.Minute, Pause: time.Minute})
		w.RunFor(11 * time.Minute)
		if boots == 2 {
			w.Errorf("it began twice, and the history is %x", w.Hash())
		}
	})
}

// tempDir is a folder that goes with that of TestMain.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "of")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// isFull reports whether a file is the device that nothing can be written to, which only some systems have.
func isFull(name string) bool {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = f.Write([]byte("x"))
	return errors.Is(err, posix.ENOSPC)
}

// play runs a test of this binary's that fails, and gives what it says.
func play(t *testing.T, run string, env ...string) string {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run", run)
	dir := tempDir(t)
	c.Env = append(append(os.Environ(), "RINGO_SIM_OF_ANOTHER=1", "TMPDIR="+dir, "TMP="+dir), env...)
	out, err := c.CombinedOutput()
	if err == nil {
		t.Fatalf("%s with %v passes:\n%s", run, env, out)
	}
	return string(out)
}

// The command that is printed plays the failure again, and a trace of it is written where that is asked for.
func TestPlaysAgain(t *testing.T) {
	first := play(t, "^TestOfAnother$")
	m := regexp.MustCompile(`again: (RINGO_SIM_SEED=\d+) (RINGO_SIM_FAULTS=[\d.,]*) go test -run '(\S+)'`).
		FindStringSubmatch(first)
	if m == nil {
		t.Fatalf("no command in:\n%s", first)
	}
	trace := filepath.Join(tempDir(t), "trace")
	again := play(t, m[3], m[1], m[2], "RINGO_SIM_TRACE="+trace)
	what := regexp.MustCompile(`seed \d+, after .*`)
	if a, b := what.FindString(first), what.FindString(again); a == "" || a != b {
		t.Errorf("it was %q, and is %q again", a, b)
	}
	if text, err := os.ReadFile(trace); err != nil || !bytes.Contains(text, []byte("the host crashes")) {
		t.Errorf("a trace of %d bytes, %v", len(text), err)
	}
	for _, wrong := range []string{"RINGO_SIM_SEED=x", "RINGO_SIM_FAULTS=nonsense", "RINGO_SIM_TRACE=/no/such/dir/x",
		"RINGO_SIM_TAPE=x"} {
		env := []string{"RINGO_SIM_SEED=1", wrong}
		if name, value, _ := strings.Cut(wrong, "="); !strings.Contains(play(t, "^TestOfAnother$", env...), name) {
			t.Errorf("%s=%s is not said to be wrong", name, value)
		}
	}
	if full := "/dev/full"; filepath.IsAbs(full) && isFull(full) {
		text := play(t, m[3], m[1], "RINGO_SIM_TRACE="+full)
		if !strings.Contains(text, "the trace ends early: write "+full) {
			t.Errorf("a trace that can't be written:\n%s", text)
		}
	}
	for _, of := range []string{"RINGO_SIM_TRACE=" + trace, "RINGO_SIM_FAULTS=10.1.0", "RINGO_SIM_TAPE=00"} {
		for _, run := range []string{"^TestOfAnother$", "^FuzzOfAnother$"} {
			if text := play(t, run, of); !strings.Contains(text, "applies to one world: set RINGO_SIM_SEED too") {
				t.Errorf("%s without a seed:\n%s", of, text)
			}
		}
	}
}

// FuzzOfAnother is TestOfAnother of the fuzzer.
func FuzzOfAnother(f *testing.F) {
	if os.Getenv("RINGO_SIM_OF_ANOTHER") == "" {
		f.Skip("TestFuzzPlaysAgain has a process of its own run it")
	}
	f.Add(uint64(7), []byte{1, 2, 3, 4, 5, 6, 7, 8, 0xff})
	sim.Fuzz(f, func(w *sim.World) {
		chance := w.Rand().Uint64()
		server, boots := w.Host("server"), 0
		server.Run(nil, func(l *ringo.Loop) error { boots++; return echo(l) })
		w.Storm(10*time.Minute, sim.Storm{Crash: time.Minute, Pause: time.Minute})
		w.RunFor(11 * time.Minute)
		if boots > 1 {
			w.Errorf("it began twice, and chance was %x", chance)
		}
	})
}

// A failure of Fuzz tells the fewest faults, and a command that plays it again, with the chances that were given.
func TestFuzzPlaysAgain(t *testing.T) {
	all := play(t, "^FuzzOfAnother$")
	commands := regexp.MustCompile(`again: (RINGO_SIM_SEED=\d+)( RINGO_SIM_TAPE=\w+)? (RINGO_SIM_FAULTS=10\.1\.\d+) `+
		`go test -run '(\S+)'`).FindAllStringSubmatch(all, -1)
	if len(commands) != 2 {
		t.Fatalf("not two commands with a crash each in:\n%s", all)
	}
	what := regexp.MustCompile(`seed \d+, after .*`)
	told := what.FindAllString(all, -1)
	for i, m := range commands {
		text := play(t, m[4], m[1], strings.TrimSpace(m[2]), m[3])
		if again := what.FindString(text); again == "" || again != told[i] {
			t.Errorf("it was %q, and is %q again, by %v", told[i], again, m[0])
		}
	}
	tape := commands[0][2]
	if tape != " RINGO_SIM_TAPE=0102030405060708ff" || !strings.Contains(told[0], "807060504030201") {
		t.Errorf("the tape is told as %q, and chance was: %s", tape, told[0])
	}
}

// A trace has a line for each event, and a page is bounded, whatever names and notes are.
func TestShownInBounds(t *testing.T) {
	names := []string{strings.Repeat("x", 300), "a\nb", "\x00\x1b[31m", "\xff\xfe", "", strings.Repeat("\u4e16", 300)}
	var page, trace bytes.Buffer
	s := &stage{recorder: recorder{TB: t}}
	sim.Run(s, 1, func(w *sim.World) {
		var hosts []*sim.Host
		for _, name := range names {
			hosts = append(hosts, w.Host(name))
		}
		w.TraceTo(&trace)
		for range 3000 {
			w.Note(hosts[0], strings.Repeat("y\n", 5000))
		}
		w.Note(hosts[1], "x\n          0s  here       crash 0")
		for _, h := range hosts {
			w.Cut(h, hosts[0])
		}
		w.Note(nil, "the script's")
		w.Errorf("\x00%s", strings.Repeat("z", 1<<20))
		if err := w.WritePage(&page); err != nil {
			t.Error(err)
		}
	})
	if lines := strings.Count(trace.String(), "\n"); lines != 3000+1+len(names)+1 {
		t.Errorf("the trace has %d lines", lines)
	}
	if text := page.String(); len(text) > 8<<20 || !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\x1b") {
		t.Errorf("a page of %d bytes, or with what no page may have", len(text))
	}
	note := regexp.MustCompile(`<text class="n" x="(\d+)" y="\d+">the script&#39;s<`).FindStringSubmatch(page.String())
	if note == nil || note[1] != "126" || !strings.Contains(page.String(), "(the script)") {
		t.Errorf("the script's note has no lane: %v", note)
	}
}

// A world leaves neither goroutines nor memory behind, however it ends.
func TestLeavesNothing(t *testing.T) {
	n := 1000
	if !testmain.Long() {
		n = 100
	}
	once := func(seed uint64) {
		tb := &recorder{TB: t}
		sim.Run(tb, seed, func(w *sim.World) {
			server := w.Host("server")
			server.Run(nil, echo)
			w.RunFor(time.Second)
			w.Host("client").Run(nil, func(l *ringo.Loop) error { return asks(l, 5, time.Second) })
			w.RunFor(2 * time.Second)
			server.Crash()
			w.RunFor(time.Second)
			if seed%2 == 0 {
				server.Restart()
			}
			w.RunFor(time.Duration(seed%3) * time.Second)
		})
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for seed := range 20 {
		once(uint64(seed))
	}
	goroutines, before := runtime.NumGoroutine(), heap()
	for seed := range n {
		once(uint64(seed))
	}
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("%d worlds have left %d bytes", n, grown)
	}
	if err := patience.Poll(runtime.Gosched, func() bool { return runtime.NumGoroutine() <= goroutines }); err != nil {
		t.Fatalf("there were %d goroutines, and are %d: %v", goroutines, runtime.NumGoroutine(), err)
	}
}

// A page is well-formed, and shows names and notes as they are.
func TestPage(t *testing.T) {
	const name = `<script>alert("&")</script>`
	var page bytes.Buffer
	tb := &recorder{TB: t}
	sim.Run(tb, 1, func(w *sim.World) {
		w.Link = sim.Link{Latency: time.Millisecond, Loss: 0.1}
		server := w.Host("server")
		server.Run(nil, echo)
		w.RunFor(time.Second)
		c := w.Host(name).Run(nil, func(l *ringo.Loop) error { return asks(l, 20, time.Second) })
		w.Check(w.Wait(c))
		w.Note(server, name)
		w.Note(nil, name)
		if err := w.WritePage(&page); err != nil {
			t.Error(err)
		}
		w.Errorf("%s", name)
		page.WriteString("\x00")
		if err := w.WritePage(&page); err != nil {
			t.Error(err)
		}
	})
	for text := range strings.SplitSeq(page.String(), "\x00") {
		d := xml.NewDecoder(strings.NewReader(text))
		d.Strict, d.AutoClose, d.Entity = false, []string{"meta"}, xml.HTMLEntity
		open, names := 0, 0
		for {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("the page: %v", err)
			}
			switch token := token.(type) {
			case xml.StartElement:
				if open++; token.Name.Local == "script" {
					t.Error("a name has become an element")
				}
			case xml.EndElement:
				open--
			case xml.CharData:
				names += bytes.Count(token, []byte(name))
			}
		}
		if open != 0 || names < 3 {
			t.Errorf("%d elements are open at the end, and the name is there %d times", open, names)
		}
	}
}

// Whoever fails the test, by whatever means, it fails with the first that was told, and nobody waits.
func TestWaysToFail(t *testing.T) {
	task := func(fn func(w *sim.World)) func(w *sim.World) {
		return func(w *sim.World) {
			p := w.Host("here").Run(nil, func(l *ringo.Loop) error {
				fn(w)
				return l.Sleep(time.Hour)
			})
			w.Wait(p)
		}
	}
	for want, script := range map[string]func(w *sim.World){
		"by the script": func(w *sim.World) { w.Errorf("by the script"); w.Errorf("too late") },
		"by an event": func(w *sim.World) {
			w.After(time.Second, func() { w.Errorf("by an event") })
			w.RunFor(time.Minute)
			w.Errorf("too late")
		},
		"by a task":        task(func(w *sim.World) { w.Errorf("by a task"); w.Errorf("too late") }),
		"by its error":     task(func(w *sim.World) { w.Check(errors.New("by its error")) }),
		"by a panic":       task(func(*sim.World) { panic("by a panic") }),
		"nil pointer":      task(func(*sim.World) { var p *int; *p = 1 }),
		"by what it gives": func(w *sim.World) { w.Check(w.Wait(w.Host("x").Run(nil, fails))) },
	} {
		tb := &recorder{TB: t}
		sim.Run(tb, 1, script)
		tb.want(t, want, "seed 1")
		if strings.Contains(tb.text, "too late") {
			t.Errorf("not the first is told:\n%s", tb.text)
		}
	}
}

func fails(*ringo.Loop) error { return errors.New("by what it gives") }

// Worlds side by side know nothing of each other.
func TestParallel(t *testing.T) {
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			sim.Run(t, uint64(i), func(w *sim.World) {
				w.Host("server").Run(nil, echo)
				w.RunFor(time.Second)
				c := w.Host("client").Run(nil, func(l *ringo.Loop) error { return asks(l, 100, time.Second) })
				w.Check(w.Wait(c))
			})
		})
	}
}

// A world has room for a thousand hosts.
func TestThousandHosts(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		w.Link = sim.Link{Latency: time.Millisecond, Jitter: time.Millisecond}
		w.Host("server").Run(nil, echo)
		w.RunFor(time.Second)
		var clients []*sim.Program
		for i := range 999 {
			h := w.Host(fmt.Sprint("client", i))
			clients = append(clients, h.Run(nil, func(l *ringo.Loop) error { return asks(l, 3, time.Second) }))
		}
		w.Check(w.Wait(clients...))
	})
}
