//go:build !linux

package socktest

import (
	"testing"

	"ringo"
)

// simulated exists on Linux alone.
type simulated struct{}

func worldHere() *simulated { return nil }

func eachWorld(*testing.T, string, func(*testing.T, ringo.Config)) {}

func onLoopInWorlds(*testing.T, ringo.Config, func(*ringo.Loop)) { panic("unreachable") }

func (s *simulated) dialPeer(of *Paced, network, address string) (Peer, error) { panic("unreachable") }

// Paced exists on Linux alone.
type Paced struct{ s *simulated }

func pacedOf(testing.TB) *Paced { return nil }

// StartPaced exists on Linux alone.
func StartPaced(testing.TB, ringo.Config, func(*ringo.Loop) error) *Paced { panic("unreachable") }

// Stop exists on Linux alone.
func (p *Paced) Stop() error { panic("unreachable") }

// Ended exists on Linux alone.
func (p *Paced) Ended() <-chan struct{} { panic("unreachable") }
