//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"time"

	"ringo/bench/internal/pattern"
)

const setReply = "+OK\r\n"

// prepareRedis gives each connection a key and a value of its own. In mode set the connection sets it over and over;
// in mode get prepareRedis sets it once.
func prepareRedis(c *config) (exchange, error) {
	sets, gets := make([]script, c.conns), make([]script, c.conns)
	source := pattern.New(c.size)
	for i := range sets {
		key := fmt.Sprintf("key:%08d", i)
		value := source.Window(i, 0, c.size)
		sets[i] = script{request: command("SET", key, string(value)), reply: []byte(setReply)}
		gets[i] = script{request: command("GET", key), reply: fmt.Appendf(nil, "$%d\r\n%s\r\n", len(value), value)}
	}
	if c.mode == "set" {
		return newScripts(sets, c.depth), nil
	}
	return newScripts(gets, c.depth), setAll(c, sets)
}

func setAll(c *config, sets []script) error {
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(seconds(c.patience)))
	for i := range sets {
		if _, err := conn.Write(sets[i].request); err != nil {
			return err
		}
		got := make([]byte, len(setReply))
		if _, err := io.ReadFull(conn, got); err != nil {
			return err
		}
		if string(got) != setReply {
			return fmt.Errorf("SET was answered %q", got)
		}
	}
	return nil
}

// command encodes words as an array of bulk strings.
func command(words ...string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b.Bytes()
}
