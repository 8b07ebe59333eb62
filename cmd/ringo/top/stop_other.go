//go:build !unix

package top

import "os"

func notifyStops(chan<- os.Signal) {}

func stopProcess() {}
