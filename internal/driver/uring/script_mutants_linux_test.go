//go:build linux

package uring

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var mutants = flag.Bool("mutants", false, "have TestScriptsFindMutants build the driver with one bug at a time")

// mutant is a bug: what stands in a file and what is put in its place.
type mutant struct {
	name  string
	file  string // below the module's root
	edits [][2]string
}

const driverDir = "internal/driver/uring/"

// planted are bugs of which scripts must find each.
var planted = []mutant{
	{"a short submit is taken for whole", "uring/enter.go", [][2]string{
		{"	r.lookAtHead()\n	return int(r.sqHead - before)",
			"	r.sqHead = r.sqTail\n	return int(r.sqHead - before)"}}},
	{"a cancel is dropped when the SQ is full", driverDir + "cancel.go", [][2]string{
		{"	d.cancels = append(d.cancels, token)\n", ""}}},
	{"CQEs that overflowed are left in the kernel", driverDir + "wait.go", [][2]string{
		{"if !d.r.Overflowed() || overflows", "if true || overflows"},
		{"d.r.SQPending() > 0 || d.r.NeedsEnter() {", "d.r.SQPending() > 0 {"}}},
	{"a cancelled op is given up before its last CQE", driverDir + "cancel.go", [][2]string{
		{"	if o.State == op.Queued {\n		d.withdraw(o)", "	if true {\n		d.withdraw(o)"}}},
	{"a buffer is returned twice", "internal/bufs/pool.go", [][2]string{
		{"		p.ring.Add(b.mem, uint16(b.id))\n",
			"		p.ring.Add(b.mem, uint16(b.id))\n		if b.id == 0 {\n			p.ring.Add(b.mem, " +
				"0)\n		}\n"}}},
	{"a cancel that finds nothing ends the op", driverDir + "wait.go", [][2]string{
		{"			d.missed(c.UserData, c.Res)\n",
			"			if o := d.slab.Lookup(c.UserData &^ op.TokenMarks); o != nil && " +
				"o.State == op.InFlight {\n				d.inFlight--\n" +
				"				d.end(o, c.Res, 0, done)\n			}\n"}}},
	{"a cancel that finds nothing is not repeated", driverDir + "wait.go", [][2]string{
		{"			d.missed(c.UserData, c.Res)\n", ""}}},
	{"a cancel that a thread was told of is not repeated", driverDir + "cancel.go", [][2]string{
		{"	d.cancelLater = append(d.cancelLater, token)\n", ""}}},
	{"EAGAIN leaves the driver", driverDir + "complete.go", [][2]string{
		{"		if !o.Canceled {\n			d.again(o, res)\n			return\n		}\n		res = " +
			"-sys.ECANCELED\n", ""}}},
	{"a multishot op lives on without More", driverDir + "complete.go", [][2]string{
		{"if flags&op.More != 0 {\n		if unwanted",
			"if o.Flags&op.Multishot != 0 && res > 0 {\n		if unwanted"}}},
	{"two receives are in flight on a stream", driverDir + "driver.go", [][2]string{
		{"!o.FD.Claim(dir)", "!o.FD.Claim(dir) && dir == 9"}}},
	{"the end of the wake's poll is not noticed", driverDir + "wait.go", [][2]string{
		{"			d.wakeSet = false\n", ""}}},
	{"a descriptor that nobody wants stays open", driverDir + "complete.go", [][2]string{
		{"	if unwanted(o, res) {\n		sys.Close(res)\n		res", "	if unwanted(o, res) {\n		res"}}},
	{"EINTR ends a wait", driverDir + "wait.go", [][2]string{
		{"over || done.Len() > before {", "over || !over {"}}},
	{"a buffer that comes with a cancelled receive is lost", driverDir + "complete.go", [][2]string{
		{"	d.release(o)\n	if race", "	if o.Canceled && flags&op.HasBuffer != 0 {\n		res, flags = " +
			"-sys.ECANCELED, 0\n	}\n	d.release(o)\n	if race"}}},
	{"the end of a removed timer is taken for that of the next", driverDir + "wait.go", [][2]string{
		{"if c.UserData == d.timerToken() {", "if true {"}}},
	{"an entry keeps what was in its place", "uring/sqe_unsafe.go", [][2]string{
		{"	e.FileIndex = 0\n", "	e.FileIndex = 1\n"}}},
	{"the ring is entered from another thread", driverDir + "driver.go", [][2]string{
		{"	consumed, errno := d.r.Enter(min, true, timeout)\n",
			"	var consumed int\n	var errno syscall.Errno\n	c := make(chan int)\n	go func() { consumed, " +
				"errno = d.r.Enter(min, true, timeout); close(c) }()\n	<-c\n"}}},
	{"an op that found no room is lost", driverDir + "driver.go", [][2]string{
		{"		if !d.prep(o) {\n			return\n		}\n		d.backlog.Pop()",
			"		d.backlog.Pop()\n		if !d.prep(o) {\n			return\n		}"}}},
	{"a receive has less memory than it says", "internal/op/socket.go", [][2]string{
		{"e.PrepRecv(fd, o.Buf, o.CallFlags)", "e.PrepRecv(fd, append([]byte(nil), o.Buf...), o.CallFlags)"}}},
	{"a wait has no timer when the SQ is full", driverDir + "wait.go", [][2]string{
		{"!d.extArg && !d.armTimer(limit) {", "!d.extArg && !d.armTimer(limit) && d.closed {"}}},
	{"a send that came short does not go on", driverDir + "ready.go", [][2]string{
		{"			if int(o.Done) < len(o.Buf) {\n				continue\n			}\n			o.Res",
			"			o.Res"}}},
	{"readiness that came before is not looked for", driverDir + "ready.go", [][2]string{
		{"		if d.advance(o, done) {\n			d.finish(o, done)\n			return\n",
			"		if o.Mode == waitsReady && d.advance(o, done) {\n			d.finish(o, " +
				"done)\n			return\n"}}},
	{"a zero-copy send ends before its memory is free", driverDir + "zerocopy.go", [][2]string{
		{"		o.Notifs++\n", "		o.Notifs += 0\n"}}},
	{"a zero-copy send ends with the first of its notifications", driverDir + "zerocopy.go", [][2]string{
		{"o.Notifs--; o.Notifs == 0 && o.Mode", "o.Notifs--; o.Mode"}}},
	{"a zero-copy send without memory fails", driverDir + "zerocopy.go", [][2]string{
		{"res == -sys.EOPNOTSUPP || res == -sys.ENOMEM ||", "res == -sys.EOPNOTSUPP ||"}}},
	{"a notification is lost while the next part waits for room in the SQ", driverDir + "wait.go", [][2]string{
		{"o.State == op.Queued && flags&op.Notif != 0", "o.State == op.Free"}}},
}

// TestScriptsFindMutants builds this package's tests over one planted bug at a time
// and runs scripts, which must fail. It takes some minutes, so it does nothing
// unless -mutants is given.
func TestScriptsFindMutants(t *testing.T) {
	if !*mutants {
		return
	}
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range planted {
		t.Run(m.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "go", "test", "-overlay", m.overlay(t, root), "-run", "^TestScript",
				"-scripts", "3000", "-timeout", "2m", ".")
			out, err := cmd.CombinedOutput()
			switch {
			case err == nil:
				t.Errorf("no script fails")
			case strings.Contains(string(out), "[build failed]"):
				t.Errorf("it does not build: %s", out)
			default:
				t.Logf("%s", complaint(string(out)))
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

// overlay writes the spoilt file, and the list by which the compiler takes it for
// the real one.
func (m *mutant) overlay(t *testing.T, root string) string {
	t.Helper()
	file := filepath.Join(root, m.file)
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
	copied := filepath.Join(dir, "spoilt.go")
	if err := os.WriteFile(copied, []byte(spoilt), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": {file: copied}})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(name, list, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
