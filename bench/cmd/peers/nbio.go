//go:build linux

package main

import (
	"github.com/lesismal/nbio"
	"github.com/lesismal/nbio/logging"
)

// serveNbio answers from the poller. When Write returns, nbio has sent or copied the bytes.
func serveNbio(listen string, ready func()) error {
	logging.SetLevel(logging.LevelError)
	e := nbio.NewEngine(nbio.Config{Network: "tcp", Addrs: []string{listen}, NPoller: 1})
	e.OnData(func(c *nbio.Conn, b []byte) { c.Write(b) })
	if err := e.Start(); err != nil {
		return err
	}
	ready()
	select {}
}
