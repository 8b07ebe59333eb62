//go:build linux

package main

import (
	"bytes"
	"fmt"

	"ringo/bench/internal/pattern"
)

// exchange is what connections send and what has to come back: for each a stream of requests and a stream of replies.
// All requests have one size, and all replies. Connections are identified by their ids; positions count bytes.
type exchange interface {
	// sizes returns the bytes of a request and of a reply.
	sizes() (request, reply uint64)
	// window returns requests from a position on: 1 to n bytes, which the caller must not change.
	window(id int, pos uint64, n int) []byte
	// check compares received bytes with the replies from a position on.
	check(id int, pos uint64, got []byte) error
	// due returns how many bytes of replies may have come for so many bytes of requests.
	due(sent uint64) uint64
}

// newExchange returns the exchange of the mode. For some modes it first talks to the server.
func newExchange(c *config) (exchange, error) {
	switch c.mode {
	case "http", "json", "httpidle", "httpslow":
		return learnHTTP(c)
	case "get", "set":
		return prepareRedis(c)
	default:
		return &echoes{pattern.New(min(max(bufferSize, c.size*c.depth), windowMax)), uint64(c.size)}, nil
	}
}

// echoes expects the bytes that were sent, as early as the server likes.
type echoes struct {
	pattern *pattern.Pattern
	size    uint64
}

func (x *echoes) sizes() (request, reply uint64) { return x.size, x.size }

func (x *echoes) window(id int, pos uint64, n int) []byte { return x.pattern.Window(id, pos, n) }

func (x *echoes) check(id int, pos uint64, got []byte) error { return x.pattern.Check(id, pos, got) }

func (x *echoes) due(sent uint64) uint64 { return sent }

// script is one request with its reply.
type script struct {
	request, reply   []byte
	freeFrom, freeTo int // bytes of the reply that are not checked: a date
}

// scripts are a script for each connection, or one for all. A request is stored several times in a row, so that
// pipelined requests are sent by one call.
type scripts struct {
	all                    []script
	requestSize, replySize uint64
}

// newScripts makes scripts of requests with one size and replies with one size.
func newScripts(all []script, depth int) *scripts {
	x := &scripts{all, uint64(len(all[0].request)), uint64(len(all[0].reply))}
	for i := range all {
		all[i].request = bytes.Repeat(all[i].request, depth)
	}
	return x
}

func (x *scripts) sizes() (request, reply uint64) { return x.requestSize, x.replySize }

func (x *scripts) of(id int) *script { return &x.all[id%len(x.all)] }

func (x *scripts) window(id int, pos uint64, n int) []byte {
	w := x.of(id).request[pos%x.requestSize:]
	return w[:min(n, len(w))]
}

func (x *scripts) due(sent uint64) uint64 { return sent / x.requestSize * x.replySize }

func (x *scripts) check(id int, pos uint64, got []byte) error {
	s := x.of(id)
	for len(got) > 0 {
		at := int(pos % x.replySize)
		end := len(s.reply)
		switch {
		case at < s.freeFrom:
			end = s.freeFrom
		case at < s.freeTo:
			end = s.freeTo
		}
		n := min(end-at, len(got))
		if free := at >= s.freeFrom && at < s.freeTo; !free && !bytes.Equal(s.reply[at:at+n], got[:n]) {
			same := 0
			for got[same] == s.reply[at+same] {
				same++
			}
			return fmt.Errorf("connection %d: byte %d on of a reply is %.200q, want %.200q", id, at+same, got[same:n],
				s.reply[at+same:at+n])
		}
		pos += uint64(n)
		got = got[n:]
	}
	return nil
}
