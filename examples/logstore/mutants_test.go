package logstore

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var mutants = flag.Bool("mutants", false, "have TestFindMutants build the store with one bug at a time")

// mutant is a bug: what stands in a file and what is put in its place.
type mutant struct {
	name, file string
	edits      [][2]string
}

// planted are bugs of which the tests of power cuts, faults and damage must find each.
var planted = []mutant{
	{"no fsync", "fs.go", [][2]string{{"	return f.Datasync()\n", "	return nil\n"}}},
	{"acknowledged before the sync", "store.go", [][2]string{
		{"writeSync(s.out, s.buf, s.end); err", "justWrite(s.out, s.buf, s.end); err"},
		{"		s.finish(batch, s.write(batch))\n",
			"		s.finish(batch, s.write(batch))\n		s.out.Datasync()\n"},
		{"// take waits", "func justWrite(f File, b []byte, at int64) error { _, err := f.WriteAt(b, at); return err " +
			"}\n\n// take waits"}}},
	{"no checksum", "log.go", [][2]string{{" || le.Uint32(b[4:]) != checksum(b[head:n], salt, at) {", " || k == 0 {"}}},
	{"no checksum of the head", "log.go", [][2]string{{" || le.Uint32(b) != checksum(b[4:head], salt, at)", ""}}},
	{"no zeros ahead", "store.go", [][2]string{{"s.direct && end > s.zeros", "false"}}},
	{"no end of the zeros", "store.go",
		[][2]string{{"min(int64(s.cfg.Batch&^(block-1)), logMax-end)", "s.cfg.Batch&^(block-1)"}}},
	{"no sync of the folder after the rename", "log.go",
		[][2]string{{"	return s.fs.Sync() //", "	return nil //"}}},
	{"a failed sync is tried again", "fs.go", [][2]string{
		{"	return f.Datasync()\n",
			"	if f.Datasync() == nil {\n		return nil\n	}\n	return f.Datasync()\n"}}},
	{"a torn end stays", "log.go", [][2]string{{"err := s.in.Truncate(s.end); err", "err := error(nil); err"}}},
	{"the last batch is not written again", "log.go", [][2]string{
		{"err := writeSync(s.out, last, batch)", "err := s.out.Datasync()"}}},
	{"damage is taken for the end", "log.go", [][2]string{{" || later(data[s.end:], s.salt, s.end)", ""}}},
	{"a torn batch is taken for damage", "log.go", [][2]string{{"size > 0 && first > at", "size > 0 && first > 0"}}},
	{"the store goes on after an error", "store.go",
		[][2]string{{"		s.err, batch, s.queue = err, append", "		batch, s.queue = append"}}},
}

// TestFindMutants builds the tests over one planted bug at a time and runs them, which must fail. It takes a while, so
// it does nothing unless -mutants is given.
func TestFindMutants(t *testing.T) {
	if !*mutants {
		return
	}
	for _, m := range planted {
		t.Run(m.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "go", "test", "-overlay", m.overlay(t),
				"-failfast", "-run",
				"TestPower|TestFaults|TestSync|TestRandom|TestDamage|TestTorn|TestHostile|TestZeros|FuzzRecovery",
				"-timeout", "20s", ".")
			out, err := cmd.CombinedOutput()
			switch {
			case err == nil:
				t.Error("no test fails")
			case strings.Contains(string(out), "[build failed]"):
				t.Errorf("it does not build: %s", out)
			default:
				t.Log(complaint(string(out)))
			}
		})
	}
}

// complaint is what a failed run said first.
func complaint(out string) string {
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "--- FAIL") {
			return line
		}
	}
	return out
}

// overlay writes the spoilt file, and the list by which the compiler takes it for the real one.
func (m *mutant) overlay(t *testing.T) string {
	t.Helper()
	file, err := filepath.Abs(m.file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	spoilt := string(text)
	for _, e := range m.edits {
		if n := strings.Count(spoilt, e[0]); n != 1 {
			t.Fatalf("%s has %d times, want once: %s", m.file, n, e[0])
		}
		spoilt = strings.Replace(spoilt, e[0], e[1], 1)
	}
	dir := t.TempDir()
	copied, list := filepath.Join(dir, m.file), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(copied, []byte(spoilt), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: copied}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	return list
}
