//go:build !linux

package socktest

import (
	"testing"

	"ringo"
)

// simulated is of Linux.
type simulated struct{}

func worldHere() *simulated { return nil }

func eachWorld(*testing.T, string, func(*testing.T, ringo.Config)) {}

func onLoopInWorlds(*testing.T, ringo.Config, func(*ringo.Loop)) { panic("unreachable") }

func (s *simulated) dialPeer(of *Paced, network, address string) (Peer, error) { panic("unreachable") }

// Paced is of Linux.
type Paced struct{ s *simulated }

func pacedOf(testing.TB) *Paced { return nil }

// StartPaced is of Linux.
func StartPaced(testing.TB, ringo.Config, func(*ringo.Loop) error) *Paced { panic("unreachable") }

// Stop is of Linux.
func (p *Paced) Stop() error { panic("unreachable") }

// Ended is of Linux.
func (p *Paced) Ended() <-chan struct{} { panic("unreachable") }
