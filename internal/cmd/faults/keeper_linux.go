//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
)

// kept has the records that keepers were fed, and which of them they said they have kept.
type kept struct {
	dir  string
	file string // the keeper's stdout; "": a pipe

	mu   sync.Mutex
	told map[string]string
	said map[string]bool
	bad  error
}

func newKept(dir string) *kept {
	return &kept{dir: dir, told: map[string]string{}, said: map[string]bool{}}
}

// record returns the nth record, of up to 6 kB.
func record(n int) (key, value string) {
	return fmt.Sprintf("key%d", n), hex.EncodeToString(noise(uint64(n), n*n*31%3000))
}

// keeping is a running keeper.
type keeping struct {
	*process
	in   io.WriteCloser
	fed  chan struct{} // closed when the feeder has ended
	read chan struct{} // closed when all of the keeper's output was read
}

// feed starts a keeper, writes count records to its stdin, from number first on, and closes that.
func (k *kept) feed(t *trial, cmd *exec.Cmd, w wrapper, first, count int) (*keeping, *traced, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	r, out, err := k.ends()
	if err != nil {
		return nil, nil, err
	}
	cmd.Stdout = out
	var p *process
	var saw *traced
	if w.fault == nil && w.saw == nil {
		p, err = t.start(cmd)
	} else {
		p, saw, err = t.startTraced(cmd, w)
	}
	out.Close()
	if err != nil {
		r.Close()
		return nil, nil, err
	}
	g := &keeping{process: p, in: in, fed: make(chan struct{}), read: make(chan struct{})}
	go func() {
		defer close(g.read)
		defer r.Close()
		if k.file != "" {
			<-p.done // a file could be read to its end too early
		}
		k.listen(r)
	}()
	go func() {
		defer close(g.fed)
		defer in.Close()
		for n := first; n < first+count; n++ {
			key, value := record(n)
			k.mu.Lock()
			k.told[key] = value
			k.mu.Unlock()
			if _, err := fmt.Fprintf(in, "%s %s\n", key, value); err != nil {
				return // the keeper has ended
			}
		}
	}()
	return g, saw, nil
}

// ends returns the two ends of what is the keeper's stdout.
func (k *kept) ends() (r, w *os.File, err error) {
	if k.file == "" {
		return os.Pipe()
	}
	if w, err = os.Create(k.file); err != nil {
		return nil, nil, err
	}
	if r, err = os.Open(k.file); err != nil {
		w.Close()
	}
	return r, w, err
}

// listen notes which records a keeper says it has kept. A last line without a newline was cut off and does not count.
func (k *kept) listen(r io.Reader) {
	for in := bufio.NewReader(r); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		k.mu.Lock()
		key, ok := strings.CutPrefix(strings.TrimSpace(line), "kept ")
		if _, told := k.told[key]; !ok || !told {
			k.bad = fmt.Errorf("the keeper said %.100q", line)
		}
		k.said[key] = true
		k.mu.Unlock()
	}
}

// wait waits for the keeper's end, and until all of its output was read.
func (g *keeping) wait(after string) error {
	if err := g.process.wait(after); err != nil {
		return err
	}
	<-g.read
	<-g.fed
	return nil
}

// verify runs another keeper, and checks that it finds all records that were said to be kept.
func (k *kept) verify(t *trial, driver string) error {
	if k.bad != nil || len(k.said) == 0 {
		return k.bad
	}
	keys := slices.Sorted(maps.Keys(k.said))
	cmd := t.command(driver, "keeper", "-get", k.dir)
	cmd.Stdin = strings.NewReader(strings.Join(keys, "\n") + "\n")
	var out bytes.Buffer
	cmd.Stdout = &out
	p, err := t.start(cmd)
	if err != nil {
		return err
	}
	if err := p.wait("the last key"); err != nil {
		return err
	}
	if p.code() != 0 {
		return fmt.Errorf("what was kept can't be read: exit code %d, %s", p.code(), p.said.String())
	}
	found := 0
	for line := range strings.Lines(out.String()) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !k.said[key] || value != k.told[key] {
			return fmt.Errorf("%.100q was not kept so", line)
		}
		found++
	}
	if found != len(keys) {
		return fmt.Errorf("%d records are there of %d that were said to be kept", found, len(keys))
	}
	return nil
}

// keeperSays is the file of a trial that is a keeper's stdout if its writes may fail.
const keeperSays = "said"

// keepWithFault runs a keeper in which calls may fail. It has to end when all is kept, or with a message, and to have
// what it said it has kept.
func keepWithFault(t *trial, driver string, w wrapper) error {
	k := newKept(t.dir + "/store")
	k.file = t.dir + "/" + keeperSays
	if err := os.Mkdir(k.dir, 0o755); err != nil {
		return err
	}
	const records = 150
	g, saw, err := k.feed(t, t.command(driver, "keeper", k.dir), w, 0, records)
	if err != nil {
		return err
	}
	if err := g.wait("the last record"); err != nil {
		return err
	}
	<-saw.over
	failed, skips := w.reached(t, saw)
	if g.code() != 0 {
		err = w.judgeEnd(t, g.process, saw)
	} else if len(k.said) != records {
		err = fmt.Errorf("exit code 0, and %d of %d records were kept", len(k.said), records)
	}
	t.note("%d calls failed, exit code %d, %d records of %d kept", failed, g.code(), len(k.said), records)
	if err = errors.Join(err, k.verify(t, driver)); err != nil {
		return err
	}
	return skips
}
