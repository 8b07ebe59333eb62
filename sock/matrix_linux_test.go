//go:build linux

package sock_test

import (
	"testing"

	"ringo"
	"ringo/internal/socktest"
)

// Every method, by every kind of caller, while something happens to the call, its handle or its
// loop: see package socktest.
func TestMatrix(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) { socktest.Run(t, cfg.Driver) })
}

func TestMatrixIsComplete(t *testing.T) { socktest.Complete(t) }
