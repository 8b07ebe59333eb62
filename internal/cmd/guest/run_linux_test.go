//go:build linux

package main

import (
	"io"
	"strings"
	"testing"
)

// What a step prints shows that it goes on, also if it comes by io.Copy, as from a process.
func TestPrinted(t *testing.T) {
	p := &printed{more: make(chan bool, 1)}
	if _, err := io.Copy(p, struct{ io.Reader }{strings.NewReader("text")}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.more:
	default:
		t.Error("nothing tells of it")
	}
	if got := p.text.String(); got != "text" {
		t.Errorf("%q was kept", got)
	}
}
