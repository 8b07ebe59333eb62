// The same things in Ringo's words.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"sync"
	"time"

	"ringo"
	"ringo/file"
	"ringo/sock"
)

type state struct {
	mu   sync.Mutex
	n    int
	lock ringo.Mutex
	jobs *ringo.Chan[string]
	wake chan struct{}
}

func main() {
	s := &state{jobs: ringo.NewChan[string](1), wake: make(chan struct{}, 1)}
	go s.outside()
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", s.handle))
}

// outside is a goroutine, which may wait.
func (s *state) outside() {
	for range s.wake {
		time.Sleep(time.Second)
		fmt.Println(s.jobs.Len())
		os.Stderr.WriteString("x")
	}
}

func (s *state) handle(c *sock.Conn) {
	l := c.Loop()
	l.Sleep(time.Second)
	s.mu.Lock() // short, and nothing parks
	s.n++
	s.mu.Unlock()
	c.Write([]byte("after the lock\n"))

	s.lock.Lock()
	c.Write([]byte("with a lock that parks\n"))
	s.lock.Unlock()
	var all ringo.WaitGroup
	s.mu.Lock()
	all.Go(func() { c.Write([]byte("in a task of its own\n")) })
	s.mu.Unlock()
	all.Wait()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	s.jobs.Send("x")

	in := bufio.NewReader(c)
	line, err := in.ReadString('\n')
	if err != nil {
		return
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%q", line)
	json.NewEncoder(&b).Encode(s.n)
	io.Copy(c, &b)

	l.Offload(func(ctx context.Context) error {
		time.Sleep(time.Second)
		<-ctx.Done()
		_, err := os.ReadFile("x")
		return err
	})
	p, err := file.ReadFile("x")
	if err != nil {
		return
	}
	c.Write(p)
}
