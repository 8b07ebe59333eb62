//go:build !linux

package socktest

import (
	"testing"

	"ringo"
)

// simulated is of Linux.
type simulated struct{}

func worldHere() *simulated { panic("unreachable") }

func eachWorld(*testing.T, string, func(*testing.T, ringo.Config)) {}

func onLoopInWorlds(*testing.T, ringo.Config, func(*ringo.Loop)) { panic("unreachable") }

func (s *simulated) dialPeer(network, address string) (Peer, error) { panic("unreachable") }
