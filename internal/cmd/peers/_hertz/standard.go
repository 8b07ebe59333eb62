// Package standard replaces, in a copy of hertz, its package of that name, the default transport of all servers, so
// that tests use the transport that RINGO_PEERS says: hertz's own standard one on the control, Ringo's with
// "transport", and Ringo's with handlers in tasks with "tasktransport".
package standard

import (
	"os"

	"github.com/cloudwego/hertz/pkg/common/config"
	"github.com/cloudwego/hertz/pkg/network"
	"github.com/cloudwego/hertz/pkg/network/standard"

	ringohertz "ringo/adapters/hertz"
	"ringo/peers"
)

// NewTransporter makes the transport that is tested.
func NewTransporter(o *config.Options) network.Transporter {
	how := os.Getenv("RINGO_PEERS")
	if how != "transport" && how != "tasktransport" {
		return standard.NewTransporter(o)
	}
	peers.Count()
	return (&ringohertz.Config{Tasks: how == "tasktransport"}).NewTransporter(o)
}
