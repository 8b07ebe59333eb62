//go:build linux

package logstore

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo/internal/test/testmain"
)

var kills = flag.Duration("kills", 5*time.Second, "how long TestKills goes on")

const (
	childEnv = "LOGSTORE_TEST_CHILD" // the folder in which the test binary is to append until it is killed
	callers  = 8
)

var killSmall = &Config{Batch: 16 << 10}

// killed appends from several callers, and says each key on stdout when its Append has returned.
func killed(folder string) {
	s, err := Open(folder, killSmall)
	if err != nil {
		fmt.Println("error", err)
		return
	}
	begin := len(s.index)
	for c := range callers {
		go func() {
			for i := begin; ; i++ {
				key := fmt.Sprintf("%d.%d", c, i)
				if _, err := s.Append(context.Background(), key, killValue(key)); err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				os.Stdout.WriteString("acked " + key + "\n") // whole: a pipe takes it at once
			}
		}()
	}
	select {}
}

// killValue makes a record's value, of up to 3000 bytes.
func killValue(key string) []byte {
	random := rand.New(rand.NewPCG(uint64(len(key)), uint64(slices.Max([]byte(key)))))
	return []byte(strings.Repeat(key+" ", random.IntN(400)))
}

// A process that appends is killed at random moments, again and again. What was acknowledged before is in the log, and
// nothing that nobody appended. Each caller waits for its record, so of each run of a caller there is at most one more.
func TestKills(t *testing.T) {
	testmain.NeedLong(t, "5 s of processes that are killed")
	if !testmain.Long() {
		*kills = min(*kills, time.Second)
	}
	folder := t.TempDir()
	acked := map[string]bool{}
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	rounds, end := 0, time.Now().Add(*kills)
	for time.Now().Before(end) {
		rounds++
		fresh := killOne(t, folder, time.Duration(random.IntN(20e6)))
		s, err := Open(folder, killSmall)
		if err != nil {
			t.Fatalf("after kill %d: %v", rounds, err)
		}
		unknown := 0
		for key := range s.index {
			v, err := s.Get(key)
			if err != nil || string(v) != string(killValue(key)) {
				t.Fatalf("after kill %d: Get(%q) = %q, %v", rounds, key, v, err)
			}
			if !acked[key] && !fresh[key] {
				unknown++
				acked[key] = true // from now on it has to be there
			}
		}
		for key := range fresh {
			acked[key] = true
		}
		if len(s.index) != len(acked) || unknown > callers {
			t.Fatalf("after kill %d: the log has %d records, %d were acknowledged or found before; %d are new of %d "+
				"callers",
				rounds, len(s.index), len(acked)-unknown, unknown, callers)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if len(acked) > 4_000 { // go on in a new folder, or recovery takes all the time
			folder, acked = t.TempDir(), map[string]bool{}
		}
	}
	t.Logf("%d kills", rounds)
}

// killOne runs the child, kills it a while after its first word, or sometimes before, and gives the keys that it said.
func killOne(t *testing.T, folder string, after time.Duration) map[string]bool {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+folder)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	var kill *time.Timer
	early := after%4 == 0
	if early {
		kill = time.AfterFunc(2*after, func() { cmd.Process.Kill() })
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if kill == nil {
			kill = time.AfterFunc(after, func() { cmd.Process.Kill() })
		}
		word, key, ok := strings.Cut(lines.Text(), " ")
		if word != "acked" || !ok {
			t.Errorf("the child says: %s", lines.Text())
			continue
		}
		said[key] = true
	}
	cmd.Wait()
	if kill != nil {
		kill.Stop()
	}
	if t.Failed() || len(said) == 0 && !early {
		t.Fatalf("the child ended by itself: %v", cmd.ProcessState)
	}
	return said
}
