// A cache that is filled under its lock.
package main

import (
	"context"
	"log"
	"os"
	"sync"

	"ringo"
)

type cache struct {
	mu   sync.Mutex
	data map[string][]byte
}

func (c *cache) get(l *ringo.Loop, name string) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.data[name] == nil {
		l.Offload(func(context.Context) error { // want `Loop\).Offload with c.mu locked`
			p, err := os.ReadFile(name)
			c.data[name] = p
			return err
		})
	}
	return c.data[name]
}

func main() {
	c := &cache{data: map[string][]byte{}}
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		c.get(l, "a")
		return nil
	}))
}
